"""Robust accuracy between what is certified and what attacks leave, against the radius."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfrobust.errors import UserError
from tfrobust.plots.style import (
    COLOURS,
    finish_radius_axes,
    in_column,
    make_figure,
    name_images,
    series_style,
)

Points = tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Bounds:
    """What is known of one classifier's robust accuracy.

    Args:
        certified: radii above 0 in rising order, in pixel units, and the accuracies in [0, 1] that are proven
            up to each of them; None without certificates.
        attacked: radii and accuracies in [0, 1] under attack; None without attacks.
        examples: number of images behind both; None if it is not known.
    """

    certified: Points | None = None
    attacked: Points | None = None
    examples: int | None = None


def find_steps(clean: np.ndarray, radii: np.ndarray) -> Points:
    """The certified accuracy at each radius at which it falls: the share of right examples proven that far.

    Args:
        clean: boolean (n,): right at the clean image.
        radii: (n,), proven radii, 0 or NaN where nothing is proven.

    Returns:
        Radii (m,) in rising order, and accuracies (m,). Empty where nothing is proven.

    Example:
        >>> from tfrobust.plots.bounds import find_steps
        >>> radii, shares = find_steps(np.array([True, True, False, True]), np.array([0.1, 0.2, 0.3, 0.0]))
        >>> radii.tolist(), shares.tolist()
        ([0.1, 0.2], [0.5, 0.25])
    """
    proven = np.where(clean, np.nan_to_num(radii), 0.0)
    places = np.unique(proven[proven > 0.0])
    return places, np.array([np.mean(proven >= place) for place in places])


def draw_certified(axes: Axes, certified: Points, colour: str, label: str) -> None:
    """Draws certified accuracy as steps: what is proven at a radius is proven at every smaller one."""
    radii, accuracy = certified
    if len(radii):
        # A step that ends where the last proof does.
        places, shares = np.r_[0.0, radii], np.r_[accuracy[:1], accuracy]
        axes.step(places, shares, where="pre", color=colour, linewidth=1.4, label=label)


@in_column
def plot_bounds(bounds: Mapping[str, Bounds], norm: str) -> Figure:
    """Draws both bounds of robust accuracy against the radius, in one colour for each classifier.

    Certified accuracy is drawn as steps up to the largest radius for which something is proven, accuracy
    under attack as a line with markers. Robust accuracy lies between the two.

    Args:
        bounds: from a name to `Bounds`.
        norm: such as "Linf".

    Returns:
        A matplotlib `Figure`.

    Raises:
        UserError: there is nothing to draw.

    Example:
        >>> from tfrobust.plots.bounds import Bounds
        >>> certified = np.array([0.05, 0.1]), np.array([0.8, 0.6])
        >>> attacked = np.array([0.0, 0.1]), np.array([0.9, 0.7])
        >>> figure = tfrobust.plots.plot_bounds({"IBP": Bounds(certified, attacked)}, "Linf")
        >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        ['IBP, certified', 'IBP, attacked']
    """
    if not bounds:
        raise UserError("There is no certified and no attacked accuracy to draw.")
    figure = make_figure(2.6)
    axes = figure.subplots()
    labels, images = name_images({name: found.examples for name, found in bounds.items()})
    for number, (name, found) in enumerate(bounds.items()):
        name = labels[name]
        colour = COLOURS[number % len(COLOURS)]
        if found.certified is not None:
            draw_certified(axes, found.certified, colour, f"{name}, certified")
        if found.attacked is not None:
            order = np.argsort(found.attacked[0])
            look = series_style(number) | {"linestyle": ":", "linewidth": 1.0}
            axes.plot(
                found.attacked[0][order],
                found.attacked[1][order],
                label=f"{name}, attacked",
                **look,
            )
    finish_radius_axes(axes, norm, images)
    return figure
