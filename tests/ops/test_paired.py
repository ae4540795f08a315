"""Comparisons on the same examples, against exact posteriors and other libraries."""

import numpy as np
import pytest
import scipy.stats

from tfrobust.errors import UserError
from tfrobust.ops.uncertainty.paired import (
    compute_mcnemar,
    compute_superiority,
    group_rows,
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
    assert np.mean(found > 0) == pytest.approx(np.mean(expected > 0), abs=0.01)
    assert scipy.stats.ks_2samp(found, expected[:40_000]).pvalue > 1e-3


def test_who_is_more_robust_does_not_depend_on_the_order():
    first, second = make_pair(9, 4, 30, 17)
    assert compute_superiority(first, second) == pytest.approx(
        1 - compute_superiority(second, first), abs=0.02
    )


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


def test_groups_hold_what_cannot_be_told_apart():
    generator = np.random.default_rng(0)
    rank = generator.permutation(200)
    rows = [rank < right for right in (150, 100, 149, 50)]
    assert group_rows(rows) == ["a", "b", "a", "c"]
    noisy = [generator.random(200) < p for p in (0.70, 0.62, 0.55)]
    letters = group_rows(noisy)
    for one, other in ((0, 1), (1, 2), (0, 2)):
        is_open = compute_superiority(noisy[one], noisy[other]) < 0.975
        assert bool(set(letters[one]) & set(letters[other])) == is_open


def test_different_examples_are_refused():
    with pytest.raises(UserError, match="same examples"):
        compute_superiority(np.ones(3, bool), np.ones(4, bool))
