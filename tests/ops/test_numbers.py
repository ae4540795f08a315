"""Numbers are read exactly, and a wrong one is explained."""

import math

import numpy as np
import pytest

from tfrobust.errors import UserError
from tfrobust.ops.numbers import integer, number


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("8/255", 8 / 255),
        (" 8 / 255 ", 8 / 255),
        ("0.031", 0.031),
        ("1e-3", 0.001),
        (0, 0.0),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3.0),
    ],
)
def test_number(written, value):
    assert number(written, "epsilon") == value
    assert type(number(written, "epsilon")) is float


@pytest.mark.parametrize(
    "value", ["eight", "8/0", "1e400", True, None, [1], "nan", math.nan, math.inf, -math.inf]
)
def test_what_is_no_number(value):
    with pytest.raises(UserError, match="`beta` must be") as caught:
        number(value, "beta")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "limits", "message"),
    [
        (-1, (0.0, None), "`x` must be finite and at least 0. Received: x=-1."),
        (2, (None, 1.0), "`x` must be finite and at most 1. Received: x=2."),
        ("2/1", (0.0, 1.0), "`x` must lie between 0 and 1. Received: x='2/1'."),
    ],
)
def test_limits(value, limits, message):
    with pytest.raises(UserError) as caught:
        number(value, "x", *limits)
    assert str(caught.value) == message


def test_pixels_hint():
    with pytest.raises(UserError) as caught:
        number(8, "epsilon", 0.0, 1.0, pixels=True)
    assert str(caught.value) == (
        "`epsilon` must lie between 0 and 1 for pixels in [0, 1]. Received: epsilon=8. "
        "Did you mean '8/255'?"
    )


@pytest.mark.parametrize("value", [0, 1.0, "2", True, None])
def test_integer_refuses(value):
    with pytest.raises(UserError, match="whole number of at least 1"):
        integer(value, "steps", 1)


def test_integer():
    assert integer(1, "steps", 1) == 1
