"""GradAlign's term: closed forms, its gradient in float64, and examples without a gradient."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD, Clean
from tfrobust.errors import UserError
from tfrobust.methods import ADV
from tfrobust.methods.context import Step, StepContext
from tfrobust.methods.points import LivePoint
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.ops.random.keys import keys_of
from tfrobust.ops.replicas.global_batch import global_batch
from tfrobust.ops.schedules import LinearRamp
from tfrobust.regularizers import GradientAlignment, gradient_alignment_weight
from tfrobust.threat_models import L2, Linf

RNG = np.random.default_rng(0)
X, Y = tf.constant(RNG.random((5, 3, 3, 1))), tf.constant([0, 1, 2, 0, 1])
MATRIX = tf.constant(RNG.normal(size=(9, 3)))


def context_of(point, x=X, y=Y, epoch=0.0, seed=0):
    if not hasattr(point, "forward"):
        point = types.SimpleNamespace(forward=point, classifier=point)
    keys = keys_of(seed)
    step = Step(
        x, y, global_batch(x), tf.constant(epoch), tf.constant(0, tf.int64), keys, keys, keys
    )
    return StepContext(point, step, {"clean": x}, None, ("clean",))


def curved(x):
    return tf.sin(2.0 * tf.reshape(x, [-1, 9]) @ tf.cast(MATRIX, x.dtype))


def network():
    layers = [
        keras.layers.Conv2D(4, 2, dtype="float64"),
        BatchNormalization(momentum=0.5, dtype="float64"),
        keras.layers.Activation("softplus", dtype="float64"),
        keras.layers.Flatten(dtype="float64"),
        keras.layers.Dense(3, dtype="float64"),
    ]
    model = keras.Sequential([keras.Input((3, 3, 1), dtype="float64"), *layers])
    rng = np.random.default_rng(1)
    for v in model.trainable_variables:
        v.assign(rng.normal(size=v.shape))
    return model


@pytest.mark.parametrize(
    ("epsilon", "weight"),
    [("4/255", 0.063), ("8/255", 0.2), ("12/255", 0.632), ("16/255", 2.0), (8 / 255, 0.2)],
)
def test_weights_of_the_paper(epsilon, weight):
    np.testing.assert_allclose(gradient_alignment_weight(epsilon), weight, rtol=5e-3)


def test_weight_of_a_radius_in_grey_levels_is_refused():
    with pytest.raises(UserError, match="Did you mean '8/255'"):
        gradient_alignment_weight(8)


def test_value():
    """1 - cosine with the gradient at a point of the ball, example by example."""
    seen = []

    def forward(x):
        seen.append(x)
        return curved(x)

    value = GradientAlignment(1.0, Linf(0.3))(context_of(forward))
    assert seen[0] is X and len(seen) == 2
    expected = []
    for i in range(5):
        gradients = []
        for x in seen:
            x, y = x[i : i + 1], Y[i : i + 1]
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = keras.losses.sparse_categorical_crossentropy(y, curved(x), from_logits=True)
            gradients.append(tape.gradient(loss, x).numpy().ravel())
        one, two = gradients
        expected.append(1.0 - one @ two / np.linalg.norm(one) / np.linalg.norm(two))
    np.testing.assert_allclose(value, expected, rtol=1e-9)
    assert max(expected) > 0.1


def test_the_other_point_is_uniform_in_the_ball_and_not_cut_to_the_box():
    seen = []
    x = tf.constant(np.random.default_rng(0).random((400, 3, 3, 1)))
    labels = tf.zeros(400, tf.int32)

    def other(term, seed=0, epoch=0.0):
        seen.clear()
        term(context_of(lambda z: (seen.append(z), curved(z))[1], x, labels, epoch, seed))
        return (seen[1] - x).numpy()

    eta = other(GradientAlignment(1.0, Linf(0.3)))
    # 3600 numbers: four standard errors of the mean of uniform numbers, and of their squares.
    assert abs(eta.mean()) < 4 * 0.3 / 3**0.5 / 60
    assert abs(np.square(eta).mean() - 0.03) < 4 * 0.09 * (4 / 45) ** 0.5 / 60
    assert 0.299 < np.abs(eta).max() <= 0.3
    assert (x + eta).numpy().min() < -0.2 and (x + eta).numpy().max() > 1.2
    np.testing.assert_array_equal(other(GradientAlignment(1.0, Linf(0.3))), eta)
    assert np.abs(other(GradientAlignment(1.0, Linf(0.3)), seed=1) - eta).max() > 0.1
    ramped = GradientAlignment(1.0, Linf(0.3), scale=LinearRamp(10))
    np.testing.assert_allclose(other(ramped, epoch=5.0), 0.5 * eta, atol=1e-7)
    lengths = np.linalg.norm(other(GradientAlignment(1.0, L2(0.5))).reshape(400, -1), axis=1)
    assert 0.49 < lengths.max() <= 0.5 + 1e-9


def test_an_affine_loss_is_aligned():
    """At a gap of 100 the loss is the gap, and its gradient the same everywhere."""

    def forward(x):
        wrong = 100.0 + tf.reshape(x, [-1, 9]) @ MATRIX[:, :1]
        return tf.concat([tf.zeros_like(wrong), wrong], axis=1)

    value = GradientAlignment(1.0, Linf(0.3))(context_of(forward, y=tf.zeros(5, tf.int32)))
    np.testing.assert_allclose(value, 0.0, atol=1e-14)


@pytest.mark.parametrize("detach_clean", [False, True])
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_gradient(mode, detach_clean, slope_error):
    """With the first gradient held at its value, if it is detached."""
    model = network()
    model.layers[1].trainable = mode == "train"
    point, held = LivePoint(model), []

    class Held(StepContext):
        def pullback(self, name, vectors):
            gradient = super().pullback(name, vectors)
            held[:1] = held[:1] or [gradient]
            return tf.stop_gradient(held[0]) if detach_clean else gradient

    def value(kind=StepContext):
        plain = context_of(point)
        context = kind(point, plain.step, plain.points, None, ("clean",))
        term = GradientAlignment(1.0, Linf(0.3), detach_clean=detach_clean)
        return tf.reduce_sum(term(context))

    value(Held)
    assert slope_error(model, value, expected=lambda: value(Held)) < 1e-7


def test_statistics_move_in_three_passes(monkeypatch):
    """As in the code: the adversarial images, the clean ones and the others of the ball."""
    moves, move = [], BatchNormalization._move_running_statistics
    monkeypatch.setattr(
        BatchNormalization,
        "_move_running_statistics",
        lambda self, *batch: (moves.append(self.name), move(self, *batch)),
    )
    attack = PGD(Linf(0.1), steps=1, relative_step_size=1.0, start=Clean())
    for term, passes in (([], 1), ([GradientAlignment(1.0, Linf(0.1))], 3)):
        method = ADV(network(), attack, regularizers=term)
        method.compile(keras.optimizers.SGD(0.1))
        moves.clear()
        method.train_on_batch(X.numpy(), Y.numpy())
        assert len(moves) == passes


def test_small_gradients_keep_their_direction():
    """At a gap of 60 they are 1e-26, whose squares no float32 holds."""
    offsets = tf.constant([[60.0, 0.0, 0.0]])
    labels, term = tf.zeros(5, tf.int32), GradientAlignment(1.0, Linf(0.1))

    def terms(x, dtype):
        offset = tf.cast(offsets, dtype)
        return term(context_of(lambda x: offset + curved(x), x, labels)).numpy()

    seen = []
    context = context_of(lambda x: (seen.append(x), curved(x))[1], tf.cast(X, tf.float32), labels)
    term(context)

    class Recorded(Linf):
        def random_point(self, x, radius, keys):
            return tf.cast(seen[1], x.dtype)

    term = GradientAlignment(1.0, Recorded(0.1))
    single = terms(tf.cast(X, tf.float32), tf.float32)
    double = terms(tf.cast(tf.cast(X, tf.float32), tf.float64), tf.float64)
    np.testing.assert_allclose(single, double, rtol=1e-3, atol=1e-5)
    assert double.min() > 1e-4


def dead_where_black():
    """A network whose gradient is exactly zero around black images: its hidden units are dead there."""
    keras.utils.set_random_seed(5)
    return keras.Sequential(
        [
            keras.Input((3, 3, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(16, "relu", bias_initializer=keras.initializers.Constant(-0.8)),
            keras.layers.Dense(3),
        ]
    )


IMAGES = np.random.default_rng(3).uniform(0.6, 1.0, (5, 3, 3, 1)).astype("float32")
IMAGES[[1, 4]] = 0.0


def test_examples_without_a_gradient_do_not_count():
    """Two of five: the mean is that of the other three, and weights get finite gradients."""
    model, term = dead_where_black(), GradientAlignment(1.0, Linf(0.05))
    with tf.GradientTape() as tape:
        value = term(context_of(LivePoint(model), tf.constant(IMAGES)))
        total = tf.reduce_sum(value)
    gradients = tape.gradient(total, [v.value for v in model.trainable_variables])
    assert all(np.isfinite(g).all() for g in gradients if g is not None)
    np.testing.assert_array_equal(value.numpy()[[1, 4]], 0.0)
    seen = []

    def forward(x):
        seen.append(x)
        return model(x)

    term(context_of(forward, tf.constant(IMAGES)))

    def cosine(i):
        gradients = []
        for x in seen:
            x, y = x[i : i + 1], Y[i : i + 1]
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = keras.losses.sparse_categorical_crossentropy(y, model(x), from_logits=True)
            gradients.append(tape.gradient(loss, x).numpy().ravel())
        return gradients[0] @ gradients[1] / np.prod([np.linalg.norm(g) for g in gradients])

    expected = np.mean([1.0 - cosine(i) for i in (0, 2, 3)])
    np.testing.assert_allclose(tf.reduce_mean(value), expected, rtol=1e-4, atol=1e-6)


class Scaled(Linf):
    def random_point(self, x, radius, keys):
        return 0.9 * x


def test_one_gradient_without_the_other_does_not_count():
    """Bright images whose other point is black, and black ones whose other point is bright."""

    class Swapped(Linf):
        def random_point(self, x, radius, keys):
            return tf.gather(x, [1, 0, 2, 4, 3]) * [[[[0.9]]]]

    term = GradientAlignment(1.0, Swapped(0.1))
    value = term(context_of(LivePoint(dead_where_black()), tf.constant(IMAGES))).numpy()
    np.testing.assert_array_equal(value[[0, 1, 3, 4]], 0.0)
    # One of five is left, and is the mean.
    alone = dead_where_black()
    single = GradientAlignment(1.0, Scaled(0.1))
    x, y = tf.constant(IMAGES[2:3]), Y[2:3]
    expected = single(context_of(LivePoint(alone), x, y)).numpy()[0]
    assert expected > 1e-4
    np.testing.assert_allclose(value[2], 5.0 * expected, rtol=1e-3)


def test_no_gradient_anywhere():
    value = GradientAlignment(1.0, Linf(0.1))(context_of(lambda x: 0.0 * curved(x)))
    np.testing.assert_array_equal(value, 0.0)


def test_the_count_is_global(two_replicas):
    """Replicas hold three examples, one without a gradient, and two, one without: three count."""
    data = tf.data.Dataset.from_tensor_slices((IMAGES, Y)).batch(5)

    def trained(scope):
        with scope:
            method = ADV(
                dead_where_black(),
                PGD(Linf(0.05), steps=1, relative_step_size=1.0, start=Clean()),
                regularizers=[GradientAlignment(50.0, Linf(0.05))],
            )
            method.compile(keras.optimizers.SGD(0.1))
        history = method.fit(data, verbose=0).history
        return method.classifier.get_weights(), history["gradient_alignment"][0]

    weights, term = trained(tf.distribute.OneDeviceStrategy("CPU:0").scope())
    others, other = trained(two_replicas.scope())
    assert term > 1e-3
    np.testing.assert_allclose(other, term, rtol=1e-4)
    for one, two in zip(weights, others, strict=True):
        np.testing.assert_allclose(two, one, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GradientAlignment(), "`threat_model` must be of kind ThreatModel"),
        (lambda: GradientAlignment(-1.0, Linf(0.1)), "`weight` must"),
        (lambda: GradientAlignment(1.0, Linf(0.1), scale=2.0), "`scale` must"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_round_trip():
    term = GradientAlignment(0.2, Linf("8/255"), LinearRamp(5), True)
    config = keras.saving.serialize_keras_object(term)
    assert keras.saving.deserialize_keras_object(config) == term
