"""What holds for every attack: sets, seeds, graphs, inference mode."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD, Adam, Clean, EarlyStop, Gaussian, Radial, Uniform
from tfrobust.errors import UserError
from tfrobust.losses import Bregman, CrossEntropy, Margin, SquaredNorm, ToClean
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.ops.logits import correct
from tfrobust.ops.random.keys import ExampleKeys
from tfrobust.ops.schedules import Steps
from tfrobust.threat_models import L2, Linf

RNG = np.random.default_rng(1)
X = RNG.random((12, 4, 4, 1)).astype("float32")
Y = np.arange(12) % 3
SEEDS = np.arange(24).reshape(12, 2).astype("int32")

ATTACKS = [
    PGD(Linf("8/255"), steps=3),
    PGD(Linf(0.1), ToClean(), steps=3, start=Gaussian(0.001)),
    PGD(Linf(0.1), ToClean(Bregman(SquaredNorm())), steps=3, start=Uniform(clip=False)),
    PGD(Linf(0.1), steps=3, stepper=Adam(), step_size=0.1),
    PGD(L2(0.5), Margin(), steps=3, start=Radial()),
    PGD(L2(0.5, "box_first"), ToClean(), steps=3, start=Gaussian("1/100"), freeze=EarlyStop(1)),
]
each_attack = pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))


class OnlyInference(keras.Model):
    """Fails wherever it is not called with training=False."""

    def __init__(self):
        super().__init__()
        self.normalization = BatchNormalization()
        self.stock = keras.layers.BatchNormalization()
        self.dropout = keras.layers.Dropout(0.5)
        self.dense = keras.layers.Dense(3, kernel_initializer=keras.initializers.Orthogonal(5.0, 3))

    def call(self, x, training=None):
        if training is not False:
            raise RuntimeError(f"called with training={training}")
        x = self.stock(self.normalization(x, training=training), training=training)
        x = tf.reshape(tf.tanh(3.0 * x - 1.0), [-1, 16])
        return self.dense(self.dropout(x, training=training))


@pytest.fixture(scope="module")
def model():
    model = OnlyInference()
    model(X, training=False)
    model.normalization.moving_mean.assign([0.4])
    return model


@pytest.fixture(scope="module")
def plain(model):
    return lambda x: model(x, training=False)


@each_attack
def test_inside_the_set_in_inference_mode_and_reproducible(attack, model):
    weights = [w.numpy() for w in model.weights]
    found = attack(model, X, Y, seed=4)
    x = found.x.numpy()
    assert x.min() >= 0.0 and x.max() <= 1.0
    assert np.all(
        attack.threat_model.distance(x, X) <= attack.threat_model.radius() * (1 + 1e-6) + 1e-7
    )
    assert np.abs(x - X).max() > 0.01
    np.testing.assert_array_equal(attack(model, X, Y, seed=4).x, x)
    assert np.abs(attack(model, X, Y, seed=5).x - x).max() > 0.0
    for before, after in zip(weights, model.weights, strict=True):
        np.testing.assert_array_equal(before, after)
    # Two calls of each kind of seed, one trace: the seed is a tensor by then.
    attack(model, X, Y, seed=6, scale=0.5)
    assert attack._functions["search"].experimental_get_tracing_count() == 1


@each_attack
def test_example_seeds_do_not_see_the_batch(attack, model):
    whole = attack(model, X, Y, seed=SEEDS).x.numpy()
    order = [7, 2, 11]
    some = attack(model, X[order], Y[order], seed=SEEDS[order]).x
    np.testing.assert_allclose(some, whole[order], atol=1e-6)


@pytest.mark.parametrize("attack", ATTACKS[::4], ids=["linf", "l2"])
def test_eager_equals_graph_equals_xla(attack, model):
    expected = attack(model, X, Y, seed=1)

    @tf.function
    def graph(x):
        return attack(model, x, tf.constant(Y), seed=1)

    np.testing.assert_allclose(graph(tf.constant(X)).x, expected.x, atol=1e-6)
    config = {**attack.get_config(), "jit_compile": True}
    compiled = PGD.from_config(config)
    # Random starts too: they are drawn outside of XLA.
    np.testing.assert_allclose(compiled(model, X, Y, seed=1).x, expected.x, atol=1e-5)
    tf.config.run_functions_eagerly(True)
    try:
        np.testing.assert_allclose(attack(model, X, Y, seed=1).x, expected.x, atol=1e-6)
    finally:
        tf.config.run_functions_eagerly(False)


def test_no_gradient_leaves_the_attack(model):
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(ATTACKS[0](model, x, Y, seed=1).x)
    assert tape.gradient(total, x) is None


def test_one_step_of_the_radius_is_fgsm(plain):
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = CrossEntropy()(tf.constant(Y), plain(x), None)
    expected = tf.clip_by_value(x + 0.1 * tf.sign(tape.gradient(loss, x)), 0.0, 1.0)
    attack = PGD(Linf(0.1), steps=1, step_size=0.1, start=Clean())
    np.testing.assert_allclose(attack(plain, x, Y, seed=0).x, expected, atol=1e-6)


def test_prefixes_and_kept_iterates(model):
    """A longer attack begins with the shorter one, so that any-step success can only grow."""
    long = PGD(Linf(0.1), steps=4, step_size=0.02, keep=(1, 2, 4))
    found = long(model, X, Y, seed=9)
    for step, kept in zip(long.keep, found.path, strict=True):
        short = PGD(Linf(0.1), steps=step, step_size=0.02)
        np.testing.assert_allclose(kept, short(model, X, Y, seed=9).x, atol=1e-7)
    np.testing.assert_array_equal(found.path[-1], found.x)


def test_divergence_from_the_clean_image(model, plain):
    """Its gradient vanishes at the clean image: a start there is refused, one beside it moves."""
    with pytest.raises(UserError, match="the attack would never move. Use start=Gaussian"):
        PGD(Linf(0.1), ToClean(), start=Clean())
    attack = PGD(Linf(0.1), ToClean(), steps=5, start=Gaussian(0.001))
    found = attack(model, X, Y, seed=0).x
    before, after = (ToClean()(None, plain(x), plain(X)).numpy() for x in (X, found))
    np.testing.assert_allclose(before, 0.0, atol=1e-6)
    assert after.min() > 0.01


def test_gaussian_start_is_not_cut_before_the_first_gradient():
    """The gradient of relu(x - 1) is 1 above the box only; steps see it where the start lies outside."""

    def model(x):
        return tf.stack([0.0 * x[:, 0, 0, 0], tf.nn.relu(tf.reshape(x, [-1]) - 1.0)], axis=1)

    white = tf.ones((50, 1, 1, 1))
    seen = []
    for clip in (False, True):
        start = Gaussian(0.01, clip=clip)
        found = PGD(Linf(0.5), Margin(), steps=1, step_size=0.2, start=start)
        x = found(model, white, [1] * 50, seed=0).x.numpy()
        seen.append(np.mean(x < 0.9))
    assert 0.3 < seen[0] < 0.7 and seen[1] == 0.0


def test_early_stop_with_full_tolerance_is_plain(model):
    for steps in (1, 4):
        plain = PGD(Linf(0.2), steps=steps)
        stopping = PGD(Linf(0.2), steps=steps, freeze=EarlyStop(steps))
        found = stopping(model, X, Y, seed=2)
        np.testing.assert_array_equal(found.x, plain(model, X, Y, seed=2).x)


@pytest.mark.parametrize("tolerance", [0, 1, 2])
def test_early_stop_against_a_loop(model, plain, tolerance):
    """Card M17: the incoming iterate is judged; wrong with nothing left stays, wrong otherwise costs one."""
    steps, eps, size = 5, 0.04, 0.012
    x = X.copy()
    left, frozen = np.full(12, tolerance), np.zeros(12, bool)
    for _ in range(steps):
        point = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(point)
            logits = plain(point)
            loss = CrossEntropy()(tf.constant(Y), logits, None)
        wrong = ~correct(tf.constant(Y), logits).numpy()
        frozen |= wrong & (left == 0)
        left -= wrong & (left > 0)
        step = x + size * np.sign(tape.gradient(loss, point))
        step = np.clip(np.clip(step, X - np.float32(eps), X + np.float32(eps)), 0, 1)
        x = np.where(frozen[:, None, None, None], x, step).astype("float32")
    assert 0 < frozen.sum() < 12
    freeze = EarlyStop(tolerance)
    attack = PGD(Linf(eps), steps=steps, step_size=size, start=Clean(), freeze=freeze)
    np.testing.assert_allclose(attack(model, X, Y, seed=0).x, x, atol=1e-6)


def test_early_stop_does_not_give_tolerance_back():
    """Tolerance 1 is used up by the first wrong iterate; right ones in between change nothing."""
    rule = EarlyStop(1)
    state = rule.initial_state(tf.zeros(2, tf.int32), tf.constant(0.0))
    history = []
    for right in ([False, True], [True, False], [False, True], [False, False]):
        active, state = rule(state, tf.constant(right))
        history.append(active.numpy().tolist())
    assert history == [[True, True], [True, True], [False, True], [False, False]]


def test_early_stop_on_a_schedule():
    """Friendly adversarial training: tolerance 0 until epoch 50, 1 until 90, then 2."""
    rule = EarlyStop(Steps((50, 90), (0, 1, 2)))
    states = [rule.initial_state(tf.zeros(1, tf.int32), tf.constant(e)) for e in (49.9, 50.0, 99.0)]
    assert [int(state[0]) for state in states] == [0, 1, 2]
    with pytest.raises(UserError, match="`tolerance` must be"):
        EarlyStop(Steps((50,), (-1, 2)))


def test_examples_do_not_interact():
    """Summed over the batch: Adam's move g / (|g| + 1e-9) would shrink with a mean."""

    def model(x):
        return 1e-9 * tf.reshape(x, [-1, 16]) @ tf.reshape(tf.cos(tf.range(48.0)), (16, 3))

    attack = PGD(Linf(0.1), Margin(), steps=2, stepper=Adam(), step_size=0.01)
    whole = attack(model, X, Y, seed=SEEDS).x
    alone = attack(model, X[3:4], Y[3:4], seed=SEEDS[3:4]).x
    np.testing.assert_allclose(whole[3:4], alone, atol=1e-6)


def test_defaults_are_those_of_the_papers():
    assert Uniform() == Uniform(clip=True)
    assert Gaussian() == Gaussian(stddev=0.001, clip=False)
    assert EarlyStop() == EarlyStop(tolerance=0)
    assert Adam() == Adam(beta_1=0.9, beta_2=0.999, epsilon=1e-9)
    assert PGD(Linf(0.1)) == PGD(Linf(0.1), CrossEntropy(), steps=10, start=Uniform())


def test_an_example_frozen_at_the_start_is_in_the_set(model, plain):
    x = np.zeros_like(X)  # noise leaves the box
    wrong = (np.argmax(plain(x), axis=1) + 1) % 3
    start = Gaussian(0.1)
    attack = PGD(Linf(0.05), steps=3, start=start, freeze=EarlyStop(0))
    found = attack(model, x, wrong, seed=0).x.numpy()
    assert found.min() >= 0.0 and found.max() <= 0.05 + 1e-7


def test_an_unbuilt_model_is_built():
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)])
    assert PGD(Linf(0.1), steps=2)(model, X, Y, seed=0).x.shape == X.shape


def test_float64_and_small_labels(plain):
    attack = PGD(Linf(0.1), steps=2)

    def model(x):
        return tf.cast(tf.reshape(x, [-1, 16])[:, :3], tf.float64)

    assert attack(model, X.astype("float64"), Y, seed=0).x.dtype == tf.float64
    assert attack(plain, X, Y.astype("uint8"), seed=0).x.dtype == tf.float32


def test_keys_are_accepted(model):
    keys = ExampleKeys(tf.constant(SEEDS))
    np.testing.assert_array_equal(
        ATTACKS[0](model, X, Y, seed=keys).x, ATTACKS[0](model, X, Y, seed=SEEDS).x
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PGD(0.1), "`threat_model` must be of kind ThreatModel"),
        (lambda: PGD(Linf), "forget to call"),
        (lambda: PGD(Linf(0.1), start=Uniform), "`start` must be of kind Start"),
        (lambda: PGD(Linf(0.1), steps=0), "`steps` must be a whole number of at least 1"),
        (lambda: PGD(Linf(0.1), step_size="1/255", relative_step_size=1), "not both"),
        (lambda: PGD(Linf(0.1), step_size=-0.1), "`step_size` must be"),
        (lambda: PGD(Linf(0.1), steps=3, keep=(4,)), "from 1 to steps=3"),
        (lambda: PGD(Linf(0.1), keep=2), "`keep` must be of kind tuple"),
        (lambda: PGD(Linf(0.1), freeze=3), "`freeze` must be None or of kind Freeze"),
        (lambda: PGD(Linf(0.1), start=Gaussian(0)), "`stddev` must be"),
        (lambda: EarlyStop(-1), "`tolerance` must be"),
    ],
)
def test_refusals_at_construction(make, message):
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ((255 * X).astype("int32"), Y, "use images.astype"),
        (255 * X, Y, "Divide 0..255 by 255"),
        (X, np.eye(3, dtype="int32")[Y], "one-hot rows"),
        (X, 2.0 * np.eye(3)[Y], "shares of at least 0 that sum to 1"),
        (X, Y[:, None], "of a column"),
        (X, Y.astype("float32"), "Labels must be integers"),
    ],
)
def test_refusals_of_batches(x, y, message, plain):
    with pytest.raises(UserError, match=message):
        ATTACKS[0](plain, x, y, seed=0)


def test_a_model_without_a_gradient_is_refused():
    def rounding(x):
        return tf.cast(tf.cast(255 * x[:, 0, 0] * tf.ones((1, 3)), tf.uint8), tf.float32)

    with pytest.raises(UserError, match="no gradient to follow"):
        ATTACKS[0](rounding, X, Y, seed=0)


@each_attack
def test_round_trip(attack):
    config = keras.saving.serialize_keras_object(attack)
    again = keras.saving.deserialize_keras_object(config)
    assert again == attack and hash(again) == hash(attack) and repr(again) == repr(attack)
