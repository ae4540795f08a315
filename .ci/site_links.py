"""Links of the docs that lead out of `docs/`, for the site: to the reference, or to nothing.

The pages link to files of the package and of `gin/`, which a reader of the repository follows; a site
has none of them.
"""

import pathlib
import posixpath
import re
import xml.etree.ElementTree as etree

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"
BESIDE = re.compile(r"^(?:\.\./)?docs/(.+\.md)$")
ROOM = re.compile(r"^\.\./tfrobust/(\w+)/.*\.py$")


class _Links(Treeprocessor):
    def run(self, root: etree.Element) -> None:
        for link in root.iter("a"):
            target = link.get("href", "")
            path = posixpath.normpath(target)
            if inside := BESIDE.match(path):
                # In CONTRIBUTING.md and CHANGELOG.md, which are shown as pages of docs/.
                link.set("href", inside[1])
            elif path.endswith("tfrobust/CHANGELOG.md"):
                link.set("href", "changelog.md")
            elif (room := ROOM.match(path)) and (DOCS / f"reference/{room[1]}.md").exists():
                link.set("href", f"reference/{room[1]}.md")
            elif path.startswith("../") and (DOCS / path).exists():
                link.tag = "span"
                del link.attrib["href"]


class SiteLinks(Extension):
    """Makes links out of `docs/` fit the site."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        # Before links between pages are resolved.
        md.treeprocessors.register(_Links(md), "site_links", 1)


def makeExtension(**options) -> SiteLinks:  # noqa: N802
    """What Markdown calls for an extension by its module's name."""
    return SiteLinks(**options)
