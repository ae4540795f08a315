"""Numbers are read exactly, and a wrong one is explained."""

import copy
import fractions
import json
import math
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust import attacks, losses, regularizers, weights
from tfrobust.errors import UserError
from tfrobust.ops.numbers import integer, number, parse_number
from tfrobust.ops.schedules import LinearRamp, Steps
from tfrobust.threat_models import L1, L2, Linf
from tfrobust.threat_models.description import describe


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


WRITTEN = parse_number("8/255", "epsilon")


def test_what_is_written_counts_as_the_number_and_prints_as_it_was_written():
    assert isinstance(WRITTEN, float) and WRITTEN == 8 / 255 and hash(WRITTEN) == hash(8 / 255)
    assert (repr(WRITTEN), str(WRITTEN), f"{WRITTEN}", f"{WRITTEN:.4f}") == (
        "'8/255'",
        *["8/255"] * 2,
        "0.0314",
    )
    assert type(2 * WRITTEN) is float and 2 * WRITTEN == 16 / 255
    for same in (copy.copy(WRITTEN), copy.deepcopy(WRITTEN), pickle.loads(pickle.dumps(WRITTEN))):
        assert same == WRITTEN and str(same) == "8/255"
    assert parse_number(WRITTEN, "epsilon") is WRITTEN
    # The same bits in a graph and in an array.
    one = np.float32(8 / 255)
    assert tf.constant(WRITTEN).numpy() == one and (tf.constant(1.0) * WRITTEN).numpy() == one
    graph = tf.function(lambda x: tf.stack([x * WRITTEN, tf.constant((WRITTEN, 0.0))[0]]))
    np.testing.assert_array_equal(graph(tf.constant(1.0)), [one, one])


@pytest.mark.parametrize("value", [3, 0.5, np.float32(0.1), np.int64(2)])
def test_what_is_a_number_stays_one(value):
    parsed = parse_number(value, "x")
    assert parsed == value and type(parsed) in (int, float)
    assert type(value) not in (int, float) or parsed is value


# Every field that takes a number takes it as it is written, computes with the number, prints the text.
SPECS = [
    (Linf, "epsilon", "8/255", {}),
    (L2, "epsilon", "128/255", {}),
    (L1, "epsilon", "25/2", {}),
    (attacks.PGD, "step_size", "2/255", {"threat_model": Linf("8/255")}),
    (attacks.PGD, "relative_step_size", "1/4", {"threat_model": Linf("8/255")}),
    (attacks.PGD, "step_noise", "1/1000", {"threat_model": Linf("8/255")}),
    (attacks.APGD, "rho", "3/4", {"threat_model": Linf("8/255")}),
    (attacks.FAB, "alpha_max", "1/10", {"threat_model": Linf("8/255")}),
    (attacks.FAB, "overshoot", "21/20", {"threat_model": Linf("8/255")}),
    (attacks.FAB, "backward", "9/10", {"threat_model": Linf("8/255")}),
    (attacks.Square, "initial_share", "4/5", {"threat_model": Linf("8/255")}),
    (attacks.Gaussian, "stddev", "1/1000", {}),
    (attacks.Corner, "size", "1/2", {}),
    (attacks.Adam, "beta_1", "9/10", {}),
    (attacks.Adam, "epsilon", "1/1000", {}),
    (losses.Margin, "confidence", "50/1", {}),
    (losses.LossClipping, "slack", "3/10", {}),
    (weights.WeightNoise, "sigma", "1/100", {}),
    (regularizers.TaylorTerms, "sigma", "1/100", {}),
    (regularizers.GapLabels, "second_weight", "1/2", {}),
    (LinearRamp, "end", "1/2", {"epochs": 3}),
    (LinearRamp, "epochs", "5/2", {}),
]


@pytest.mark.parametrize(
    ("kind", "field", "text", "others"), SPECS, ids=lambda v: getattr(v, "__name__", None)
)
def test_a_field_is_parsed_once(kind, field, text, others):
    spec = kind(**others, **{field: text})
    value = getattr(spec, field)
    assert isinstance(value, float) and value == float(fractions.Fraction(text))
    assert f"{field}={text!r}" in repr(spec)
    assert spec == kind(**others, **{field: float(fractions.Fraction(text))})
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(spec)))
    assert config["config"][field] == text
    again = keras.saving.deserialize_keras_object(config)
    assert again == spec and repr(again) == repr(spec)
    with pytest.raises(UserError, match=f"`{field}`"):
        kind(**others, **{field: "eight"})


def test_tuples_of_numbers_are_parsed():
    steps = Steps(("3/2", 4), (1, "1/10", 0.01))
    assert steps.boundaries == (1.5, 4) and steps.values == (1, 0.1, 0.01)
    assert repr(steps) == "Steps(boundaries=('3/2', 4), values=(1, '1/10', 0.01))"
    assert steps.get_config() == {"boundaries": ["3/2", 4], "values": [1, "1/10", 0.01]}
    assert float(steps(tf.constant(2.0))) == np.float32(0.1)


def test_reports_keep_the_text():
    assert repr(Linf("8/255")) == "Linf(epsilon='8/255')"
    assert describe(Linf("8/255")) == {"norm": "Linf", "epsilon": "8/255"}
    assert describe(L1(12)) == {"norm": "L1", "epsilon": 12.0}
    assert repr(L1(12)) == "L1(epsilon=12)"
    assert Linf("8/255").radius() == 8 / 255
