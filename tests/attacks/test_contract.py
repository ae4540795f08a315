"""The contract of attacks: wherever one runs it finds the same, in ball and box, and moves nothing.

A new one joins by `CONTRACT = {"its_name": lambda threat_model: ...}` in its own test file, with few steps.
"""

import functools
import inspect
import json
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.contracts import contracts_of
from tfrobust import attacks
from tfrobust.evaluation.compiled.devices import Devices
from tfrobust.evaluation.engine.scheduling.program import Program
from tfrobust.evaluation.engine.scheduling.queue import Work
from tfrobust.evaluation.engine.scheduling.schedule import SlotSchedule
from tfrobust.losses import LogitDifference, TargetedDLR, ToClean
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.threat_models import Linf

SIZE, CLASSES = 10, 4
RNG = np.random.default_rng(2)
X = RNG.random((SIZE, 5, 5, 1)).astype("float32")
X[:, 0] = RNG.integers(0, 2, (SIZE, 5, 1))  # Where the box is felt.
SEEDS = np.stack([np.arange(SIZE), np.full(SIZE, 7)], axis=1).astype("int32")
MIXED = np.array([8, 1, 5, 4, 9, 0])
BALL = Linf("0.06")


def network(number):
    """A Keras model whose BatchNormalization and dropout would move in training mode."""
    initial = [keras.initializers.GlorotNormal(seed=10 * number + i) for i in range(2)]
    layers = [
        keras.layers.Conv2D(3, 3, kernel_initializer=initial[0]),
        BatchNormalization(),
        keras.layers.Activation("tanh"),
        keras.layers.Dropout(0.5, seed=3),
        keras.layers.Flatten(),
        keras.layers.Dense(CLASSES, kernel_initializer=initial[1]),
    ]
    return keras.Sequential([keras.Input(X.shape[1:]), *layers])


@functools.cache
def model():
    return network(0)


@functools.cache
def labels():
    return np.argmax(model()(X), axis=1).astype("int32")


def surrogate(x):
    """The model, turned a little."""
    return model()(x) @ (np.eye(CLASSES) + 0.3 * np.eye(CLASSES, k=1)).astype("float32")


# Name -> the attack on a threat model. Together all parts of the searches at least once.
ATTACKS = {
    "pgd": lambda t: attacks.PGD(t, steps=3),
    "pgd_to_clean": lambda t: attacks.PGD(
        t, ToClean(), steps=3, stepper=attacks.Adam(), step_size=0.03, restarts=2, selection="any"
    ),
    "pgd_targets": lambda t: attacks.PGD(
        t, LogitDifference(), steps=2, targets="all", selection="best", step_noise=0.01
    ),
    "apgd": lambda t: attacks.APGD(t, steps=6, restarts=2),
    "apgd_targets": lambda t: attacks.APGD(t, TargetedDLR(), steps=4, targets=2),
    "fab": lambda t: attacks.FAB(t, steps=4, restarts=2, targets=2, minimal=True, final_steps=2),
    "square": lambda t: attacks.Square(t, queries=30),
    "rays": lambda t: attacks.RayS(t, 40),
    "noise": lambda t: attacks.RandomNoise(t, 9),
    "transfer": lambda t: attacks.Transfer(attacks.PGD(t, steps=3), (surrogate,)),
    "fgsm": attacks.fgsm,
    "fgsm_rs": attacks.fgsm_rs,
    "adam_pgd": lambda t: attacks.adam_pgd(t, steps=4, restarts=2),
    "untargeted_margin": lambda t: attacks.untargeted_margin(t, steps=4, restarts=1),
    "multi_targeted": lambda t: attacks.multi_targeted(t, steps=2, restarts=1),
    "random_targeted": lambda t: attacks.random_targeted(t, steps=3, restarts=1),
    "cw_20": attacks.cw_20,
}
OWN = contracts_of(pathlib.Path(__file__).parent)
ATTACKS |= OWN
# One of each search; the others are settings of these.
SEARCHES = ["pgd_to_clean", "apgd", "fab", "square", "rays", "noise", "transfer", *OWN]


def test_every_attack_has_a_case():
    """The table is the package's own list: what it exports is in the tests below."""
    made = {type(make(BALL)).__name__ for make in ATTACKS.values()} | set(ATTACKS)
    abstract = {"Attack", "IterativeAttack"}
    for name in attacks.__all__:
        thing = getattr(attacks, name)
        is_class = inspect.isclass(thing) and issubclass(thing, attacks.Attack)
        is_maker = (
            inspect.isfunction(thing) and "threat_model" in inspect.signature(thing).parameters
        )
        if (is_class or is_maker) and name not in made | abstract:
            pytest.fail(
                f"attacks.{name} is in no test of the contract. Add to its test file, tests/attacks/test_"
                f"{name.lower()}.py: CONTRACT = {{'{name.lower()}': lambda threat_model: "
                f"attacks.{name}(threat_model, ...)}}"
            )


@pytest.fixture
def eagerly():
    """Without tracing, which takes most of the time of a short search."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def work():
    return Work(X, labels(), model()(X).numpy(), SEEDS)


@functools.cache
def found_by_a_call(name):
    """What a call of an attack finds, eagerly, and which examples it breaks within the ball."""
    found = ATTACKS[name](BALL)(model(), X, labels(), seed=SEEDS)
    near = BALL.distance(found.x, X).numpy() <= BALL.radius() * (1 + 1e-6) + 1e-7
    wrong = np.argmax(model()(found.x), axis=1) != labels()
    return found.x.numpy(), found.survived.numpy(), near & wrong


def round_trip(attack):
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(attack)))
    return keras.saving.deserialize_keras_object(config)


@pytest.mark.parametrize("name", ATTACKS)
def test_a_call(name, eagerly):
    """In ball and box, the same in any batch and order; the model and the global seed stay as they are."""
    attack, model().trainable = ATTACKS[name](BALL), True
    before = [np.array(v) for v in model().variables]
    x, survived, broken = found_by_a_call(name)
    for value, former in zip(model().variables, before, strict=True):
        np.testing.assert_array_equal(np.array(value), former)
    inside = BALL.distance(x, X).numpy() <= BALL.radius() * (1 + 1e-6) + 1e-7
    # An attack that looks for the nearest image may give one beyond the radius.
    assert inside.all() or attack.measures_boundary
    assert x.min() >= 0.0 and x.max() <= 1.0 and x.shape == X.shape and x.dtype == X.dtype
    assert 0 < broken.sum() < SIZE
    keras.utils.set_random_seed(99)
    for rows in (MIXED, MIXED[:1]):
        part = attack(model(), X[rows], labels()[rows], seed=SEEDS[rows])
        # Processors add up another number of rows in another order: 1.5e-6 on one without AVX-512.
        np.testing.assert_allclose(part.x, x[rows], atol=1e-5)
        np.testing.assert_array_equal(part.survived, survived[rows])
    assert attack(model(), X[:0], labels()[:0], seed=SEEDS[:0]).x.shape == X[:0].shape


@pytest.mark.parametrize("name", ATTACKS)
def test_slots_with_what_came_back_from_a_configuration(name, eagerly):
    """Few rows, which are exchanged, find what a call finds, with an attack that was saved and loaded."""
    attack = ATTACKS[name](BALL)
    again = attack if attack.source_models else round_trip(attack)
    assert again == attack and hash(again) == hash(attack) and repr(again) == repr(attack)
    x, _, broken = found_by_a_call(name)
    result = SlotSchedule(Program(model(), again, 4), work(), CLASSES)()
    np.testing.assert_array_equal(result["broken"], broken)
    np.testing.assert_allclose(result["images"][broken], x[broken], atol=1e-5)


@pytest.mark.parametrize(
    "name",
    [
        n if n in ("apgd", "pgd_to_clean") else pytest.param(n, marks=pytest.mark.slow)
        for n in SEARCHES
    ],
)
def test_two_devices_and_xla(name, two_replicas):
    tf.config.run_functions_eagerly(True)
    x, _, broken = found_by_a_call(name)
    tf.config.run_functions_eagerly(False)
    programs = (
        Program(model(), ATTACKS[name](BALL), 6, Devices(two_replicas)),
        Program(model(), ATTACKS[name](BALL), SIZE, jit_compile=True),
    )
    results = [SlotSchedule(program, work(), CLASSES)() for program in programs]
    for result in results:
        for counted in ("broken_run", "step"):
            np.testing.assert_array_equal(result[counted], results[0][counted])
        np.testing.assert_array_equal(result["broken"], broken)
        np.testing.assert_allclose(result["images"][broken], x[broken], atol=1e-5)
