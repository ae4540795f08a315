"""What Keras's loops need where a model has several replicas, in one process or in several."""

import keras
import tensorflow as tf

from tfrobust import contract
from tfrobust.compat import all_layers, build_on_batch, compiled_metrics
from tfrobust.errors import UserError
from tfrobust.methods.memory_faults import warn_of_narrow_convolutions
from tfrobust.ops.replicas.rows import spans_processes, split_batches


class DistributedLoops:
    """Added to `keras.Model`, whose `fit` and `evaluate` then work under several processes too.

    There Keras 3 fails at two things: it builds a model on the mean of a batch over replicas, and it
    averages the numbers of a step, scalars, over their first axis.
    """

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Keras calls this before the first step. Its own version averages a batch over the replicas,
        # which fails where they hold different numbers of examples; and it leaves a single device's
        # model to the first step, where an attack's loop could not create variables.
        metrics, optimizer = compiled_metrics(self), self.optimizer
        several = self.distribute_strategy.num_replicas_in_sync > 1
        with self.distribute_strategy.scope():
            if not all(layer.built for layer in all_layers(self)) or (
                several and metrics is not None and not metrics.built
            ):
                if data_batch is None:
                    data_batch = next(iter(next(iter(iterator))[2]))
                local = self.distribute_strategy.experimental_local_results
                first = keras.tree.map_structure(lambda value: local(value)[0], data_batch)
                build_on_batch(self, first)
                # What `compile` could not see.
                warn_of_narrow_convolutions(self.classifier)
            # A graph that creates variables is traced twice.
            if optimizer is not None and not optimizer.built:
                optimizer.build(self.trainable_variables)

    def make_train_function(self, force=False):
        if not spans_processes(self.distribute_strategy):
            return super().make_train_function(force)
        if self.train_function is None or force:
            self.train_function = self._across_processes(self.train_step)
        return self.train_function

    def make_test_function(self, force=False):
        if not spans_processes(self.distribute_strategy):
            return super().make_test_function(force)
        if self.test_function is None or force:
            self.test_function = self._across_processes(self.test_step)
        return self.test_function

    def _across_processes(self, step):
        """One step on all replicas of all processes; the mean of the numbers that they report."""
        strategy = self.distribute_strategy

        def replica(data):
            numbers = step(data)
            context = tf.distribute.get_replica_context()
            packed = tf.stack([tf.cast(number, tf.float32) for number in numbers.values()])
            mean = context.all_reduce(tf.distribute.ReduceOp.MEAN, packed)
            return dict(zip(numbers, tf.unstack(mean), strict=True))

        def run(iterator):
            results = strategy.run(replica, (next(iterator),))
            return {k: strategy.experimental_local_results(v)[0] for k, v in results.items()}

        return run if self.run_eagerly else tf.function(run, autograph=False, reduce_retracing=True)

    def _distribute(self, data, steps=None):
        """What Keras's loops are given where several processes work together, and how many steps it has.

        Args:
            data: what `fit` or `evaluate` was given.
            steps: how many steps were asked for, or None for all.
        """
        strategy = self.distribute_strategy
        if not spans_processes(strategy) or isinstance(data, tf.distribute.DistributedDataset):
            return data, steps
        if not isinstance(data, tf.data.Dataset):
            raise UserError(
                "Several workers need a tf.data.Dataset of global batches, the same on each of them, such as "
                f"tfrobust.data.training_dataset. Received: a {type(data).__name__}, which Keras would "
                "shuffle on each worker by itself."
            )
        count = int(data.cardinality())
        if count < 0:
            return split_batches(data, strategy), steps
        # Where a dataset has no end, workers need not ask each other before each step whether it came.
        return split_batches(data.repeat(), strategy), steps or count

    def _refuse_several_processes(self, what, instead):
        if spans_processes(self.distribute_strategy):
            raise UserError(f"{what} does not work on several workers. {instead}")

    def train_on_batch(self, *args, **kwargs):
        """As `keras.Model.train_on_batch`."""
        self._refuse_several_processes("train_on_batch", "Call fit.")
        with contract.as_user_error():
            return super().train_on_batch(*args, **kwargs)

    def test_on_batch(self, *args, **kwargs):
        """As `keras.Model.test_on_batch`."""
        self._refuse_several_processes("test_on_batch", "Call evaluate.")
        with contract.as_user_error():
            return super().test_on_batch(*args, **kwargs)

    def predict_on_batch(self, x):
        """As `keras.Model.predict_on_batch`: logits."""
        with contract.as_user_error():
            return super().predict_on_batch(x)
