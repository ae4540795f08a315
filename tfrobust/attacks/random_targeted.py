"""The random-targeted attack: one wrong class, drawn for each example, is the target."""

import dataclasses

from tfrobust.attacks.adam_pgd import adam_pgd
from tfrobust.attacks.pgd import PGD
from tfrobust.losses.logit_objectives import LogitDifference
from tfrobust.threat_models.base import ThreatModel


def random_targeted(
    threat_model: ThreatModel, steps: int = 200, restarts: int = 20, success: str = "target"
) -> PGD:
    """Maximises z_t - z_y with Adam, t = (y + j) mod k with j drawn uniformly from 1 to k - 1.

    The class is drawn once for an example and is the same in all its runs. Any iterate that succeeds
    counts.

    Use it where there are too many classes to target each of them, to measure how often an attacker
    reaches a chosen class: "broken" is then the attack's success rate, which is much smaller than the
    fraction of misclassified images.

    Args:
        threat_model: `Linf` or `L2`.
        steps: of one run.
        restarts: runs from new starts.
        success: "target": the target class is more likely than the label, z_t > z_y, the first of
            the two readings in the code of interval bound propagation; the second one, that it is the
            most likely of all, is stricter. "wrong": any misclassification counts, for robust
            accuracy.

    Returns:
        A `PGD`. For an example that survives it costs restarts * steps forward and backward passes.

    Example:
    >>> attack = tfrobust.attacks.random_targeted(tfrobust.Linf("8/255"))
    >>> attack.targets, attack.success
    ('random', 'target')

    Reference: Qin et al., "Adversarial Robustness through Local Linearization", 2019, appendix F.
    """
    attack = adam_pgd(threat_model, LogitDifference(), steps, restarts, targets="random")
    return dataclasses.replace(attack, success=success)
