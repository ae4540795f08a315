"""How a number of each image is spread, several models in one picture."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from tfrobust.errors import UserError
from tfrobust.plots.style import add_legend, finish_axes, in_column, make_figure, series_style


@in_column
def plot_histograms(values: Mapping[str, np.ndarray], xlabel: str, bins: int = 30) -> Figure:
    """Draws the share of images against their value, a line for each model and the same bins for all.

    Args:
        values: from a model's name to its values, (n,).
        xlabel: what they are, with their unit.
        bins: how many.

    Returns:
        A matplotlib `Figure`.

    Raises:
        UserError: there are no values.

    Example:
        >>> figure = tfrobust.plots.plot_histograms({"natural": np.array([0.0, 1.0, 1.0])}, "gamma", bins=2)
        >>> figure.axes[0].lines[0].get_ydata().round(2).tolist()
        [0.33, 0.67, 0.67]
    """
    found = [v[np.isfinite(v)] for v in map(np.asarray, values.values())]
    if not found or not sum(map(len, found)):
        raise UserError("Give one or more models with values: there is nothing to draw.")
    edges = np.histogram_bin_edges(np.concatenate(found), bins)
    figure = make_figure(2.6)
    axes = figure.subplots()
    for number, (name, finite) in enumerate(zip(values, found, strict=True)):
        counts, _ = np.histogram(finite, edges)
        shares = counts / max(1, len(finite))
        look = series_style(number) | {"markevery": max(1, bins // 8)}
        heights = [*shares, shares[-1]]
        axes.plot(edges, heights, drawstyle="steps-post", label=name, **look)
    axes.set(xlabel=xlabel, ylabel="share of images", ylim=(0, None))
    finish_axes(axes)
    add_legend(axes)
    return figure
