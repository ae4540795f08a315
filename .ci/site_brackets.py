"""Angle brackets that are no HTML, `<v, w>` or `path/<class>/`, for the site: Markdown sees tags there."""

import re

from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor

# What the pages use of HTML, and links between angle brackets.
NAMES = "a|b|br|code|div|em|figcaption|figure|i|img|p|small|span|strong|sub|sup"
ATTRIBUTES = r"""(?:\s+[\w-]+(?:=(?:"[^"]*"|'[^']*'|[^\s"'>]+))?)*"""
BRACKET = rf"<(?=[A-Za-z/])(?!/?(?:{NAMES}){ATTRIBUTES}\s*/?>)(?!(?:https?|mailto):)"


class _Bracket(InlineProcessor):
    def handleMatch(self, m: re.Match, data: str) -> tuple[str, int, int]:  # noqa: N802
        return self.md.htmlStash.store("&lt;"), m.start(0), m.end(0)


class SiteBrackets(Extension):
    """Keeps angle brackets as text where no tag of HTML begins."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        # After code in backticks and formulas, before links and tags.
        md.inlinePatterns.register(_Bracket(BRACKET, md), "site_brackets", 184)


def makeExtension(**options) -> SiteBrackets:  # noqa: N802
    """What Markdown calls for an extension by its module's name."""
    return SiteBrackets(**options)
