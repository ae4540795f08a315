"""Accuracies against what a sweep changes."""

import fractions
import itertools
import re
import textwrap
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from tfrobust.errors import UserError
from tfrobust.plots.style import (
    add_legend,
    finish_axes,
    fold_name,
    in_column,
    make_figure,
    series_style,
)

# Beyond this ratio of the largest to the smallest value the axis is logarithmic.
_WIDE = 20

Curves = Mapping[str, Sequence[tuple[str, float, float]]]
"""From a line's label to its points (value as text, mean in [0, 1], standard deviation or 0)."""


@in_column
def plot_sweep(panels: Mapping[str, Curves], xlabel: str) -> Figure:
    """Draws accuracy against one swept value: a panel for each accuracy, a line for each label.

    Values that are all numbers stand on a scale, which is logarithmic if they are positive and wide apart;
    others stand side by side in their order.

    Args:
        panels: from a title, such as "robust accuracy", to `Curves`.
        xlabel: name of the swept value.

    Returns:
        A matplotlib `Figure`.

    Raises:
        UserError: there is no point to draw.

    Example:
        >>> curves = {"TRADES": [("1", 0.75, 0.0), ("6", 0.83, 0.0)]}
        >>> figure = tfrobust.plots.plot_sweep({"robust accuracy": curves}, "BETA")
        >>> figure.axes[0].lines[0].get_xdata().tolist()
        [1.0, 6.0]
    """
    texts = [t for curves in panels.values() for line in curves.values() for t, *_ in line]
    if not texts:
        raise UserError("No run of the sweep has ended yet, so there is nothing to draw.")
    texts = list(dict.fromkeys(texts))
    places, numeric = place_values(texts)
    height = 0.6 + 1.5 * len(panels) if len(panels) > 1 else 2.4
    figure = make_figure(height)
    drawn = figure.subplots(len(panels), 1, squeeze=False, sharex=True)[:, 0]
    for (title, curves), axes in zip(panels.items(), drawn, strict=True):
        for number, (label, points) in enumerate(curves.items()):
            ordered = sorted(points, key=lambda point: places[point[0]])
            axes.errorbar(
                [places[text] for text, *_ in ordered],
                [mean for _, mean, _ in ordered],
                yerr=[deviation for *_, deviation in ordered],
                label=label,
                capsize=3,
                **series_style(number),
            )
        _finish_axes(axes, title, places, numeric)
    has_bars = any(d for c in panels.values() for line in c.values() for *_, d in line)
    told = "\n(bars: one standard deviation over seeds)" if has_bars else ""
    drawn[-1].set_xlabel(xlabel + told)
    if any(len(curves) > 1 for curves in panels.values()):
        add_legend(drawn[0])
    _part_labels(figure, drawn[-1])
    return figure


def _part_labels(figure, axes):
    """Turns the labels of the x axis where they would overlap."""
    figure.draw_without_rendering()
    boxes = sorted((label.get_window_extent() for label in axes.get_xticklabels()), key=_find_left)
    if any(_find_left(after) < before.x1 for before, after in itertools.pairwise(boxes)):
        axes.tick_params(axis="x", rotation=45)
        for label in axes.get_xticklabels():
            label.set(horizontalalignment="right", rotation_mode="anchor")


def _find_left(box):
    return box.x0


def place_values(texts: Sequence[str]) -> tuple[dict[str, float], bool]:
    """Where each text stands on an axis, and whether that is its value; 8/255 is a number too.

    Example:
        >>> from tfrobust.plots.sweeps import place_values
        >>> place_values(["6", "3/2"]), place_values(["step", "plateau"])
        (({'6': 6.0, '3/2': 1.5}, True), ({'step': 0.0, 'plateau': 1.0}, False))
    """
    try:
        return {text: float(fractions.Fraction(text)) for text in texts}, bool(texts)
    except (ValueError, ZeroDivisionError, OverflowError):
        return {text: float(place) for place, text in enumerate(texts)}, False


def _finish_axes(axes, title, places, numeric):
    values = list(places.values())
    if numeric and min(values) > 0 and max(values) / min(values) > _WIDE:
        axes.set_xscale("log")
    # Without the rooms that references name: "Uniform()" for "@attacks.Uniform()".
    named = [re.sub(r"@(?:[\w/]+\.)*", "", text) for text in places]
    axes.set_xticks(values, [fold_name(text, max(12, 48 // len(named))) for text in named])
    axes.minorticks_off()
    axes.set_ylabel(textwrap.fill(title, 20))
    finish_axes(axes)
