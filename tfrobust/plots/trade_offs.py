"""Accuracy against robustness."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from tfrobust.errors import UserError
from tfrobust.plots.style import (
    add_legend,
    finish_axes,
    in_column,
    make_figure,
    series_style,
    show_percent,
)

STAR = "largest of its line, not tested"


@in_column
def plot_trade_off(
    lines: Mapping[str, Sequence[tuple[str, float, float]]], robust: str = "robust accuracy"
) -> Figure:
    """Draws clean against robust accuracy, a line for each method.

    A star marks the point of the largest robust accuracy of each line, as in figure 1 of FAIT's paper, and
    the legend says so. It is no test: the next point may not be told apart from it.

    Args:
        lines: from a method's name to its points (label, clean, robust), accuracies in [0, 1], in the order
            of what was changed; methods with one point have no star.
        robust: what the y axis shows, such as "AutoAttack accuracy".

    Returns:
        A matplotlib `Figure`.

    Raises:
        UserError: there is no point.

    Example:
        >>> figure = tfrobust.plots.plot_trade_off({"TRADES": [("3", 0.84, 0.47), ("6", 0.81, 0.48)]})
        >>> star = figure.axes[0].lines[-1]
        >>> print(star.get_xdata()[0], star.get_ydata()[0])
        0.81 0.48
    """
    if not any(lines.values()):
        raise UserError("There is no result with clean and robust accuracy to draw.")
    figure = make_figure(2.9)
    axes, stars = figure.subplots(), []
    for number, (name, points) in enumerate(lines.items()):
        look = series_style(number)
        clean, attacked = ([point[place] for point in points] for place in (1, 2))
        axes.plot(clean, attacked, label=name, **look)
        for label, x, y in points:
            axes.annotate(
                label,
                (x, y),
                textcoords="offset points",
                xytext=(5, 4),
                fontsize=6.5,
                color=look["color"],
                path_effects=[withStroke(linewidth=1.5, foreground="white")],
            )
        # A single point has the marker by which the legend knows it.
        if len(points) > 1:
            _, x, y = max(points, key=lambda point: point[2])
            star: dict[str, Any] = {"marker": "*", "markersize": 11, "markeredgecolor": "black"}
            stars += axes.plot(
                x, y, color=look["color"], markeredgewidth=0.6, linestyle="none", **star
            )
    if stars:
        stars[-1].set_label(STAR)
    axes.set_xlabel("clean accuracy")
    axes.set_ylabel(textwrap.fill(robust, 30))
    finish_axes(axes)
    show_percent(axes.xaxis)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.margins(0.12)
    add_legend(axes)
    return figure
