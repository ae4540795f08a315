"""What workers agree on, between threads in place of processes; and which rows are whose."""

import concurrent.futures
import threading

import numpy as np
import pytest
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.replicas.rows import _take_rows
from tfrobust.ops.replicas.workers import ALONE, Workers

COUNT = 3


class Table:
    """Where threads lay down what they say."""

    def __init__(self):
        self.values, self.barrier = [None] * COUNT, threading.Barrier(COUNT, timeout=20)


class ThreadWorkers(Workers):
    count = COUNT

    def __init__(self, index, table):
        self.index, self.table = index, table

    def exchange(self, value):
        self.table.values[self.index] = value
        self.table.barrier.wait()
        values = list(self.table.values)
        self.table.barrier.wait()
        return values


def on_each(function):
    """What each worker's call returned, or the message of its `UserError`."""
    table = Table()

    def call(index):
        try:
            return function(ThreadWorkers(index, table))
        except UserError as error:
            return str(error)

    with concurrent.futures.ThreadPoolExecutor(COUNT) as pool:
        return list(pool.map(call, range(COUNT)))


def test_another_configuration_is_named_on_all():
    told = on_each(lambda w: w.check_same("configuration", {"seed": 0, "epochs": w.index // 2}))
    (message,) = set(told)
    assert "Worker 2 of 3 has another configuration" in message
    assert "epochs: 1 there, 0 on worker 0" in message and "seed" not in message
    assert on_each(lambda w: w.check_same("version", {"keras": "3"})) == [None] * COUNT


def test_a_name_that_one_lacks_is_another_value():
    told = on_each(lambda w: w.check_same("data set", {"more": 1} if w.index == 1 else {}))
    assert all("more: 1 there, None on worker 0" in message for message in told)


def test_a_refusal_of_one_is_that_of_all():
    def work(workers):
        with workers.refused_together():
            if workers.index == 1:
                raise UserError("There are no images here.")

    told = on_each(work)
    assert told[1] == "There are no images here."
    assert told[0] == told[2] == "Worker 1: There are no images here."


def test_alone():
    assert ALONE.is_chief and ALONE.exchange(5) == [5] and ALONE.any_of(0, "x") == (False, True)
    with pytest.raises(UserError, match="^no$"), ALONE.refused_together():
        raise UserError("no")


@pytest.mark.parametrize(("rows", "replicas"), [(8, 4), (7, 2), (7, 4), (1, 2), (3, 4)])
def test_rows_of_replicas_are_the_batch_in_order(rows, replicas):
    """And as many for each as `MirroredStrategy` gives its devices."""
    batch = tf.range(rows), tf.range(rows) + 10
    parts = [_take_rows(batch, tf.constant(r, tf.int64), replicas) for r in range(replicas)]
    np.testing.assert_array_equal(tf.concat([x for x, _ in parts], 0), batch[0])
    np.testing.assert_array_equal(tf.concat([y for _, y in parts], 0), batch[1])
    share = -(-rows // replicas)
    assert [len(x) for x, _ in parts] == [
        max(0, min(share, rows - r * share)) for r in range(replicas)
    ]
