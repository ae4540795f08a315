"""Comparisons on the same examples, against exact posteriors, simulated methods and other libraries."""

import numpy as np
import pytest
import scipy.stats

from tfrobust.errors import UserError
from tfrobust.ops.uncertainty.letters import find_groups
from tfrobust.ops.uncertainty.paired import (
    PairedPosterior,
    compute_mcnemar,
    compute_superiority,
    sample_differences,
)


def make_pair(only_first, only_second, both, neither):
    counts = (only_first, only_second, both, neither)
    first = np.repeat([True, False, True, False], counts)
    second = np.repeat([False, True, True, False], counts)
    return first, second


def test_one_run_each_has_the_dirichlet_posterior_of_three_shares():
    first, second = make_pair(9, 4, 30, 17)
    found = sample_differences(first, second, draws=40_000)
    generator = np.random.default_rng(0)
    exact = generator.dirichlet([10, 5, 48], 400_000)
    expected = exact[:, 0] - exact[:, 1]
    assert found.mean() == pytest.approx(5 / 63, abs=4 * expected.std() / 200)
    assert found.std() == pytest.approx(expected.std(), rel=0.02)
    assert scipy.stats.ks_2samp(found, expected[:40_000]).pvalue > 1e-3


@pytest.mark.parametrize("counts", [(9, 4), (0, 0), (3, 3), (30, 12), (0, 5)])
def test_one_run_each_is_mcnemar_s_test_with_one_image_more(counts):
    """P = P(Beta(a + 1, b + 1) > 1/2), the one-sided exact test of a of a + b + 1 images, by an identity."""
    first, second = make_pair(*counts, 40, 20)
    found = compute_superiority(first, second)
    a, b = counts
    exact = scipy.stats.beta.sf(0.5, a + 1, b + 1)
    assert exact == pytest.approx(scipy.stats.binom.cdf(a, a + b + 1, 0.5))
    assert found == pytest.approx(exact, abs=4 * np.sqrt(0.25 / 20_000))
    # The two-sided p-value, which counts the even split on both sides, is never below twice the rest.
    assert compute_mcnemar(first, second) >= min(1.0, 2 * min(exact, 1 - exact)) - 1e-12


def test_who_is_more_robust_does_not_depend_on_the_order():
    first, second = make_pair(9, 4, 30, 17)
    assert compute_superiority(first, second) == pytest.approx(
        1 - compute_superiority(second, first), abs=0.02
    )


def test_a_pair_is_the_same_alone_and_among_others():
    """The weights of a table's images are those of each of its pairs."""
    generator = np.random.default_rng(0)
    flags = generator.random((5, 60)) < 0.7
    joint = PairedPosterior(flags).sample([0, 1], [3, 4])
    alone = sample_differences(flags[:2], flags[3:])
    assert joint.mean() == pytest.approx(alone.mean(), abs=0.02)
    quartiles = np.quantile(joint, [0.25, 0.75]), np.quantile(alone, [0.25, 0.75])
    np.testing.assert_allclose(*quartiles, atol=0.01)


def test_many_kinds_of_examples_are_drawn_in_several_parts(monkeypatch):
    """As many draws as asked, of the same distribution as in one part and with fewer kinds."""
    monkeypatch.setattr("tfrobust.ops.uncertainty.paired._CHUNK", 20_000)
    generator = np.random.default_rng(0)
    flags = generator.random((9, 200)) < 0.5
    flags[0], flags[1] = True, False
    draws = PairedPosterior(flags, draws=1001).sample([0], [1])
    assert draws.shape == (1001,)
    # Beta(201, 2) minus a part that is seldom large: the exact mean of (200 + 1 - 1) / 203.
    assert draws.mean() == pytest.approx(200 / 203, abs=0.002) and draws.max() <= 1.0
    few = PairedPosterior(flags[:2], draws=1001).sample([0], [1])
    assert scipy.stats.ks_2samp(draws, few).pvalue > 1e-3


def test_a_probability_is_calibrated():
    """Where the truth is drawn from the prior, 90 % of the sure statements hold in 90 % of the cases."""
    generator = np.random.default_rng(3)
    said, true = [], []
    for _ in range(150):
        shares = generator.dirichlet([1, 1, 1])
        kinds = generator.choice(3, 40, p=shares)
        first, second = kinds == 0, kinds == 1
        said.append((sample_differences(first, second, draws=500) > 0).mean())
        true.append(shares[0] > shares[1])
    said, true = np.array(said), np.array(true)
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0)):
        some = (said >= low) & (said <= high)
        error = 4 * np.sqrt(0.25 / max(1, some.sum()))
        assert abs(said[some].mean() - true[some].mean()) < error


def simulate(generator, seeds, run, images=300, image=1.0, own=0.5, noise=0.3):
    """Two methods whose verdicts depend on image, method and image, run, and chance: (flags, flags, truths).

    The truths are the differences of the methods and of these runs, over all images.
    """
    easy = image * generator.standard_normal(images)
    flags, means, of_runs = [], [], []
    for level in (1.0, 0.85):
        here = run * generator.standard_normal((seeds, 1))
        latent = level + easy + own * generator.standard_normal(images) + here
        flags.append(latent + noise * generator.standard_normal((seeds, images)) > 0)
        spread = image**2 + own**2 + noise**2
        means.append(scipy.stats.norm.cdf(level / np.sqrt(spread + run**2)))
        of_runs.append(scipy.stats.norm.cdf((level + here) / np.sqrt(spread)).mean())
    return *flags, means[0] - means[1], of_runs[0] - of_runs[1]


def count_held(seeds, run, times=60):
    """How often the 95 % interval holds the difference of the methods, and that of their runs."""
    generator = np.random.default_rng([seeds, int(100 * run)])
    held = np.zeros(2)
    for number in range(times):
        first, second, *truths = simulate(generator, seeds, run)
        draws = sample_differences(first, second, draws=400, seed=number)
        low, high = np.quantile(draws, [0.025, 0.975])
        held += [low <= truth <= high for truth in truths]
    return held / times


def test_the_interval_holds_what_it_says():
    """Over simulated methods with known variances of images and runs.

    Of 60 intervals of 95 % fewer than 51 hold with a probability of 0.2 %.
    """
    by_seed = count_held(3, run=0.3)
    assert by_seed[0] >= 51 / 60
    one = count_held(1, run=0.3)
    # One run each: the difference of these two runs, not that of their methods.
    assert one[1] >= 51 / 60 and one[0] < 0.6


def test_seeds_that_disagree_widen_the_difference():
    """Equal runs say as much as one; runs that differ by seed say less, as Student's t does."""
    first, second = make_pair(20, 8, 60, 12)
    one = sample_differences(first, second)
    same = sample_differences(np.tile(first, (3, 1)), np.tile(second, (3, 1)))
    np.testing.assert_allclose(same.std(), one.std(), rtol=0.05)
    spread = np.array([20, 10, 0])
    several = np.stack([np.roll(first, 0) for _ in range(3)])
    for row, extra in zip(several, spread, strict=True):
        row[-12 : -12 + extra // 2] = True
    wide = sample_differences(several, np.tile(second, (3, 1)))
    means = (several.astype(float) - second).mean(axis=1)
    assert wide.mean() == pytest.approx(means.mean(), abs=0.02)
    # The quartiles of t with two degrees of freedom are +-0.816 standard errors.
    standard = means.std(ddof=1) / np.sqrt(3)
    low, high = np.quantile(wide, [0.25, 0.75])
    assert high - low > 2 * 0.8165 * standard * 0.95
    assert wide.std() > one.std()


def test_mcnemar_is_that_of_the_binomial():
    first, second = make_pair(9, 2, 50, 3)
    tails = scipy.stats.binom.cdf(2, 11, 0.5) * 2
    assert compute_mcnemar(first, second) == pytest.approx(tails)
    statsmodels = pytest.importorskip("statsmodels.stats.contingency_tables")
    table = [[50, 9], [2, 3]]
    assert compute_mcnemar(first, second) == pytest.approx(
        statsmodels.mcnemar(table, exact=True).pvalue
    )


def test_rows_share_a_group_exactly_if_they_are_not_told_apart():
    """For any pattern, also where a row is like its neighbours' neighbours only; no group is in vain."""
    generator = np.random.default_rng(0)
    for size, share in ((1, 0.5), (2, 1.0), (4, 0.0), (5, 1.0), (7, 0.3), (9, 0.5), (9, 0.8)):
        apart = np.triu(generator.random((size, size)) < share, 1)
        apart |= apart.T
        order = generator.permutation(size).tolist()
        groups = find_groups(apart, order)
        for one in range(size):
            for other in range(size):
                share_one = any(one in g and other in g for g in groups)
                assert share_one == (not apart[one, other])
        assert not any(set(g) < set(h) for g in groups for h in groups)
        # Nobody is in a group in vain.
        for group in groups:
            for row in group:
                rest = [g for g in groups if g is not group and row in g]
                assert not rest or not set(group) <= set().union(*map(set, rest))
        assert groups[0][0] == order[0]


def test_different_examples_are_refused():
    with pytest.raises(UserError, match="same examples"):
        compute_superiority(np.ones(3, bool), np.ones(4, bool))
