"""One device or several: rows are split among them, and no device waits for another."""

import functools

import tensorflow as tf

from tfrobust.errors import UserError


class Devices:
    """Runs functions of rows on the devices of a strategy.

    Args:
        strategy: a `tf.distribute` strategy under whose scope the model was made, such as
            `MirroredStrategy`; None for the default device.
    """

    def __init__(self, strategy=None):
        if strategy is not None and not isinstance(strategy, tf.distribute.Strategy):
            raise UserError(
                f"`strategy` must be a tf.distribute strategy or None. Received: {strategy!r}."
            )
        self.strategy = strategy
        self.count = 1 if strategy is None else strategy.num_replicas_in_sync

    def function(self, function, **options):
        """`function` of split trees and of scalars as a `tf.function` that runs on every device."""
        # A partial, since TensorFlow takes functions of one source line for one that is traced again.
        everywhere = functools.partial(self._everywhere, function)
        return tf.function(everywhere, autograph=False, **options)

    def _everywhere(self, function, *arguments):
        if self.strategy is None:
            return function(*arguments)
        return self.strategy.run(function, args=arguments)

    def split(self, tree):
        """Arrays whose first axis is the row, as tensors of which every device has an equal part."""
        if self.strategy is None:
            return tf.nest.map_structure(tf.convert_to_tensor, tree)

        def part(array):
            pieces = tf.split(tf.convert_to_tensor(array), self.count)
            return self.strategy.experimental_distribute_values_from_function(
                lambda context: pieces[context.replica_id_in_sync_group]
            )

        return tf.nest.map_structure(part, tree)

    def join(self, tree):
        """The arrays of a split tree, in numpy; scalars of several devices are added."""
        return tf.nest.map_structure(self._joined, tree)

    def _joined(self, value):
        if self.strategy is None:
            return value.numpy()
        parts = [part.numpy() for part in self.strategy.experimental_local_results(value)]
        if parts[0].ndim == 0:
            return sum(parts)
        return tf.concat(parts, axis=0).numpy()
