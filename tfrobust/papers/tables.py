"""What the papers printed: each table once, as data, with its source."""

import dataclasses
import importlib.resources
import tomllib
from typing import Any

from tfrobust.errors import UserError

_FOLDER = importlib.resources.files("tfrobust.papers") / "tables"
# Test images of each data set, by the first part of the gin files' folders.
TEST_IMAGES = {"mnist": 10_000, "cifar10": 10_000, "cifar100": 10_000}
TEST_IMAGES |= {"svhn": 26_032, "imagenet": 50_000}


@dataclasses.dataclass(frozen=True)
class Column:
    """One measure of a table.

    Args:
        title: as the paper calls it.
        suite: of ours that measures it, with a colon and the attack's name for one of several; "clean" for
            clean accuracy; "time" for the seconds of a training step; "" for what we do not measure.
        images: on how many test images the paper measured it; None for all.
    """

    title: str
    suite: str
    images: int | None = None


@dataclasses.dataclass(frozen=True)
class Row:
    """One method of a table.

    Args:
        method: as the paper calls it.
        gin_file: that makes the run, from the folder gin/.
        bindings: lines of gin that the run needs beside the file.
        values: one for each column, None where the paper has none; accuracies in percent.
    """

    method: str
    gin_file: str
    bindings: tuple[str, ...]
    values: tuple[float | None, ...]

    def count_images(self, column: Column) -> int:
        """How many test images are behind the paper's value."""
        data = self.gin_file.split("/")[2].split("_")[0]
        return column.images or TEST_IMAGES[data]


@dataclasses.dataclass(frozen=True)
class PaperTable:
    """A table of a paper.

    Args:
        name: such as "atlas_1".
        title, source, note: text; the note may be empty.
        time_row: method in whose units times are shown; empty for a table without times.
        columns, rows: tuples of `Column` and `Row`.
    """

    name: str
    title: str
    source: str
    note: str
    time_row: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def list_tables() -> dict[str, str]:
    """The names of all tables, each with its title.

    Example:
        >>> from tfrobust.papers import list_tables
        >>> list_tables()["atlas_1"]
        'MNIST, Linf 0.3, four-layer CNN'
    """
    names = sorted(
        p.name.removesuffix(".toml") for p in _FOLDER.iterdir() if p.name.endswith(".toml")
    )
    return {name: _read(name)["title"] for name in names}


def load_table(name: str) -> PaperTable:
    """Reads a table of a paper.

    Args:
        name: one of `list_tables()`.

    Returns:
        `PaperTable`.

    Raises:
        UserError: there is no such table.

    Example:
        >>> from tfrobust.papers import load_table
        >>> row = load_table("atlas_1").rows[1]
        >>> row.method, row.values[:2]
        ('one-step ADV', (99.49, 96.26))
    """
    if name not in list_tables():
        raise UserError(f"There is no table {name!r}. There are: {', '.join(list_tables())}.")
    content = _read(name)
    return PaperTable(
        name,
        content["title"],
        content["source"],
        content.get("note", ""),
        content.get("time_row", ""),
        tuple(Column(*column) for column in content["columns"]),
        tuple(_make_row(row) for row in content["rows"]),
    )


def _read(name) -> dict[str, Any]:
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def _make_row(row):
    method, gin, bindings, values = row
    numbers = tuple(None if value == "-" else float(value) for value in values)
    return Row(method, f"gin/paper/{gin}.gin", tuple(bindings), numbers)
