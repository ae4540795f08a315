"""Training runs: `train`, and the callbacks, optimizers and schedules that configure it."""

from tfrobust.ops.schedules import LinearRamp, PiecewiseLinear, Steps, WarmUp
from tfrobust.training.callbacks.averaging import EMA, SWA
from tfrobust.training.callbacks.collapse import StopAtCollapse
from tfrobust.training.callbacks.helper import TrainHelper
from tfrobust.training.callbacks.plateau import Plateau
from tfrobust.training.measurements.base import Measurement
from tfrobust.training.measurements.divergences import RecordDivergences
from tfrobust.training.measurements.jacobian_norm import RecordJacobianNorm
from tfrobust.training.optimizers.learning_rate import one_cycle
from tfrobust.training.optimizers.sgd import CoupledSGD
from tfrobust.training.run import train

__all__ = [
    "EMA",
    "SWA",
    "CoupledSGD",
    "LinearRamp",
    "Measurement",
    "PiecewiseLinear",
    "Plateau",
    "RecordDivergences",
    "RecordJacobianNorm",
    "Steps",
    "StopAtCollapse",
    "TrainHelper",
    "WarmUp",
    "one_cycle",
    "train",
]
