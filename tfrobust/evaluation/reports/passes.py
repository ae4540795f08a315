"""What an attack costs for an example that it does not break."""

from tfrobust.attacks.base import Attack

# AutoAttack's standard version on ten classes for a robust example: F + B.
AUTOATTACK = 7852 + 1910


def count_theoretical_passes(attack: Attack, num_classes: int) -> tuple[int, int] | None:
    """Computes the passes for an example that nothing breaks, from the attack's settings.

    Use it to plan an evaluation, and to compare with the passes that were made. With r =
    `attack.runs(k)` runs:

        PGD          r (steps + 1) eot F,  r steps eot B   the last ones judge
        APGD         r looks eot F and B   looks is steps + 1, or steps + 3 with larger radii
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
        `(forward, backward)`, whole numbers, or None for attacks that do not say (`Attack.passes`).

    Example:
    >>> from tfrobust.evaluation.reports.passes import count_theoretical_passes
    >>> count_theoretical_passes(tfrobust.attacks.APGD(tfrobust.Linf("8/255"), steps=100), 10)
    (101, 101)

    Reference: Croce and Hein, 2020, for AutoAttack; counted on its code.
    """
    return attack.passes(num_classes)
