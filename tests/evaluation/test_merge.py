"""Parts put together again are the whole."""

import dataclasses

import numpy as np
import pytest

from tfrobust import Linf
from tfrobust.errors import UserError
from tfrobust.evaluation.merge import merged
from tfrobust.evaluation.summary import summarised

BY_EXAMPLE = ("attempted", "broken", "rejected", "run", "step", "forwards", "backwards")


def part(whole, places, **changes):
    """The examples of an evaluation at some places, as another process would have evaluated them."""

    def cut(outcome):
        arrays = {name: getattr(outcome, name)[places] for name in BY_EXAMPLE}
        measures = {name: values[places] for name, values in outcome.measures.items()}
        passes = tuple(len(places) * n // 10 for n in outcome.passes)
        return dataclasses.replace(outcome, measures=measures, passes=passes, **arrays)

    return dataclasses.replace(
        whole,
        ids=whole.ids[places],
        labels=whole.labels[places],
        predictions=whole.predictions[places],
        outcomes=tuple(cut(outcome) for outcome in whole.outcomes),
        adversarial=whole.adversarial[places],
        **changes,
    )


def test_merged_equals_whole(ten_examples):
    whole = ten_examples
    parts = [part(whole, np.array(places)) for places in ([9, 1, 4], [0, 2, 3, 8], [7, 5, 6])]
    joined = merged(parts)
    for name in ("ids", "labels", "predictions", "adversarial", "robust", "first_broken_by"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
    for one, other in zip(joined.outcomes, whole.outcomes, strict=True):
        for name in BY_EXAMPLE:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert one.measures.keys() == other.measures.keys()
        for name, values in other.measures.items():
            np.testing.assert_array_equal(one.measures[name], values)
    ours = [summarised(e)["tfrobust"] for e in (joined, whole)]
    for name in ("headline", "clean", "robust", "curves", "suite_hash", "environment", "checklist"):
        assert ours[0][name] == ours[1][name]


def test_costs_add_up(ten_examples):
    halves = [part(ten_examples, np.arange(5)), part(ten_examples, np.arange(5, 10))]
    # Other amounts of computed passes: the share of busy slots follows them.
    first = dataclasses.replace(halves[0].outcomes[0], passes=(30, 30), busy=0.5, traces=2)
    second = dataclasses.replace(halves[1].outcomes[0], passes=(90, 90), busy=0.9)
    halves = [
        dataclasses.replace(half, outcomes=(outcome, *half.outcomes[1:]))
        for half, outcome in zip(halves, (first, second), strict=True)
    ]
    joined = merged(halves)
    outcome = joined.outcomes[0]
    assert outcome.passes == (120, 120)
    assert outcome.busy == pytest.approx(0.25 * 0.5 + 0.75 * 0.9)
    assert outcome.traces == 2
    assert outcome.seconds == 4.0 and joined.seconds == 20.0


def test_findings_are_left_to_the_caller_and_other_machines_are_listed(ten_examples):
    one = part(ten_examples, np.arange(5), environment={"devices": ["CPU:0"]})
    other = part(ten_examples, np.arange(5, 10), environment={"devices": ["GPU:0"]})
    joined = merged([one, other])
    assert joined.findings == ()
    assert joined.environment == {"shards": [{"devices": ["CPU:0"]}, {"devices": ["GPU:0"]}]}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seed": 8}, "seed: 7 and 8"),
        ({"model": "another"}, "model: 'a network' and 'another'"),
        ({"suite": "custom"}, "suite: 'autoattack_standard' and 'custom'"),
        ({"suite_hash": "x"}, "suite_hash"),
        ({"threat_model": Linf("4/255")}, "epsilon='8/255'.*epsilon='4/255'"),
        ({"outcomes": ()}, "attacks"),
    ],
)
def test_what_differs_is_named(ten_examples, changes, told):
    one = part(ten_examples, np.arange(5))
    other = dataclasses.replace(part(ten_examples, np.arange(5, 10)), **changes)
    with pytest.raises(UserError, match=told):
        merged([one, other])


def test_images_that_only_some_have_are_refused(ten_examples):
    one = part(ten_examples, np.arange(5))
    other = dataclasses.replace(part(ten_examples, np.arange(5, 10)), adversarial=None)
    with pytest.raises(UserError, match="images kept: True and False"):
        merged([one, other])


def test_examples_twice_and_nothing_at_all_are_refused(ten_examples):
    with pytest.raises(UserError, match="Example 104 is in more than one"):
        merged([part(ten_examples, np.arange(5)), part(ten_examples, np.arange(4, 10))])
    with pytest.raises(UserError, match="none"):
        merged([])
