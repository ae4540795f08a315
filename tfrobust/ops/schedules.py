"""Numbers that change during training, as functions of the epochs that have passed."""

import dataclasses
import itertools

import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.numbers import number, parse_number, parse_numbers
from tfrobust.spec import Spec, register, tell_value


class Schedule(Spec):
    """A number that depends on the epochs that have passed, a float that grows with each step.

    Example:
    >>> tfrobust.LinearRamp(epochs=10.0, begin=1.0, end=0.5).extremes()
    (0.5, 1.0)
    """

    def __call__(self, epoch: tf.Tensor | float) -> tf.Tensor:
        """The value, a float32 scalar, at `epoch`, a float32 scalar (0.5 is half way through the first)."""
        raise NotImplementedError

    def extremes(self) -> tuple[float, float]:
        """The smallest and the largest value that it can take, by which limits are checked."""
        raise NotImplementedError


@register
@dataclasses.dataclass(frozen=True)
class LinearRamp(Schedule):
    """Goes from `begin` to `end` in a straight line, then stays there.

    Use it for the radius, and for weights that grow with it.

    begin + (end - begin) * min(1, (epoch - after) / epochs)

    Args:
        epochs: length of the ramp, > 0.
        begin, end: first and last value.
        after: epochs before the ramp starts.

    Example:
    >>> ramp = tfrobust.LinearRamp(epochs=10.0, end=4.0)
    >>> float(ramp(5.0)), float(ramp(20.0))
    (2.0, 4.0)
    """

    epochs: float
    begin: float = 0.0
    end: float = 1.0
    after: float = 0.0

    def check(self) -> None:
        self.store(
            epochs=parse_number(self.epochs, "epochs", minimum=1e-9),
            begin=parse_number(self.begin, "begin"),
            end=parse_number(self.end, "end"),
            after=parse_number(self.after, "after", minimum=0.0),
        )

    def __call__(self, epoch: tf.Tensor | float) -> tf.Tensor:
        part = tf.clip_by_value((epoch - self.after) / self.epochs, 0.0, 1.0)
        return self.begin + (self.end - self.begin) * part

    def extremes(self) -> tuple[float, float]:
        return min(self.begin, self.end), max(self.begin, self.end)

    def describe(self) -> str:
        """Such as "0 to 4 over 10 epochs"."""
        begin, end, epochs = map(tell_value, (self.begin, self.end, self.epochs))
        wait = f" after {tell_value(self.after)}" if self.after else ""
        return f"{begin} to {end} over {epochs} epochs{wait}"


@register
@dataclasses.dataclass(frozen=True)
class Steps(Schedule):
    """Constant between milestones. `values[i]` holds from `boundaries[i - 1]` on.

    Args:
        boundaries: epochs (0-based, from the start of that epoch on) at which the value changes,
            growing.
        values: one more value than boundaries.

    Example:
    >>> schedule = tfrobust.Steps((75, 90), (0.1, 0.01, 0.001))
    >>> round(float(schedule(80.0)), 4)
    0.01
    """

    boundaries: tuple
    values: tuple

    def check(self) -> None:
        boundaries = parse_numbers(self.boundaries, "boundaries")
        values = parse_numbers(self.values, "values")
        self.store(boundaries=boundaries, values=values)
        if len(values) != len(boundaries) + 1 or list(boundaries) != sorted(boundaries):
            raise UserError(
                "`Steps` needs growing boundaries and one more value than boundaries. "
                f"Received: boundaries={self.boundaries}, values={self.values}."
            )

    def __call__(self, epoch: tf.Tensor | float) -> tf.Tensor:
        boundaries = tf.constant(self.boundaries, tf.float32)
        passed = tf.reduce_sum(tf.cast(epoch >= boundaries, tf.int32))
        return tf.gather(tf.constant(self.values, tf.float32), passed)

    def extremes(self) -> tuple[float, float]:
        return min(self.values), max(self.values)


@register
@dataclasses.dataclass(frozen=True)
class PiecewiseLinear(Schedule):
    """Straight lines from point to point: warm-up, triangular and one-cycle learning rates.

    Args:
        epochs: growing; before the first and after the last point the value is constant.
        values: one for each epoch.

    Example:
    >>> round(float(PiecewiseLinear((0.0, 15.0, 30.0), (0.0, 0.2, 0.0))(7.5)), 3)
    0.1
    """

    epochs: tuple
    values: tuple

    def check(self) -> None:
        self.store(
            epochs=parse_numbers(self.epochs, "epochs"), values=parse_numbers(self.values, "values")
        )
        growing = all(a < b for a, b in itertools.pairwise(self.epochs))
        if not growing or len(self.epochs) != len(self.values) or not self.epochs:
            raise UserError(
                "`PiecewiseLinear` needs growing epochs and one value for each. "
                f"Received: epochs={self.epochs}, values={self.values}."
            )

    def __call__(self, epoch: tf.Tensor | float) -> tf.Tensor:
        result = tf.constant(self.values[0], tf.float32)
        points = zip(self.epochs, self.values, strict=True)
        for (left, low), (right, high) in itertools.pairwise(points):
            done = tf.clip_by_value((epoch - left) / (right - left), 0.0, 1.0)
            result += (high - low) * done
        return result

    def extremes(self) -> tuple[float, float]:
        return min(self.values), max(self.values)


@register
@dataclasses.dataclass(frozen=True)
class WarmUp(Schedule):
    """Rises from 0 to the first value of another schedule, which begins after it. For large batches.

    min(1, epoch / epochs) * then(max(0, epoch - epochs))

    So the milestones of `then` are counted from the end of the warm-up, and a run of 100 epochs with
    5 of warm-up has 105.

    Args:
        then: `Schedule`, such as `Steps((75, 90), (0.4, 0.04, 0.004))`.
        epochs: length of the warm-up, > 0.

    Example:
    >>> schedule = tfrobust.WarmUp(tfrobust.Steps((75,), (0.4, 0.04)), epochs=5.0)
    >>> round(float(schedule(2.5)), 3), round(float(schedule(79.0)), 3), round(float(schedule(80.0)), 3)
    (0.2, 0.4, 0.04)
    """

    then: Schedule
    epochs: float = 5.0

    def check(self) -> None:
        if not isinstance(self.then, Schedule):
            raise UserError(
                f"`then` must be a Schedule, such as Steps. Received: then={self.then!r}."
            )
        self.store(epochs=parse_number(self.epochs, "epochs", minimum=1e-9))

    def __call__(self, epoch: tf.Tensor | float) -> tf.Tensor:
        after = tf.maximum(0.0, epoch - self.epochs)
        return tf.minimum(1.0, epoch / self.epochs) * self.then(after)

    def extremes(self) -> tuple[float, float]:
        low, high = self.then.extremes()
        return min(0.0, low), max(0.0, high)


def at(value: float | str | Schedule, epoch: tf.Tensor | float) -> tf.Tensor | float:
    """The value of a number (also a written one, "1/2") or a schedule at `epoch`.

    Example:
    >>> at("1/2", epoch=3.0), float(at(LinearRamp(4.0), epoch=3.0))
    (0.5, 0.75)
    """
    return value(epoch) if isinstance(value, Schedule) else number(value, "value")


def check_schedule(
    value: float | str | Schedule,
    name: str,
    minimum: float | None = None,
    maximum: float | None = None,
) -> float | Schedule:
    """`value` if it is a schedule; otherwise the number that it stands for. Both within the limits.

    Example:
    >>> check_schedule("1/2", "scale", 0.0, 1.0)
    0.5
    """
    if not isinstance(value, Schedule):
        return number(value, name, minimum, maximum)
    for extreme in value.extremes():
        number(extreme, name, minimum, maximum)
    return value
