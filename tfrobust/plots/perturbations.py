"""Clean and adversarial images with what the classifier says of them."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from tfrobust.errors import UserError
from tfrobust.plots.style import PAGE


def plot_perturbations(
    clean: np.ndarray,
    adversarial: np.ndarray,
    before: Sequence[str],
    after: Sequence[str],
    radius: float,
) -> Figure:
    """Draws a column for each image: clean, adversarial, and the perturbation, scaled.

    Middle grey is no change; black and white are minus and plus the radius, or the largest change where that
    is more, as in L2.

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
    largest = max(radius, float(np.abs(change).max()), 1e-12)
    width = min(PAGE, 1.1 * len(clean) + 0.5)
    height = 3 * (width - 0.5) / len(clean) + 0.55
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(3, len(clean), squeeze=False)
    rows = (clean, adversarial, 0.5 + 0.5 * change / largest)
    names = ("clean", "adversarial", f"perturbation\n±{largest:.2g}")
    for row, (images, name) in enumerate(zip(rows, names, strict=True)):
        for column, image in enumerate(images):
            cell = axes[row, column]
            shown = image[..., 0] if image.shape[-1] == 1 else image
            cell.imshow(np.clip(shown, 0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            cell.set_xticks([])
            cell.set_yticks([])
            if row < 2:
                cell.set_title((before, after)[row][column], fontsize=7, pad=2)
        axes[row, 0].set_ylabel(name, fontsize=7)
    return figure
