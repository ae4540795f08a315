"""Figures as part of an HTML page, in the colours of the page."""

import html
import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib
from matplotlib.figure import Figure

# matplotlib takes colours, and the page has variables for light and dark themes: each of these colours is
# replaced by its variable afterwards.
_STAND_INS = {"#010203": "var(--ink)", "#040506": "var(--line)"}
_INK, _LINE = _STAND_INS
STYLE: dict[Any, str] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tfrobust",
    "font.family": "sans-serif",
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _INK,
    "axes.titlecolor": _INK,
    "text.color": _INK,
    "xtick.color": _LINE,
    "ytick.color": _LINE,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "grid.color": _LINE,
    "legend.labelcolor": _INK,
}


def inline_svg(draw: Callable[[], Figure | None], name: str, description: str) -> str | None:
    """Draws a figure as an `<svg>` element that scales with the page and uses its colours.

    Args:
        draw: function without arguments that returns a `Figure`, or None for no figure.
        name: a word that no other figure of the page has; all identifiers in the element begin with it.
        description: read aloud by screen readers.

    Returns:
        The element, the same text for the same figure; None if there is no figure.

    Example:
        >>> svg = inline_svg(Figure, "empty", "an empty figure")
        >>> svg[svg.index("role"):svg.index(">")]
        'role="img" aria-label="an empty figure"'
    """
    with matplotlib.rc_context(STYLE):
        figure = draw()
        if figure is None:
            return None
        content = io.StringIO()
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None})
    text = content.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    for colour, variable in _STAND_INS.items():
        text = text.replace(colour, variable)
    text = text.replace("xlink:href=", "href=")
    text = re.sub(r"font-family: [^;\"]*", "font-family: inherit", text)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
    box = re.findall(r'viewBox="[^"]*"', text)[0]
    head = f'<svg {box} role="img" aria-label="{html.escape(description)}">'
    return head + text[text.index(">") + 1 :]
