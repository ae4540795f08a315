"""One device or several: rows are split among them, and no device waits for another."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfrobust.errors import UserError


class Devices:
    """Runs functions of rows on the devices of a strategy.

    Args:
        strategy: a `tf.distribute` strategy under whose scope the model was made, such as
            `MirroredStrategy`; None for the default device.

    Example:
    >>> from tfrobust.evaluation.compiled.devices import Devices
    >>> devices = Devices()
    >>> double = devices.function(lambda x: 2 * x)
    >>> devices.count, devices.join(double(devices.split(np.array([1, 2])))).tolist()
    (1, [2, 4])
    """

    def __init__(self, strategy: tf.distribute.Strategy | None = None):
        if strategy is not None and not isinstance(strategy, tf.distribute.Strategy):
            raise UserError(
                f"`strategy` must be a tf.distribute strategy or None. Received: {strategy!r}."
            )
        self.strategy = strategy
        self.count = 1 if strategy is None else strategy.num_replicas_in_sync

    def function(self, function: Callable, **options: Any) -> Any:
        """Makes a `tf.function` of split trees and of scalars that runs on every device."""
        # A partial, since TensorFlow takes functions of one source line for one that is traced again.
        everywhere = functools.partial(self._run, function)
        return tf.function(everywhere, autograph=False, **options)

    def _run(self, function, *arguments):
        if self.strategy is None:
            return function(*arguments)
        return self.strategy.run(function, args=arguments)

    def split(self, tree: Any) -> Any:
        """Turns arrays whose first axis is the row into tensors of which every device has an equal part."""
        if self.strategy is None:
            return tf.nest.map_structure(tf.convert_to_tensor, tree)

        def part(array):
            pieces = tf.split(tf.convert_to_tensor(array), self.count)
            return self.strategy.experimental_distribute_values_from_function(
                lambda context: pieces[context.replica_id_in_sync_group]
            )

        return tf.nest.map_structure(part, tree)

    def join(self, tree: Any) -> Any:
        """Returns a split tree as NumPy arrays; scalars of several devices are added."""
        return tf.nest.map_structure(self._join_value, tree)

    def map_batches(self, function: Callable, arrays: Sequence[np.ndarray], rows: int) -> Any:
        """Applies `function` to all rows, in batches of one shape; the last one is filled with its first row.

        Args:
            function: made by `function`.
            arrays: of equal first axis.
            rows: of a batch, made a multiple of the number of devices.
        """
        size, results = len(arrays[0]), []
        rows = -(-rows // self.count) * self.count
        for start in range(0, size, rows):
            places = np.arange(start, start + rows)
            places[places >= size] = start
            batch = self.split(tuple(array[places] for array in arrays))
            joined = self.join(function(*batch))
            results.append(tf.nest.map_structure(lambda v, n=size - start: v[:n], joined))
        return tf.nest.map_structure(lambda *parts: np.concatenate(parts), *results)

    def _join_value(self, value):
        if self.strategy is None:
            return np.asarray(value)
        parts = [part.numpy() for part in self.strategy.experimental_local_results(value)]
        if parts[0].ndim == 0:
            return sum(parts)
        return tf.concat(parts, axis=0).numpy()
