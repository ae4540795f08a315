"""When a search stops moving an example."""

import dataclasses

import tensorflow as tf

from tfrobust.ops.numbers import integer
from tfrobust.ops.schedules import Schedule, at, check_schedule
from tfrobust.spec import Spec, register


@dataclasses.dataclass(frozen=True)
class Freeze(Spec):
    """Decides, example by example, which ones still move.

    Example:
    >>> rule = tfrobust.attacks.EarlyStop(tolerance=1)
    >>> isinstance(rule, tfrobust.attacks.Freeze)
    True
    """

    def initial_state(self, y: tf.Tensor, epoch: tf.Tensor | float) -> tf.Tensor:
        """What the rule remembers, a tensor of shape (b,); `epoch` is for schedules."""
        raise NotImplementedError

    def __call__(self, state: tf.Tensor, correct: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
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

    An example whose incoming iterate is misclassified uses up one unit of tolerance, and is
    no longer moved once none is left; with tolerance 0 a start that is misclassified is not moved at all.

    Args:
        tolerance: the paper's tau, a whole number of at least 0, or a `Schedule` of one such as
            `Steps((30, 50, 70), (0, 1, 2, 3))`. With tau = steps the attack is plain PGD.

    Example:
    >>> rule, y = tfrobust.attacks.EarlyStop(tolerance=1), tf.constant([0])
    >>> state = rule.initial_state(y, epoch=0.0)
    >>> moves, state = rule(state, correct=tf.constant([False]))
    >>> again, state = rule(state, correct=tf.constant([False]))
    >>> bool(moves[0]), bool(again[0])
    (True, False)
    """

    tolerance: int | Schedule = 0

    def check(self) -> None:
        check_schedule(self.tolerance, "tolerance", 0.0)
        if not isinstance(self.tolerance, Schedule):
            integer(self.tolerance, "tolerance", 0)

    def initial_state(self, y: tf.Tensor, epoch: tf.Tensor | float) -> tf.Tensor:
        return tf.fill(tf.shape(y), tf.cast(at(self.tolerance, epoch), tf.int32))

    def __call__(self, state: tf.Tensor, correct: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # A frozen example has state -1 and stays misclassified where it is, so it stays frozen.
        state = tf.where(correct, state, state - 1)
        return state >= 0, state
