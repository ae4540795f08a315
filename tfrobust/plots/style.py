"""How series look: a colour, a marker and a kind of line each, so that none of the three is needed."""

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tfrobust.plots.pixels import encode_figure

# Of Okabe and Ito: told apart with all common kinds of colour vision, on white and on black.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_MARKERS = "os^DvPX"
_FILLS = ("full", "none", "left", "bottom")
_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
HATCHES = ("", "//", "..", "xx")

COLUMN, PAGE = 3.3, 7.0
"""Widths in inches of one column of a paper, and of its text."""

# Inches that the y axis with its labels takes, which a legend above the axes does not have.
_Y_AXIS = 0.7
# Inches of a legend of two lines, for which figures have room.
_TWO_LINES = 0.32
# Columns of a legend, at most, and letters of a line that one column of a paper has room for.
_COLUMNS, _LETTERS = 6, 34
# Of type in a column of a paper, in points.
_TYPE: dict[Any, float] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "axes.linewidth": 0.6,
    "grid.linewidth": 0.5,
}

Given = ParamSpec("Given")


class NotebookFigure(Figure):
    """A matplotlib `Figure` that a notebook shows at the end of a cell, without `%matplotlib inline`.

    Example:
        >>> from tfrobust.plots.style import NotebookFigure
        >>> NotebookFigure((1.0, 1.0))._repr_png_()[1:4]
        b'PNG'
    """

    def _repr_png_(self) -> bytes:
        """What IPython asks an object for."""
        return encode_figure(self, "png", dpi=150)


def make_figure(height: float, width: float = COLUMN) -> NotebookFigure:
    """An empty figure, one column wide unless told otherwise; sizes are in inches.

    Example:
        >>> from tfrobust.plots.style import make_figure
        >>> make_figure(2.5).get_size_inches().tolist()
        [3.3, 2.5]
    """
    return NotebookFigure(figsize=(width, height), layout="constrained")


def in_column(draw: Callable[Given, Figure]) -> Callable[Given, Figure]:
    """A function that draws a figure, with type that is read at the width of one column."""

    @functools.wraps(draw)
    def drawn(*arguments: Given.args, **options: Given.kwargs) -> Figure:
        with matplotlib.rc_context(_TYPE):
            return draw(*arguments, **options)

    return drawn


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


def point_style(number: int) -> dict[str, Any]:
    """The look of point `number`, from 0, told by its marker and how that is filled, without a line.

    Example:
        >>> from tfrobust.plots.style import point_style
        >>> point_style(7)["marker"], point_style(7)["fillstyle"]
        ('o', 'none')
    """
    fill = _FILLS[number // len(_MARKERS) % len(_FILLS)]
    return series_style(number) | {"linestyle": "none", "fillstyle": fill}


def finish_axes(axes: Axes, percent: bool = True) -> None:
    """What all figures share: a light grid behind, no frame above and to the right, percent on the y axis."""
    axes.grid(alpha=0.3, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=7, width=0.6, length=2.5, pad=2)
    if percent:
        show_percent(axes.yaxis)


def show_percent(axis: Axis) -> None:
    """Labels an axis of shares in [0, 1] in percent, with no more digits than they need.

    Example:
        >>> axes = Figure().subplots()
        >>> show_percent(axes.yaxis)
        >>> [axes.yaxis.get_major_formatter()(share) for share in (0.5, 0.975, 1.0)]
        ['50 %', '97.5 %', '100 %']
    """
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{round(100 * share, 6):g} %"))


def name_images(counts: Mapping[str, int | None]) -> tuple[dict[str, str], str]:
    """How a figure says of how many images its series are.

    Args:
        counts: from the name of a series to the number of its images; None where it is not known.

    Returns:
        From each name to its label, and what the axis of the figure says for all of them, which may be empty.

    Example:
        >>> from tfrobust.plots.style import name_images
        >>> name_images({"a": 256, "b": 256})
        ({'a': 'a', 'b': 'b'}, '256 images')
        >>> name_images({"a": 30, "b": 256})
        ({'a': 'a, 30 images', 'b': 'b, 256 images'}, '')
    """
    known = set(counts.values())
    if len(known) == 1:
        (count,) = known
        return dict(zip(counts, counts, strict=True)), f"{count} images" if count else ""
    return {n: f"{n}, {count} images" if count else n for n, count in counts.items()}, ""


def fold_name(name: str, letters: int) -> str:
    """A name in lines of at most so many letters, broken after what parts its words if there is such a place.

    Example:
        >>> from tfrobust.plots.style import fold_name
        >>> print(fold_name("trades_one_step/seed_0", 16))
        trades_one_step/
        seed_0
    """
    lines = [""]
    for part in re.findall(r"[^ _/,=-]*[ _/,=-]*", name.replace(" %", "\N{NO-BREAK SPACE}%")):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > letters:
            lines.append("")
        lines[-1] += part
        while len(lines[-1].rstrip()) > letters:
            lines[-1:] = [lines[-1][:letters], lines[-1][letters:]]
    return "\n".join(line.strip() for line in lines).replace("\N{NO-BREAK SPACE}", " ")


def finish_radius_axes(axes: Axes, norm: str, told: str, accuracy: str = "accuracy") -> None:
    """The axes of accuracy against the radius, with the legend.

    Args:
        axes: with its curves.
        norm: such as "Linf".
        told: what the figure says of its curves, below the x axis; nothing if empty.
        accuracy: what the y axis shows.

    Example:
        >>> from tfrobust.plots.style import finish_radius_axes
        >>> axes = Figure().subplots()
        >>> finish_radius_axes(axes, "L2", "256 images")
        >>> print(axes.get_xlabel())
        L2 radius (pixels in [0, 1])
        (256 images)
    """
    axes.set_xlabel(f"{norm} radius (pixels in [0, 1])" + (f"\n({told})" if told else ""))
    axes.set(ylabel=accuracy, ylim=(0, 1), xlim=(0, None))
    finish_axes(axes)
    add_legend(axes)


def add_legend(axes: Axes, line: float = 3.2, series: Mapping[str, Artist] | None = None) -> None:
    """A legend above the axes, where it hides nothing, in as many columns as there is room for.

    Args:
        axes: whose series have labels.
        line: the length of a line with its marker, in letters' heights.
        series: what the legend is of, by their labels; None for those of the axes.
    """
    figure, (handles, labels) = axes.get_figure(root=True), axes.get_legend_handles_labels()
    if series is not None:
        handles, labels = list(series.values()), list(series)
    if not labels or figure is None:
        return
    labels = [fold_name(label, _LETTERS) for label in labels]
    room = (figure.get_size_inches()[0] - _Y_AXIS) * figure.dpi
    for columns in range(min(len(labels), _COLUMNS), 0, -1):
        legend = axes.legend(
            handles,
            labels,
            loc="lower left",
            bbox_to_anchor=(0.0, 1.0),
            ncols=columns,
            frameon=False,
            borderpad=0.2,
            borderaxespad=0.2,
            columnspacing=1.2,
            handlelength=line,
        )
        if legend.get_window_extent().width <= room:
            break
    # What the legend takes beyond two lines, the axes don't lose.
    width, height = figure.get_size_inches()
    lines = legend.get_window_extent().height / figure.dpi
    figure.set_size_inches(width, height + max(0.0, lines - _TWO_LINES))
