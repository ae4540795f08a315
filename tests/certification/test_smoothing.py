"""Randomised smoothing against closed forms, a simulation, and another library."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import tfrobust
from tests.art_library import import_art
from tfrobust.certification import Smoothing, certify
from tfrobust.certification.counts import bound_probability, find_probability, find_radius
from tfrobust.errors import UserError
from tfrobust.evaluation import Subject

WEIGHTS = np.array([0.5, -1.0, 2.0, 0.25])


def make_linear(offset):
    """A classifier whose decision boundary is the hyperplane <WEIGHTS, x> = offset."""
    model = keras.Sequential(
        [keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    weights = np.stack([WEIGHTS, -WEIGHTS], axis=1).astype(np.float32)
    model.set_weights([weights, np.array([-offset, offset], np.float32)])
    return model


def test_quantiles_are_those_of_scipy():
    successes = np.array([0, 1, 37, 990, 999, 1000])
    expected = np.where(successes > 0, scipy.stats.beta.ppf(1e-3, successes, 1001 - successes), 0)
    np.testing.assert_allclose(bound_probability(successes, 1000, 1e-3), expected, rtol=1e-12)
    # All of n agree: p^n = alpha.
    assert bound_probability(np.array([50]), 50, 0.01)[0] == pytest.approx(0.01 ** (1 / 50))
    p = np.array([0.2, 0.5, 0.75, 0.999])
    radii = np.where(p > 0.5, 0.3 * scipy.stats.norm.ppf(p), 0)
    np.testing.assert_allclose(find_radius(p, 0.3), radii, rtol=1e-12)
    assert find_radius(np.array([find_probability(0.2, 0.3)]), 0.3)[0] == pytest.approx(0.2)


def test_bounds_hold_at_any_alpha():
    """What they leave out is alpha, to a millionth: TensorFlow Probability's quantile may be far off."""
    for total in (1, 5, 10, 1000, 100_000):
        ends = np.arange(1, min(total, 20) + 1)
        some = np.unique([*ends, *(total + 1 - ends), *np.linspace(1, total, 50).astype(int)])
        for alpha in (0.3, 1e-3, 1e-7, 1e-9, 1e-12, 1e-15):
            found = bound_probability(some, total, alpha)
            left_out = scipy.stats.binom.sf(some - 1, total, found)
            np.testing.assert_allclose(left_out, alpha, rtol=1e-6)
            assert found[-1] == pytest.approx(alpha ** (1 / total), rel=1e-8)


def test_bounds_cover_the_probability_as_often_as_they_say():
    """10,000 simulated classifiers: at most a share alpha of the bounds is too high."""
    generator = np.random.default_rng(0)
    p = generator.uniform(0.5, 1.0, 10_000)
    alpha, total = 0.05, 400
    too_high = np.mean(bound_probability(generator.binomial(total, p), total, alpha) > p)
    # Three standard deviations; the exact bound is not far on the safe side either.
    assert 0.5 * alpha < too_high < alpha + 3 * np.sqrt(alpha * (1 - alpha) / 10_000)


def test_a_sequential_test_covers_it_too():
    """Looks again and again, each time with its share of alpha: whatever look it stops at."""
    generator = np.random.default_rng(1)
    looks = Smoothing(tfrobust.L2(0.1), samples=1000, alpha=0.05, early_stop="sequential").looks
    p = generator.uniform(0.5, 1.0, 4000)
    draws = generator.random((len(p), looks[-1])) < p[:, None]
    worst = np.max(
        [bound_probability(draws[:, :n].sum(axis=1), n, 0.05 / len(looks)) for n in looks], axis=0
    )
    assert np.mean(worst > p) < 0.05


@pytest.mark.parametrize("early_stop", ["none", "sequential"])
def test_radii_of_linear_classifiers_stay_below_the_exact_ones(early_stop):
    """The smoothed linear classifier is the linear one: its radius is the distance of the hyperplane."""
    x = np.random.default_rng(0).random((12, 2, 2, 1), np.float32)
    offset = 0.9
    gap = x.reshape(12, 4).astype(float) @ WEIGHTS - offset
    exact = np.abs(gap) / np.linalg.norm(WEIGHTS)
    y = (gap < 0).astype(int)
    certificate = Smoothing(
        tfrobust.L2(0.1), sigma=0.25, samples=2000, alpha=0.001, early_stop=early_stop
    )
    found = certify(make_linear(offset), (x, y), certificate)
    assert (found.radii <= exact).all()
    if early_stop == "none":
        # What the expected count would prove, within four standard deviations of the count.
        p = scipy.stats.norm.cdf(exact / 0.25)
        low = p - 4 * np.sqrt(p * (1 - p) / 2000)
        least = find_radius(bound_probability(np.floor(2000 * low), 2000, 0.001), 0.25)
        assert (found.radii >= least).all()
        assert (found.proofs[0].passes == 2100).all()
    else:
        assert found.proofs[0].passes.min() == 300
        full = certify(make_linear(offset), (x, y), Smoothing(tfrobust.L2(0.1), samples=2000))
        assert (found.certified == full.certified).mean() >= 10 / 12
    np.testing.assert_array_equal(found.certified, found.radii >= 0.1)


def test_noise_belongs_to_the_example():
    x = np.random.default_rng(0).random((4, 2, 2, 1), np.float32)
    y = np.array([0, 0, 1, 1])
    examples = tfrobust.evaluation.Examples.of(x, y)
    votes = []
    for some, rows in ((examples, 1000), (examples.shard(1, 2), 1000), (examples, 7)):
        certificate = Smoothing(tfrobust.L2(0.1), sigma=1.0, samples=500, selection=50, rows=rows)
        votes.append(certify(make_linear(0.9), some, certificate).proofs[0].margins)
    np.testing.assert_array_equal(votes[0], votes[2])
    np.testing.assert_array_equal(votes[0][1::2], votes[1])
    other = certify(make_linear(0.9), examples, Smoothing(tfrobust.L2(0.1), sigma=1.0), seed=1)
    assert (votes[0] != other.proofs[0].margins).any()


def test_what_gives_no_logits_is_an_abstention():
    subject = Subject(lambda x: tf.fill((tf.shape(x)[0], 2), np.nan), "function of nothing")
    certificate = Smoothing(tfrobust.L2(0.1), samples=100, selection=10, rows=100)
    prover = certificate.prepare(subject, (2, 2, 1), 2, 0)
    x, y = np.zeros((2, 2, 2, 1), np.float32), np.array([0, 1])
    found = prover(x, y, np.arange(2), lambda: None)
    assert found.predictions.tolist() == [-1, -1] and not found.radii.any()


def test_art_certifies_the_same_on_the_same_noise():
    import_art()
    from art.estimators.certification import randomized_smoothing as smoothing
    from art.estimators.classification import TensorFlowV2Classifier

    model, sigma, n = make_linear(0.9), 0.25, 1000
    x = np.random.default_rng(0).random((3, 2, 2, 1), np.float32)
    gap = x.reshape(3, 4) @ WEIGHTS - 0.9
    y = (gap < 0).astype(int)
    ours = certify(model, (x, y), Smoothing(tfrobust.L2(0.01), sigma=sigma, samples=n))
    from tfrobust.evaluation.engine.seeds import derive_seeds
    from tfrobust.ops.random.keys import ExampleKeys

    seeds = derive_seeds(0, "smoothing", np.arange(3))
    drawn = []

    def draw(place, count):
        begin = sum(c for p, c in drawn if p == place)
        drawn.append((place, count))
        keys = ExampleKeys(tf.repeat(seeds[place][None], count, axis=0))
        return sigma * keys.fold_in(begin + tf.range(count)).normal((count, 2, 2, 1)).numpy()

    classifier = TensorFlowV2Classifier(model, nb_classes=2, input_shape=(2, 2, 1))
    theirs = smoothing.NumpyRandomizedSmoothing(
        classifier, sample_size=100, scale=sigma, alpha=0.001
    )
    for place in range(3):
        theirs._noisy_samples = lambda x, n, place=place: x + draw(place, n)
        prediction, radius = theirs.certify(x[place : place + 1], n=n)
        assert int(prediction[0]) == ours.predictions[place]
        assert float(radius[0]) == pytest.approx(ours.radii[place], rel=1e-6)


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(UserError, match="L2 only"):
        Smoothing(tfrobust.Linf(0.1))
    with pytest.raises(UserError, match="early_stop"):
        Smoothing(tfrobust.L2(0.1), early_stop="yes")
    with pytest.raises(UserError, match="sigma"):
        Smoothing(tfrobust.L2(0.1), sigma=0.0)
