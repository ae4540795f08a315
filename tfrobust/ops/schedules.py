"""Numbers that change during training, as functions of the epochs that have passed."""

import dataclasses

import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.numbers import number
from tfrobust.spec import Spec, register


class Schedule(Spec):
    """A number that depends on the epochs that have passed, a float that grows with every step."""

    def __call__(self, epoch):
        """The value, a float32 scalar, at `epoch`, a float32 scalar (0.5 is half way through the first)."""
        raise NotImplementedError


@register
@dataclasses.dataclass(frozen=True)
class LinearRamp(Schedule):
    """Goes from `begin` to `end` in a straight line, then stays. For epsilon, and what scales along.

    begin + (end - begin) * min(1, (epoch - after) / epochs)

    Args:
        epochs: length of the ramp, > 0.
        begin, end: first and last value.
        after: epochs before the ramp starts.
    """

    epochs: float
    begin: float = 0.0
    end: float = 1.0
    after: float = 0.0

    def check(self):
        number(self.epochs, "epochs", minimum=1e-9)
        number(self.begin, "begin")
        number(self.end, "end")
        number(self.after, "after", minimum=0.0)

    def __call__(self, epoch):
        done = tf.clip_by_value((epoch - self.after) / self.epochs, 0.0, 1.0)
        return self.begin + (self.end - self.begin) * done


@register
@dataclasses.dataclass(frozen=True)
class Steps(Schedule):
    """Constant between milestones. `values[i]` holds from `boundaries[i - 1]` on.

    Args:
        boundaries: epochs (0-based, from the start of that epoch on) at which the value changes,
            growing.
        values: one more value than boundaries.
    """

    boundaries: tuple
    values: tuple

    def check(self):
        if len(self.values) != len(self.boundaries) + 1 or list(self.boundaries) != sorted(
            self.boundaries
        ):
            raise UserError(
                "`Steps` needs growing boundaries and one more value than boundaries. "
                f"Received: boundaries={self.boundaries}, values={self.values}."
            )

    def __call__(self, epoch):
        passed = tf.reduce_sum(tf.cast(epoch >= tf.constant(self.boundaries, tf.float32), tf.int32))
        return tf.gather(tf.constant(self.values, tf.float32), passed)


def at(value, epoch):
    """The value of a number or a schedule at `epoch`."""
    return value(epoch) if isinstance(value, Schedule) else value


def checked(value, name, minimum=None, maximum=None):
    """`value` if it is a schedule; otherwise the number that it stands for, within the limits."""
    return value if isinstance(value, Schedule) else number(value, name, minimum, maximum)
