"""RAT as a composition: what weight 0 leaves, what AWP sees, one draw a step, one device and two."""

import contextlib
import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD, Gaussian
from tfrobust.errors import UserError
from tfrobust.losses import ToClean
from tfrobust.methods import ADV, TRADES
from tfrobust.ops.random.keys import keys_of
from tfrobust.ops.uncertainty.probability import load_distributions
from tfrobust.regularizers import GapLabels, TaylorTerms
from tfrobust.spec import register
from tfrobust.threat_models import Linf
from tfrobust.weights import AWP, WeightNoise

KL = PGD(Linf(0.1), ToClean(), steps=2, step_size=0.04, start=Gaussian(0.02))
CE = PGD(Linf(0.1), steps=2, step_size=0.04)


@keras.saving.register_keras_serializable(package="tests")
def laplace(weight):
    distributions = load_distributions()
    return distributions.Sample(distributions.Laplace(0.0, 1.0), weight.shape)


def trained(make, classifier, data, strategy=None):
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        method = make(classifier())
        method.compile(keras.optimizers.SGD(0.05, momentum=0.9))
    return method, method.fit(data, verbose=0).history


def trades(*terms, **options):
    return lambda c: TRADES(c, KL, beta=4.0, regularizers=terms, **options)


def adv(*terms, **options):
    return lambda c: ADV(c, CE, regularizers=terms, **options)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("make", "term", "awp"),
    [
        (trades, TaylorTerms(0.0, sigma=0.05), None),
        (trades, TaylorTerms(0.0, 2, "finite", sigma=0.05), None),
        (trades, GapLabels(0.0), AWP(0.05)),
        pytest.param(adv, TaylorTerms(0.0, sigma=0.05, draws=2), None, marks=pytest.mark.slow),
        (adv, TaylorTerms(0.0, form="one_sided", sigma=0.05), AWP(0.05)),
    ],
    ids=["exact", "finite", "labels", "exact_draws", "one_sided"],
)
def test_weight_0_is_the_method_alone(make, term, awp, make_classifier, data, same_weights):
    """With dropout, penalties and running averages: other passes leave no trace, shared ones one."""
    runs = [
        trained(make(*terms, weight_perturbation=awp), make_classifier, data.take(1))
        for terms in ((), (term,), (dataclasses.replace(term, weight=1.0),))
    ]
    (alone, history), (method, found), (weighted, _) = runs
    same_weights(method.classifier, alone.classifier, atol=2e-6)
    np.testing.assert_allclose(found["loss"], history["loss"], rtol=1e-5)
    assert all(found[name][0] > 0.0 for name in term.parts)
    with pytest.raises(AssertionError):
        same_weights(weighted.classifier, alone.classifier, atol=1e-5)


FOUND = []


@register
@dataclasses.dataclass(frozen=True)
class SpyingAWP(AWP):
    def __call__(self, *arguments):
        FOUND.append(super().__call__(*arguments))
        return FOUND[-1]


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    "term", [TaylorTerms(50.0, form="finite", sigma=0.1), GapLabels(1.0)], ids=["taylor", "labels"]
)
def test_awp_is_searched_without_the_terms(term, make_classifier, data):
    FOUND.clear()
    for terms in ((), (term,)):
        trained(trades(*terms, weight_perturbation=SpyingAWP(0.05)), make_classifier, data.take(1))
    for alone, with_term in zip(*FOUND, strict=True):
        np.testing.assert_allclose(with_term, alone, rtol=1e-5, atol=1e-8)


@register
@dataclasses.dataclass(frozen=True)
class SpyingAttack(PGD):
    def search(self, model, x, *arguments):
        FOUND.append(model(x))
        return super().search(model, x, *arguments)


@register
@dataclasses.dataclass(frozen=True)
class SpyingTerms(TaylorTerms):
    def __call__(self, context):
        FOUND.append(context.logits_aside("clean", self._draw(context, 0)))
        FOUND.append(context.logits_aside("clean"))
        return super().__call__(context)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("noise", "awp", "distribution"),
    [("absolute", None, None), ("layer_relative", AWP(0.0), None), ("absolute", None, laplace)],
    ids=["live", "awp", "laplace"],
)
def test_attack_and_terms_see_one_draw_a_step(noise, awp, distribution, data):
    def classifier():
        keras.utils.set_random_seed(1)
        return keras.Sequential(
            [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
        )

    FOUND.clear()
    trained(
        lambda c: ADV(
            c,
            SpyingAttack(Linf(0.1), steps=1, relative_step_size=1.0),
            attack_weights=WeightNoise(0.3, noise, distribution=distribution),
            regularizers=[
                SpyingTerms(0.0, form="finite", sigma=0.3, noise=noise, distribution=distribution)
            ],
            weight_perturbation=awp,
        ),
        classifier,
        data.take(2),
    )
    steps = [FOUND[i : i + 3] for i in range(0, len(FOUND), 3)]
    assert len(steps) == 2
    draws = []
    for attacked, moved, still in steps:
        np.testing.assert_allclose(moved, attacked, atol=1e-6)
        draws.append((moved - still).numpy())
        assert np.abs(draws[-1]).max() > 0.01
    assert np.abs(draws[0] - draws[1]).max() > 0.01


@pytest.mark.slow
def test_exact_second_order_on_two_replicas(data, two_replicas):
    """Nested forward mode through sums over replicas, batches of 7, 7 and 1; the same u on both."""

    def classifier():
        from tfrobust.models.batch_normalization import BatchNormalization

        keras.utils.set_random_seed(1)
        return keras.Sequential(
            [
                keras.Input((4, 4, 1)),
                keras.layers.Conv2D(2, 3, use_bias=False),
                BatchNormalization(),
                keras.layers.Activation("softplus"),
                keras.layers.Flatten(),
                keras.layers.Dense(3),
            ]
        )

    make = adv(TaylorTerms(0.5, order=2, sigma=0.3), attack_weights=WeightNoise(0.3))
    (one, history), (two, logs) = (
        trained(make, classifier, data, strategy) for strategy in (None, two_replicas)
    )
    for name, values in history.items():
        np.testing.assert_allclose(logs[name], values, rtol=2e-5, err_msg=name)
    for u, v in zip(one.classifier.weights, two.classifier.weights, strict=True):
        np.testing.assert_allclose(v.numpy(), u.numpy(), atol=5e-6, rtol=0, err_msg=u.path)
    assert history["taylor_second"][0] > 1e-3


def test_warned_at_construction():
    def classifier(activation, normalization=keras.layers.Identity):
        return keras.Sequential(
            [
                keras.Input((2, 2, 1)),
                normalization(),
                keras.layers.Flatten(),
                keras.layers.Dense(3, activation=activation),
                keras.layers.Dense(3),
            ]
        )

    with pytest.warns(UserWarning, match="Use form='finite', or a smooth activation"):
        adv(TaylorTerms(order=2))(classifier("relu"))
    with pytest.warns(UserWarning, match="wrong second derivatives"):
        adv(TaylorTerms())(classifier("silu", keras.layers.BatchNormalization))
    adv(TaylorTerms(order=2, form="finite"))(classifier("relu", keras.layers.BatchNormalization))
    adv(TaylorTerms(order=2))(classifier("silu"))


def test_noise_of_another_distribution():
    weights, keys = [tf.ones((100, 100)), tf.ones(3)], keys_of(5)
    noise = WeightNoise(0.5, distribution=laplace)
    kernel, bias = noise(None, weights, keys, tf.constant(0.0))
    np.testing.assert_array_equal(bias, 0.0)
    # |u| / sigma is exponential: its median is log 2, and its mean is 1; four standard errors.
    size = np.abs(kernel) / 0.5
    assert np.median(size) == pytest.approx(np.log(2.0), abs=0.04)
    assert size.mean() == pytest.approx(1.0, abs=0.04)
    np.testing.assert_array_equal(kernel, noise(None, weights, keys, tf.constant(0.0))[0])
    other = noise(None, weights, keys.fold_in(1), tf.constant(0.0))[0]
    assert np.abs(np.corrcoef(np.ravel(kernel), np.ravel(other))[0, 1]) < 0.05
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(noise))
    assert again == noise and again != WeightNoise(0.5)


def test_normal_noise_is_that_of_the_keys():
    weights, keys = [tf.ones((2, 3)), tf.ones((4, 2))], keys_of(5)
    shifts = WeightNoise(0.25)(None, weights, keys, tf.constant(0.0))
    for index, shift in enumerate(shifts):
        expected = 0.25 * keys.fold_in(index).normal(weights[index].shape)
        np.testing.assert_array_equal(shift, expected)


def test_what_is_no_distribution_of_the_shape_is_refused():
    weights, normal = [tf.ones((2, 3))], load_distributions().Normal(0.0, 1.0)
    for kind in (WeightNoise, TaylorTerms):
        with pytest.raises(UserError, match="`distribution` must be None, or a function"):
            kind(distribution=normal)
    for wrong, told in ((lambda w: normal, "weight's shape"), (lambda w: 3.0, "Distribution")):
        with pytest.raises(UserError, match=told):
            WeightNoise(distribution=wrong)(None, weights, keys_of(0), tf.constant(0.0))
