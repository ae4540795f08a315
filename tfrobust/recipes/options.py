"""What recipes take beyond their own arguments, by name and type: editors complete and check it.

A group names the options of a method that a recipe passes on, and of the recipe that it builds on.
"""

from collections.abc import Sequence
from typing import Literal, TypedDict

from tfrobust.attacks import Attack
from tfrobust.attacks.starts import Start
from tfrobust.losses import Bregman, LossClipping
from tfrobust.ops.schedules import Schedule
from tfrobust.regularizers.base import Regularizer
from tfrobust.threat_models.base import ThreatModel
from tfrobust.weights.base import WeightPerturbation

NormOrThreatModel = Literal["Linf", "L2", "L1"] | ThreatModel
"""The name of a norm, with a radius beside it; or a threat model, which has its own."""

Radius = float | str | None
"""In pixel units of [0, 1], such as "8/255"; None beside a threat model."""

Weight = float | Schedule
"""Of a term in a loss: a number, or one that changes from step to step."""


class Options(TypedDict, total=False):
    """What every method takes."""

    regularizers: Sequence[Regularizer]
    eval_attack: Attack | None
    seed: int
    name: str | None


class DivergenceOptions(TypedDict, total=False):
    """The divergence, where a recipe leaves it to the method."""

    divergence: Bregman


class NaturalOptions(Options, total=False):
    """Of `methods.Natural` and `methods.GaussianNoise`, but the divergence."""

    weight_perturbation: WeightPerturbation | None


class JacobianOptions(NaturalOptions, DivergenceOptions, total=False):
    """Of `recipes.natural`."""


class CertifiedOptions(Options, total=False):
    """Of `methods.CertifiedTraining`, but kappa."""

    crown: Weight
    scale: Weight


class FreeOptions(Options, DivergenceOptions, total=False):
    """Of `methods.Free`."""

    step_size: float | str | None


class LLROptions(NaturalOptions, total=False):
    """Of `methods.LLR`, but its weights."""

    scale: Weight


class LLRGammaOptions(NaturalOptions, total=False):
    """Of `recipes.llr`, but mu."""

    scale: Weight
    steps: int
    step_size: float | str
    lam: Weight
    w_nom: Weight
    ramp_epochs: float


class _NoiseOptions(Options, total=False):
    attack_weights: WeightPerturbation | None
    attack_statistics: str


class MethodOptions(_NoiseOptions, total=False):
    """Of a method that attacks weights too, but its loss."""

    weight_perturbation: WeightPerturbation | None
    scale: Weight


class MARTOptions(MethodOptions, DivergenceOptions, total=False):
    """Of `methods.MART`, but beta."""

    offset: float


class ADVOptions(MethodOptions, total=False):
    """Of `methods.ADV`, but the divergence."""

    label_smoothing: float
    clipping: LossClipping | None


class AnyADVOptions(ADVOptions, DivergenceOptions, total=False):
    """Of `methods.ADV`."""


class TRADESOptions(ADVOptions, total=False):
    """Of `methods.TRADES`, but beta and the divergence."""

    label_divergence: Bregman | None


class AnyTRADESOptions(TRADESOptions, DivergenceOptions, total=False):
    """Of `methods.TRADES`, but beta."""


class GATOptions(AnyTRADESOptions, total=False):
    """Of `methods.GAT`, but beta."""

    alternate: bool


class HATOptions(AnyTRADESOptions, total=False):
    """Of `methods.HAT`, but its helper and weights."""

    reach: float
    adversarial_label: bool


class ATLASOptions(AnyADVOptions, total=False):
    """Of `methods.ATLAS`, but alpha and beta."""

    projections: int
    kind: str
    smoothness_divergence: Bregman


class AttackOptions(TypedDict, total=False):
    """Of the attack, where a recipe leaves them to the one that it builds on."""

    steps: int
    step_size: float | str | None
    start: Start | None


class ATLASHalfOptions(ATLASOptions, AttackOptions, total=False):
    """Of `recipes.atlas`, but alpha and beta."""

    ramp_epochs: float


class RATOptions(AnyTRADESOptions, AttackOptions, total=False):
    """Of `recipes.trades`."""

    beta: Weight


class RATADVOptions(AnyADVOptions, AttackOptions, total=False):
    """Of `recipes.adv`."""


class EntropyOptions(TRADESOptions, AttackOptions, total=False):
    """Of `recipes.trades`, but beta and the divergence."""


class FAITEntropyOptions(TRADESOptions, total=False):
    """Of `recipes.fait`, but beta and the divergence."""

    steps: int
    step_size: float | str | None
    intermediate: int


class _SquaredOptions(MethodOptions, AttackOptions, total=False):
    label_smoothing: float
    label_divergence: Bregman | None


class SCOREOptions(_SquaredOptions, total=False):
    """Of `recipes.trades`, but what SCORE sets."""


class AWPOptions(_NoiseOptions, AttackOptions, DivergenceOptions, total=False):
    """Of `recipes.trades`, but the weight perturbation."""

    beta: Weight
    scale: Weight
    label_smoothing: float
    label_divergence: Bregman | None
    clipping: LossClipping | None


class TradesJacOptions(_NoiseOptions, DivergenceOptions, total=False):
    """Of `recipes.trades`, but what TradesJac sets."""

    step_size: float | str | None
    start: Start | None
    weight_perturbation: WeightPerturbation | None
    label_smoothing: float
    label_divergence: Bregman | None
    clipping: LossClipping | None
