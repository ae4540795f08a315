"""What a replica knows of the whole batch."""

import numpy as np
import tensorflow as tf

from tfrobust.ops.replicas.global_batch import global_batch, sum_over_replicas


def test_one_device():
    batch = global_batch(tf.zeros((5, 2)))
    assert (float(batch.size), batch.offset, batch.replicas) == (5.0, 0, 1)
    assert float(sum_over_replicas(tf.constant(3.0))) == 3.0


def test_two_replicas_uneven_and_empty(two_replicas):
    def counts(sizes):
        def replica():
            context = tf.distribute.get_replica_context()
            index = tf.convert_to_tensor(context.replica_id_in_sync_group)
            batch = global_batch(tf.zeros((tf.gather(sizes, index), 2)))
            total = sum_over_replicas([tf.cast(index, tf.float32) + 1.0])[0]
            return batch.size, batch.offset, total

        values = tf.function(lambda: two_replicas.run(replica))()
        return [[float(v) for v in two_replicas.experimental_local_results(x)] for x in values]

    assert counts([4, 3]) == [[7, 7], [0, 4], [3, 3]]
    assert counts([1, 0]) == [[1, 1], [0, 1], [3, 3]]
    np.testing.assert_array_equal(counts([0, 0])[0], [0, 0])
