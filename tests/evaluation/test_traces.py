"""Compiled functions that are kept: shared by what is equal for sure, and by nothing else; the same bits."""

import dataclasses
import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfrobust
from tfrobust import PGD, Linf
from tfrobust.attacks import APGD, Transfer
from tfrobust.evaluation import Evaluator, Subject, evaluate, forget_traces
from tfrobust.evaluation.compiled import store as store_module
from tfrobust.evaluation.compiled.functions import KeptFunctions
from tfrobust.evaluation.compiled.network import Network
from tfrobust.evaluation.compiled.sameness import describe_attack, describe_value
from tfrobust.models import BatchNormalization

SHAPE = (4, 4, 1)
ATTACKS = (("pgd", PGD(Linf(0.05), steps=3)), ("apgd", APGD(Linf(0.05), steps=4)))
RNG = np.random.default_rng(0)
X = RNG.random((10, *SHAPE)).astype("float32")
Y = (X.mean((1, 2, 3)) > 0.5).astype("int64")
IDS = np.arange(10)


def classifier(*layers, seed=0, last=2, **options):
    keras.utils.set_random_seed(seed)
    given = layers or (keras.layers.Conv2D(3, 3, activation="relu"), BatchNormalization())
    return keras.Sequential(
        [keras.Input(SHAPE), *given, keras.layers.Flatten(), keras.layers.Dense(last)], **options
    )


def key(model):
    return Network.of(Subject.of(model), SHAPE).key


def flip(x):
    return 1.0 - x


@tf.custom_gradient
def straight(x):
    return tf.round(x), lambda upstream: upstream


class Own(keras.layers.Layer):
    def call(self, x):
        return 2.0 * x


class Stateful(keras.Model):
    """A model whose forward pass depends on a Python attribute."""

    def __init__(self):
        super().__init__()
        self.flatten, self.dense, self.sign = keras.layers.Flatten(), keras.layers.Dense(2), 1.0

    def call(self, x):
        return self.sign * self.dense(self.flatten(x))


@pytest.fixture(autouse=True)
def nothing_kept():
    forget_traces()


def test_evaluations_of_one_architecture_trace_once():
    evaluations = [evaluate(classifier(seed=s), (X, Y), ATTACKS, checks="none") for s in range(6)]
    traces = np.array([[o.traces for o in evaluation.outcomes] for evaluation in evaluations])
    assert traces.sum(axis=0).tolist() == [1, 1]
    # Each has the flags of an evaluation that traced for itself.
    for seed in (3,):
        forget_traces()
        alone = evaluate(classifier(seed=seed), (X, Y), ATTACKS, checks="none")
        assert sum(outcome.traces for outcome in alone.outcomes) == 2
        np.testing.assert_array_equal(alone.robust, evaluations[seed].robust)
    assert len({evaluation.robust.tobytes() for evaluation in evaluations}) > 2


def test_weights_as_arguments_give_the_bits_of_weights_that_are_read():
    model = classifier(seed=1)
    kept = Evaluator(Subject.of(model), ATTACKS)(X, Y, IDS)
    # A function of somebody else's: its weights are read where they are.
    plain = Subject(lambda x: model(x, training=False), "plain", model=model)
    read = Evaluator(plain, ATTACKS)(X, Y, IDS)
    np.testing.assert_array_equal(kept[0], read[0])
    np.testing.assert_array_equal(kept[2], read[2])
    for one, other in zip(kept[1], read[1], strict=True):
        np.testing.assert_array_equal(one.step, other.step)
    assert kept[1][0].traces == read[1][0].traces == 1


SHARED = {
    "the same once more": lambda: classifier(),
    "other weights": lambda: classifier(seed=1),
    "another name": lambda: classifier(name="another"),
    "moved statistics": lambda: _trained(classifier()),
}


def _trained(model):
    model(X, training=True)
    return model


@pytest.mark.parametrize("make", SHARED.values(), ids=SHARED)
def test_what_is_equal_for_sure_shares(make):
    assert key(make()) == key(classifier())


DIFFERENT = {
    "filters": lambda: classifier(
        keras.layers.Conv2D(4, 3, activation="relu"), BatchNormalization()
    ),
    "activation": lambda: classifier(
        keras.layers.Conv2D(3, 3, activation="elu"), BatchNormalization()
    ),
    "epsilon": lambda: classifier(
        keras.layers.Conv2D(3, 3, activation="relu"), BatchNormalization(epsilon=0.1)
    ),
    "precision": lambda: classifier(
        keras.layers.Conv2D(3, 3, activation="relu", dtype="mixed_bfloat16"), BatchNormalization()
    ),
    "frozen": lambda: _frozen(classifier()),
    "patched call": lambda: _patched(classifier()),
    "patched attribute": lambda: _attribute(classifier()),
    "classes": lambda: classifier(last=3),
}


def _frozen(model):
    model.layers[1].trainable = False
    return model


def _patched(model):
    call = model.layers[0].call
    model.layers[0].call = lambda x: 2.0 * call(x)
    return model


def _attribute(model):
    model.layers[0].strides = (2, 2)
    model.layers[0].padding = "same"
    return model


@pytest.mark.parametrize("make", DIFFERENT.values(), ids=DIFFERENT)
def test_what_differs_does_not_share(make):
    assert key(make()) != key(classifier())


def _normalization(mean):
    layer = keras.layers.Normalization()
    layer.adapt(X + mean)
    return classifier(layer)


def _ours(activation):
    # One name for two functions.
    activation.__name__ = "activation"
    return classifier(keras.layers.Dense(3, activation=activation))


ALONE = {
    "constants of a layer": lambda: _normalization(0.0),
    "Lambda": lambda: classifier(keras.layers.Lambda(flip)),
    "a function as activation": lambda: _ours(lambda x: 2.0 * x),
    "a layer of one's own": lambda: classifier(Own()),
    "a model of one's own": lambda: Stateful(),
}


@pytest.mark.parametrize("make", ALONE.values(), ids=ALONE)
def test_what_cannot_be_compared_shares_with_itself_alone(make):
    model, other = make(), make()
    for one in (model, other):
        one(X)
    assert key(model) == key(model) != key(other)


NOT_KEPT = {
    "noise with a state": lambda: _noisy(),
    "a gradient of one's own": lambda: lambda x: tf.reduce_sum(straight(x), axis=(1, 2)),
    "a Python function": lambda: (
        lambda x: tf.reshape(
            tf.numpy_function(lambda v: v, [x], tf.float32, stateful=False), (2, 16)
        )
    ),
}


def _noisy():
    drop = keras.layers.Dropout(0.1, seed=0)
    return lambda x: drop(tf.reshape(x, (-1, 16)), training=True)


@pytest.mark.parametrize("make", NOT_KEPT.values(), ids=NOT_KEPT)
def test_what_does_more_than_calculate_is_not_kept(make):
    assert key(make()) is None


def test_a_change_that_only_the_object_knows_is_seen():
    model = Stateful()
    clean = evaluate(model, (X, Y), ATTACKS, checks="none")
    again = evaluate(model, (X, Y), ATTACKS, checks="none")
    assert [o.traces for o in clean.outcomes + again.outcomes] == [1, 1, 0, 0]
    model.sign = -1.0
    turned = evaluate(model, (X, Y), ATTACKS, checks="none")
    np.testing.assert_array_equal(turned.predictions, 1 - clean.predictions)
    assert turned.outcomes[0].traces == 1
    # Weights that are changed in place are read anew, and nothing is traced.
    model.sign = 1.0
    model.dense.kernel.assign(-model.dense.kernel)
    model.dense.bias.assign(-model.dense.bias)
    minus = evaluate(model, (X, Y), ATTACKS, checks="none")
    assert [o.traces for o in minus.outcomes] == [0, 0]
    np.testing.assert_array_equal(minus.robust, turned.robust)


def test_weights_changed_between_two_calls_of_one_evaluator_are_seen():
    model, other = classifier(), classifier(seed=5)
    evaluator = Evaluator(Subject.of(model), ATTACKS)
    evaluator(X, Y, IDS)
    model.set_weights(other.get_weights())
    np.testing.assert_array_equal(
        evaluator(X, Y, IDS)[2], Evaluator(Subject.of(other), ATTACKS)(X, Y, IDS)[2]
    )


def test_attacks_share_by_their_settings():
    one, two = PGD(Linf("8/255"), steps=3), PGD(Linf("8/255"), steps=3)
    assert describe_attack(one) == describe_attack(two)
    for other in (PGD(Linf("8/255"), steps=4), PGD(Linf("9/255"), steps=3), APGD(Linf("8/255"))):
        assert describe_attack(one) != describe_attack(other)

    @dataclasses.dataclass(frozen=True)
    class Mine(PGD):
        pass

    assert describe_attack(Mine(Linf(0.1))) != describe_attack(Mine(Linf(0.1)))
    assert describe_attack(Transfer(one, (flip,))) is None
    assert describe_value(0.0) != describe_value(-0.0)


def test_what_was_not_used_for_longest_goes_and_clear_session_drops_all():
    store = store_module.Store(networks=2, functions=4)
    for network in "abca":
        store.get(network, 0, object)
    assert store.keys("b") == [] and store.keys("a") == store.keys("c") == [0]
    models = [classifier(), Stateful()]
    gone = []
    for model in models:
        evaluate(model, (X, Y), ATTACKS, checks="none")
        gone.append(weakref.ref(model))
    del models, model
    gc.collect()
    assert any(reference() is not None for reference in gone)
    keras.backend.clear_session()
    gc.collect()
    assert all(reference() is None for reference in gone)


def test_a_kept_function_is_compiled_once():
    def total(forward):
        return lambda x: tf.reduce_sum(forward(x))

    for seed in range(2):
        subject = Subject.of(classifier(seed=seed))
        function = KeptFunctions.of(subject, SHAPE).compile("total", total)
        np.testing.assert_allclose(function(X), np.sum(subject.forward(X)), rtol=1e-5)
        assert function.traces == 1
    assert tfrobust.evaluation.forget_traces is forget_traces
