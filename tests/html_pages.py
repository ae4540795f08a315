"""What tests of pages read: elements, references and text of HTML; places in a report."""

import html.parser

VOID = {"meta", "img", "br", "link", "input", "hr", "path", "use", "rect", "line", "circle"}


class Reader(html.parser.HTMLParser):
    """Follows what is opened and closed; gathers references, names, text and images."""

    def __init__(self, text):
        super().__init__()
        self.open, self.references, self.ids, self.text, self.tags = [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("href", "src", "srcset", "data", "action", "xlink:href"):
                self.references.append(value)
            if name == "id":
                self.ids.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def leaves(value, path=()):
    """The places of all that is neither a dict nor a list."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in inner:
        if isinstance(part, (dict, list)):
            yield from leaves(part, (*path, key))
        else:
            yield (*path, key)
