"""Clean and adversarial images with what the classifier says of them."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from tfrobust.errors import UserError
from tfrobust.plots.style import COLUMN, NotebookFigure, fold_name, in_column

# Of images beside each other.
_COLUMNS = 4
# Letters of a line above an image, and inches that each further line takes.
_LETTERS, _LINE = 12, 0.12


@in_column
def plot_perturbations(
    clean: np.ndarray,
    adversarial: np.ndarray,
    before: Sequence[str],
    after: Sequence[str],
    radius: float,
) -> Figure:
    """Draws each image three times, below each other: clean, adversarial, and the change, scaled.

    Middle grey is no change; black and white are minus and plus the radius, or the largest change where that
    is more, or less than half as in L2. The figure says which.

    Args:
        clean, adversarial: (n, h, w, c), float in [0, 1], with 1 or 3 channels.
        before, after: the predictions for both, n texts each.
        radius: of the threat model, in pixel units.

    Returns:
        A matplotlib `Figure`.

    Raises:
        UserError: there is no image, or not 1 or 3 channels.

    Example:
        >>> images = np.zeros((2, 8, 8, 1))
        >>> figure = tfrobust.plots.plot_perturbations(images, images + 0.1, ["3", "1"], ["8", "1"], 0.1)
        >>> len(figure.axes)
        6
    """
    if not len(clean):
        raise UserError("Give at least one image: there is nothing to draw.")
    if clean.shape[-1] not in (1, 3):
        raise UserError(
            f"Images of {clean.shape[-1]} channels cannot be shown. Give grey or RGB images."
        )
    change = adversarial - clean
    largest = float(np.abs(change).max())
    shown_as = largest if largest > radius or 0 < largest < radius / 2 else max(radius, 1e-12)
    titles = [[fold_name(text, _LETTERS) for text in texts] for texts in (before, after)]
    lines = sum(max(text.count("\n") for text in texts) for texts in titles)
    columns = min(len(clean), _COLUMNS)
    blocks = -(-len(clean) // columns)
    cell = (COLUMN - 0.35) / _COLUMNS
    size = (0.35 + cell * columns, blocks * (3 * cell + 0.4 + _LINE * lines) + 0.1)
    layout = ConstrainedLayoutEngine(w_pad=0.01, h_pad=0.01, wspace=0.02, hspace=0.02)
    figure = NotebookFigure(figsize=size, layout=layout)
    axes = figure.subplots(3 * blocks, columns, squeeze=False)
    rows = (clean, adversarial, 0.5 + 0.5 * change / shown_as)
    names = ("clean", "adversarial", f"change\n±{shown_as:.2g}")
    for place in range(blocks * columns):
        block, column = divmod(place, columns)
        for row, images in enumerate(rows):
            cell_axes = axes[3 * block + row, column]
            if place >= len(clean):
                cell_axes.set_axis_off()
                continue
            image = images[place]
            shown = image[..., 0] if image.shape[-1] == 1 else image
            cell_axes.imshow(
                np.clip(shown, 0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest"
            )
            cell_axes.set(xticks=[], yticks=[])
            if row < 2:
                cell_axes.set_title(titles[row][place], fontsize=7, pad=2)
            if column == 0:
                cell_axes.set_ylabel(names[row], fontsize=7)
    return figure
