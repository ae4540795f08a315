"""Numbers of runs against epochs, with collapses marked."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tfrobust.plots.style import COLUMN, add_legend, finish_axes, in_column, series_style

# A fall of robust accuracy between two epochs that counts as a collapse.
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
        collapse: key of an accuracy; an epoch in which it falls by more than 0.2 is marked in all panels
            by a cross. None for no marks.

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
    figure = Figure(figsize=(COLUMN, height), layout="constrained")
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
    """Numbers of epochs, from 1, in which `key` is more than `FALL` below the epoch before."""
    if key is None:
        return set()
    values = [(row["epoch"] + 1, row.get(key)) for row in rows]
    pairs = zip(values[:-1], values[1:], strict=True)
    return {n for (_, a), (n, b) in pairs if a is not None and b is not None and b < a - FALL}
