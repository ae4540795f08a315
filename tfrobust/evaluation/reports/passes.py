"""What an attack costs for an example that it does not break."""

# AutoAttack's standard version on ten classes for an example that stands: F + B.
AUTOATTACK = 7852 + 1910


def theoretical_passes(attack, num_classes):
    """Forward and backward passes for an example that nothing breaks, from the attack's settings.

    Use it to plan, and to see next to the passes that were needed whether an attack did what it
    should. With r = `attack.runs(k)` runs:

        PGD          r (steps + 1) eot F,  r steps eot B   the last ones judge
        APGD         r (steps + 1) eot F and B
        FAB          r (2 steps + 3) F,  r steps B with targets;  r (2 steps + 2) F,  r steps k B without
        Square       r (queries + 1) F
        RayS         queries F   it ends the bisection that it is in
        RandomNoise  samples F

    The clean pass and the second look at what was found, one F each, are left out. FAB's are those of
    AutoAttack's code; fewer were needed where passes are shared.

    Args:
        attack: `Attack`.
        num_classes: k.

    Returns:
        `(forward, backward)`, whole numbers, or None for attacks that are not in the table.

    Reference: Croce and Hein, 2020, for AutoAttack; counted on its code.
    """
    for kind in type(attack).__mro__:
        if kind.__name__ in _FORMULAS:
            return _FORMULAS[kind.__name__](attack, attack.runs(num_classes), num_classes)
    return None


def _pgd(attack, runs, num_classes):
    return runs * (attack.steps + 1) * attack.eot, runs * attack.steps * attack.eot


def _apgd(attack, runs, num_classes):
    passes = runs * (attack.steps + 1) * attack.eot
    return passes, passes


def _fab(attack, runs, num_classes):
    if attack.targets:
        return runs * (2 * attack.steps + 3), runs * attack.steps
    return runs * (2 * attack.steps + 2), runs * attack.steps * num_classes


def _square(attack, runs, num_classes):
    return runs * (attack.queries + 1), 0


def _rays(attack, runs, num_classes):
    return runs * attack.queries, 0


def _noise(attack, runs, num_classes):
    return runs * attack.samples, 0


_FORMULAS = {
    "PGD": _pgd,
    "APGD": _apgd,
    "FAB": _fab,
    "Square": _square,
    "RayS": _rays,
    "RandomNoise": _noise,
}
