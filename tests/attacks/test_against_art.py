"""The same iterates as the Adversarial Robustness Toolbox, an independent library, from the same starts."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.art_library import import_art
from tfrobust.attacks import APGD, PGD, Square, Uniform
from tfrobust.attacks.case import Case
from tfrobust.attacks.fgsm import fgsm
from tfrobust.losses import cross_entropy
from tfrobust.ops.random.keys import ExampleKeys, keys_of
from tfrobust.threat_models import L2, Linf

import_art()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from art.attacks.evasion import (
        AutoProjectedGradientDescent,
        FastGradientMethod,
        ProjectedGradientDescent,
        SquareAttack,
    )
    from art.attacks.evasion import auto_projected_gradient_descent as auto
    from art.attacks.evasion.projected_gradient_descent import (
        projected_gradient_descent_tensorflow_v2 as projected,
    )
    from art.estimators.classification import TensorFlowV2Classifier

RNG = np.random.default_rng(0)
X = RNG.uniform(0.0, 1.0, size=(16, 5, 5, 2)).astype("float32")


class Loss:
    """Cross-entropy with the option that ART sets, which Keras's own losses check."""

    reduction = "sum"

    def __call__(self, y_true, logits):
        loss = cross_entropy(tf.argmax(y_true, axis=1), logits)
        return loss if self.reduction == "none" else tf.reduce_sum(loss)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(3)
    scale = keras.initializers.RandomNormal(stddev=0.5)
    layers = [
        keras.layers.Dense(n, a, kernel_initializer=scale) for n, a in ((20, "tanh"), (4, None))
    ]
    return keras.Sequential([keras.Input((5, 5, 2)), keras.layers.Flatten(), *layers])


@pytest.fixture(scope="module")
def classifier(model):
    return TensorFlowV2Classifier(
        model, nb_classes=4, input_shape=(5, 5, 2), loss_object=Loss(), clip_values=(0.0, 1.0)
    )


@pytest.fixture(scope="module")
def labels(model):
    return np.argmax(model(X), axis=1)


def norm_of(threat_model):
    return 2 if isinstance(threat_model, L2) else np.inf


# ART cuts to the pixel box before it scales to the ball.
each_threat_model = pytest.mark.parametrize(
    "threat_model", [Linf(0.1), L2(0.6, projection="box_first")], ids=["linf", "l2"]
)


@each_threat_model
def test_fast_gradient(model, classifier, labels, threat_model):
    attack = FastGradientMethod(classifier, norm_of(threat_model), eps=threat_model.radius())
    found = fgsm(threat_model)(model, X, labels, seed=0).x
    np.testing.assert_allclose(found, attack.generate(X, np.eye(4)[labels]), atol=2e-6)


@each_threat_model
def test_projected_gradient_descent(model, classifier, labels, threat_model, monkeypatch):
    radius = threat_model.radius()
    start = Uniform()(threat_model, tf.constant(X), tf.constant(radius), keys_of(7).fold_in(0))
    monkeypatch.setattr(projected, "random_sphere", lambda *_: np.reshape(start - X, (16, -1)))
    attack = ProjectedGradientDescent(
        classifier,
        norm_of(threat_model),
        eps=radius,
        eps_step=0.3 * radius,
        max_iter=7,
        num_random_init=1,
        verbose=False,
    )
    expected = attack.generate(X, np.eye(4)[labels])
    found = PGD(threat_model, steps=7, relative_step_size=0.3)(model, X, labels, seed=7).x
    # It divides by lengths plus 1e-7.
    np.testing.assert_allclose(found, expected, atol=5e-6)


@each_threat_model
def test_auto_pgd_until_the_first_checkpoint(model, classifier, labels, threat_model, monkeypatch):
    """From the first checkpoint on ART differs from the code of the paper, which we follow."""
    radius = threat_model.radius()
    attack, x, y = APGD(threat_model, steps=20), tf.constant(X), tf.constant(labels, tf.int32)
    keys = keys_of(7)
    runs = tf.zeros_like(y)
    case = Case(x, y, model(x), runs, keys, tf.constant(radius, tf.float32), keys)
    state = attack.begin(case)
    iterates = [state["current"].numpy()]
    for _ in range(4):
        state = attack.step(model, case, state)
        iterates.append(state["current"].numpy())

    def random_sphere(*_):
        return np.reshape(iterates[0] - X, (16, -1))

    seen = []
    gradient = classifier.loss_gradient

    def recorded(x, y):
        seen.append(np.array(x))
        return gradient(x, y)

    monkeypatch.setattr(auto, "random_sphere", random_sphere)
    monkeypatch.setattr(classifier, "loss_gradient", recorded)
    AutoProjectedGradientDescent(
        classifier,
        norm_of(threat_model),
        eps=radius,
        eps_step=2 * radius,
        max_iter=20,
        nb_random_init=1,
        verbose=False,
    ).generate(X, np.eye(4)[labels])
    # The first entry is the start before and after its evaluation.
    for ours, theirs in zip(iterates[1:], seen[:4], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)
    assert np.abs(iterates[4] - iterates[1]).max() > 0.01


def test_square(model, classifier, labels, monkeypatch):
    """Image by image, since ART draws one square for a whole batch; our draws are put into its hands."""
    attack, seeds = Square(Linf(0.06), 120, rescale_schedule=True), np.arange(32).reshape(16, 2)
    keys = ExampleKeys(tf.constant(seeds, tf.int32))
    found = attack(model, X, labels, seed=seeds).x.numpy()
    # `Attack.search` folds the run into the keys.
    keys = keys.fold_in(0)
    stripes = np.where(keys.fold_in(-3).uniform((16, 1, 5, 2)).numpy() >= 0.5, 1.0, -1.0)
    words = keys.words(np.tile(np.arange(120), (16, 1))).numpy()

    def lead(images):
        logits = model(images).numpy()
        own = np.take_along_axis(logits, labels[:, None], 1)[:, 0]
        return own - np.where(np.eye(4)[labels] > 0, -np.inf, logits).max(1)

    # ART begins from the clean image where the stripes do not lower the lead.
    better = lead(np.clip(X + 0.06 * stripes, 0, 1).astype("float32")) < lead(X)
    rows = np.flatnonzero(better)[:5]
    changed = 0
    for row in rows:
        draws = {"number": -1, "coordinates": (43, 22)}

        def choice(values, size, row=row, draws=draws):
            draws["number"] += 1
            if draws["number"] == 0:
                return stripes[row : row + 1]
            word = int(words[row, draws["number"] - 1])
            return np.array([values[(word >> c) & 1] for c in range(2)]).reshape(size)

        def randint(low, high, row=row, draws=draws):
            shift, *rest = draws["coordinates"]
            draws["coordinates"] = (*rest, shift)
            fraction = (int(words[row, draws["number"]]) >> shift) & (2**21 - 1)
            return low + fraction * (high - low) // 2**21

        with monkeypatch.context() as patch:
            patch.setattr(np.random, "choice", choice)
            patch.setattr(np.random, "randint", randint)
            theirs = SquareAttack(
                classifier, eps=0.06, max_iter=120, p_init=0.8, nb_restarts=1, verbose=False
            ).generate(X[row : row + 1], labels[row : row + 1])
        np.testing.assert_allclose(theirs[0], found[row], atol=1e-6)
        changed += draws["number"] > 20
    assert changed >= 2
