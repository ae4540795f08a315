"""Numbers of runs against epochs, with collapses marked."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tfrobust.plots.style import add_legend, finish_axes, in_column, make_figure, series_style

# A fall of robust accuracy below its best that counts as a collapse, at once or little by little.
FALL = 0.2


@in_column
def plot_epochs(
    runs: Mapping[str, Sequence[Mapping[str, Any]]],
    panels: Mapping[str, str],
    collapse: str | None = None,
) -> Figure:
    """Draws a panel for each quantity, one below the other, and a line for each run.

    Args:
        runs: from a run's name to its rows, dicts with "epoch", from 0, and numbers.
        panels: from what a panel shows, with its unit, to the key of the rows.
        collapse: key of an accuracy; the first epoch in which it is more than 0.2 below its best is
            marked in all panels by a cross. None for no marks.

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
    for axes, (title, key) in zip(drawn, panels.items(), strict=True):
        for number, (name, rows) in enumerate(runs.items()):
            points = [(row["epoch"] + 1, row[key]) for row in rows if row.get(key) is not None]
            if not points:
                continue
            look = series_style(number) | {"markevery": max(1, len(points) // 8)}
            axes.plot(*zip(*points, strict=True), label=name, **look)
            marked = [point for point in points if point[0] in _find_collapses(rows, collapse)]
            if marked:
                axes.plot(
                    *zip(*marked, strict=True),
                    linestyle="none",
                    marker="x",
                    color="black",
                    markersize=8,
                    label="_" if "collapse" in axes.get_legend_handles_labels()[1] else "collapse",
                )
        axes.set_ylabel(textwrap.fill(title, 20))
        finish_axes(axes, percent="accuracy" in key)
    drawn[-1].set_xlabel("epoch")
    drawn[-1].xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if len(drawn[0].get_legend_handles_labels()[1]) > 1:
        add_legend(drawn[0])
    return figure


def _find_collapses(rows, key):
    """Numbers of epochs, from 1, in which `key` is for the first time more than `FALL` below its best."""
    found, best, fallen = set(), None, False
    for row in rows:
        value = None if key is None else row.get(key)
        if value is None:
            continue
        if best is None or value > best:
            best, fallen = value, False
        elif value < best - FALL and not fallen:
            found.add(row["epoch"] + 1)
            fallen = True
    return found
