"""What has been used can be pickled and copied: compiled functions are no part of a value's state."""

import copy
import dataclasses
import inspect
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfrobust
from tfrobust import attacks, regularizers
from tfrobust.ops.random.keys import content_keys

RNG = np.random.default_rng(0)
X, Y = RNG.random((4, 8, 8, 1)).astype("float32"), np.arange(4) % 3
LINF = tfrobust.Linf(0.1)


@pytest.fixture(scope="module")
def classifier():
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])


ATTACKS = {
    "APGD": lambda _: attacks.APGD(LINF, steps=3),
    "FAB": lambda _: attacks.FAB(LINF, steps=2, targets=2),
    "PGD": lambda _: attacks.PGD(LINF, steps=2),
    "RandomNoise": lambda _: attacks.RandomNoise(LINF, samples=2),
    "RayS": lambda _: attacks.RayS(LINF, queries=10),
    "Square": lambda _: attacks.Square(LINF, queries=5),
    "Transfer": lambda model: attacks.Transfer(attacks.PGD(LINF, steps=1), [model]),
}


def kinds(room, base):
    found = {name: getattr(room, name) for name in room.__all__}
    return {n for n, k in found.items() if inspect.isclass(k) and issubclass(k, base)} - {
        base.__name__
    }


def test_every_attack_is_here():
    assert set(ATTACKS) == kinds(attacks, attacks.Attack) - {"IterativeAttack"}


@pytest.mark.parametrize("name", ATTACKS)
def test_used_attacks(name, classifier):
    attack = ATTACKS[name](classifier)
    keys = content_keys(3, X)
    found = attack(classifier, X, Y, seed=keys).x
    names = {field.name for field in dataclasses.fields(attack)}
    assert set(vars(attack)) > names  # what was compiled
    for other in (pickle.loads(pickle.dumps(attack)), copy.deepcopy(attack), copy.copy(attack)):
        assert set(vars(other)) == names
        if name != "Transfer":  # which holds models, and a copy of a model is another one
            assert other == attack
    if name == "PGD":
        np.testing.assert_array_equal(other(classifier, X, Y, seed=keys).x, found)


@pytest.mark.parametrize("name", sorted(kinds(regularizers, tfrobust.Regularizer)))
def test_used_regularizers_and_methods(name, classifier):
    """A used method, with the regularizer and AWP in it, is copied with its weights and its clock."""
    kind = getattr(regularizers, name)
    needs_attack = name in ("TaylorTerms", "GapLabels")
    arguments = {"GradientAlignment": (0.2, LINF), "TaylorTerms": (0.3,)}.get(name, (0.2,))
    regularizer = kind(*arguments)
    attack = attacks.PGD(LINF, steps=1)
    make = tfrobust.TRADES if needs_attack else tfrobust.ADV
    method = make(
        classifier, attack, regularizers=[regularizer], weight_perturbation=tfrobust.AWP()
    )
    method.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)
    method.fit(data, verbose=0)
    for value in (regularizer, method.weight_perturbation):
        assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value
    for other in (pickle.loads(pickle.dumps(method)), copy.deepcopy(method)):
        assert float(other.epoch()) == 1.0
        assert list(other.regularizers) == [regularizer] and other.attack == attack
        np.testing.assert_array_equal(other.predict(X, verbose=0), method.predict(X, verbose=0))
