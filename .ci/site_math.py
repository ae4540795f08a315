"""Formulas between dollars, `$x'$`, for the site: MathML, which browsers draw without scripts."""

import re

from latex2mathml.converter import convert
from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor

# As GitHub reads it: no space within the dollars, no digit behind them.
FORMULA = r"(?<![\\$\w])\$(?!\s)([^$\n]+?)(?<!\s)\$(?![\w$])"


class _Formula(InlineProcessor):
    def handleMatch(self, m: re.Match, data: str) -> tuple[str, int, int]:  # noqa: N802
        return self.md.htmlStash.store(convert(m[1])), m.start(0), m.end(0)


class SiteMath(Extension):
    """Turns formulas into MathML."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        # After code in backticks, before backslashes and emphasis.
        md.inlinePatterns.register(_Formula(FORMULA, md), "site_math", 185)


def makeExtension(**options) -> SiteMath:  # noqa: N802
    """What Markdown calls for an extension by its module's name."""
    return SiteMath(**options)
