"""When a search leaves an example alone."""

import dataclasses

import tensorflow as tf

from tfrobust.ops.numbers import integer
from tfrobust.spec import Spec, register


@dataclasses.dataclass(frozen=True)
class Freeze(Spec):
    """Decides, example by example, which ones still move."""

    def initial_state(self, y):
        """What the rule remembers, a tensor of shape (b,)."""
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
        tolerance: the paper's tau, a whole number of at least 0. With tau = steps the attack is
            plain PGD.
    """

    tolerance: int = 0

    def check(self):
        integer(self.tolerance, "tolerance", 0)

    def initial_state(self, y):
        return tf.fill(tf.shape(y), self.tolerance)

    def __call__(self, state, correct):
        # A frozen example has state -1 and stays misclassified where it is, so it stays frozen.
        state = tf.where(correct, state, state - 1)
        return state >= 0, state
