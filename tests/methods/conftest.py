"""The contract of methods: all that is shared is tested on each.

A new one joins by `CONTRACT = {"its_name": lambda classifier, **options: ...}` in its own test file.
"""

import pathlib
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.contracts import contracts_of
from tfrobust.attacks import PGD, Adam, Clean, Corner, EarlyStop, Gaussian
from tfrobust.losses import Bregman, LinearityError, LossClipping, SquaredNorm, ToClean, ToLabel
from tfrobust.methods import (
    ADV,
    ATLAS,
    FAIT,
    GAIRAT,
    GAT,
    HAT,
    LLR,
    MART,
    TRADES,
    Free,
    Natural,
)
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.models.dropout import Dropout
from tfrobust.ops.schedules import LinearRamp, Steps
from tfrobust.regularizers import (
    Curvature,
    GapLabels,
    GradientAlignment,
    Jacobian,
    MaximalEntropy,
    TaylorTerms,
)
from tfrobust.threat_models import L2, Linf
from tfrobust.weights import AWP, WeightNoise

SQUARED = Bregman(SquaredNorm())
# The divergence's gradient at 0.001 from the clean image would have three digits left, and one
# device and two would differ by what is made of the others.
KL_PGD = {"objective": ToClean(), "steps": 2, "step_size": 0.04, "start": Gaussian(0.02)}


def rat_finite(classifier, **options):
    noise = {"sigma": 0.3, "noise": "layer_relative"}
    with warnings.catch_warnings():
        # It warns of differences in bfloat16.
        warnings.simplefilter("ignore")
        return ADV(
            classifier,
            PGD(Linf(0.1), steps=2, step_size=0.04),
            regularizers=[TaylorTerms(0.2, order=2, form="finite", **noise)],
            attack_weights=WeightNoise(**noise),
            **options,
        )


# Name -> the method around a classifier. Settings as in use, and together all parts at least once.
METHODS = {
    "natural": Natural,
    "adv_one_step": lambda c, **o: ADV(c, PGD(Linf(0.1), steps=1, relative_step_size=1.25), **o),
    "adv": lambda c, **o: ADV(
        c,
        PGD(Linf("8/255"), ToLabel(SQUARED), steps=2, stepper=Adam(), step_size=0.02),
        divergence=SQUARED,
        weight_perturbation=AWP(0.01),
        **o,
    ),
    "trades": lambda c, **o: TRADES(c, PGD(L2(0.3), **KL_PGD), beta=6.0, **o),
    "fait_mer": lambda c, **o: FAIT(
        c,
        PGD(Linf(0.1), keep=(1,), **KL_PGD),
        regularizers=[MaximalEntropy(1.0), MaximalEntropy(0.5, "adversarial")],
        weight_perturbation=AWP(0.05),
        **o,
    ),
    "jac": lambda c, **o: Natural(c, regularizers=[Jacobian(0.05, "clean", 2, "rademacher")], **o),
    "atlas": lambda c, **o: ATLAS(
        c,
        PGD(Linf(0.1), steps=1, relative_step_size=1.25),
        alpha=0.05,
        beta=3.0,
        scale=LinearRamp(1, 0.5),
        weight_perturbation=AWP(0.01),
        **o,
    ),
    "trades_jac": lambda c, **o: TRADES(
        c,
        PGD(Linf(0.1), **KL_PGD),
        beta=LinearRamp(2, 0.6, 3.0),
        regularizers=[Jacobian(LinearRamp(2, 0.01, 0.05))],
        **o,
    ),
    "mart": lambda c, **o: MART(
        c, PGD(Linf(0.1), steps=2, step_size=0.04, start=Gaussian(0.02)), offset=1e-4, **o
    ),
    "gairat": lambda c, **o: GAIRAT(
        c,
        PGD(Linf(0.1), steps=2, step_size=0.06),
        burn_in=0.2,
        weight_perturbation=AWP(0.01),
        **o,
    ),
    "fat": lambda c, **o: ADV(
        c,
        PGD(
            Linf(0.2),
            steps=3,
            step_size=0.06,
            freeze=EarlyStop(Steps((0.4,), (0, 1))),
            step_noise=0.01,
        ),
        **o,
    ),
    "llr": lambda c, **o: LLR(
        c,
        PGD(Linf(0.3), LinearityError(), steps=2, stepper=Adam(), step_size=0.1),
        weight_perturbation=AWP(0.01),
        **o,
    ),
    "cure": lambda c, **o: Natural(c, regularizers=[Curvature(4.0, 0.5)], **o),
    "grad_align": lambda c, **o: ADV(
        c,
        PGD(Linf(0.1), steps=1, relative_step_size=1.25, start=Clean()),
        regularizers=[GradientAlignment(0.2, Linf(0.1))],
        **o,
    ),
    "gat": lambda c, **o: GAT(
        c, PGD(Linf(0.1), steps=1, relative_step_size=1.0, start=Corner(0.5)), beta=5.0, **o
    ),
    "score_clipped": lambda c, **o: TRADES(
        c,
        PGD(Linf(0.1), **KL_PGD),
        divergence=SQUARED,
        label_smoothing=0.1,
        clipping=LossClipping(0.3),
        **o,
    ),
    "hat": lambda c, **o: HAT(
        c,
        PGD(Linf(0.1), **KL_PGD),
        helper=helper(),
        weight_perturbation=AWP(0.01),
        **o,
    ),
    "free": lambda c, **o: Free(c, Linf(0.1), batch_shape=(8, 4, 4, 1), replays=3, **o),
    "rat_exact": lambda c, **o: TRADES(
        c,
        PGD(Linf(0.1), **KL_PGD),
        regularizers=[TaylorTerms(0.3, sigma=0.05)],
        attack_weights=WeightNoise(0.05),
        weight_perturbation=AWP(0.05),
        **o,
    ),
    "rat_finite": rat_finite,
    "rat_reference": lambda c, **o: TRADES(
        c,
        PGD(Linf(0.1), **KL_PGD),
        regularizers=[GapLabels(0.2)],
        attack_weights=WeightNoise(0.01, parameters="conv_kernels"),
        **o,
    ),
}


for room in ("methods", "regularizers"):
    METHODS |= contracts_of(pathlib.Path(__file__).parent.parent / room)


def helper():
    """It draws nothing from Keras's own seed, which the classifier's weights depend on."""
    initializer = keras.initializers.GlorotUniform(seed=4)
    parts = [
        BatchNormalization(),
        keras.layers.Flatten(),
        Dropout(0.2, seed=5),
        keras.layers.Dense(3, kernel_initializer=initializer),
    ]
    return keras.Sequential([keras.Input((4, 4, 1)), *parts])


RNG = np.random.default_rng(0)
X = RNG.random((15, 4, 4, 1)).astype("float32")
Y = (np.arange(15) % 3).astype("int64")
WEIGHTS = np.linspace(0.0, 2.0, 15).astype("float32")


@pytest.fixture
def all_methods():
    """Name -> the method around a classifier, of all cases."""
    return METHODS


@pytest.fixture(params=METHODS)
def make_method(request):
    return METHODS[request.param]


@pytest.fixture
def data():
    """Fifteen weighted examples: batches of 7, 7 and 1."""
    return tf.data.Dataset.from_tensor_slices((X, Y, WEIGHTS)).batch(7)


def layers():
    return [
        keras.layers.Conv2D(2, 3, use_bias=False, kernel_initializer="glorot_normal"),
        BatchNormalization(),
        keras.layers.Activation("softplus"),
        Dropout(0.2, seed=5),
        keras.layers.Flatten(),
        keras.layers.Dense(3, kernel_regularizer=keras.regularizers.L2(0.01)),
    ]


class Subclassed(keras.Model):
    """Names no `training` argument: Keras hands it to the layers behind its back."""

    def __init__(self):
        super().__init__()
        self.parts = layers()

    def call(self, x):
        for part in self.parts:
            x = part(x)
        return x


def functional():
    inputs = x = keras.Input((4, 4, 1))
    for layer in layers():
        x = layer(x)
    return keras.Model(inputs, x)


CLASSIFIERS = {
    "functional": functional,
    "sequential": lambda: keras.Sequential([keras.Input((4, 4, 1)), *layers()]),
    "deferred": lambda: keras.Sequential(layers()),
    "subclassed": Subclassed,
}


@pytest.fixture
def make_classifier():
    """The same classifier at every call, of a kind."""

    def make(kind="functional"):
        keras.utils.set_random_seed(1)
        return CLASSIFIERS[kind]()

    return make


@pytest.fixture
def eagerly():
    """Without tracing, which takes most of the time of a short test."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def same_weights():
    """Compares the weights of two models."""

    def compare(a, b, atol=0.0):
        assert len(a.weights) == len(b.weights)
        for u, v in zip(a.weights, b.weights, strict=True):
            np.testing.assert_allclose(u.numpy(), v.numpy(), rtol=0, atol=atol, err_msg=u.path)

    return compare


# The dearest of what is tested on every method, with `-m slow` as in CI. Their parts are tested on others.
DEAR = {
    "test_one_device_equals_two": {
        *(
            "rat_exact",
            "rat_reference",
            "rat_finite",
            "free",
            "trades_jac",
            "fat",
            "hat",
            "fait_mer",
        ),
        *("grad_align", "gaussian_noise", "smooth_adv", "score_clipped", "gat", "gairat", "cure"),
        *("llr", "mart", "jac"),
    },
    "test_fit_save_load_and_go_on": {
        *(
            "rat_exact",
            "rat_reference",
            "trades_jac",
            "gaussian_noise",
            "smooth_adv",
            "score_clipped",
        ),
        *("fat", "hat", "fait_mer", "grad_align", "gat", "cure", "adv_one_step"),
        *("free", "certified", "mart", "rat_finite"),
    },
    "test_the_seed_names_the_run": {
        "rat_exact",
        "rat_reference",
        "trades_jac",
        "smooth_adv",
        "hat",
    },
    "test_bfloat16": {"rat_exact", "rat_reference", "smooth_adv", "hat"},
    "test_kinds_of_classifiers": {
        "rat_exact",
        "rat_reference",
        "rat_finite",
        "hat",
        "fat",
        "fait_mer",
    },
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        dear = DEAR.get(getattr(item, "originalname", item.name), ())
        if any(f"[{name}]" in item.name for name in dear):
            item.add_marker(pytest.mark.slow)
