"""The arithmetic of docs/scaling.md: known counts of the network, ratios that must hold, and the page."""

import pathlib

import pytest

from tfrobust.benchmarks import scaling

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "scaling.md"


def test_resnet_152_has_its_known_size():
    assert scaling.count_parameters() == 60_192_808
    assert len(list(scaling.list_convolutions())) == 155
    # 11.5 billion products and sums, as its authors' successors count them.
    assert scaling.count_operations() / 2 == pytest.approx(11.5e9, rel=0.01)


def test_a_small_image_takes_in_proportion():
    whole, quarter = (
        sum(one.results for one in scaling.list_convolutions(size)) for size in (224, 112)
    )
    assert whole / quarter == pytest.approx(4.0, rel=0.1)


def test_passes_by_hand():
    """At K = 0: F + I at x; F, F, I; twice these three."""
    assert scaling.count_passes(0) == 2 + 3 + 6
    assert scaling.count_passes(10) - scaling.count_passes(9) == 2


def test_eight_times_the_gpus():
    few, many = (scaling.estimate(scaling.Machines(n), inner_steps=2, epochs=1) for n in (8, 64))
    assert few["compute (ms)"] == pytest.approx(8 * many["compute (ms)"])
    assert few["step (ms)"] == pytest.approx(
        sum(value for name, value in few.items() if name.endswith("(ms)") and name != "step (ms)")
    )
    name = "all-reduce of gradients, sent by each GPU (MB)"
    assert few[name] == pytest.approx(2 * 7 / 8 * 4 * 60.192808)
    assert many[name] == pytest.approx(2 * 63 / 64 * 4 * 60.192808)


def test_the_page_shows_the_table():
    assert scaling.format_table() in PAGE.read_text()
