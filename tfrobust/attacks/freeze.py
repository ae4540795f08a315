"""When a search leaves an example alone."""

import dataclasses

import tensorflow as tf

from tfrobust.ops.numbers import integer
from tfrobust.ops.schedules import Schedule, at, check_schedule
from tfrobust.spec import Spec, register


@dataclasses.dataclass(frozen=True)
class Freeze(Spec):
    """Decides, example by example, which ones still move."""

    def initial_state(self, y, epoch):
        """What the rule remembers, a tensor of shape (b,); `epoch` is for schedules."""
        raise NotImplementedError

    def __call__(self, state, correct):
        """Which examples move in this step, boolean (b,), and the new state.

        Args:
            state: what the last call returned.
            correct: whether the current iterate, before this step, is classified as its label,
                (b,).
        """
        raise NotImplementedError


@register
@dataclasses.dataclass(frozen=True)
class EarlyStop(Freeze):
    """Friendly adversarial training's rule: stop `tolerance` steps after the first misclassification.

    An example whose incoming iterate is misclassified uses up one unit of tolerance, and stays
    where it is once none is left; a start that is misclassified already is kept as it is with
    tolerance 0.

    Args:
        tolerance: the paper's tau, a whole number of at least 0, or a `Schedule` of one such as
            `Steps((30, 50, 70), (0, 1, 2, 3))`. With tau = steps the attack is plain PGD.
    """

    tolerance: int | Schedule = 0

    def check(self):
        check_schedule(self.tolerance, "tolerance", 0.0)
        if not isinstance(self.tolerance, Schedule):
            integer(self.tolerance, "tolerance", 0)

    def initial_state(self, y, epoch):
        return tf.fill(tf.shape(y), tf.cast(at(self.tolerance, epoch), tf.int32))

    def __call__(self, state, correct):
        # A frozen example has state -1 and stays misclassified where it is, so it stays frozen.
        state = tf.where(correct, state, state - 1)
        return state >= 0, state
