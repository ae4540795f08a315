"""The multi-targeted attack: every wrong class is a target."""

from tfrobust.attacks.adam_pgd import adam_pgd
from tfrobust.attacks.pgd import PGD
from tfrobust.losses.logit_objectives import LogitDifference
from tfrobust.threat_models.base import ThreatModel


def multi_targeted(
    threat_model: ThreatModel, steps: int = 200, restarts: int = 20, targets: int | str = "all"
) -> PGD:
    """Maximises z_t - z_y with Adam, for one wrong class t after the other.

    Any misclassified iterate counts, whatever its class. On a linear model one step for every class
    finds an adversarial image wherever there is one; the untargeted margin may miss it, since its
    runner-up at the clean image need not be the class that can be reached.

    Use it as the strongest attack of this family, where its cost is acceptable.

    Args:
        threat_model: `Linf` or `L2`.
        steps: of one run; 200 in LLR's evaluation, 20 and 50 in ATLAS's.
        restarts: runs from new starts for every class; 20 in LLR's evaluation, 5 and 20 in ATLAS's.
        targets: "all" wrong classes in the order of their numbers, or how many, those with the largest
            logits at the clean image.

    Returns:
        A `PGD`. For an example that survives it costs targets * restarts * steps forward and backward
        passes: 36,000 for 10 classes as in LLR's evaluation.

    Example:
    >>> attack = tfrobust.attacks.multi_targeted(tfrobust.Linf("8/255"), steps=20, restarts=5)
    >>> attack.runs(num_classes=10)
    45

    Reference: Gowal et al., "An Alternative Surrogate Loss for PGD-based Adversarial Testing", 2019;
    constants of Qin et al., "Adversarial Robustness through Local Linearization", 2019, appendix F.
    """
    return adam_pgd(threat_model, LogitDifference(), steps, restarts, decay=False, targets=targets)
