"""Numbers of runs against epochs, with collapses marked."""

import math
import textwrap
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tfrobust.plots.style import add_legend, finish_axes, in_column, make_figure, series_style

# Falls of robust accuracy below its best that count as a collapse, at once or little by little: this much,
# or most of it where the best is little, but never what is validation's noise.
FALL, SHARE, NOISE = 0.2, 0.75, 0.1

# Beyond this ratio of the largest to the smallest value an axis may be logarithmic.
_WIDE = 100

_MARK = "collapse"


@in_column
def plot_epochs(
    runs: Mapping[str, Sequence[Mapping[str, Any]]],
    panels: Mapping[str, str],
    collapse: str | None = None,
    wide: Collection[str] = (),
) -> Figure:
    """Draws a panel for each quantity, one below the other, and a line for each run.

    Args:
        runs: from a run's name to its rows, dicts with "epoch", from 0, and numbers.
        panels: from what a panel shows, with its unit, to the key of the rows.
        collapse: key of an accuracy; the first epoch in which it is more than 0.2 below its best, or more
            than 0.1 and below a quarter of it, is marked in all panels by a cross. None for no marks.
        wide: keys of positive quantities, whose axes are logarithmic where they differ by a factor of more
            than 100.

    Returns:
        A matplotlib `Figure`.

    Example:
        >>> rows = [{"epoch": 0, "val_robust_accuracy": 0.6}, {"epoch": 1, "val_robust_accuracy": 0.1}]
        >>> figure = tfrobust.plots.plot_epochs(
        ...     {"run": rows}, {"robust": "val_robust_accuracy"}, "val_robust_accuracy")
        >>> [line.get_xdata().tolist() for line in figure.axes[0].lines]
        [[1, 2], [2]]
    """
    height = 0.6 + 1.35 * len(panels) if len(panels) > 1 else 2.4
    figure = make_figure(height)
    drawn = figure.subplots(len(panels), 1, squeeze=False, sharex=True)[:, 0]
    series: dict[str, Any] = {}
    for axes, (title, key) in zip(drawn, panels.items(), strict=True):
        for number, (name, rows) in enumerate(runs.items()):
            points = [(row["epoch"] + 1, row[key]) for row in rows if row.get(key) is not None]
            if not points:
                continue
            look = series_style(number) | {"markevery": max(1, len(points) // 8)}
            (series[name],) = axes.plot(*zip(*points, strict=True), **look)
            marked = [point for point in points if point[0] in _find_collapses(rows, collapse)]
            if marked:
                cross: dict[str, Any] = {"marker": "x", "color": "black", "markersize": 8}
                (series[_MARK],) = axes.plot(
                    *zip(*marked, strict=True), linestyle="none", zorder=3, **cross
                )
        axes.set_ylabel(textwrap.fill(title, 20))
        finish_axes(axes, percent="accuracy" in key)
        values = [row[key] for rows in runs.values() for row in rows if row.get(key) is not None]
        if key in wide and values and min(values) > 0 and max(values) > _WIDE * min(values):
            axes.set_yscale("log")
    drawn[-1].set_xlabel("epoch")
    drawn[-1].xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if len(series) > 1:
        # A run may be missing from any one of the panels.
        add_legend(drawn[0], series={n: series[n] for n in (*runs, _MARK) if n in series})
    return figure


def _find_collapses(rows, key):
    """Numbers of epochs, from 1, in which `key` is for the first time so far below its best."""
    found, best, fallen = set(), None, False
    for row in rows:
        value = None if key is None else row.get(key)
        if value is None or math.isnan(value):
            continue
        if best is None or value > best:
            best, fallen = value, False
        elif not fallen and best - value > min(FALL, max(NOISE, SHARE * best)):
            found.add(row["epoch"] + 1)
            fallen = True
    return found
