"""Robust accuracy against the radius."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from tfrobust.errors import UserError
from tfrobust.plots.style import (
    finish_radius_axes,
    in_column,
    make_figure,
    name_images,
    series_style,
)


@in_column
def plot_epsilon_curves(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    norm: str,
    radius: float | None = None,
    examples: Mapping[str, int] | None = None,
    intervals: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
    attack: str = "",
) -> Figure:
    """Draws accuracy against the radius of the attack, a line for each classifier.

    Args:
        curves: from a name to radii in pixel units and accuracies in [0, 1].
        norm: such as "Linf".
        radius: of the evaluation, marked by a line; None for no mark.
        examples: from a name to the number of images behind its curve, which the figure says.
        intervals: from a name to the ends (low, high) of the 95 % intervals of its accuracies, in the order
            of its radii, which the figure shades.
        attack: what the curves are under, which the y axis says; nothing if empty.

    Returns:
        A matplotlib `Figure`.

    Raises:
        UserError: there is no curve.

    Example:
        >>> curves = {"TRADES": (np.array([0.0, 0.1]), np.array([0.9, 0.5]))}
        >>> tfrobust.plots.plot_epsilon_curves(curves, "Linf").axes[0].get_xlabel()
        'Linf radius (pixels in [0, 1])'
    """
    if not curves:
        raise UserError("There is no curve of accuracy against the radius to draw.")
    figure = make_figure(2.6)
    axes = figure.subplots()
    labels, images = name_images({name: (examples or {}).get(name) for name in curves})
    for number, (name, (radii, accuracy)) in enumerate(curves.items()):
        order = np.argsort(radii)
        places, heights = np.asarray(radii)[order], np.asarray(accuracy)[order]
        look = series_style(number)
        axes.plot(places, heights, label=labels[name], **look)
        if intervals and name in intervals:
            low, high = (np.asarray(ends)[order] for ends in intervals[name])
            axes.fill_between(places, low, high, color=look["color"], alpha=0.15, linewidth=0)
    if radius is not None:
        axes.axvline(
            radius,
            color="gray",
            linestyle=(0, (1, 1)),
            linewidth=1,
            label="radius of the evaluation",
        )
    told = ", ".join(filter(None, (images, "95 % intervals" if intervals else "")))
    finish_radius_axes(axes, norm, told, f"accuracy under {attack}" if attack else "accuracy")
    return figure
