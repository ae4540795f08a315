"""The untargeted margin attack, "Un-T"."""

from tfrobust.attacks.adam_pgd import adam_pgd
from tfrobust.attacks.pgd import PGD
from tfrobust.losses.logit_objectives import Margin
from tfrobust.threat_models.base import ThreatModel


def untargeted_margin(threat_model: ThreatModel, steps: int = 200, restarts: int = 20) -> PGD:
    """Maximises the largest wrong logit minus the label's, with Adam and a step size that falls.

    max over j != y of z_j, minus z_y; the runner-up is chosen again in every step. Any misclassified
    iterate counts.

    Use it where the logits are so far apart that the cross-entropy's gradient vanishes, and beside
    `multi_targeted`, which is rarely weaker.

    Args:
        threat_model: `Linf` or `L2`.
        steps: of one run; 200 in LLR's evaluation, 100 and 50 in ATLAS's.
        restarts: runs from new starts; 20 in LLR's evaluation, 10 and 20 in ATLAS's.

    Returns:
        A `PGD`. For an example that survives it costs restarts * steps forward and backward passes.

    Example:
    >>> tfrobust.attacks.untargeted_margin(tfrobust.Linf("8/255"), restarts=10).runs(num_classes=10)
    10

    Reference: Qin et al., "Adversarial Robustness through Local Linearization", 2019, appendix F.
    A tie of two logits counts by the lower class, as everywhere here; their code asks for a margin
    above zero.
    """
    return adam_pgd(threat_model, Margin(), steps, restarts)
