"""Taylor terms in weight space: closed forms, scaling, expectations, and gradients against differences."""

import contextlib
import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.losses import Bregman, HalfSquaredDifference
from tfrobust.methods.context import Step, StepContext
from tfrobust.methods.points import LivePoint, ShiftedPoint
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.ops.random.keys import keys_of
from tfrobust.ops.replicas.global_batch import global_batch
from tfrobust.ops.schedules import LinearRamp
from tfrobust.ops.statistics import running_statistics
from tfrobust.regularizers import TaylorTerms
from tfrobust.weights import WeightNoise

RNG = np.random.default_rng(0)
SQUARED = HalfSquaredDifference()
FORMS = ["exact", "finite"]


def step_of(x, seed=3):
    keys = keys_of(seed)
    labels = tf.zeros([tf.shape(x)[0]], tf.int32)
    return Step(
        x, labels, global_batch(x), tf.constant(0.0), tf.constant(0, tf.int64), keys, keys, keys
    )


def context_of(point, x, x_adv, seed=3):
    return StepContext(point, step_of(x, seed), {"clean": x, "adversarial": x_adv}, None)


def value(terms, point, x, x_adv, seed=3):
    """The term as a step computes it: after the shared passes of its method."""
    context = context_of(point, x, x_adv, seed)
    terms.prepare(context)
    context.logits("clean"), context.logits("adversarial")
    return terms(context), context


def linear(*units, bias=False):
    layers = [keras.layers.Dense(n, use_bias=bias, dtype="float64") for n in units]
    model = keras.Sequential([keras.Input((4,), dtype="float64"), *layers])
    for v in model.trainable_variables:
        v.assign(RNG.normal(size=v.shape))
    return model


def images(*shape):
    return tf.constant(RNG.uniform(size=shape)), tf.constant(RNG.uniform(size=shape))


def noise_of(model, sigma, seed=3, **settings):
    """What the attack of the same step sees added to the weights."""
    weights = [tf.convert_to_tensor(v.value) for v in model.trainable_variables]
    return [u.numpy() for u in WeightNoise(sigma, **settings)(None, weights, keys_of(seed), 0.0)]


@pytest.mark.parametrize("form", [*FORMS, "one_sided"])
def test_one_linear_layer(form):
    """a1 = U x, a2 = 0."""
    model, (x, x_adv) = linear(3), images(5, 4)
    (u,) = noise_of(model, 0.1)
    order = 1 if form == "one_sided" else 2
    terms = TaylorTerms(order=order, form=form, sigma=0.1, divergence=SQUARED)
    values, context = value(terms, LivePoint(model), x, x_adv)
    expected = 0.5 * np.sum(((x - x_adv).numpy() @ u) ** 2, axis=1)
    np.testing.assert_allclose(values, expected, rtol=1e-9)
    np.testing.assert_allclose(context.parts["taylor_first"], expected, rtol=1e-9)
    if order == 2:
        np.testing.assert_allclose(context.parts["taylor_second"], 0.0, atol=1e-18)


@pytest.mark.parametrize("point", [LivePoint, "shifted"])
@pytest.mark.parametrize("form", FORMS)
def test_two_linear_layers(form, point):
    """a1 = (U2 W1 + W2 U1) x, a2 = 2 U2 U1 x: `finite` is exact too, and both expand around the point."""
    model, (x, x_adv) = linear(6, 3), images(5, 4)
    w1, w2 = (v.numpy() for v in model.trainable_variables)
    u1, u2 = noise_of(model, 0.1)
    if point == "shifted":
        w1, w2 = w1 + 0.5, w2 - 0.3
        point = lambda m: ShiftedPoint(m, [tf.constant(w1), tf.constant(w2)])  # noqa: E731
    terms = TaylorTerms(order=2, form=form, sigma=0.1, divergence=Bregman())
    values, context = value(terms, point(model), x, x_adv)

    def derivatives(x):
        return x @ w1 @ u2 + x @ u1 @ w2, 2.0 * x @ u1 @ u2

    pairs = zip(derivatives(x.numpy()), derivatives(x_adv.numpy()), strict=True)
    first, second = (Bregman()(tf.constant(a), tf.constant(b)) for a, b in pairs)
    np.testing.assert_allclose(context.parts["taylor_first"], first, rtol=1e-8)
    np.testing.assert_allclose(context.parts["taylor_second"], second, rtol=1e-8)
    np.testing.assert_allclose(values, first + 0.5 * second, rtol=1e-8)


def test_the_draw_is_the_attacks_for_every_noise():
    model, (x, x_adv) = linear(3, bias=True), images(5, 4)
    kernel = model.layers[0].kernel.numpy()
    rms = np.sqrt(np.mean(kernel**2))
    plain = noise_of(model, 1.0, parameters="all")
    (relative, zero), (none, _) = (
        noise_of(model, 0.1, noise="layer_relative"),
        noise_of(model, 0.1, parameters="conv_kernels"),
    )
    np.testing.assert_allclose(relative, 0.1 * rms * plain[0], rtol=1e-12)
    assert not zero.any() and not none.any() and plain[1].any()
    terms = TaylorTerms(sigma=0.1, noise="layer_relative", divergence=SQUARED)
    values, _ = value(terms, LivePoint(model), x, x_adv)
    expected = 0.5 * np.sum(((x - x_adv).numpy() @ relative) ** 2, axis=1)
    np.testing.assert_allclose(values, expected, rtol=1e-9)
    # Biases cancel between the two images, and do not where only one is moved.
    of_all, _ = value(
        TaylorTerms(sigma=1.0, parameters="all", divergence=SQUARED), LivePoint(model), x, x_adv
    )
    np.testing.assert_allclose(
        of_all, 0.5 * np.sum(((x - x_adv).numpy() @ plain[0]) ** 2, axis=1), rtol=1e-9
    )


def test_expected_values():
    """E T1 = sigma^2/2 ||J - J'||^2, E T2 = sigma^4/2 sum_c (2 ||A_c||^2 + (tr A_c)^2)."""
    x, x_adv = images(2, 4)
    gap = np.sum((x - x_adv).numpy() ** 2, axis=1)
    # Where `finite` is exact, and quicker by far for so many draws.
    settings = {"sigma": 0.3, "form": "finite", "divergence": SQUARED}
    classes, hidden = 50, 40
    first, _ = value(
        TaylorTerms(draws=30, **settings), LivePoint(linear(classes)), x, x_adv, seed=5
    )
    np.testing.assert_allclose(first, 0.3**2 / 2 * classes * gap, rtol=0.1)
    terms = TaylorTerms(order=2, draws=30, **settings)
    _, context = value(terms, LivePoint(linear(hidden, classes)), x, x_adv, seed=6)
    # Each A_c holds x - x' twice for every hidden unit, off the diagonal.
    expected = 0.3**4 / 2 * classes * 2 * (2 * hidden * gap)
    np.testing.assert_allclose(context.parts["taylor_second"], expected, rtol=0.15)


def network(layer=BatchNormalization, activation="softplus"):
    """A normalised layer, float64, images of 2 by 2."""
    model = keras.Sequential([keras.Input((2, 2, 2), dtype="float64")])
    model.add(keras.layers.Conv2D(4, 2, padding="same", dtype="float64"))
    model.add(layer(epsilon=1e-5, dtype="float64"))
    model.add(keras.layers.Activation(activation, dtype="float64"))
    model.add(keras.layers.Flatten(dtype="float64"))
    model.add(keras.layers.Dense(3, dtype="float64"))
    rng = np.random.default_rng(3)
    for v in model.trainable_variables:
        v.assign(rng.normal(0.3, 0.5, v.shape))
    return model


@pytest.fixture(scope="module")
def deep():
    rng = np.random.default_rng(4)
    x, x_adv = (tf.constant(rng.uniform(size=(5, 2, 2, 2))) for _ in range(2))
    return network(), x, x_adv


def total(model, terms, x, x_adv, shift=None, seed=3):
    """TRADES's divergence plus the term, summed, at the live weights w or at w + shift."""
    point = LivePoint(model)
    if shift is not None:
        weights = [v.value + s for v, s in zip(model.trainable_variables, shift, strict=True)]
        point = ShiftedPoint(model, weights)
    values, context = value(terms, point, x, x_adv, seed)
    return tf.reduce_sum(values + Bregman()(*map(context.logits, ("clean", "adversarial"))))


def test_exact_is_the_limit_of_finite(deep):
    """Their difference falls as sigma^2 relative to the terms; one-sided only as sigma."""
    model, x, x_adv = deep

    @tf.function(autograph=False)
    def errors(sigma):
        found = {}
        for form in FORMS:
            terms = TaylorTerms(order=2, form=form, sigma=sigma, divergence=SQUARED)
            found[form] = value(terms, LivePoint(model), x, x_adv)[1].parts
        one = TaylorTerms(form="one_sided", sigma=sigma, divergence=SQUARED)
        parts = {
            name: tf.reduce_sum(abs(found["finite"][name] / exact - 1.0))
            for name, exact in found["exact"].items()
        }
        one = value(one, LivePoint(model), x, x_adv)[0]
        parts["one_sided"] = tf.reduce_sum(abs(one / found["exact"]["taylor_first"] - 1.0))
        return parts

    large, small = errors(4e-3), errors(1e-3)
    for name, ratio in (("taylor_first", 16.0), ("taylor_second", 16.0), ("one_sided", 4.0)):
        assert float(large[name]) < 0.5, name
        np.testing.assert_allclose(large[name] / small[name], ratio, rtol=0.25, err_msg=name)


def test_scaling(deep):
    """T1 grows as sigma^2 and T2 as sigma^4: exactly with squares, nearly with small softmaxes."""
    model, x, x_adv = deep

    @tf.function(autograph=False)
    def parts(sigma):
        context = context_of(LivePoint(model), x, x_adv)
        terms = TaylorTerms(order=2, sigma=sigma)
        terms.prepare(context)
        context.logits("clean"), context.logits("adversarial")
        found = []
        for divergence in (SQUARED, Bregman()):
            # The same passes: one direction.
            dataclasses.replace(terms, divergence=divergence)(context)
            found += [tf.reduce_sum(context.parts[name]) for name in terms.parts]
        return tf.stack(found)

    ratios = parts(2e-3) / parts(1e-3)
    np.testing.assert_allclose(ratios[:2], [4.0, 16.0], rtol=1e-9)
    np.testing.assert_allclose(ratios[2:], [4.0, 16.0], rtol=0.03)


@pytest.mark.parametrize(
    ("form", "order", "where"),
    [
        ("exact", 1, "live"),
        pytest.param("exact", 2, "live", marks=pytest.mark.slow),
        pytest.param("exact", 2, "shifted", marks=pytest.mark.slow),
        ("exact", 2, "inference"),
        ("finite", 2, "live"),
        ("finite", 2, "shifted"),
        ("finite", 2, "inference"),
    ],
)
def test_gradients(form, order, where, deep):
    """Central differences of fourth order, in train mode with BatchNormalization, at w, at w + v, in eval."""
    model, x, x_adv = deep
    rng = np.random.default_rng(5)
    variables = [v.value for v in model.trainable_variables]
    direction = [tf.constant(rng.normal(size=v.shape)) for v in variables]
    shift = [0.1 * d for d in direction] if where == "shifted" else None
    mode = running_statistics if where == "inference" else contextlib.nullcontext
    # sigma makes both orders count.
    terms = TaylorTerms(order=order, form=form, sigma=0.2, draws=1)

    @tf.function(autograph=False)
    def loss():
        with mode():
            return total(model, terms, x, x_adv, shift)

    @tf.function(autograph=False)
    def slope():
        with tf.GradientTape() as tape, mode():
            result = total(model, terms, x, x_adv, shift)
        gradients = tape.gradient(result, variables, unconnected_gradients="zero")
        return tf.add_n([tf.reduce_sum(g * d) for g, d in zip(gradients, direction, strict=True)])

    def along(distance):
        for v, d in zip(variables, direction, strict=True):
            v.assign_add(distance * d)
        result = loss().numpy()
        for v, d in zip(variables, direction, strict=True):
            v.assign_sub(distance * d)
        return result

    h = 1e-3
    one, two = along(h) - along(-h), along(2 * h) - along(-2 * h)
    np.testing.assert_allclose(slope(), (8 * one - two) / (12 * h), rtol=1e-6)


@pytest.mark.parametrize("order", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_eager_is_graph(order, deep):
    """Where TensorFlow's own forward mode forgets what a tape should know."""
    model, x, x_adv = deep
    terms = TaylorTerms(order=order, sigma=0.2)
    variables = [v.value for v in model.trainable_variables]

    def gradients():
        with tf.GradientTape() as tape:
            result = total(model, terms, x, x_adv)
        return tape.gradient(result, variables, unconnected_gradients="zero")

    in_graph = tf.function(gradients, autograph=False)()
    for eager, graph in zip(gradients(), in_graph, strict=True):
        np.testing.assert_allclose(eager, graph, rtol=1e-8, atol=1e-10)


def test_passes_aside_leave_no_trace_and_share_dropout():
    """The noise is zero: with another dropout mask a difference would remain."""
    model = keras.Sequential(
        [
            keras.Input((2, 2, 2)),
            BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5, seed=1),
            keras.layers.Dense(3),
        ]
    )
    x, x_adv = (tf.cast(value, tf.float32) for value in images(5, 2, 2, 2))
    found = {}
    for terms in (None, *(TaylorTerms(order=2, form=form, sigma=0.0) for form in FORMS)):
        state = [tf.identity(v) for v in model.non_trainable_variables]
        context = context_of(LivePoint(model), x, x_adv)
        if terms is not None:
            terms.prepare(context)
        logits = context.logits("clean"), context.logits("adversarial")
        if terms is not None:
            zero = [tf.zeros(v.shape) for v in model.trainable_variables]
            for name, shared in zip(("clean", "adversarial"), logits, strict=True):
                np.testing.assert_allclose(context.logits_aside(name, zero), shared, rtol=1e-5)
            np.testing.assert_allclose(terms(context), 0.0, atol=1e-6)
        after = [v.numpy() for v in model.non_trainable_variables]
        found[None if terms is None else terms.form] = [*(z.numpy() for z in logits), *after]
        for v, old in zip(model.non_trainable_variables, state, strict=True):
            v.assign(old)
    for form in FORMS:
        for mine, plain in zip(found[form], found[None], strict=True):
            np.testing.assert_allclose(mine, plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight": -0.1}, "`weight` must be"),
        ({"order": 3}, "`order` must be 1 or 2"),
        ({"form": "reference"}, "`form` must be one of"),
        ({"form": "one_sided", "order": 2}, "no second order. Use form='finite'"),
        ({"sigma": -1.0}, "`sigma` must be"),
        ({"form": "finite", "sigma": 1e-5}, "at least 0.0001. Received: sigma=1e-05"),
        ({"noise": "relative"}, "`noise` must be one of 'absolute', 'layer_relative'"),
        ({"parameters": "biases"}, "`parameters` must be one of 'kernels'"),
        ({"draws": 0}, "`draws` must be a whole number"),
        ({"divergence": "kl"}, "`divergence` must be of kind"),
        ({"points": ("clean",)}, "`points` must be two names"),
    ],
)
def test_refusals(settings, message):
    with pytest.raises(UserError, match=message):
        TaylorTerms(**settings)


def test_warnings():
    relu, smooth = network(activation="relu"), network()
    with pytest.warns(UserWarning, match="piecewise linear.*Use form='finite'"):
        TaylorTerms(order=2).check_classifier(relu)
    TaylorTerms(order=2).check_classifier(smooth)
    TaylorTerms(order=2, form="finite").check_classifier(relu)
    TaylorTerms(order=1).check_classifier(relu)
    half = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, dtype="mixed_bfloat16")])
    with pytest.warns(UserWarning, match="half precision.*Use form='exact'"):
        TaylorTerms(form="finite").check_classifier(half)
    TaylorTerms().check_classifier(half)


def test_round_trip():
    for value in (
        TaylorTerms(LinearRamp(3), 2, "finite", points=("clean", "other"), divergence=SQUARED),
        WeightNoise(0.1, "layer_relative", "all"),
    ):
        config = keras.saving.serialize_keras_object(value)
        assert keras.saving.deserialize_keras_object(config) == value
