"""One step on one pixel and two logits, with numbers that a reader can redo.

The classifier is z = (0, w x), kernel (0, w), so that s = w x is the logit of class 1 and
p = 1 / (1 + exp(-s)). With w = 2, x = 1/2, y = 1: s = 1, and an attack on the label with radius
1/4 ends at x' = 1/4, s' = 1/2. p = 0.73106, p' = 0.62246.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD, Clean
from tfrobust.errors import UserError
from tfrobust.losses import Bregman, SquaredNorm
from tfrobust.methods import ADV, FAIT, TRADES, Natural
from tfrobust.methods.context import Step
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.ops.random.keys import keys_of
from tfrobust.ops.replicas.global_batch import global_batch
from tfrobust.ops.schedules import LinearRamp, Steps
from tfrobust.regularizers import MaximalEntropy
from tfrobust.threat_models import Linf
from tfrobust.weights import AWP, WeightPerturbation

pytestmark = pytest.mark.usefixtures("eagerly")

W, X, RATE = 2.0, 0.5, 0.1
P, P_ADV = 0.731058579, 0.622459331
ATTACK = PGD(Linf(0.25), steps=1, relative_step_size=1.0, start=Clean())
TWO_STEPS = PGD(Linf(0.25), steps=2, relative_step_size=0.5, start=Clean(), keep=(1,))
SQUARED = Bregman(SquaredNorm())


def classifier(regularizer=None, bias=False):
    model = keras.Sequential(
        [
            keras.Input((1, 1, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(2, use_bias=bias, kernel_regularizer=regularizer),
        ]
    )
    model.layers[-1].kernel.assign([[0.0, W]])
    return model


def one_step(make, model=None, **arguments):
    """The logs of one step of SGD, and the kernel after it."""
    model = model or classifier()
    method = make(model)
    method.compile(keras.optimizers.SGD(RATE))
    x = np.full((1, 1, 1, 1), X, "float32")
    logs = method.train_on_batch(x, np.array([1]), return_dict=True, **arguments)
    return logs, model.layers[-1].kernel.numpy()[0]


def sigmoid(s):
    return 1.0 / (1.0 + np.exp(-s))


def kl(p, q):
    return p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))


def slope(loss, h=1e-5):
    """d loss / dw by central differences; class 0's weight gets the opposite, since only s matters."""
    return (loss(W + h) - loss(W - h)) / (2 * h)


def check(logs, kernel, value, loss):
    """`value` is the number worked out by hand from five digits, `loss` the same as a function of w."""
    np.testing.assert_allclose(loss(W), value, atol=5e-5)
    np.testing.assert_allclose(logs["loss"], loss(W), rtol=1e-5)
    gradient = slope(loss)
    np.testing.assert_allclose(kernel, [RATE * gradient, W - RATE * gradient], rtol=1e-4, atol=1e-7)


def test_numbers_of_the_docstring():
    np.testing.assert_allclose([sigmoid(1.0), sigmoid(0.5)], [P, P_ADV], rtol=1e-6)


def test_natural():
    # -log p = 0.31326; d/dw = -(1 - p) x = -0.13447.
    logs, kernel = one_step(Natural)
    check(logs, kernel, 0.31326, lambda w: -np.log(sigmoid(w * X)))
    np.testing.assert_allclose(kernel, [-0.013447, 2.013447], rtol=1e-4)


def test_adv():
    # -log p' = 0.47408 at x' = 1/4, which is constant.
    logs, kernel = one_step(lambda c: ADV(c, ATTACK))
    check(logs, kernel, 0.47408, lambda w: -np.log(sigmoid(w * 0.25)))


def trades(w, beta=6.0):
    return -np.log(sigmoid(w * X)) + beta * kl(sigmoid(w * X), sigmoid(w * 0.25))


def test_trades():
    # KL(p||p') = 0.73106 log(1.17447) + 0.26894 log(0.71234) = 0.0263446; 0.31326 + 6 * 0.0263446.
    logs, kernel = one_step(lambda c: TRADES(c, ATTACK, beta=6.0))
    check(logs, kernel, 0.47133, trades)
    np.testing.assert_allclose(logs["label_loss"], 0.31326, atol=1e-5)
    np.testing.assert_allclose(logs["divergence"], 0.0263446, atol=1e-5)


def test_trades_gradient_in_closed_form():
    """Both arguments carry it: d KL / ds = p (1 - p)(s - s'), d KL / ds' = p' - p."""
    gradient = -(1 - P) * X + 6.0 * (P * (1 - P) * 0.5 * X + (P_ADV - P) * 0.25)
    np.testing.assert_allclose(slope(trades), gradient, rtol=1e-5, atol=1e-8)
    _, kernel = one_step(lambda c: TRADES(c, ATTACK, beta=6.0))
    np.testing.assert_allclose(kernel[1], W - RATE * gradient, rtol=1e-5)


def test_fait():
    # Half way, x* = 3/8, s* = 3/4, p* = 0.67918.
    def loss(w):
        p, middle, p_adv = (sigmoid(w * x) for x in (0.5, 0.375, 0.25))
        return -np.log(p) + 12.0 * (kl(p, middle) + kl(middle, p_adv))

    logs, kernel = one_step(lambda c: FAIT(c, TWO_STEPS, beta=12.0))
    # KL(p||p*) = 0.006374, KL(p*||p') = 0.007001.
    check(logs, kernel, 0.31326 + 12 * (0.006374 + 0.007001), loss)


@pytest.mark.parametrize(("weight", "other"), [(1.0, 0.0), (0.3, 0.7)])
def test_maximal_entropy_is_subtracted(weight, other):
    def entropy(p):
        return -p * np.log(p) - (1 - p) * np.log(1 - p)

    def loss(w):
        regularizers = weight * entropy(sigmoid(w * X)) + other * entropy(sigmoid(w * 0.25))
        return trades(w, 21.0) - regularizers

    regularizers = [MaximalEntropy(weight), MaximalEntropy(other, "adversarial")]
    logs, kernel = one_step(lambda c: TRADES(c, ATTACK, beta=21.0, regularizers=regularizers))
    # H(p) = 0.58220, H(p') = 0.66285.
    check(logs, kernel, 0.31326 + 21 * 0.0263446 - weight * 0.58220 - other * 0.66285, loss)
    np.testing.assert_allclose(logs["negative_entropy_clean"], -0.58220, atol=1e-5)
    np.testing.assert_allclose(logs["negative_entropy_adversarial"], -0.66285, atol=1e-5)


def test_squared_errors():
    # SE(one-hot, p) = 2 (1 - p)^2 = 0.14466, SE(p, p') = 2 (p - p')^2 = 0.023588; sum p^2 = 0.60678.
    def loss(w):
        p, p_adv = sigmoid(w * X), sigmoid(w * 0.25)
        return 2 * (1 - p) ** 2 + 4.0 * 2 * (p - p_adv) ** 2 + p**2 + (1 - p) ** 2

    def make(c):
        regularizers = [MaximalEntropy(1.0, divergence=SQUARED)]
        return TRADES(c, ATTACK, beta=4.0, divergence=SQUARED, regularizers=regularizers)

    logs, kernel = one_step(make)
    check(logs, kernel, 0.14466 + 4 * 0.023588 + 0.60678, loss)


def test_squared_errors_beside_cross_entropy():
    def loss(w):
        p, p_adv = sigmoid(w * X), sigmoid(w * 0.25)
        return -np.log(p) + 4.0 * 2 * (p - p_adv) ** 2

    logs, kernel = one_step(
        lambda c: TRADES(c, ATTACK, beta=4.0, divergence=SQUARED, label_divergence=Bregman())
    )
    check(logs, kernel, 0.31326 + 4 * 0.023588, loss)
    logs, kernel = one_step(lambda c: ADV(c, ATTACK, divergence=SQUARED))
    # 2 (1 - p')^2
    check(logs, kernel, 0.28507, lambda w: 2 * (1 - sigmoid(w * 0.25)) ** 2)


def test_sample_weight_and_penalty():
    """The weight scales the example's loss, not the penalty 0.01 w^2."""
    logs, kernel = one_step(
        Natural, classifier(keras.regularizers.L2(0.01)), sample_weight=np.array([3.0])
    )
    np.testing.assert_allclose(logs["loss"], 3 * 0.31326 + 0.04, atol=1e-4)
    np.testing.assert_allclose(logs["label_loss"], 0.31326, atol=1e-5)
    gradient = -3 * (1 - P) * X
    np.testing.assert_allclose(
        kernel, [RATE * gradient, W - RATE * (gradient + 0.02 * W)], rtol=1e-4
    )


@pytest.mark.parametrize("penalty", [0.0, 0.01])
def test_awp(penalty):
    """G is along (1, -1), the kernel has norm 2: v = gamma 2 (1, -1) / sqrt 2, whatever the penalty.

    With gamma = 0.1 the loss is taken at kernel (0.14142, 1.85858), s = 0.85858, p = 0.70236. Its
    gradient moves the kernel and the biases; the biases were not shifted.
    """
    model = classifier(keras.regularizers.L2(penalty), bias=True)
    logs, kernel = one_step(lambda c: Natural(c, weight_perturbation=AWP(0.1)), model)
    shifted = np.array([0.1414214, 1.8585786])
    p = sigmoid(X * (shifted[1] - shifted[0]))
    np.testing.assert_allclose(p, 0.70236, atol=1e-5)
    np.testing.assert_allclose(
        logs["loss"], -np.log(p) + penalty * np.square(shifted).sum(), rtol=1e-5
    )
    gradient = (1 - p) * np.array([1.0, -1.0])
    expected = np.array([0.0, W]) - RATE * (gradient * X + 2 * penalty * shifted)
    np.testing.assert_allclose(kernel, expected, rtol=1e-5)
    np.testing.assert_allclose(model.layers[-1].bias, -RATE * gradient, rtol=1e-5)


def test_awp_shift_per_kernel():
    """Each kernel by its own norm; vectors, scales and offsets stay."""
    weights = [tf.constant([[3.0, 4.0]]), tf.constant([1.0, 1.0]), tf.constant([[2.0], [0.0]])]
    slopes = [tf.constant([[0.0, 10.0]]), tf.constant([5.0, 5.0]), tf.constant([[-3.0], [4.0]])]

    def loss_at(tensors):
        return sum(tf.reduce_sum(a * b) for a, b in zip(tensors, slopes, strict=True))

    for gamma, epoch, factor in ((0.1, 0.0, 1.0), (Steps((10,), (0.0, 0.1)), 9.9, 0.0)):
        shift = AWP(gamma)(loss_at, weights, None, tf.constant(epoch))
        np.testing.assert_allclose(shift[0], [[0.0, factor * 0.5]], rtol=1e-6)
        np.testing.assert_array_equal(shift[1], [0.0, 0.0])
        np.testing.assert_allclose(shift[2], [[-factor * 0.12], [factor * 0.16]], rtol=1e-6)
    unused = AWP(0.1)(lambda tensors: tf.reduce_sum(tensors[0]), weights, None, 0.0)
    np.testing.assert_array_equal(unused[2], [[0.0], [0.0]])
    with pytest.raises(UserError, match="`gamma` must be"):
        AWP(-0.1)


class Flipped(WeightPerturbation):
    """From w = 2 to w = -2, kernels only."""

    def __call__(self, loss_at, weights, keys, epoch):
        return [-2.0 * weight for weight in weights]


def test_attack_at_other_weights():
    """At w = -2 the attack moves x up, to x' = 3/4; the loss is taken at w = 2: -log sigmoid(1.5)."""
    logs, kernel = one_step(lambda c: ADV(c, ATTACK, attack_weights=Flipped()))
    check(logs, kernel, 0.20141, lambda w: -np.log(sigmoid(w * 0.75)))
    with pytest.raises(UserError, match="attacked in inference mode"):
        ADV(classifier(), ATTACK, attack_weights=Flipped(), attack_statistics="batch")


def test_ramp_of_beta():
    """beta = 6 epoch / 2 with two steps an epoch: 0, 1.5, 3, 4.5, 6, 6."""
    method = TRADES(classifier(), ATTACK, beta=LinearRamp(2, 0.0, 6.0))
    method.compile(keras.optimizers.SGD(0.0))
    method.steps_per_epoch = 2
    x, y = np.full((1, 1, 1, 1), X, "float32"), np.array([1])
    betas = []
    for _ in range(6):
        method.reset_metrics()
        logs = method.train_on_batch(x, y, return_dict=True)
        betas.append((logs["loss"] - logs["label_loss"]) / logs["divergence"])
    np.testing.assert_allclose(betas, [0, 1.5, 3, 4.5, 6, 6], atol=1e-4)


def test_ramp_of_epsilon_follows_fit():
    """Three steps an epoch, a ramp of two epochs: the attack's factor grows by a sixth a step."""
    method = ADV(classifier(), ATTACK, scale=LinearRamp(2))
    method.compile(keras.optimizers.SGD(0.0))
    seen, perturb = [], method.perturb

    def recording(step):
        perturbation, points = perturb(step)
        seen.append(float(X - perturbation.x[0, 0, 0, 0]))
        return perturbation, points

    method.perturb = recording
    x = np.full((3, 1, 1, 1), X, "float32")
    data = tf.data.Dataset.from_tensor_slices((x, np.ones(3, "int64"))).batch(1)
    method.fit(data, epochs=3, verbose=0)
    expected = 0.25 * np.minimum(np.arange(9) / 6, 1.0)
    np.testing.assert_allclose(seen, expected, atol=1e-6)


def normalized():
    model = keras.Sequential(
        [
            keras.Input((1, 1, 1)),
            BatchNormalization(momentum=0.5, unbiased_variance=False),
            keras.layers.Flatten(),
            keras.layers.Dense(2, use_bias=False),
        ]
    )
    model.layers[-1].kernel.assign([[0.0, W]])
    return model


@pytest.mark.parametrize(("mode", "moves"), [("running", 1), ("batch", 3), ("batch_frozen", 1)])
def test_attack_statistics(mode, moves):
    """Batch (0.25, 0.75): mean 1/2, halving the distance with each move; variance 1/16."""
    attack = PGD(Linf(0.1), steps=2, step_size=0.0, start=Clean())
    method = ADV(normalized(), attack, attack_statistics=mode)
    method.compile(keras.optimizers.SGD(0.0))
    x = np.array([0.25, 0.75], "float32").reshape(2, 1, 1, 1)
    method.train_on_batch(x, np.array([1, 1]))
    layer = method.classifier.layers[0]
    np.testing.assert_allclose(layer.moving_mean, [0.5 * (1 - 0.5**moves)], rtol=1e-6)
    np.testing.assert_allclose(
        layer.moving_variance, [1 / 16 + (1 - 1 / 16) * 0.5**moves], rtol=1e-5
    )


@pytest.mark.parametrize(("mode", "right"), [("running", 1), ("batch", 0), ("batch_frozen", 0)])
def test_attack_statistics_normalise(mode, right):
    """0.25 is above the running mean 0, class 1, and below the batch's mean 1/2, class 0."""
    attack = PGD(Linf(0.1), steps=1, step_size=0.0, start=Clean())
    method = ADV(normalized(), attack, attack_statistics=mode)
    x = tf.reshape(tf.constant([0.25, 0.75]), (2, 1, 1, 1))
    keys = keys_of(0)
    step = Step(
        x,
        tf.constant([1, 1]),
        global_batch(x),
        tf.constant(0.0),
        tf.constant(0, tf.int64),
        keys,
        keys,
        keys,
    )
    perturbation, _ = method.perturb(step)
    assert perturbation.survived.numpy().tolist() == [right, 1]


def test_stock_statistics_cannot_be_frozen():
    layers = [keras.layers.BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((1, 1, 1)), *layers])
    ADV(model, ATTACK, attack_statistics="batch")
    with pytest.raises(UserError, match="would move its averages"):
        ADV(model, ATTACK, attack_statistics="batch_frozen")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda c: ADV(c, "pgd"), "`attack` must be of kind Attack"),
        (lambda c: ADV(c, None), "`attack` must be of kind Attack"),
        (lambda c: ADV(lambda x: x, ATTACK), "`classifier` must be a keras.Model"),
        (lambda c: ADV(c, ATTACK, regularizers=[1.0]), "`regularizers` must be of kind"),
        (lambda c: ADV(c, ATTACK, weight_perturbation=0.1), "`weight_perturbation` must be"),
        (lambda c: ADV(c, ATTACK, eval_attack=Linf(0.1)), "`eval_attack` must be None or"),
        (lambda c: ADV(c, ATTACK, attack_statistics="eval"), "`attack_statistics` must be one of"),
        (lambda c: ADV(c, ATTACK, scale=2.0), "`scale` must lie between 0 and 1"),
        (lambda c: ADV(c, ATTACK, scale=LinearRamp(3, 0, 2)), "`scale` must lie between 0 and 1"),
        (lambda c: ADV(c, ATTACK, seed=-1), "`seed` must be a whole number"),
        (lambda c: ADV(c, ATTACK, seed=2**62), "`seed` must be a whole number"),
        (lambda c: ADV(c, ATTACK, divergence="kl"), "`divergence` must be of kind Bregman"),
        (lambda c: TRADES(c, ATTACK, beta=-1), "`beta` must be"),
        (lambda c: TRADES(c, ATTACK, label_divergence=SquaredNorm()), "`label_divergence` must"),
        (lambda c: FAIT(c, ATTACK), "keeps one iterate"),
        (lambda c: Natural(c, regularizers=[MaximalEntropy()] * 2), "need different names"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(UserError, match=message):
        make(classifier())


def test_a_point_that_is_not_there():
    method = Natural(classifier(), regularizers=[MaximalEntropy(1.0, "adversarial")])
    method.compile("sgd")
    with pytest.raises(UserError, match=r"no point named 'adversarial'. It has: \['clean'\]"):
        method.train_on_batch(np.zeros((1, 1, 1, 1), "float32"), np.array([1]))
