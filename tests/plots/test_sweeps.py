"""The figure of a sweep shows its numbers, each where it belongs."""

import itertools

import numpy as np
import pytest

from tfrobust.errors import UserError
from tfrobust.plots import plot_sweep


def lines_of(axes):
    return [container.lines[0] for container in axes.containers]


def test_numbers_stand_on_a_scale_in_their_order():
    curves = {"one": [("10", 0.4, 0.1), ("2", 0.3, 0.0)]}
    axes = plot_sweep({"robust": curves}, "beta").axes[0]
    assert lines_of(axes)[0].get_xdata().tolist() == [2.0, 10.0]
    assert lines_of(axes)[0].get_ydata().tolist() == [0.3, 0.4]
    assert axes.get_xscale() == "linear"
    assert [t.get_text() for t in axes.get_xticklabels()] == ["10", "2"]


@pytest.mark.parametrize(("values", "scale"), [(("1e-5", "1e-2"), "log"), (("0", "100"), "linear")])
def test_wide_positive_ranges_are_logarithmic(values, scale):
    axes = plot_sweep({"robust": {"": [(v, 0.5, 0) for v in values]}}, "alpha").axes[0]
    assert axes.get_xscale() == scale


def test_fractions_are_numbers_and_underscores_are_none_of_theirs():
    texts = ["2/255", "8/255", "16/255"]
    axes = plot_sweep({"r": {"": [(t, 0.5, 0) for t in texts]}}, "EPSILON").axes[0]
    places = np.array(lines_of(axes)[0].get_xdata(), float)
    np.testing.assert_allclose(places, np.array([2, 8, 16]) / 255)
    assert [label.get_text() for label in axes.get_xticklabels()] == texts


@pytest.mark.parametrize(
    "texts",
    [
        ["1", "3", "6"],
        ["1", "1.01", "100"],
        [f"{i}.5" for i in range(20)],
        ["[@training.Plateau, @training.StopAtCollapse]", "[@training.Plateau]", "[]"],
        ["@attacks.Uniform()", "@attacks.Gaussian()", "None", "%START", "(1, 2, 3)"],
    ],
)
def test_no_label_of_an_axis_overlaps_another_one(texts):
    """As drawn: of labels that are turned, lines of text are as far apart as they are high."""
    figure = plot_sweep({"r": {"": [(t, 0.5, 0) for t in texts]}}, "x")
    figure.draw_without_rendering()
    labels = sorted(figure.axes[0].get_xticklabels(), key=lambda label: label.get_position()[0])
    boxes = [label.get_window_extent() for label in labels]
    for one, other in itertools.pairwise(boxes):
        if labels[0].get_rotation():
            assert other.x1 > one.x1
        else:
            assert one.x1 <= other.x0


def test_other_values_stand_side_by_side():
    axes = plot_sweep({"r": {"": [("small", 0.5, 0), ("large", 0.6, 0)]}}, "size").axes[0]
    assert lines_of(axes)[0].get_xdata().tolist() == [0.0, 1.0]


def test_lines_differ_without_colour():
    curves = {str(i): [("1", 0.1 * i, 0)] for i in range(6)}
    drawn = lines_of(plot_sweep({"r": curves}, "beta").axes[0])
    assert len({(line.get_marker(), line.get_linestyle()) for line in drawn}) == 6
    assert len({line.get_color() for line in drawn}) == 6


def test_deviations_are_bars():
    axes = plot_sweep({"r": {"": [("1", 0.5, 0.1)]}}, "beta").axes[0]
    (segment,) = axes.collections[0].get_segments()
    np.testing.assert_allclose(segment[:, 1], [0.4, 0.6])


def test_nothing_to_draw_is_said():
    with pytest.raises(UserError, match="No run of the sweep has ended"):
        plot_sweep({}, "beta")


@pytest.mark.parametrize("deviation", [0.0, 0.01])
def test_bars_are_explained_where_there_are_some(deviation):
    panels = {"clean accuracy": {"": [("1", 0.9, deviation), ("6", 0.8, 0.0)]}}
    label = plot_sweep(panels, "BETA").axes[0].get_xlabel()
    assert label == "BETA" + ("\n(bars: one standard deviation over seeds)" if deviation else "")
