"""PGD with Adam's steps, the evaluation of LLR and of interval bound propagation."""

from tfrobust.attacks.pgd import PGD
from tfrobust.attacks.steppers import Adam
from tfrobust.losses.objectives import CrossEntropy, Objective
from tfrobust.ops.numbers import integer
from tfrobust.threat_models.base import ThreatModel


def adam_pgd(
    threat_model: ThreatModel,
    objective: Objective | None = None,
    steps: int = 200,
    restarts: int = 20,
    step_size: float | str = 0.1,
    decay: bool = True,
    targets: int | str = 0,
    selection: str = "any",
) -> PGD:
    """Adam's ascent on the perturbation, projected after every step, from uniform starts.

    The first steps of length 0.1 jump between corners of the ball, the later ones refine the image:
    the step is a tenth of that from half of the steps on, and a hundredth from three quarters on. Of
    200 steps that is from step 100 and from step 150 on, as in LLR's evaluation; for other numbers
    the break points are scaled, and rounded up. Any misclassified iterate counts.

    Use it where small final steps matter; its first steps are too long to be compared with those of `PGD`.

    Args:
        threat_model: `Linf` or `L2`.
        objective: what is maximised; the cross-entropy if None.
        steps: of one run.
        restarts: runs from new starts; each begins with a new Adam.
        step_size: Adam's learning rate in pixel units.
        decay: whether the step size falls; LLR's targeted attack keeps it.
        targets, selection: as in `PGD`.

    Returns:
        A `PGD`. For an example that survives it costs restarts * steps forward and backward passes,
        times the number of targets.

    Example:
    >>> attack = tfrobust.attacks.adam_pgd(tfrobust.Linf("8/255"), steps=100)
    >>> attack.stepper.milestones, attack.selection
    ((50, 75), 'any')

    Reference: Qin et al., "Adversarial Robustness through Local Linearization", 2019, appendix F.
    """
    integer(steps, "steps", 1)
    # Rounded up, so that the first step is always a whole one.
    milestones = (-(-steps // 2), -(-3 * steps // 4)) if decay else ()
    factors = (0.1, 0.01) if decay else ()
    return PGD(
        threat_model,
        objective or CrossEntropy(),
        steps=steps,
        step_size=step_size,
        stepper=Adam(milestones=milestones, factors=factors),
        restarts=restarts,
        targets=targets,
        selection=selection,
    )
