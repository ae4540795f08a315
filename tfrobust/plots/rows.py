"""Clean and robust accuracy of the rows of a table, a point each."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tfrobust.errors import UserError
from tfrobust.plots.style import (
    add_legend,
    finish_axes,
    in_column,
    make_figure,
    point_style,
    show_percent,
)

Spread = tuple[float, float, float]
"""An accuracy between the ends of its bar: (low, accuracy, high), in [0, 1]."""


@in_column
def plot_rows(
    rows: Mapping[str, tuple[Spread, Spread]], robust: str = "robust accuracy", bars: str = ""
) -> Figure:
    """Draws clean against robust accuracy, a point with bars for each row of a table.

    Args:
        rows: from a row's name to its clean and its robust accuracy, each (low, accuracy, high).
        robust: what the y axis shows, such as "AutoAttack accuracy, Linf 8/255".
        bars: what the bars are, a line below the x axis; none if empty.

    Returns:
        A matplotlib `Figure`.

    Raises:
        UserError: there is no row.

    Example:
        >>> rows = {"TRADES": ((0.80, 0.81, 0.82), (0.47, 0.48, 0.50))}
        >>> figure = tfrobust.plots.plot_rows(rows, bars="95 % intervals")
        >>> print(figure.axes[0].get_xlabel())
        clean accuracy
        (bars: 95 % intervals)
    """
    if not rows:
        raise UserError("There is no result with clean and robust accuracy to draw.")
    figure = make_figure(2.9)
    axes = figure.subplots()
    for number, (name, spreads) in enumerate(rows.items()):
        look = point_style(number)
        (x, xerr), (y, yerr) = (
            (middle, [[middle - low], [high - middle]]) for low, middle, high in spreads
        )
        axes.errorbar(x, y, xerr=xerr, yerr=yerr, label=name, elinewidth=0.6, capsize=1.5, **look)
    axes.set_xlabel("clean accuracy" + (f"\n(bars: {bars})" if bars else ""))
    axes.set_ylabel(robust)
    finish_axes(axes)
    show_percent(axes.xaxis)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.margins(0.08)
    add_legend(axes, line=1.2)
    return figure
