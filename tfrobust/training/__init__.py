"""The run: loop, checkpoints, records, signals."""

from tfrobust.ops.schedules import LinearRamp, PiecewiseLinear, Steps
from tfrobust.training.learning_rate import one_cycle
from tfrobust.training.run import train
from tfrobust.training.sgd import CoupledSGD

__all__ = ["CoupledSGD", "LinearRamp", "PiecewiseLinear", "Steps", "one_cycle", "train"]
