"""Losses over planes, several models side by side."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D

from tfrobust.errors import UserError
from tfrobust.plots.style import COLUMN, NotebookFigure, in_column


@in_column
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
    columns = min(len(losses), 2)
    rows = -(-len(losses) // columns)
    cell = COLUMN / columns
    figure = NotebookFigure(figsize=(COLUMN, rows * 0.85 * cell + 0.3))
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
        axes.set_title(name, y=0.97)
        axes.set_xlabel("a", labelpad=-10)
        axes.set_ylabel("b", labelpad=-10)
        axes.set_zlabel("loss (nats)", fontsize=6.5, labelpad=-9)
        axes.tick_params(labelsize=6, pad=-4, width=0.5)
        axes.locator_params(nbins=3)
        axes.view_init(elev=26, azim=-55)
        axes.set_box_aspect(None, zoom=0.86)
    height = figure.get_figheight()
    figure.subplots_adjust(0.0, 0.22 / height, 0.97, 1.0 - 0.1 / height, wspace=0.06, hspace=0.12)
    # Beside the axes there is no room for it.
    told = f"a: {labels[0]}, b: {labels[1]}, in units of {unit}"
    figure.text(0.5, 0.05 / height, told, ha="center", va="bottom", fontsize=7)
    return figure
