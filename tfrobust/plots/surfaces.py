"""Losses over planes, several models side by side."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D

from tfrobust.errors import UserError
from tfrobust.plots.style import COLUMN, PAGE


def plot_surfaces(
    losses: Mapping[str, np.ndarray], places: np.ndarray, labels: tuple[str, str], unit: str
) -> Figure:
    """Draws the loss over a plane as a surface, one for each model, with the same scale.

    Args:
        losses: from a model's name to its losses (n, n), the first direction along the first axis.
        places: coordinates along both directions, (n,).
        labels: names of the first and of the second direction.
        unit: of the coordinates.

    Returns:
        A matplotlib `Figure`.

    Raises:
        UserError: no model was given.

    Example:
        >>> places = np.linspace(-1, 1, 3)
        >>> losses = {"natural": places[:, None] ** 2 + places**2}
        >>> figure = tfrobust.plots.plot_surfaces(losses, places, ("gradient", "random"), "epsilon")
        >>> [axes.get_title() for axes in figure.axes]
        ['natural']
    """
    if not losses:
        raise UserError("Give one or more models: there is nothing to draw.")
    columns = min(len(losses), 3)
    rows = -(-len(losses) // columns)
    width = COLUMN if columns == 1 else PAGE
    height = 0.92 * width / columns
    figure = Figure(figsize=(width, height * rows))
    top = max(float(np.nanmax(values)) for values in losses.values())
    low = min(0.0, *(float(np.nanmin(values)) for values in losses.values()))
    first, second = np.meshgrid(places, places, indexing="ij")
    for number, (name, values) in enumerate(losses.items()):
        axes: Axes3D = figure.add_subplot(rows, columns, number + 1, projection="3d")
        axes.plot_surface(
            first,
            second,
            values,
            cmap="cividis",
            vmin=low,
            vmax=top,
            linewidth=0,
            rcount=60,
            ccount=60,
        )
        axes.set_zlim(low, top if top > low else low + 1.0)
        axes.set_title(name, fontsize=9, y=0.98)
        axes.set_xlabel(f"{labels[0]} ({unit})", fontsize=7, labelpad=-6)
        axes.set_ylabel(f"{labels[1]} ({unit})", fontsize=7, labelpad=-6)
        axes.set_zlabel("loss (nats)", fontsize=7, labelpad=-6)
        axes.tick_params(labelsize=6, pad=-3)
        axes.locator_params(nbins=5)
        axes.view_init(elev=28, azim=-55)
    figure.subplots_adjust(0.02, 0.06, 0.94, 0.96, wspace=0.22, hspace=0.18)
    return figure
