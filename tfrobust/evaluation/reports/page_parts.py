"""Pieces of a page: text that is safe in it, numbers, tables."""

import base64
import html
import re


def safe(value):
    """Text as it may stand in a page; a dash for None."""
    return "-" if value is None else html.escape(str(value))


def sentence(value):
    """Text in which what stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", safe(value))


def level(word):
    """A level or a state, coloured."""
    return f'<span class="level {safe(word).replace(" ", "-")}">{safe(word)}</span>'


def table(head, rows, texts=()):
    """A table that scrolls on narrow screens.

    Args:
        head: titles of the columns.
        rows: cells; what is not made here goes through `safe` first.
        texts: numbers of the columns with text that may be broken into lines.
    """

    def line(kind, cells):
        parts = (
            f"<{kind}{' class=' + chr(34) + 'text' + chr(34) if place in texts else ''}>{cell}</{kind}>"
            for place, cell in enumerate(cells)
        )
        return f"<tr>{''.join(parts)}</tr>"

    body = "".join(line("td", row) for row in rows)
    return f'<div class="wide"><table>{line("th", head)}{body}</table></div>'


def image(content, text):
    """A PNG file as part of the page."""
    data = base64.b64encode(content).decode()
    return f'<img alt="{safe(text)}" src="data:image/png;base64,{data}">'
