"""Whether all links, pictures and scripts of a built site are there, none fetched from elsewhere: FOLDER."""

import html.parser
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


def _is_elsewhere(url):
    return urllib.parse.urlsplit(url).netloc != ""


if __name__ == "__main__":
    told = faults(pathlib.Path(sys.argv[1]))
    print("\n".join(told) or "Every link leads somewhere, and nothing is fetched from elsewhere.")
    sys.exit(bool(told))
