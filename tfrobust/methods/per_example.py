"""Numbers per example: what parts of a loss must be."""

from typing import Any

import tensorflow as tf

from tfrobust.errors import UserError

_ADVICE = (
    "Reduce over the axes of an example only; the step itself takes the mean over the global batch."
)


def check_per_example(values: Any, y: tf.Tensor, what: str) -> tf.Tensor:
    """`values` if they are a floating-point number for each example.

    A mean or a column would silently be broadcast against the other terms, and the step would have
    a different length. What shapes leave open is asserted when the step runs.

    Args:
        values: anything that becomes a tensor.
        y: labels, (b,) or (b, k).
        what: what it is, for the message: "Mine.per_example_loss".

    Returns:
        A tensor of shape (b,).

    Raises:
        UserError: for another shape or dtype, or no value.
    """
    if values is None:
        raise UserError(f"{what} returned nothing. It must return numbers of shape (b,).")
    values, y = tf.convert_to_tensor(values), tf.convert_to_tensor(y)
    rows = y.shape[:1]
    expected = f"{what} must be a number for each example, shape (b,)"
    if not values.dtype.is_floating:
        raise UserError(f"{expected}, floating-point. Received: dtype {values.dtype.name}.")
    if not values.shape.is_compatible_with(rows):
        raise UserError(f"{expected}, here {rows}. Received: shape {values.shape}. {_ADVICE}")
    if values.shape.is_fully_defined() and rows.is_fully_defined():
        return values
    fits = tf.equal(tf.rank(values), 1) & tf.equal(tf.size(values), tf.shape(y)[0])
    told = [f"{expected}. Received: shape", tf.shape(values), "for labels of shape", tf.shape(y)]
    with tf.control_dependencies([tf.debugging.Assert(fits, told, name="per_example")]):
        values = tf.identity(values)
    values.set_shape(rows)
    return values
