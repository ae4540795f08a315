"""Whether a built site is whole: its links, pictures and scripts, and all public names. Argument: FOLDER."""

import html.parser
import importlib
import pathlib
import sys
import urllib.parse

# What a browser fetches without being asked.
FETCHED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}


class _Page(html.parser.HTMLParser):
    """The links, the fetched files and the anchors of a page."""

    def __init__(self, path: pathlib.Path):
        super().__init__()
        self.links: set[str] = set()
        self.fetched: set[str] = set()
        self.anchors: set[str] = {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and found.get("href"):
            self.links.add(found["href"])
        if tag in FETCHED and found.get(FETCHED[tag]) and found.get("rel") != "canonical":
            self.fetched.add(found[FETCHED[tag]])


def faults(site: pathlib.Path) -> list[str]:
    """A line for each link that leads nowhere, and for each file that is fetched from elsewhere."""
    pages = {
        path.resolve(): _Page(path) for path in site.rglob("*.html") if path.name != "404.html"
    }
    found = []
    for path, page in pages.items():
        here = path.relative_to(site.resolve())
        found += [f"{here}: fetches {url}" for url in page.fetched if _is_elsewhere(url)]
        for url in sorted(page.links | page.fetched):
            parts = urllib.parse.urlsplit(url)
            if _is_elsewhere(url) or parts.scheme:
                continue
            target = (
                (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            )
            if target.is_dir():
                target /= "index.html"
            anchor = urllib.parse.unquote(parts.fragment)
            if not target.exists() or (target in pages and anchor not in pages[target].anchors):
                found.append(f"{here}: {url} leads nowhere")
    return found


def absent_names(site: pathlib.Path) -> list[str]:
    """A line for each public name that the reference of its room does not show."""
    found = []
    for path in sorted(site.glob("reference/*.html")):
        if path.stem != "index":
            room = importlib.import_module(f"tfrobust.{path.stem}")
            anchors = _Page(path).anchors
            names = [f"{room.__name__}.{name}" for name in room.__all__]
            found += [f"{path.name}: {name} is not shown" for name in names if name not in anchors]
    return found


def _is_elsewhere(url):
    return urllib.parse.urlsplit(url).netloc != ""


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    told = faults(folder) + absent_names(folder)
    print(
        "\n".join(told)
        or "Every link leads somewhere, nothing is fetched from elsewhere, all names are shown."
    )
    sys.exit(bool(told))
