"""Ways to run a step: compiled by XLA, and several in one call. The same step, for every method.

All methods under XLA, about four minutes: pytest tests/methods/test_compilation.py -m slow
"""

import re
import types
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.methods.conftest import METHODS, WEIGHTS, X, Y
from tfrobust.attacks import PGD
from tfrobust.errors import UserError
from tfrobust.methods import ADV, Natural
from tfrobust.models.dropout import Dropout
from tfrobust.ops.random.draws import draw_normal, draw_uniform, drawing_under_xla
from tfrobust.threat_models import Linf

QUICK = ("adv_one_step", "jac")
BATCH = [tf.constant(v[:7]) for v in (X, Y, WEIGHTS)]
# What a program of XLA asks of the host while it runs.
HOST = r"custom_call|infeed|outfeed|\.send|\.recv|callback"


@pytest.fixture(
    params=[n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in METHODS]
)
def make(request):
    return METHODS[request.param]


def prepared(make, classifier, **options):
    method = make(classifier, seed=4)
    method.compile(keras.optimizers.SGD(0.05, momentum=0.9), **options)
    method.steps_per_epoch = 3
    method.optimizer.build(method.trainable_variables)
    return method, tf.function(
        lambda *batch: method.train_step(batch), autograph=False, jit_compile=method.jit_compile
    )


def test_a_step_under_xla(make, make_classifier):
    """It lowers to StableHLO that never calls the host, and moves every variable as without XLA."""
    method, step = prepared(make, make_classifier(), jit_compile=True)
    other, plain = prepared(make, make_classifier())
    assert method.jit_compile and not other.jit_compile
    program = step.experimental_get_compiler_ir(*BATCH)(stage="stablehlo")
    assert "stablehlo.dot_general" in program
    assert re.findall(HOST, program) == []
    logs, expected = step(*BATCH), plain(*BATCH)
    for name in expected:
        # KL near the clean prediction has few digits, which an attack's normalised step passes on.
        np.testing.assert_allclose(logs[name], expected[name], rtol=1e-4, err_msg=name)
    for kind in ("trainable_variables", "non_trainable_variables"):
        for ours, theirs in zip(getattr(method, kind), getattr(other, kind), strict=True):
            found, plainly = ours.numpy(), theirs.numpy()
            np.testing.assert_allclose(found, plainly, rtol=0, atol=1e-5, err_msg=ours.path)


def test_several_steps_in_one_call(make, make_classifier, data, same_weights):
    """Three batches as two calls, of two steps and of one, to the last bit."""
    methods = []
    for count in (1, 2):
        method = make(make_classifier(), seed=4)
        method.compile(keras.optimizers.SGD(0.05, momentum=0.9), steps_per_execution=count)
        history = method.fit(data, verbose=0).history
        methods.append((method, history))
    (one, logs), (two, others) = methods
    same_weights(one, two)
    assert logs == others


def test_several_steps_in_one_call_on_several_replicas(make_classifier, two_replicas):
    with two_replicas.scope():
        with pytest.raises(UserError, match="Leave out steps_per_execution.*Received: 4"):
            Natural(make_classifier()).compile("sgd", steps_per_execution=4)
        Natural(make_classifier()).compile("sgd", jit_compile="auto")


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64], ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("shape", [(), (3,), (7, 5), (64, 9, 3)], ids=str)
def test_draws_are_the_same_under_xla(shape, dtype):
    seed = tf.constant([3, 5])

    def draw():
        return draw_uniform(shape, seed, dtype), draw_normal(shape, seed, dtype)

    def compiled():
        with drawing_under_xla():
            return draw()

    for function in (compiled, tf.function(compiled, jit_compile=True, autograph=False)):
        for exact, ours, theirs in zip((True, False), function(), draw(), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=0 if exact else 1e-5)
            assert ours.shape == theirs.shape == shape and ours.dtype == dtype


def sequential(*layers):
    return keras.Sequential([keras.Input((4, 4, 1)), *layers, keras.layers.Flatten()])


class OnTheHost(keras.layers.Layer):
    def call(self, x):
        return tf.ensure_shape(tf.py_function(lambda v: 2.0 * v, [x], x.dtype), x.shape)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (OnTheHost, "no program for XLA, such as one of tf.py_function.*EagerPyFunc"),
        (
            lambda: keras.layers.RandomRotation(0.1, name="turn"),
            "compile layer 'turn', a RandomRotation",
        ),
    ],
)
def test_classifiers_that_xla_cannot_compile(layer, message):
    with pytest.raises(UserError, match=message):
        Natural(sequential(layer())).compile("sgd", jit_compile=True)
    method = Natural(sequential(layer()))
    method.compile("sgd", jit_compile="auto")
    assert not method.jit_compile


def test_determinism_and_xla():
    tf.config.experimental.enable_op_determinism()
    with pytest.raises(UserError, match="deterministic kernels"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Natural(sequential()).compile("sgd", jit_compile=True)


def test_auto_is_off_on_a_cpu_and_kerass_on_a_gpu(monkeypatch):
    method = ADV(sequential(Dropout(0.1)), PGD(Linf(0.1), steps=1))
    method.compile("sgd", jit_compile="auto")
    assert method.jit_compile is False
    gpu = types.SimpleNamespace(device_type="GPU", name="/physical_device:GPU:0")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [gpu])
    method.compile("sgd", jit_compile="auto")
    assert method.jit_compile is True
    method = ADV(sequential(keras.layers.RandomRotation(0.1)), PGD(Linf(0.1), steps=1))
    method.compile("sgd", jit_compile="auto")
    assert method.jit_compile is False
