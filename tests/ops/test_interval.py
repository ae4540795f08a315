import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrobust.errors import UserError
from tfrobust.ops.uncertainty.interval import binomial_interval, mean_interval


@given(st.data(), st.integers(1, 100_000), st.floats(0.5, 0.999))
def test_equals_the_formula(data, total, confidence):
    successes = data.draw(st.integers(0, total))
    z, p, n = statistics.NormalDist().inv_cdf((1 + confidence) / 2), successes / total, total
    centre, reach = p + z**2 / (2 * n), z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n * n))
    low, high = binomial_interval(successes, total, confidence)
    assert low == pytest.approx((centre - reach) / (1 + z**2 / n), abs=1e-12)
    assert high == pytest.approx((centre + reach) / (1 + z**2 / n), abs=1e-12)
    assert 0 <= low <= successes / total <= high <= 1


def test_by_hand():
    # p = 1/2, n = 4, z = 1.959964: half width z sqrt(1/16 + z²/64) / (1 + z²/4)
    assert binomial_interval(2, 4) == pytest.approx((0.150039, 0.849961), abs=1e-6)
    assert binomial_interval(0, 10)[0] == 0.0 and binomial_interval(10, 10)[1] == 1.0


@pytest.mark.parametrize(("successes", "total"), [(-1, 10), (11, 10), (0, 0), (0.5, 10)])
def test_counts_are_checked(successes, total):
    with pytest.raises(UserError, match=f"Received successes={successes}, total={total}"):
        binomial_interval(successes, total)


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_confidence_is_checked(confidence):
    with pytest.raises(UserError, match=f"such as 0.95. Received {confidence}"):
        binomial_interval(1, 2, confidence)


@given(st.lists(st.integers(0, 500), min_size=1, max_size=6), st.sampled_from([500, 50_000]))
def test_of_several_runs_the_mean_lies_within(counts, total):
    shares = [count / 500 for count in counts]
    low, high = mean_interval(shares, total)
    assert 0.0 <= low <= statistics.fmean(shares) <= high <= 1.0
    # Never narrower than that of the examples alone, and wider than nothing where all seeds agree.
    whole = binomial_interval(round(statistics.fmean(shares) * total), total)
    assert high - low >= whole[1] - whole[0] - 1e-9 and high > low


def test_of_several_runs_one_kind_of_chance_alone_is_its_own_interval():
    assert mean_interval([0.25] * 5, 200) == pytest.approx(binomial_interval(50, 200), abs=1e-12)
    # Of very many examples: mean 0.5, sample deviation 0.1, t of three degrees of freedom 3.182446.
    shares = [0.5 - math.sqrt(0.015), 0.5, 0.5, 0.5 + math.sqrt(0.015)]
    low, high = mean_interval(shares, 10**12)
    assert (low, high) == pytest.approx((0.5 - 0.1591223, 0.5 + 0.1591223), abs=1e-6)
