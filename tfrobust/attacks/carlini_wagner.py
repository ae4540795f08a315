"""PGD on the loss of Carlini and Wagner, "CW-20" of the training literature."""

from tfrobust.attacks.pgd import PGD
from tfrobust.attacks.starts import Uniform
from tfrobust.losses.logit_objectives import Margin
from tfrobust.threat_models.base import ThreatModel


def cw_20(threat_model: ThreatModel, steps: int = 20, step_size: float | str = 0.003) -> PGD:
    """Maximises the margin until it exceeds 50; the last iterate counts.

    Steps of the sign (Linf) or the normalised gradient (L2) from a uniform start that is not cut to
    the pixel box. Below a margin of 50 it is PGD on the margin; above it, the point no longer moves.

    Use it to compare with the "CW" columns of papers on adversarial training. It is not the attack
    of Carlini and Wagner, which looks for the nearest adversarial image.

    Args:
        threat_model: `Linf(0.031)` in the papers, which is not 8/255: the accuracy differs.
        steps: 20, or 30 in friendly adversarial training.
        step_size: in pixel units; 0.003 for CIFAR, 1/255 for SVHN.

    Returns:
        A `PGD`. It costs `steps` forward and backward passes, and a forward pass to judge.

    Example:
    >>> attack = tfrobust.attacks.cw_20(tfrobust.Linf(0.031))
    >>> attack.steps, attack.objective
    (20, Margin(confidence=50.0))

    Reference: the evaluation code of Zhang et al., "Attacks Which Do Not Kill Training Make
    Adversarial Learning Stronger", 2020; the loss is from Carlini, Wagner, "Towards Evaluating the
    Robustness of Neural Networks", 2017.
    """
    return PGD(
        threat_model,
        Margin(confidence=50.0),
        steps=steps,
        step_size=step_size,
        start=Uniform(clip=False),
    )
