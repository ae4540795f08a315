import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tfrobust.errors import UserError
from tfrobust.ops.interval import binomial_interval


@given(st.data(), st.integers(1, 100_000), st.floats(0.5, 0.999))
def test_equals_scipy(data, total, confidence):
    successes = data.draw(st.integers(0, total))
    expected = stats.binomtest(successes, total).proportion_ci(confidence, method="wilson")
    low, high = binomial_interval(successes, total, confidence)
    assert low == pytest.approx(expected.low, abs=1e-12)
    assert high == pytest.approx(expected.high, abs=1e-12)
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
