"""Training by bounds: closed forms, the worst image of a linear model, what can be certified afterwards."""

import keras
import numpy as np
import pytest

import tfrobust
from tfrobust.certification import certify
from tfrobust.errors import UserError
from tfrobust.methods import ADV, CertifiedTraining, Natural

CONTRACT = {
    "certified": lambda classifier, **options: CertifiedTraining(
        classifier, tfrobust.Linf(0.05), kappa=0.3, **options
    ),
}


def make_linear():
    model = keras.Sequential(
        [keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    generator = np.random.default_rng(0)
    model.set_weights([generator.normal(0, 1, (4, 3)), generator.normal(0, 0.1, 3)])
    return model


def take_step(make, x, y):
    model = make_linear()
    method = make(model)
    method.compile(keras.optimizers.SGD(0.1))
    method.steps_per_epoch = 4
    logs = method.train_on_batch(x, y, return_dict=True)
    return logs, model.get_weights()


@pytest.fixture
def batch():
    generator = np.random.default_rng(1)
    return generator.uniform(0.2, 0.8, (8, 2, 2, 1)).astype(np.float32), generator.integers(0, 3, 8)


@pytest.mark.parametrize("crown", [0.0, 1.0])
def test_of_two_classes_and_a_linear_model_it_is_training_on_the_worst_image(crown):
    """The worst image for a linear margin is a corner, where an attack of one step goes too."""
    model = keras.Sequential(
        [keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    weights = [np.random.default_rng(0).normal(0, 1, (4, 2)), np.zeros(2)]
    x = np.random.default_rng(1).uniform(0.2, 0.8, (8, 2, 2, 1)).astype(np.float32)
    y, threat_model = np.arange(8) % 2, tfrobust.Linf(0.1)
    step = tfrobust.PGD(threat_model, steps=1, step_size=0.1, start=tfrobust.Clean())
    found = []
    for make in (
        lambda c: ADV(c, step),
        lambda c: CertifiedTraining(c, threat_model, kappa=0.0, crown=crown),
    ):
        model.set_weights(weights)
        method = make(model)
        method.compile(keras.optimizers.SGD(0.5))
        loss = method.train_on_batch(x, y, return_dict=True)["loss"]
        found.append([loss, *(w.ravel() for w in model.get_weights())])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_its_loss_by_hand(batch):
    x, y = batch
    epsilon, kappa = 0.1, 0.3
    logs, _ = take_step(lambda c: CertifiedTraining(c, tfrobust.Linf(epsilon), kappa=kappa), x, y)
    kernel, bias = make_linear().get_weights()
    logits = x.reshape(8, 4) @ kernel + bias
    # The most that z_j - z_y gains in the ball is epsilon times the sum of absolute differences.
    gain = epsilon * np.abs(kernel[:, None, :] - kernel[:, :, None]).sum(axis=0)
    worst = logits - logits[np.arange(8), y][:, None] + gain[y]

    def entropy(z):
        return np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(8), y])

    assert logs["label_loss"] == pytest.approx(entropy(logits), rel=1e-5)
    assert logs["bound_loss"] == pytest.approx(entropy(worst), rel=1e-5)
    assert logs["loss"] == pytest.approx(kappa * entropy(logits) + 0.7 * entropy(worst), rel=1e-5)


def test_without_a_radius_or_bounds_it_is_natural_training(batch):
    x, y = batch
    _, expected = take_step(Natural, x, y)
    for options in ({"kappa": 1.0}, {"kappa": 0.25, "scale": 0.0}):
        _, found = take_step(
            lambda c, options=options: CertifiedTraining(c, tfrobust.Linf(0.1), **options), x, y
        )
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_schedules_move_radius_and_weights(batch):
    """A ramp that has not begun is natural training, one that is over the full radius."""
    x, y = batch
    ramp = tfrobust.LinearRamp(1.0, after=5.0)
    logs, _ = take_step(lambda c: CertifiedTraining(c, tfrobust.Linf(0.1), scale=ramp), x, y)
    assert logs["bound_loss"] == pytest.approx(logs["label_loss"], rel=1e-5)
    crown = tfrobust.LinearRamp(1.0, 1.0, 0.0)
    logs, _ = take_step(lambda c: CertifiedTraining(c, tfrobust.Linf(0.1), crown=crown), x, y)
    alone, _ = take_step(lambda c: CertifiedTraining(c, tfrobust.Linf(0.1)), x, y)
    # For a linear model both bounds are exact.
    assert logs["bound_loss"] == pytest.approx(alone["bound_loss"], rel=1e-5)
    assert logs["bound_loss"] > logs["label_loss"]


def test_what_was_trained_on_bounds_is_certified_by_them():
    keras.utils.set_random_seed(0)
    data = tfrobust.data.digits()
    certified = {}
    for name, make in (
        ("natural", lambda c: Natural(c)),
        (
            "ibp",
            lambda c: tfrobust.recipes.ibp(
                c, "Linf", 0.05, warm_up=1, ramp_epochs=4, eval_attack=None
            ),
        ),
    ):
        inputs = keras.Input((8, 8, 1))
        x = keras.layers.Conv2D(8, 3, 2, "same", activation="relu")(inputs)
        x = keras.layers.Dense(32, "relu")(keras.layers.Flatten()(x))
        model = keras.Model(inputs, keras.layers.Dense(10)(x))
        method = make(model)
        method.compile(keras.optimizers.Adam(3e-3))
        method.fit(data.train.images, data.train.labels, batch_size=64, epochs=8, verbose=0)
        examples = data.test.images[:100], data.test.labels[:100]
        found = certify(model, examples, "ibp", tfrobust.Linf(0.04))
        certified[name] = found.certified.mean()
    assert certified["natural"] < 0.05 and certified["ibp"] > 0.4


def test_what_it_cannot_train_is_refused():
    model = make_linear()
    with pytest.raises(UserError, match="Linf"):
        CertifiedTraining(model, tfrobust.L2(0.1))
    with pytest.raises(UserError, match="kappa"):
        CertifiedTraining(model, tfrobust.Linf(0.1), kappa=1.5)
    inputs = keras.Input((2, 2, 1))
    outputs = keras.layers.Dense(2)(
        keras.layers.LayerNormalization()(keras.layers.Flatten()(inputs))
    )
    with pytest.raises(UserError, match="no rule"):
        CertifiedTraining(keras.Model(inputs, outputs), tfrobust.Linf(0.1))
