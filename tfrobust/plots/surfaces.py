"""Losses over planes, several models side by side."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D

from tfrobust.errors import UserError
from tfrobust.plots.style import COLUMN, NotebookFigure, fold_name, in_column

# Letters of a title in an inch, and the height of each further line of it.
_LETTERS, _LINE = 13, 0.15
# Between columns and between rows, in shares of axes.
_GAPS = 0.06, 0.12
# Inches below and above all axes.
_BELOW, _ABOVE = 0.22, 0.1


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
        UserError: no model was given, or there is no finite loss.

    Example:
        >>> places = np.linspace(-1, 1, 3)
        >>> losses = {"natural": places[:, None] ** 2 + places**2}
        >>> figure = tfrobust.plots.plot_surfaces(losses, places, ("gradient", "random"), "epsilon")
        >>> [axes.get_title() for axes in figure.axes]
        ['natural']
    """
    if not losses:
        raise UserError("Give one or more models: there is nothing to draw.")
    finite = np.concatenate([values[np.isfinite(values)] for values in losses.values()])
    if not finite.size:
        raise UserError("No loss is finite: there is nothing to draw.")
    names = [fold_name(name, int(_LETTERS * COLUMN / min(len(losses), 2))) for name in losses]
    height, boxes = _lay_out(len(names), _LINE * max(name.count("\n") for name in names))
    figure = NotebookFigure(figsize=(COLUMN, height))
    top, low = float(finite.max()), min(0.0, float(finite.min()))
    # Beside the axes there is room for three digits.
    power = math.floor(math.log10(top)) if top > 0 and not 0.1 <= top < 1000 else 0
    unit_of_loss = f"1e{power} nats" if power else "nats"
    first, second = np.meshgrid(places, places, indexing="ij")
    for name, box, values in zip(names, boxes, losses.values(), strict=True):
        axes: Axes3D = figure.add_axes(box, projection="3d")
        axes.plot_surface(
            first,
            second,
            np.where(np.isfinite(values), values, np.nan) / 10.0**power,
            cmap="cividis",
            vmin=low / 10.0**power,
            vmax=top / 10.0**power,
            linewidth=0,
            rcount=60,
            ccount=60,
        )
        axes.set_zlim(low / 10.0**power, top / 10.0**power if top > low else low + 1.0)
        axes.set_title(name, y=0.97)
        axes.set_xlabel("a", labelpad=-10)
        axes.set_ylabel("b", labelpad=-10)
        axes.set_zlabel(f"loss ({unit_of_loss})", fontsize=6.5, labelpad=-9)
        axes.tick_params(labelsize=6, pad=-4, width=0.5)
        axes.locator_params(nbins=3)
        axes.view_init(elev=26, azim=-55)
        axes.set_box_aspect(None, zoom=0.86)
    # Beside the axes there is no room for it.
    told = f"a: {labels[0]}, b: {labels[1]}, in units of {unit}"
    figure.text(0.5, 0.05 / height, told, ha="center", va="bottom", fontsize=7)
    return figure


def _lay_out(count, titles):
    """The figure's height in inches and the box of each model as (left, bottom, width, height), shares of it.

    Args:
        count: of models.
        titles: inches above each box, beyond the first line of its title.
    """
    columns = min(count, 2)
    rows = -(-count // columns)
    wide = 0.97 * COLUMN / (columns + _GAPS[0] * (columns - 1))
    tall = (rows * 0.85 * COLUMN / columns - 0.02) / (rows + _GAPS[1] * (rows - 1))
    pitch = (1 + _GAPS[1]) * tall + titles
    height = _BELOW + rows * pitch - _GAPS[1] * tall + _ABOVE
    boxes = []
    for row, column in (divmod(number, columns) for number in range(count)):
        left, bottom = column * (1 + _GAPS[0]) * wide, height - _ABOVE - titles - row * pitch - tall
        boxes.append((left / COLUMN, bottom / height, wide / COLUMN, tall / height))
    return height, boxes
