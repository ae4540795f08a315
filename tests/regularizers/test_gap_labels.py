"""RAT's reference code as arithmetic: its statistic, its table, its terms."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.methods.context import Step, StepContext
from tfrobust.methods.points import LivePoint, ShiftedPoint
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.ops.random.keys import keys_of
from tfrobust.ops.replicas.global_batch import global_batch
from tfrobust.regularizers import GapLabels
from tfrobust.regularizers.gap_labels import make_gap_table

RNG = np.random.default_rng(0)
GAP = np.array([0.3, -0.2, 0.1, 0.0])


def network():
    dense = keras.layers.Dense(4, dtype="float64")
    model = keras.Sequential(
        [
            keras.Input((3, 3, 1), dtype="float64"),
            keras.layers.Conv2D(5, 2, dtype="float64", activation="relu"),
            BatchNormalization(dtype="float64"),
            keras.layers.Flatten(dtype="float64"),
            dense,
        ]
    )
    dense.bias.assign(RNG.normal(size=4))
    return model


@pytest.fixture(scope="module")
def problem():
    y = tf.constant([0, 1, 2, 3, 1, 1])
    x, x_adv = (tf.constant(RNG.uniform(size=(6, 3, 3, 1))) for _ in range(2))
    return network(), x, x_adv, y


def context_of(problem, point=None):
    model, x, x_adv, y = problem
    keys = keys_of(0)
    number = tf.constant(0, tf.int64)
    step = Step(x, y, global_batch(x), tf.constant(0.0), number, keys, keys, keys)
    points = {"clean": x, "adversarial": x_adv}
    return StepContext(point or LivePoint(model), step, points, None)


def evaluated(terms, context):
    terms.prepare(context)
    return terms(context).numpy()


def kernel_gradient(model, x, y):
    """Of the batch's mean cross-entropy, by the tape; shape (features, classes)."""
    with tf.GradientTape() as tape:
        logits = model(x, training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
    return tape.gradient(loss, model.layers[-1].kernel.value).numpy()


@pytest.mark.parametrize("shifted", [False, True])
def test_the_statistic_is_the_last_kernels_gradient_summed_over_inputs(shifted, problem):
    model, x, x_adv, y = problem
    point = None
    if shifted:
        weights = [v.value + 0.1 for v in model.trainable_variables]
        point = ShiftedPoint(model, weights)
    context, terms = context_of(problem, point), GapLabels()
    terms.prepare(context)
    found = [terms._row_sums(context, name).numpy() for name in ("clean", "adversarial")]
    old = [v.numpy() for v in model.trainable_variables]
    for v in model.trainable_variables:
        v.assign_add(0.1 * float(shifted) * tf.ones(v.shape, v.dtype))
    expected = [kernel_gradient(model, images, y).sum(axis=0) for images in (x, x_adv)]
    for v, value in zip(model.trainable_variables, old, strict=True):
        v.assign(value)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert np.abs(expected).min() > 1e-4


def test_table():
    table = make_gap_table(tf.constant(GAP)).numpy()
    np.testing.assert_allclose(table.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.diag(table), 2 / 4, rtol=1e-12)
    # d = (5, 0, 3, 2) / 10.
    np.testing.assert_allclose(table[1], [0.25, 0.5, 0.15, 0.1], rtol=1e-12)
    np.testing.assert_allclose(table[0], [0.5, 0.0, 0.3, 0.2], rtol=1e-12, atol=1e-15)
    moved = make_gap_table(tf.constant(7.0 * GAP - 3.0)).numpy()
    np.testing.assert_allclose(moved, table, rtol=1e-12, atol=1e-15)
    assert np.abs(make_gap_table(tf.constant(-GAP)).numpy() - table).max() > 0.1


@pytest.mark.parametrize("gap", [np.zeros(4), np.full(4, 0.7), np.array([0.0, 0.0, 1.0, 0.0])])
def test_table_where_the_reference_divides_by_zero(gap):
    table = make_gap_table(tf.constant(gap)).numpy()
    uniform = np.full(3, 0.5 / 3)
    for row in range(4) if gap[2] == gap[0] else [2]:
        np.testing.assert_allclose(np.delete(table[row], row), uniform, rtol=1e-12)
    np.testing.assert_allclose(table.sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("fix", [False, True])
@pytest.mark.parametrize("order", [1, 2])
def test_terms(order, fix, problem):
    """Step by step as the card has it, from the kernel's gradient."""
    model, x, x_adv, y = problem
    settings = {"order": order, "second_weight": 0.4, "fix_second_order_slip": fix}
    context = context_of(problem)
    term = evaluated(GapLabels(**settings), context)
    r, r_adv = (kernel_gradient(model, images, y).sum(axis=0) for images in (x, x_adv))
    log_p, log_p_adv = (
        tf.nn.log_softmax(context.logits(n)).numpy() for n in ("clean", "adversarial")
    )

    def label(gap, c):
        d = gap - gap.min()
        d = d / d.sum()
        row = (1 - 2 / 4) * d / np.delete(d, c).sum()
        row[c] = 2 / 4
        return row

    def kl(q, log_p):
        return sum(a * (np.log(a) - b) for a, b in zip(q, log_p, strict=True) if a > 0)

    for b, c in enumerate(y.numpy()):
        first = 0.5 * kl(label(abs(r) - abs(r_adv), c), log_p_adv[b])
        first += 0.5 * kl(label(abs(r_adv) - abs(r), c), log_p[b])
        gap = r_adv**2 - r**2
        second = 0.5 * kl(label(-gap if fix else gap, c), log_p_adv[b])
        second += 0.5 * kl(label(gap, c), log_p[b])
        expected = first + (0.4 * second if order == 2 else 0.0) + log_p[b, c]
        np.testing.assert_allclose(term[b], expected, rtol=1e-9)
        np.testing.assert_allclose(context.parts["gap_labels_first"][b], first, rtol=1e-9)


@pytest.mark.parametrize(("classes", "share"), [(10, 0.8737), (100, 0.8453)])
def test_share_of_the_true_class(classes, share):
    """At alpha 0.2, of all targets on clean images: (0.8 + 0.15 * 2/C) / 0.95."""
    x = tf.constant(RNG.uniform(size=(4, 2, 2, 1)))
    model = keras.Sequential(
        [
            keras.Input((2, 2, 1), dtype="float64"),
            keras.layers.Flatten(dtype="float64"),
            keras.layers.Dense(classes, dtype="float64"),
        ]
    )
    y = tf.constant([0, 1, 2, 2])
    context, terms = context_of((model, x, 1.0 - x, y)), GapLabels(0.2)
    with tf.GradientTape() as tape:
        terms.prepare(context)
        logits = context.logits("clean")
        tape.watch(logits)
        # With the clean cross-entropy of TRADES. Targets sum to minus the gradient plus p.
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits) + 0.2 * terms(context)
    gradient = tape.gradient(loss, logits).numpy()
    total = 1 - 0.2 + 0.1 + 0.05
    targets = total * tf.nn.softmax(logits).numpy() - gradient
    np.testing.assert_allclose(targets.sum(axis=1), total, rtol=1e-9)
    np.testing.assert_allclose(targets[range(4), y] / total, share, atol=5e-5)


def test_labels_are_constant(problem):
    """The gradient in a logit is p minus the target, with nothing through the statistic."""
    context, terms = context_of(problem), GapLabels(reduce_clean_loss=False, order=1)
    with tf.GradientTape() as tape:
        terms.prepare(context)
        adversarial = context.logits("adversarial")
        tape.watch(adversarial)
        loss = tf.reduce_sum(terms(context))
    gradient = tape.gradient(loss, adversarial)
    r, r_adv = (terms._row_sums(context, name) for name in ("clean", "adversarial"))
    labels = tf.gather(make_gap_table(tf.abs(r) - tf.abs(r_adv)), context.y)
    np.testing.assert_allclose(gradient, 0.5 * (tf.nn.softmax(adversarial) - labels), atol=1e-12)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight": 1.5}, "`weight` must lie between 0 and 1"),
        ({"order": 0}, "`order` must be 1 or 2"),
        ({"second_weight": -1.0}, "`second_weight` must be"),
    ],
)
def test_refusals(settings, message):
    with pytest.raises(UserError, match=message):
        GapLabels(**settings)


@pytest.mark.parametrize(
    "last",
    [
        lambda: keras.layers.Dense(3, activation="softmax"),
        lambda: keras.layers.Dense(3, trainable=False),
        lambda: keras.layers.Conv2D(3, 2),
    ],
)
def test_classifiers_without_a_last_kernel(last):
    layers = [keras.Input((2, 2, 1)), last()]
    if not isinstance(layers[1], keras.layers.Conv2D):
        layers.insert(1, keras.layers.Flatten())
    with pytest.raises(UserError, match="last Dense layer is trainable, linear"):
        GapLabels().check_classifier(keras.Sequential(layers))


def test_round_trip():
    value = GapLabels(0.1, 1, 0.4, False, True)
    config = keras.saving.serialize_keras_object(value)
    assert keras.saving.deserialize_keras_object(config) == value
