"""A function that is computed again for its gradient, in place of keeping what it computed."""

from collections.abc import Callable, Sequence

import tensorflow as tf


def rematerialize(
    function: Callable[..., Sequence[tf.Tensor]], order: int = 2
) -> Callable[..., list[tf.Tensor]]:
    """`function`, whose intermediate results are not kept but computed again where a gradient needs them.

    The gradient is such a function too, so that a loss that contains it keeps nothing of it either.
    `tf.recompute_grad`, and `keras.remat` with it, cannot be differentiated twice.

    Args:
        function: from floating-point tensors to a list of floating-point tensors, without effects but for
            those that may happen again; other tensors that it uses are constant to any gradient.
        order: how many derivatives are computed again; the next one is exact and keeps what it needs.

    Returns:
        The same function of the same tensors.

    Example:
        >>> square = rematerialize(lambda x: [tf.square(x)])
        >>> x = tf.constant(3.0)
        >>> with tf.GradientTape() as tape:
        ...     tape.watch(x)
        ...     y = square(x)[0]
        >>> float(tape.gradient(y, x))
        6.0
    """
    if order == 0:
        return lambda *inputs: list(function(*inputs))

    @tf.custom_gradient
    def kept(*inputs):
        def gradient(*upstream):
            # A graph would compute it at once, and keep it, if it did not wait.
            with tf.control_dependencies(list(upstream)):
                again = [tf.identity(value) for value in inputs]
            return rematerialize(_pull_back(function, len(inputs)), order - 1)(*again, *upstream)

        return list(function(*inputs)), gradient

    return kept


def _pull_back(function, count):
    def pulled(*values):
        inputs, upstream = list(values[:count]), list(values[count:])
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(inputs)
            outputs = list(function(*inputs))
        return tape.gradient(outputs, inputs, upstream, unconnected_gradients="zero")

    return pulled
