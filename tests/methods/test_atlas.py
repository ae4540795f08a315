"""ATLAS, JAC and TradesJac: by hand, as one another, and their derivatives."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust import recipes
from tfrobust.attacks import PGD, Clean, Gaussian
from tfrobust.errors import UserError
from tfrobust.losses import ToClean
from tfrobust.methods import ADV, ATLAS, TRADES, Natural
from tfrobust.methods.context import Step, StepContext
from tfrobust.methods.points import LivePoint
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.ops.random.keys import keys_of
from tfrobust.ops.replicas.global_batch import global_batch
from tfrobust.ops.schedules import LinearRamp, Steps
from tfrobust.ops.statistics import running_statistics
from tfrobust.regularizers import Jacobian
from tfrobust.threat_models import Linf

pytestmark = pytest.mark.usefixtures("eagerly")

CE = PGD(Linf(0.1), steps=1, relative_step_size=1.25)
KL = PGD(Linf(0.1), ToClean(), steps=2, step_size=0.04, start=Gaussian(0.02))


# One pixel and two logits, kernel (u, w) = (0, 2): s = (w - u) x is the logit of class 1 against class 0,
# x = 1/2, x' = 1/2 - scale / 4, and the Jacobian is the kernel itself.
X, RATE = 0.5, 0.1
LABEL = PGD(Linf(0.25), steps=1, relative_step_size=1.0, start=Clean())
DIVERGENCE = PGD(Linf(0.25), ToClean(), steps=2, relative_step_size=2.0, start=Gaussian(0.02))


def kl(p, q):
    return p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))


def by_hand(make, x_adv, loss):
    """Checks a step of SGD against `loss` of (||J||^2, p(x), p(x')) and central differences."""
    model = keras.Sequential(
        [keras.Input((1, 1, 1)), keras.layers.Flatten(), keras.layers.Dense(2, use_bias=False)]
    )
    model.layers[-1].kernel.assign([[0.0, 2.0]])
    method = make(model)
    method.compile(keras.optimizers.SGD(RATE))
    x = np.full((1, 1, 1, 1), X, "float32")
    logs = method.train_on_batch(x, np.array([1]), return_dict=True)

    def at(u, w):
        p, p_adv = (1 / (1 + np.exp(-(w - u) * x)) for x in (X, x_adv))
        return loss(u**2 + w**2, p, p_adv)

    np.testing.assert_allclose(logs["loss"], at(0.0, 2.0), rtol=1e-5)
    h = 1e-5
    slope = [(at(h, 2.0) - at(-h, 2.0)) / (2 * h), (at(0.0, 2 + h) - at(0.0, 2 - h)) / (2 * h)]
    expected = np.array([0.0, 2.0]) - RATE * np.array(slope)
    np.testing.assert_allclose(model.layers[-1].kernel.numpy()[0], expected, atol=2e-6)
    return logs


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_atlas_by_hand(scale):
    """CE at x'; the divergence from p' to p; the ramp's factor on both weights."""
    logs = by_hand(
        lambda c: ATLAS(c, LABEL, alpha=0.3, beta=7.0, kind="basis", scale=scale),
        X - scale * 0.25,
        lambda j, p, p_adv: -np.log(p_adv) + scale * (0.3 * j + 7.0 * kl(p_adv, p)),
    )
    np.testing.assert_allclose(logs["jacobian"], 4.0, rtol=1e-6)
    if scale == 1.0:
        # -log p' = 0.47408. KL(p' || p) = 0.02796, where KL(p || p') is 0.02634.
        np.testing.assert_allclose(logs["label_loss"], 0.47408, atol=1e-5)
        np.testing.assert_allclose(logs["divergence"], 0.02796, atol=1e-5)


def trades_jac(classifier, attack, alpha, beta, scale=1.0, **options):
    """As `recipes.trades_jac`, with an attack of one's own."""
    jacobian = Jacobian(alpha, "clean", **options)
    return TRADES(classifier, attack, beta=beta, scale=scale, regularizers=[jacobian])


def test_jac_by_hand():
    by_hand(
        lambda c: recipes.jac(c, "Linf", 0.25, alpha=0.3, kind="basis"),
        X,
        lambda j, p, p_adv: -np.log(p) + 0.3 * j,
    )


def test_trades_jac_by_hand():
    """x' is 1/4 or 3/4, where the divergence's random start points to: at scale 1/2, 3/8 or 5/8."""
    # This seed's start lies below x.
    by_hand(
        lambda c: trades_jac(c, DIVERGENCE, 0.5 * 0.3, 0.5 * 7.0, kind="basis", scale=0.5),
        0.375,
        lambda j, p, p_adv: -np.log(p) + 0.5 * (0.3 * j + 7.0 * kl(p, p_adv)),
    )


def network(dtype="float32"):
    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.Input((4, 4, 1), dtype=dtype),
            keras.layers.Conv2D(3, 2),
            BatchNormalization(),
            keras.layers.Activation("softplus"),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )


def trained(make, data):
    method = make(network())
    method.compile(keras.optimizers.SGD(0.1, momentum=0.9))
    history = method.fit(data, verbose=0).history
    return method.classifier, history


# The same draws of the attack, and of the projections.
PAIRS = {
    "atlas_of_weights_0": (lambda c: ATLAS(c, CE, alpha=0, beta=0), lambda c: ADV(c, CE)),
    "atlas_of_scheduled_weights_0": (
        lambda c: ATLAS(c, CE, alpha=LinearRamp(3, 0, 0), beta=0.0),
        lambda c: ADV(c, CE),
    ),
    "atlas_l": (
        lambda c: ATLAS(c, CE, alpha=0.02, beta=0.0),
        lambda c: ADV(c, CE, regularizers=[Jacobian(0.02, "adversarial")]),
    ),
    "jac_of_weight_0": (lambda c: Natural(c, regularizers=[Jacobian(0.0)]), Natural),
    "half": (
        lambda c: Natural(c, regularizers=[Jacobian(0.02)]),
        lambda c: Natural(c, regularizers=[Jacobian(0.04, half=True)]),
    ),
    "trades_jac_of_alpha_0": (
        lambda c: trades_jac(c, KL, 0.0, 3.0),
        lambda c: TRADES(c, KL, beta=3.0),
    ),
    "a_ramp_scales_along": (
        lambda c: ATLAS(c, CE, alpha=0.02, beta=3.0, scale=0.25),
        lambda c: ATLAS(
            c,
            PGD(Linf(0.025), steps=1, relative_step_size=1.25),
            alpha=Steps((1,), (0.005, 9)),
            beta=0.75,
        ),
    ),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_one_method_out_of_another(pair, data, same_weights):
    (one, _), (other, _) = (trained(make, data) for make in PAIRS[pair])
    same_weights(one, other, atol=2e-6)


def test_settings_that_do_something_are_seen(data, same_weights):
    """The comparisons above could fail."""
    base = trained(lambda c: ATLAS(c, CE, alpha=0.02, beta=0.0), data)[0]
    for make in (
        lambda c: ATLAS(c, CE, alpha=0.01, beta=0.0),
        lambda c: ATLAS(c, CE, alpha=0.02, beta=0.1),
        lambda c: ATLAS(c, CE, alpha=0.02, beta=0.0, projections=2),
        lambda c: ATLAS(c, CE, alpha=0.02, beta=0.0, scale=0.5),
    ):
        with pytest.raises(AssertionError):
            same_weights(trained(make, data)[0], base, atol=1e-4)


@pytest.mark.parametrize(
    ("alpha", "beta", "parts", "forwards"),
    [
        (0.1, 0.1, {"jacobian", "divergence"}, 2),
        (0.1, 0, {"jacobian"}, 1),
        (0, 0.1, {"divergence"}, 2),
        (0, 0, set(), 1),
    ],
)
def test_what_has_no_weight_is_not_computed(alpha, beta, parts, forwards, data, monkeypatch):
    """One pass at x' serves three terms."""
    calls, forward = [], LivePoint.forward
    monkeypatch.setattr(LivePoint, "forward", lambda p, x: calls.append(1) or forward(p, x))
    _, history = trained(lambda c: ATLAS(c, CE, alpha=alpha, beta=beta), data.take(1))
    assert len(calls) == forwards
    assert set(history) & {"jacobian", "divergence"} == parts


def stock():
    layers = [keras.layers.BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(3)]
    return keras.Sequential([keras.Input((4, 4, 1)), *layers])


def test_warns_of_stock_batch_normalization_only_where_it_matters():
    for make in (
        lambda c: ATLAS(c, CE),
        lambda c: ATLAS(c, CE, alpha=LinearRamp(3)),
        lambda c: recipes.jac(c, "Linf", 0.1),
        lambda c: trades_jac(c, KL, 0.1, 3.0),
        lambda c: ADV(c, CE, regularizers=[Jacobian(0.1, "adversarial")]),
    ):
        with pytest.warns(UserWarning, match="wrong second derivatives"):
            make(stock())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ATLAS(stock(), CE, alpha=0)


METHODS = {
    "atlas": lambda c: ATLAS(c, CE, alpha=0.3, beta=3.0, scale=0.5),
    "jac": lambda c: recipes.jac(c, "Linf", 0.1, alpha=0.3),
    "trades_jac": lambda c: trades_jac(c, KL, 0.3, 3.0),
}


@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", METHODS)
def test_gradient_of_the_whole_loss(name, train):
    """Fourth-order central differences along a direction of all weights, in float64."""
    keras.config.set_dtype_policy("float64")
    try:
        model = network("float64")
    finally:
        keras.config.set_dtype_policy("float32")
    method = METHODS[name](model)
    rng = np.random.default_rng(1)
    x, y = tf.constant(rng.random((5, 4, 4, 1))), tf.constant([0, 1, 2, 0, 1])
    points = {"clean": x, "adversarial": x + 0.1 * rng.normal(size=x.shape)}
    keys = keys_of(3)
    step = Step(x, y, global_batch(x), tf.constant(0.0), tf.constant(0, tf.int64), keys, keys, keys)
    variables = [v.value for v in model.trainable_variables]
    direction = [rng.normal(size=v.shape) for v in variables]

    class Running(LivePoint):
        def forward(self, x):
            with running_statistics():
                return super().forward(x)

    def value():
        point = (LivePoint if train else Running)(model)
        watched = {name for part in (method, *method.regularizers) for name in part.watched}
        context = StepContext(point, step, points, None, watched)
        total = method.per_example_loss(context)
        for regularizer in method.regularizers:
            total += regularizer.weight * regularizer(context)
        return tf.reduce_sum(total)

    def along(step):
        for v, d in zip(variables, direction, strict=True):
            v.assign_add(step * d)
        moved = float(value())
        for v, d in zip(variables, direction, strict=True):
            v.assign_sub(step * d)
        return moved

    with tf.GradientTape() as tape:
        loss = value()
    gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
    slope = sum(np.sum(g.numpy() * d) for g, d in zip(gradients, direction, strict=True))
    h = 1e-3 if train else 1e-4
    difference = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
    np.testing.assert_allclose(slope, difference, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda c: ATLAS(c, CE, alpha=-1), "`alpha` must"),
        (lambda c: ATLAS(c, CE, beta=LinearRamp(3, 0, -1)), "`beta` must"),
        (lambda c: ATLAS(c, CE, kind="all"), "`kind` must be one of"),
        (lambda c: ATLAS(c, CE, smoothness_divergence="kl"), "`smoothness_divergence` must"),
        (lambda c: ATLAS(c, None), "`attack` must be of kind"),
        (lambda c: recipes.jac(c, "Linf", 0.1, alpha=-1), "`alpha` must"),
        (lambda c: recipes.jac(c, "Linf", 0.1, projections=0), "`projections` must"),
        (lambda c: trades_jac(c, KL, "x", 3.0), "`weight` must"),
        (lambda c: Natural(c, regularizers=[Jacobian()] * 2), "need different names"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(UserError, match=message):
        make(network())
