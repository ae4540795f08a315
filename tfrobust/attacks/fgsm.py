"""The fast gradient sign method, from the clean image or from a random start."""

from tfrobust.attacks.pgd import PGD
from tfrobust.attacks.starts import Clean, Uniform
from tfrobust.losses.objectives import CrossEntropy, Objective
from tfrobust.threat_models.base import ThreatModel


def fgsm(threat_model: ThreatModel, objective: Objective | None = None) -> PGD:
    """FGSM: one step of the radius from the clean image.

    x' = box(x + epsilon * steepest(gradient at x)), the sign for Linf, the normalised gradient for L2,
    and for L1 the pixel with the largest |gradient| alone.

    Use it as the cheapest check, never as a measure of robustness: where it breaks an example that a
    longer attack does not break, the longer attack fails.

    Args:
        threat_model: `Linf`, `L2` or `L1`.
        objective: what is maximised; the cross-entropy if None. An objective whose gradient is zero at
            the clean image is refused.

    Returns:
        A `PGD`. It costs one forward and one backward pass, and a forward pass to judge.

    Example:
    >>> model = lambda x: tf.reshape(x, (-1, 2)) * 10.0
    >>> x = tf.constant([[[[0.6, 0.4]]]])
    >>> found = tfrobust.attacks.fgsm(tfrobust.Linf(0.2))(model, x, [0], seed=0)
    >>> print(found.x.numpy().round(3))
    [[[[0.4 0.6]]]]

    Reference: Goodfellow, Shlens, Szegedy, "Explaining and Harnessing Adversarial Examples", 2015.
    """
    objective = objective or CrossEntropy()
    return PGD(threat_model, objective, steps=1, relative_step_size=1.0, start=Clean())


def fgsm_rs(
    threat_model: ThreatModel,
    objective: Objective | None = None,
    relative_step_size: float | str = 1.25,
) -> PGD:
    """FGSM from a random start: one step of 1.25 radii, cut back to ball and box.

    Use it as the attack of one-step training, and as the second cheapest check.

    Args:
        threat_model: `Linf`, `L2` or `L1`.
        objective: what is maximised: the cross-entropy if None, as in fast adversarial training;
            `ToClean()` in one-step TRADES.
        relative_step_size: length of the step in radii; with 2 or more the start is without effect.

    Returns:
        A `PGD`. It costs one forward and one backward pass, and a forward pass to judge.

    Example:
    >>> attack = tfrobust.attacks.fgsm_rs(tfrobust.Linf("8/255"))
    >>> attack.steps, attack.relative_step_size
    (1, 1.25)

    Reference: Wong, Rice, Kolter, "Fast is better than free", 2020. Its code cuts to the ball and then
    to the box, as this does.
    """
    objective = objective or CrossEntropy()
    return PGD(
        threat_model, objective, steps=1, relative_step_size=relative_step_size, start=Uniform()
    )
