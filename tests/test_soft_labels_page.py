"""docs/soft_labels.md: its table is what the classes declare, and its code runs."""

import pathlib
import re

from tfrobust import losses, methods, regularizers

PAGE = (pathlib.Path(__file__).resolve().parent.parent / "docs" / "soft_labels.md").read_text()
ROOMS = (
    (methods, methods.AdversarialModel),
    (regularizers, regularizers.Regularizer),
    (losses, losses.Objective),
)


def test_the_table_is_what_the_classes_declare():
    table = PAGE.split("<!-- takes soft labels -->")[1].split("<!-- end -->")[0]
    told = dict(re.findall(r"^\| `(\S+)` \| (.*) \|$", table, re.M))
    declared = {}
    for room, base in ROOMS:
        for name in room.__all__:
            part = getattr(room, name)
            if isinstance(part, type) and issubclass(part, base) and part is not base:
                where = f"{room.__name__.rsplit('.', 1)[1]}.{name}"
                declared[where] = f"no: {part.needs_class}" if part.needs_class else "yes"
    assert told == declared


def test_the_code_runs():
    names: dict = {}
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S):
        exec(block, names)
    assert names["soft"].needs_class == names["likeliest"].needs_class == ""
    assert names["y"].shape == (128, 10)
