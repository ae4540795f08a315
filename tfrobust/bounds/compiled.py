"""Functions of batches that are traced once, for batches of any size."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


class CompiledOnce:
    """A function of tensors whose first axis is the batch; traced at its first call.

    Args:
        function: of nested tensors.

    Example:
    >>> from tfrobust.bounds.compiled import CompiledOnce
    >>> traces = []
    >>> double = CompiledOnce(lambda x: (traces.append(1), 2 * x)[1])
    >>> [double(tf.ones((n, 2))).shape[0] for n in (1, 2, 3)], len(traces)
    ([1, 2, 3], 1)
    """

    def __init__(self, function: Callable) -> None:
        self._function = function
        self._traced: Callable | None = None

    def __call__(self, *inputs: Any) -> Any:
        flat = [tf.convert_to_tensor(value) for value in tf.nest.flatten(inputs)]
        if self._traced is None:
            specs = [tf.TensorSpec([None, *value.shape[1:]], value.dtype) for value in flat]
            self._traced = self._trace(inputs, specs)
        return self._traced(*flat)

    def _trace(self, inputs, specs):
        def flattened(*values):
            return self._function(*tf.nest.pack_sequence_as(inputs, values))

        # Without AutoGraph: there is no control flow, and users' layers may be inside.
        return tf.function(flattened, autograph=False).get_concrete_function(*specs)
