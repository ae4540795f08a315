"""Counting clean and robust accuracy."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfrobust import L2, PGD, Linf
from tfrobust.attacks import Attack, Clean, Perturbation
from tfrobust.errors import UserError
from tfrobust.evaluation.accuracy import Judge, measure

GENERATOR = np.random.default_rng(0)
WEIGHTS = GENERATOR.normal(size=(9, 3)).astype("float32")
X = GENERATOR.uniform(0.3, 0.7, size=(50, 3, 3, 1)).astype("float32")
Y = GENERATOR.integers(0, 3, size=50)
ALL = np.arange(50)


def linear(x):
    return tf.reshape(x, [-1, 9]) @ WEIGHTS


def batches(size, order=ALL):
    def generate():
        for start in range(0, 50, size):
            at = np.minimum(np.arange(start, start + size), 49)
            yield (
                X[order[at]],
                Y[order[at]],
                (np.arange(start, start + size) < 50).astype("float32"),
            )

    signature = (
        tf.TensorSpec((size, 3, 3, 1), tf.float32),
        tf.TensorSpec((size,), tf.int64),
        tf.TensorSpec((size,), tf.float32),
    )
    return tf.data.Dataset.from_generator(generate, output_signature=signature)


def test_two_classes_are_counted_as_the_closed_form_says():
    # A point of a linear two-class model falls within Linf epsilon iff its margin is below epsilon * ||w||_1.
    w = WEIGHTS[:, 0] - WEIGHTS[:, 1]
    y = (X.reshape(50, 9) @ w - 0.1 < 0).astype("int64")
    margin = np.abs(X.reshape(50, 9) @ w - 0.1)

    def model(x):
        score = tf.reshape(x, [-1, 9]) @ w[:, None] - 0.1
        return tf.concat([score, tf.zeros_like(score)], axis=1)

    data = tf.data.Dataset.from_tensors((X, y, np.ones(50, "float32")))
    attack = PGD(Linf(0.05), steps=1, relative_step_size=1.0, start=Clean())
    measured = measure(Judge(model, attack), data)
    assert measured.clean.all()
    np.testing.assert_array_equal(measured.robust, margin > 0.05 * np.abs(w).sum())
    assert 0 < measured.robust.mean() < 1


def test_neither_batch_size_nor_order_matter_and_padding_is_left_out():
    attack = PGD(L2(0.2), steps=3)
    whole = measure(Judge(linear, attack), batches(50))
    parts = measure(Judge(linear, attack), batches(7))
    assert len(parts.clean) == 50
    np.testing.assert_array_equal(whole.robust, parts.robust)
    order = GENERATOR.permutation(50)
    mixed = measure(Judge(linear, attack), batches(50, order))
    np.testing.assert_array_equal(mixed.robust, whole.robust[order])


@dataclasses.dataclass(frozen=True)
class Cheat(Attack):
    """Leaves the ball."""

    threat_model: Linf = Linf(0.1)
    jit_compile = False

    def search(self, model, x, y, keys, scale, epoch):
        return Perturbation(x + 0.11, tf.zeros_like(y, tf.int32))


def test_an_attack_outside_its_threat_model_is_not_counted():
    with pytest.raises(UserError, match="example 0 lies outside"):
        measure(Judge(linear, Cheat()), batches(50))


def test_logits_that_are_not_finite_are_not_counted():
    with pytest.raises(UserError, match="not finite"):
        measure(
            Judge(lambda x: linear(x) * np.float32(np.nan), PGD(Linf(0.1), steps=1)), batches(50)
        )


def test_an_example_stands_if_it_stands_before_all():
    judges = [
        Judge(linear, PGD(L2(e), steps=3), seed) for e, seed in ((0.2, 0), (0.1, 1), (0.25, 2))
    ]
    single = [measure(judge, batches(10)).robust for judge in judges]
    np.testing.assert_array_equal(measure(judges, batches(10)).robust, np.all(single, axis=0))
