"""The run: loop, checkpoints, records, signals."""

from tfrobust.ops.schedules import LinearRamp, PiecewiseLinear, Steps, WarmUp
from tfrobust.training.averaging import EMA, SWA
from tfrobust.training.collapse import StopAtCollapse
from tfrobust.training.helper import TrainHelper
from tfrobust.training.learning_rate import one_cycle
from tfrobust.training.plateau import Plateau
from tfrobust.training.run import train
from tfrobust.training.sgd import CoupledSGD

__all__ = [
    "EMA",
    "SWA",
    "CoupledSGD",
    "LinearRamp",
    "PiecewiseLinear",
    "Plateau",
    "Steps",
    "StopAtCollapse",
    "TrainHelper",
    "WarmUp",
    "one_cycle",
    "train",
]
