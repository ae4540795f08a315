"""TensorFlow with its defaults, two logical CPU devices, no GPU unless a test asks, and a fixed seed."""

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["KERAS_BACKEND"] = "tensorflow"

import hypothesis
import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import config as tensorflow_config

# As the commands do: looking for garbage so often takes a fifth of a test that traces.
gc.set_threshold(50_000, 10, 10)

# The same examples in every run: what a search finds becomes an `@example`, not a run that fails by chance.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


def pytest_collection_finish():
    gc.freeze()


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def no_determinism_left():
    # A run switches it on for its process, and then Keras compiles nothing with XLA any more.
    yield
    tensorflow_config.disable_op_determinism()


@pytest.fixture(autouse=True)
def fresh_collectives():
    # Two strategies in one process would number their collective operations alike, and meet.
    tf.distribute.MirroredStrategy._collective_key_base += 100


@pytest.fixture(scope="session")
def two_replicas():
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture(scope="session")
def ten_examples():
    """An `Evaluation` written down by hand: ten examples, three attacks, what each did to whom.

    Numbers 8 and 9 are wrong when clean; apgd-ce breaks 0, 1 and 2, apgd-t breaks 3, square breaks 4 and
    claims 5, which the second look does not confirm; 5, 6 and 7 stand.
    """
    from tfrobust import Linf
    from tfrobust.attacks.apgd import APGD
    from tfrobust.attacks.square import Square
    from tfrobust.evaluation.engine.evaluation import Evaluation
    from tfrobust.evaluation.engine.outcome import Outcome
    from tfrobust.losses import TargetedDLR

    threat_model = Linf("8/255")
    numbers = np.arange(10)
    labels = numbers % 3

    def outcome(name, attack, attempted, broken, forwards, backwards, **more):
        """`broken`: number -> (run, step)."""
        run, step = np.full(10, -1), np.full(10, -1)
        for number, (its_run, its_step) in broken.items():
            run[number], step[number] = its_run, its_step
        more = {"rejected": np.zeros(10, bool), "measures": {}, **more}
        return Outcome(
            name=name,
            attack=attack,
            attempted=np.isin(numbers, attempted),
            broken=run >= 0,
            run=run,
            step=step,
            forwards=np.array(forwards),
            backwards=np.array(backwards),
            traces=1,
            tracing_seconds=0.5,
            **more,
        )

    nan = np.nan
    first = [1, 5, 5, 11, 11, 11, 11, 11, 0, 0]
    second = [0, 0, 0, 14, 22, 22, 22, 22, 0, 0]
    outcomes = (
        outcome(
            "apgd-ce",
            APGD(threat_model, steps=10),
            range(8),
            {0: (0, 0), 1: (0, 4), 2: (0, 4)},
            first,
            first,
            passes=(80, 80),
            busy=0.75,
            seconds=2.0,
        ),
        outcome(
            "apgd-t",
            APGD(threat_model, TargetedDLR(), steps=10, targets=2),
            range(3, 8),
            {3: (1, 2)},
            second,
            second,
            passes=(102, 102),
            busy=1.0,
            seconds=4.0,
            measures={"distance": np.array([nan, nan, nan, 0.02, 0.04, nan, 0.06, 0.04, nan, nan])},
        ),
        outcome(
            "square",
            Square(threat_model, queries=50),
            range(4, 8),
            {4: (0, 6)},
            [0, 0, 0, 0, 7, 40, 40, 40, 0, 0],
            [0] * 10,
            passes=(150, 0),
            busy=0.5,
            seconds=1.0,
            rejected=numbers == 5,
            measures={"queries": np.array([nan, nan, nan, nan, 7.0, 51, 51, 51, nan, nan])},
        ),
    )
    clean = np.linspace(0.2, 0.8, 10 * 3 * 4 * 2).reshape(10, 3, 4, 2)[..., :1].astype("float32")
    adversarial = clean + np.float32(8 / 255) * (numbers < 5)[:, None, None, None]
    return Evaluation(
        model="a network",
        data="digits test",
        suite="autoattack_standard",
        suite_hash="0f3a9c77d1e2",
        threat_model=threat_model,
        num_classes=3,
        seed=7,
        individual=False,
        ids=numbers + 100,
        labels=labels,
        predictions=np.where(numbers < 8, labels, (labels + 1) % 3),
        outcomes=outcomes,
        adversarial=adversarial.astype("float32"),
        environment={"versions": {"tensorflow": "2"}, "devices": ["CPU:0"], "commit": None},
        seconds=10.0,
    )


@pytest.fixture
def slope_error():
    """How wrong a gradient with respect to a model's weights is, along a random direction.

    The relative error against central differences of fourth order; the model must be in float64.
    """

    def measure(model, value, step=1e-5, expected=None):
        """`value`: function without arguments; `expected`: another one, if it is to be differenced."""
        variables = [v.value for v in model.trainable_variables]
        rng = np.random.default_rng(4)
        directions = [rng.normal(size=v.shape) for v in variables]
        with tf.GradientTape() as tape:
            total = value()
        gradients = tape.gradient(total, variables, unconnected_gradients="zero")
        slope = sum(float(tf.reduce_sum(g * d)) for g, d in zip(gradients, directions, strict=True))

        def along(distance):
            for variable, direction in zip(variables, directions, strict=True):
                variable.assign_add(distance * direction)
            result = float((expected or value)())
            for variable, direction in zip(variables, directions, strict=True):
                variable.assign_sub(distance * direction)
            return result

        one, two = (along(s) - along(-s) for s in (step, 2 * step))
        difference = (8 * one - two) / (12 * step)
        return abs(slope - difference) / abs(difference)

    return measure
