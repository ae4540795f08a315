"""Figures as part of a page, in the colours of the page."""

import html
import io
import re

import matplotlib

# matplotlib wants colours; the page has variables for light and dark. These stand for them meanwhile.
_STAND_INS = {"#010203": "var(--ink)", "#040506": "var(--line)"}
_INK, _LINE = _STAND_INS
STYLE = {
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


def inline_svg(draw, name, description):
    """An `<svg>` element that scales with the page and takes its colours; None if nothing is drawn.

    Args:
        draw: function without arguments that returns a `Figure` or None.
        name: a word that no other figure of the page has, put before all names within.
        description: for those who do not see it.
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
    box = re.search(r'viewBox="[^"]*"', text).group()
    head = f'<svg {box} role="img" aria-label="{html.escape(description)}">'
    return head + text[text.index(">") + 1 :]
