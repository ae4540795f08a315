"""A loss of one's own returns a number for each example, at every door, or an error names it."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD
from tfrobust.errors import UserError
from tfrobust.losses import cross_entropy
from tfrobust.methods import ADV, AdversarialModel, Free
from tfrobust.methods.per_example import check_per_example
from tfrobust.regularizers.base import Regularizer
from tfrobust.threat_models import Linf
from tfrobust.weights import AWP

RNG = np.random.default_rng(0)
X, Y = RNG.random((6, 4, 4, 1)).astype("float32"), (np.arange(6) % 3).astype("int32")
ATTACK = PGD(Linf(0.1), steps=1)

# What is wrong with values of shape (b,), and what the message says of the result.
FAULTS = {
    "mean": (tf.reduce_mean, r"shape \(\)"),
    "kept mean": (lambda v: tf.reduce_mean(v, keepdims=True), r"shape"),
    "column": (lambda v: v[:, None], r", 1\)"),
    "per class": (lambda v: v[:, None] * tf.ones([1, 3]), r", 3\)"),
    "integers": (lambda v: tf.cast(v, tf.int32), "int32"),
    "nothing": (lambda v: None, "returned nothing"),
}


def classifier():
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])


def wrong_loss(base, fault, **kwargs):
    class Mine(base):
        def per_example_loss(self, context):
            return fault(cross_entropy(context.y, context.logits("adversarial")))

    return Mine(classifier(), **kwargs)


def wrong_part(fault):
    class Mine(AdversarialModel):
        parts = ("mine",)

        def per_example_loss(self, context):
            loss = cross_entropy(context.y, context.logits("adversarial"))
            context.record("mine", fault(loss))
            return loss

    return Mine(classifier(), ATTACK)


@dataclasses.dataclass(frozen=True)
class Term(Regularizer):
    fault: object = None
    recorded: bool = False

    @property
    def name(self):
        return "term"

    @property
    def parts(self):
        return ("own",)

    def __call__(self, context):
        value = self.fault(cross_entropy(context.y, context.logits("adversarial")))
        return context.record("own", value) if self.recorded else value


DOORS = {
    "loss": lambda fault: wrong_loss(AdversarialModel, fault, attack=ATTACK),
    "loss under AWP": lambda fault: wrong_loss(
        AdversarialModel, fault, attack=ATTACK, weight_perturbation=AWP(0.01)
    ),
    "loss of Free": lambda fault: wrong_loss(
        Free, fault, threat_model=Linf(0.1), batch_shape=(6, 4, 4, 1), replays=2
    ),
    "part": wrong_part,
    "regularizer": lambda fault: ADV(classifier(), ATTACK, regularizers=[Term(fault=fault)]),
    "regularizer's part": lambda fault: ADV(
        classifier(), ATTACK, regularizers=[Term(fault=fault, recorded=True)]
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("door", DOORS)
def test_what_is_not_per_example_is_named(door, fault, eagerly):
    """Its class and its shape, before any weight moves."""
    wrong, told = FAULTS[fault]
    method = DOORS[door](wrong)
    method.compile(keras.optimizers.SGD(1.0))
    before = [w.copy() for w in method.classifier.get_weights()]
    with pytest.raises(UserError, match=f"(Mine|Term).*{told}"):
        method.train_on_batch(X, Y)
    for now, then in zip(method.classifier.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_in_fit_it_is_an_error_of_the_first_trace():
    for door in ("loss", "regularizer"):
        method = DOORS[door](tf.reduce_mean)
        method.compile("sgd")
        with pytest.raises(UserError, match=r"Received: shape \(\)"):
            method.fit(X, Y, batch_size=4, verbose=0)
        assert int(method.optimizer.iterations) == 0


@pytest.mark.parametrize("fault", ["kept mean", "column", "unknown"])
def test_what_shapes_leave_open_is_asserted_when_it_runs(fault):
    """Batches of 4 and 2 have no static length, and some values no static rank."""

    @tf.function(input_signature=[tf.TensorSpec(None), tf.TensorSpec([None], tf.int32)])
    def checked(values, y):
        return check_per_example(values, y, "Mine.per_example_loss")

    values = {
        "kept mean": tf.zeros([1]),
        "column": tf.zeros([4, 1]),
        "unknown": tf.zeros([4, 1, 1]),
    }[fault]
    with pytest.raises(tf.errors.InvalidArgumentError, match="Mine.per_example_loss must be"):
        checked(values, tf.zeros([4], tf.int32))
    good = tf.constant([1.0, 2.0])
    np.testing.assert_array_equal(checked(good, tf.zeros([2], tf.int32)), good)


def test_a_kept_mean_of_batches_of_unknown_length_stops_the_step():
    method = DOORS["loss"](FAULTS["kept mean"][0])
    method.compile(keras.optimizers.SGD(1.0))
    before = method.classifier.get_weights()[0].copy()
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Mine.per_example_loss must be"):
        method.fit(data, verbose=0)
    np.testing.assert_array_equal(method.classifier.get_weights()[0], before)


def test_undeclared_parts_and_taken_names_are_named(eagerly):
    class Undeclared(AdversarialModel):
        parts = ("declared",)

        def per_example_loss(self, context):
            return context.record("mine", cross_entropy(context.y, context.logits("clean")))

    @dataclasses.dataclass(frozen=True)
    class Other(Regularizer):
        def __call__(self, context):
            return context.record("hers", cross_entropy(context.y, context.logits("adversarial")))

    for method, told in (
        (Undeclared(classifier(), ATTACK), r"Undeclared records .*'mine'.*declared, accuracy"),
        (ADV(classifier(), ATTACK, regularizers=[Other()]), r"Other records .*'hers'.*label_loss"),
    ):
        method.compile("sgd")
        with pytest.raises(UserError, match=told):
            method.train_on_batch(X, Y)

    class Taken(AdversarialModel):
        parts = ("accuracy",)

    with pytest.raises(UserError, match="none of .*'accuracy'"):
        Taken(classifier(), ATTACK)
