"""Values as text in Markdown: whatever they hold, they stay one line of text, one cell, one span of code."""

import os
import re
from collections.abc import Iterable, Sequence
from typing import Any


def plain(value: Any) -> str:
    """Any value as text in which nothing is markup; a dash for None.

    No line breaks, HTML, code, emphasis, links, cells or headings come out of it.
    """
    if value is None:
        return "-"
    return _at_the_beginning(_escaped(_one_line(value)))


def cell(value: Any) -> str:
    """As `plain`, for the cell of a table, where nothing begins a line."""
    return "-" if value is None else _escaped(_one_line(value))


def code(value: Any) -> str:
    """Any value as a span of code, or as plain text if it holds what could end the span, or HTML or bars."""
    text = _one_line(value)
    return plain(text) if not text or re.search(r"[`|]|<[A-Za-z/!?]|!\[", text) else f"`{text}`"


def sentence(value: Any) -> str:
    """Text in which what stands between backticks is code, as in messages of ours."""
    parts = _one_line(value).split("`")
    if len(parts) % 2 == 0:
        return plain(value)
    spans = [code(part) if place % 2 else _escaped(part) for place, part in enumerate(parts)]
    return _at_the_beginning("".join(spans))


def link(text: Any, target: str | os.PathLike) -> str:
    """A link to a file beside the text; only the text if the name of the file is not a plain name."""
    return f"[{plain(text)}]({target})" if re.fullmatch(r"[\w./-]+", str(target)) else plain(text)


def table(head: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """Lines of a table; `rows` are cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def _one_line(value):
    return "".join(c if c.isprintable() else " " for c in " ".join(str(value).split()))


def _escaped(text):
    text = re.sub(r"&(?=#?\w+;)", "&amp;", text)
    text = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)
    text = re.sub(r"[\\`*|]", r"\\\g<0>", text)
    text = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)
    return text.replace("](", "]\\(").replace("![", "!\\[")


def _at_the_beginning(text):
    # What would begin a heading, a list, a quotation or a rule at the beginning of a line; no number.
    return re.sub(r"^([-#+=~>]|\d+[.)](?!\d))", lambda m: f"{m[0][:-1]}\\{m[0][-1]}", text)
