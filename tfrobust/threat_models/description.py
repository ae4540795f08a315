"""Threat models as JSON values."""

from tfrobust.errors import UserError
from tfrobust.spec import Written
from tfrobust.threat_models.base import ThreatModel
from tfrobust.threat_models.l1 import L1
from tfrobust.threat_models.l2 import L2
from tfrobust.threat_models.linf import Linf

NORMS = {cls.__name__: cls for cls in (Linf, L2, L1)}


def describe(threat_model: ThreatModel) -> dict | None:
    """{"norm": "Linf", "epsilon": "8/255"}, for `from_description`; None for a user's own threat model."""
    if type(threat_model) not in NORMS.values():
        return None
    epsilon = threat_model.epsilon
    return {
        "norm": type(threat_model).__name__,
        "epsilon": str(epsilon) if isinstance(epsilon, Written) else float(epsilon),
    }


def from_description(description: dict) -> ThreatModel:
    """The `ThreatModel` that `describe` described.

    Raises:
        UserError: if it is not such a dictionary, or its radius cannot be read.
    """
    try:
        cls, epsilon = NORMS[description["norm"]], description["epsilon"]
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{description!r} does not describe a threat model. Expected a norm of {sorted(NORMS)} and an "
            "epsilon. Give --norm and --epsilon."
        ) from error
    return cls(epsilon)
