"""Outcomes of parts put together again are those of the whole."""

import dataclasses

import numpy as np
import pytest

from tfrobust.evaluation.engine.merge import merge_outcomes

BY_EXAMPLE = ("attempted", "broken", "rejected", "run", "step", "forwards", "backwards")


def cut(outcome, places, **changes):
    """What the outcome says of the examples at some places, as another process would have found it."""
    arrays = {name: getattr(outcome, name)[places] for name in BY_EXAMPLE}
    measures = {name: values[places] for name, values in outcome.measures.items()}
    return dataclasses.replace(outcome, measures=measures, **arrays, **changes)


def test_merged_equals_whole(ten_examples):
    places = [[9, 1, 4], [0, 2, 3, 8], [7, 5, 6]]
    order = np.argsort(np.concatenate(places))
    for whole in ten_examples.outcomes:
        joined = merge_outcomes([cut(whole, np.array(p)) for p in places], order)
        for name in BY_EXAMPLE:
            np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
        assert joined.measures.keys() == whole.measures.keys()
        for name, values in whole.measures.items():
            np.testing.assert_array_equal(joined.measures[name], values)


def test_costs_add_up(ten_examples):
    # The share of busy slots follows the computed passes.
    whole = ten_examples.outcomes[0]
    first = cut(whole, np.arange(5), passes=(30, 30), busy=0.5, traces=2)
    second = cut(whole, np.arange(5, 10), passes=(90, 90), busy=0.9)
    joined = merge_outcomes([first, second], np.arange(10))
    assert joined.passes == (120, 120)
    assert joined.busy == pytest.approx(0.25 * 0.5 + 0.75 * 0.9)
    assert joined.traces == 2 and joined.seconds == 2 * whole.seconds
