"""The random-targeted attack: one wrong class is aimed at, drawn for every example."""

import dataclasses

from tfrobust.attacks.adam_pgd import adam_pgd
from tfrobust.attacks.pgd import PGD
from tfrobust.losses.objectives import LogitDifference
from tfrobust.threat_models.base import ThreatModel


def random_targeted(
    threat_model: ThreatModel, steps: int = 200, restarts: int = 20, success: str = "target"
) -> PGD:
    """Climbs z_t - z_y with Adam, t = (y + j) mod k with j drawn uniformly from 1 to k - 1.

    The class is drawn once for an example and is the same in all its runs. Any iterate that succeeds
    counts.

    Use it where there are too many classes to aim at each, to measure how often an attacker gets the
    class that they want: "broken" is then the attack's success rate, a much smaller number than the
    share of misclassified images.

    Args:
        threat_model: `Linf` or `L2`.
        steps: of one run.
        restarts: runs from new starts.
        success: "target": the class aimed at is more likely than the label, z_t > z_y, the first of
            the two readings in the code of interval bound propagation; the second one, that it is the
            most likely of all, is stricter. "wrong": any misclassification counts, for robust
            accuracy.

    Returns:
        A `PGD`. It costs restarts * steps forward and backward passes for an example that it does
        not break.

    Example:
    >>> attack = tfrobust.attacks.random_targeted(tfrobust.Linf("8/255"))
    >>> attack.targets, attack.success
    ('random', 'target')

    Reference: Qin et al., "Adversarial Robustness through Local Linearization", 2019, appendix F.
    """
    attack = adam_pgd(threat_model, LogitDifference(), steps, restarts, targets="random")
    return dataclasses.replace(attack, success=success)
