"""SCORE's clipped losses and smoothed labels, on the one pixel of test_losses_by_hand.py.

p = 0.73106, p' = 0.62246: SE(one-hot, p) = 0.14466, SE(p, p') = 0.023588, SE(one-hot, p') = 0.28507.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD, Clean
from tfrobust.errors import UserError
from tfrobust.losses import Bregman, LossClipping, Margin, SquaredNorm
from tfrobust.methods import ADV, ATLAS, FAIT, GAT, HAT, TRADES
from tfrobust.threat_models import Linf

pytestmark = pytest.mark.usefixtures("eagerly")

W, X, RATE = 2.0, 0.5, 0.1
SQUARED = Bregman(SquaredNorm())
ATTACK = PGD(Linf(0.25), steps=1, relative_step_size=1.0, start=Clean())


def one_step(make):
    model = keras.Sequential(
        [keras.Input((1, 1, 1)), keras.layers.Flatten(), keras.layers.Dense(2, use_bias=False)]
    )
    model.layers[-1].kernel.assign([[0.0, W]])
    method = make(model)
    method.compile(keras.optimizers.SGD(RATE))
    logs = method.train_on_batch(np.full((1, 1, 1, 1), X), np.array([1]), return_dict=True)
    return float(logs["loss"]), float(model.layers[-1].kernel[0, 1])


def test_thresholds_of_the_paper():
    found = [LossClipping(c).threshold(k) for c, k in ((0.3, 10), (0.4, 10), (0.3, 100))]
    np.testing.assert_allclose(found, [0.1, 0.1777778, 0.0909091], rtol=1e-6)
    # The squared error of a prediction that gives the label 1 - c and spreads c.
    p = np.array([0.7, *[0.3 / 9] * 9])
    np.testing.assert_allclose(np.square(p - np.eye(10)[0]).sum(), found[0], rtol=1e-12)


@pytest.mark.parametrize(
    ("clipping", "value"),
    [
        (None, 0.14466 + 4 * 0.023588),
        (LossClipping(0.3), 0.14466 + 4 * 0.023588 - 0.18),  # tau = 0.09 * 2
        (LossClipping(0.4), 0.0),  # 0.23901 < 0.32
        (LossClipping(0.1, "divergence"), 0.14466 + 4 * (0.023588 - 0.02)),
        (LossClipping(0.2, "divergence"), 0.14466),
    ],
)
def test_trades(clipping, value):
    loss, kernel = one_step(
        lambda c: TRADES(c, ATTACK, beta=4.0, divergence=SQUARED, clipping=clipping)
    )
    np.testing.assert_allclose(loss, value, atol=1e-5)
    p, q = 1 / (1 + np.exp(-1.0)), 1 / (1 + np.exp(-0.5))
    label = -4 * (1 - p) * p * (1 - p) * X
    squares = 4 * (p - q) * (p * (1 - p) * X - q * (1 - q) * 0.25)
    weight = 0.0 if clipping == LossClipping(0.2, "divergence") else 4.0
    slope = 0.0 if value == 0.0 else label + weight * squares
    np.testing.assert_allclose(kernel, W - RATE * slope, rtol=1e-6)


def test_adv_and_fait():
    loss, _ = one_step(lambda c: ADV(c, ATTACK, divergence=SQUARED, clipping=LossClipping(0.3)))
    np.testing.assert_allclose(loss, 0.28507 - 0.18, atol=1e-5)
    attack = PGD(Linf(0.25), steps=1, relative_step_size=1.0, start=Clean(), keep=(1,))
    loss, _ = one_step(
        lambda c: FAIT(c, attack, beta=4.0, divergence=SQUARED, clipping=LossClipping(0.3))
    )
    np.testing.assert_allclose(loss, 0.14466 + 4 * 0.023588 - 0.18, atol=1e-5)


def test_smoothed_labels():
    """Three classes, s = 0.2: t = (0.1, 0.8, 0.1) for label 1."""
    logits, y = tf.constant([[1.0, 0.5, -1.0]]), tf.constant([1])
    t, p = np.array([0.1, 0.8, 0.1]), tf.nn.softmax(logits).numpy()[0]
    kl = np.sum(t * np.log(t / p))
    np.testing.assert_allclose(Bregman().from_label(y, logits, 0.2), [kl], rtol=1e-5)
    np.testing.assert_allclose(SQUARED.from_label(y, logits, 0.2), [np.square(t - p).sum()], 1e-5)
    # KL is Keras's smoothed cross-entropy less a constant; Keras spreads over all k classes.
    keras_loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3)
    smoothed = keras_loss(np.eye(3, dtype="float32")[[1]], logits)
    np.testing.assert_allclose(kl, smoothed + np.sum(t * np.log(t)), rtol=1e-5)


def test_smoothing_in_the_methods():
    p, q = 1 / (1 + np.exp(-1.0)), 1 / (1 + np.exp(-0.5))
    loss, _ = one_step(lambda c: TRADES(c, ATTACK, beta=0.0, label_smoothing=0.1))
    expected = 0.9 * np.log(0.9 / p) + 0.1 * np.log(0.1 / (1 - p))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    loss, _ = one_step(lambda c: ADV(c, ATTACK, divergence=SQUARED, label_smoothing=0.1))
    np.testing.assert_allclose(loss, 2 * (0.9 - q) ** 2, rtol=1e-5)


@pytest.mark.parametrize(
    ("clipping", "expected"),
    [
        # SE(one-hot, p') + 0.05 * W^2 + 3 * SE(p', p), the Jacobian being (0, W).
        (None, 0.28507 + 0.2 + 3 * 0.023588),
        # tau = 0.5^2 * 2 = 0.5
        (LossClipping(0.5), 0.28507 + 0.2 + 3 * 0.023588 - 0.5),
        (LossClipping(0.6), 0.0),
        # tau = 0.1^2 * 2 = 0.02
        (LossClipping(0.1, "divergence"), 0.28507 + 0.2 + 3 * 0.003588),
    ],
)
def test_a_total_is_all_of_atlas(clipping, expected):
    options = {"divergence": SQUARED, "smoothness_divergence": SQUARED, "clipping": clipping}
    loss, kernel = one_step(
        lambda c: ATLAS(c, ATTACK, alpha=0.05, beta=3.0, kind="basis", **options)
    )
    assert loss == pytest.approx(expected, abs=2e-5)
    assert (kernel == W) == (expected == 0.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda c: TRADES(c, ATTACK, clipping=LossClipping()), "measured in squared errors"),
        (
            lambda c: TRADES(
                c, ATTACK, divergence=SQUARED, label_divergence=Bregman(), clipping=LossClipping()
            ),
            "measured in squared errors",
        ),
        (lambda c: ADV(c, ATTACK, clipping=LossClipping()), "measured in squared errors"),
        (
            lambda c: ADV(c, ATTACK, divergence=SQUARED, clipping=LossClipping(term="divergence")),
            "parts to be clipped",
        ),
        (
            lambda c: ATLAS(c, ATTACK, divergence=SQUARED, clipping=LossClipping()),
            "measured in squared errors",
        ),
        (
            lambda c: ATLAS(
                c, ATTACK, beta=0.0, divergence=SQUARED, clipping=LossClipping(term="divergence")
            ),
            "no divergence to clip",
        ),
        (
            lambda c: HAT(
                c, ATTACK, helper=keras.Sequential(), divergence=SQUARED, clipping=LossClipping()
            ),
            "is a cross-entropy",
        ),
        (lambda c: GAT(c, PGD(Linf(0.25), Margin(), steps=1)), "GAT brings the objective"),
        (lambda c: TRADES(c, ATTACK, clipping=0.3), "`clipping` must be None or of kind"),
        (lambda c: LossClipping(-0.1), "`slack` must lie"),
        (lambda c: LossClipping(term="all"), "`term` must be one of"),
        (lambda c: ADV(c, ATTACK, label_smoothing=1.0), "`label_smoothing` must lie"),
        (lambda c: TRADES(c, ATTACK, label_smoothing=-0.1), "`label_smoothing` must lie"),
    ],
)
def test_refusals(make, message, make_classifier):
    with pytest.raises(UserError, match=message):
        make(make_classifier())
