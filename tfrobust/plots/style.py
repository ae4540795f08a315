"""How series look: a colour, a marker and a kind of line each, so that none of the three is needed."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

# Of Okabe and Ito: told apart with all common kinds of colour vision, on white and on black.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_MARKERS = "os^DvPX"
_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
HATCHES = ("", "//", "..", "xx")

COLUMN, PAGE = 3.5, 7.0
"""Widths in inches of one column of a paper, and of its text."""


def series_style(number: int) -> dict[str, Any]:
    """The look of series `number`, from 0, as arguments of `Axes.plot`.

    Example:
        >>> from tfrobust.plots.style import series_style
        >>> series_style(1)["color"], series_style(1)["marker"], series_style(1)["linestyle"]
        ('#D55E00', 's', '--')
    """
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": _MARKERS[number % len(_MARKERS)],
        "linestyle": _LINES[number % len(_LINES)],
        "markersize": 4,
        "linewidth": 1.4,
    }


def finish_axes(axes: Axes, percent: bool = True) -> None:
    """What all figures share: a light grid behind, no frame above and to the right, percent on the y axis."""
    axes.grid(alpha=0.3, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
