"""What bounds must know of an operation of a network."""

from collections.abc import Sequence

import tensorflow as tf

from tfrobust.bounds.arithmetic import Arithmetic
from tfrobust.bounds.interval import Interval


class Operation:
    """An operation of a network, with rules for boxes and for linear bounds.

    Attributes:
        is_linear: whether its output is a linear function of its inputs plus a constant, so that a
            linear bound goes through it without a loss.
    """

    is_linear = True

    def bound(
        self, inputs: Sequence[Interval], arithmetic: Arithmetic
    ) -> tuple[Interval, tf.Tensor | None]:
        """A box around the exact outputs, and how far rounding may move each of them.

        Args:
            inputs: boxes (b, ...) of its inputs.
            arithmetic: `Arithmetic`.

        Returns:
            `Interval` (b, ...), and a tensor of its shape, or None where nothing is rounded.
        """
        raise NotImplementedError(f"{type(self).__name__} has no rule for boxes.")

    def relax(
        self, rows: tf.Tensor, inputs: Sequence[Interval], arithmetic: Arithmetic
    ) -> tuple[list[tf.Tensor], tf.Tensor | float]:
        """A linear function of the inputs below <row, output>, for all inputs in their boxes.

        Args:
            rows: (r, ...), coefficients of the output.
            inputs: boxes (r, ...) of its inputs.
            arithmetic: `Arithmetic`.

        Returns:
            Coefficients (r, ...) of each input, and the constants, (r,) or 0.0.
        """
        raise NotImplementedError(f"{type(self).__name__} has no linear bounds.")

    def gains_from(self, box: Interval) -> tf.Tensor:
        """Whether a tighter box of each input would tighten what follows, boolean; for what is not linear."""
        return box.lower < box.upper


class Images(Operation):
    """The images themselves, where a network begins."""
