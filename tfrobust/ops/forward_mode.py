"""Derivatives along a direction by forward mode, which an outer tape may differentiate once more."""

import contextlib
from collections.abc import Callable, Sequence

import tensorflow as tf


def differentiate_along(
    function: Callable[..., tuple[tf.Tensor, Sequence[tf.Tensor], Sequence[tf.Tensor]]],
    inputs: Sequence[tf.Tensor],
    direction: Sequence[tf.Tensor | None],
    order: int = 1,
) -> tuple[tf.Tensor, tuple[tf.Tensor, ...], list[tf.Tensor], list[tf.Tensor]]:
    """Computes a function's value and its derivatives along a direction, in one pass.

    TensorFlow 2.21 can silently give wrong gradients here. A tape around nested
    `ForwardAccumulator`s loses terms, 50 to 100 % of the gradient, where a graph's own gradients
    are right: those are used for order 2. In eager mode a tape loses operations, also those of
    the value, whose derivatives have been garbage-collected: there a graph is built.

    Args:
        function: of the tensors `inputs`; returns a value, a list of floating-point tensors through
            which gradients are wanted too, and a list of tensors through which they are not.
        inputs: list of tensors.
        direction: list of as many tensors, or None where an input stays.
        order: 1 or 2.

    Returns:
        The value; the tuple of its derivatives, `order` tensors of the value's shape; and the two
        lists.
    """
    if tf.executing_eagerly():
        graph = tf.function(
            lambda *inputs: _forward(function, inputs, direction, order), autograph=False
        )
        # A graph also under `tf.config.run_functions_eagerly`.
        return graph.get_concrete_function(*inputs)(*inputs)
    if order == 1:
        return _forward(function, inputs, direction, order)
    constant = []

    @tf.custom_gradient
    def in_graph(*inputs):
        value, derivatives, wanted, unwanted = _forward(function, inputs, direction, order)
        constant.extend(unwanted)
        found = [value, *derivatives, *wanted]

        def gradient(*upstream):
            return tf.gradients(found, list(inputs), list(upstream), unconnected_gradients="zero")

        return found, gradient

    value, *found = in_graph(*inputs)
    return value, tuple(found[:order]), found[order:], constant


def _forward(function, inputs, direction, order):
    pairs = [(a, b) for a, b in zip(inputs, direction, strict=True) if b is not None]
    primals, tangents = [a for a, _ in pairs], [b for _, b in pairs]
    with contextlib.ExitStack() as stack:
        accumulators = [
            stack.enter_context(tf.autodiff.ForwardAccumulator(primals, tangents))
            for _ in range(order)
        ]
        value, wanted, unwanted = function(*inputs)
        derivatives = [value]
        # The innermost first: the others have recorded what it computes.
        for accumulator in reversed(accumulators):
            derivatives.append(accumulator.jvp(derivatives[-1], "zero"))
    return value, tuple(derivatives[1:]), list(wanted), list(unwanted)
