"""What all recipes share: how a threat model is named, and which attacks go with it."""

from collections.abc import Mapping
from typing import Any

from tfrobust.attacks import PGD, Gaussian, Uniform
from tfrobust.attacks.starts import Start
from tfrobust.errors import UserError
from tfrobust.losses import Bregman, CrossEntropy, ToClean, ToLabel
from tfrobust.ops.numbers import number
from tfrobust.ops.schedules import LinearRamp
from tfrobust.recipes.options import NormOrThreatModel, Radius
from tfrobust.regularizers.base import Regularizer
from tfrobust.threat_models import L1, L2, Linf
from tfrobust.threat_models.base import ThreatModel

_NORMS = {"Linf": Linf, "L2": L2, "L1": L1}
# Length of a step of multi-step training in radii: 2/255 at 8/255, and 15/255 at 128/255.
_STEPS = {Linf: 0.25, L2: 15 / 128, L1: 0.25}


def get_threat_model(threat_model: NormOrThreatModel, epsilon: Radius = None) -> ThreatModel:
    """Returns the threat model that a caller has named.

    Args:
        threat_model: "Linf", "L2" or "L1" with `epsilon`; or a `ThreatModel` without it.
        epsilon: radius in pixel units of [0, 1], such as "8/255".

    Returns:
        A `ThreatModel`.

    Raises:
        UserError: an unknown name, a name without a radius, or a radius twice.
    """
    if isinstance(threat_model, ThreatModel):
        if epsilon is not None:
            raise UserError(
                "A threat model has its own radius: leave `epsilon` out, or give the norm's name. "
                f"Received: threat_model={threat_model!r}, epsilon={epsilon!r}."
            )
        return threat_model
    if not isinstance(threat_model, str) or threat_model not in _NORMS:
        raise UserError(
            f"`threat_model` must be one of {tuple(_NORMS)} with `epsilon`, or a threat model such as "
            f"Linf('8/255'). Received: threat_model={threat_model!r}."
        )
    if epsilon is None:
        raise UserError(
            f"The radius is missing. Give it after the norm, such as ({threat_model!r}, '8/255')."
        )
    return _NORMS[threat_model](epsilon)


def label_attack(
    threat_model: ThreatModel,
    divergence: Bregman = Bregman(),
    *,
    steps: int,
    step_size: float | str | None = None,
    start: Start | None = None,
    **options: Any,
) -> PGD:
    """The attack of adversarial training: away from the label.

    Args:
        threat_model: `ThreatModel`.
        divergence: `Bregman` from the one-hot label; that of KL is the cross-entropy.
        steps: number of steps; one is FGSM-RS, of 1.25 radii.
        step_size: length of a step in pixel units. By default a quarter of the radius, 15/128 of it in
            L2, as 2/255 at 8/255 and 15/255 at 128/255.
        start: where it begins; uniform in the ball by default.
        **options: of `PGD`.

    Returns:
        A `PGD`.
    """
    objective = CrossEntropy() if divergence == Bregman() else ToLabel(divergence)
    settings = {"start": Uniform() if start is None else start, **options}
    return _make_attack(threat_model, objective, steps, step_size, **settings)


def divergence_attack(
    threat_model: ThreatModel,
    divergence: Bregman = Bregman(),
    *,
    steps: int,
    step_size: float | str | None = None,
    start: Start | None = None,
    **options: Any,
) -> PGD:
    """The attack of TRADES: away from the clean prediction.

    As `label_attack`, but with more than one step it starts at the image plus a little normal noise.
    """
    if start is None:
        start = Uniform() if steps == 1 else Gaussian(0.001)
    settings = {"start": start, **options}
    return _make_attack(threat_model, ToClean(divergence), steps, step_size, **settings)


def _make_attack(threat_model, objective, steps, step_size, **options):
    sizes = {"step_size": step_size}
    if step_size is None:
        sizes = {"relative_step_size": 1.25 if steps == 1 else _STEPS[type(threat_model)]}
    return PGD(threat_model, objective, steps=steps, **{**sizes, **options})


def add_defaults(threat_model: ThreatModel, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a method with PGD-10 in the threat model as `eval_attack`, unless they name one."""
    return {"eval_attack": label_attack(threat_model, steps=10), **options}


def add_regularizer(regularizer: Regularizer, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a method with one regularizer before those that they name."""
    return {**options, "regularizers": [regularizer, *options.get("regularizers", ())]}


def make_ramp(end: float, epochs: float) -> float | LinearRamp:
    """A straight line from 0 to `end` over the first `ramp_epochs`, or `end` itself where there are none."""
    return LinearRamp(epochs, end=end) if number(epochs, "ramp_epochs", 0.0) else end
