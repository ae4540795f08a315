"""A table between two markers of a text file."""

import os
import pathlib
import re

from tfrobust.commands.start.command_line import ROOT
from tfrobust.errors import UserError
from tfrobust.runs import files


class Place:
    """The place of a table in a file, found before the work for the table begins.

    Args:
        path: a text file that holds both markers once, the first before the second.
        begin, end: the markers; they stay.

    Raises:
        UserError: there is no such file, or not this place in it.
    """

    def __init__(self, path: str | os.PathLike, begin: str, end: str) -> None:
        self.path = pathlib.Path(path)
        self._begin, self._end = begin, end
        self._parts()

    def _parts(self):
        try:
            text = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"{self.path} cannot be read: {getattr(error, 'strerror', None) or 'it is not a text file'}. "
                f"Give a text file that holds the lines {self._begin} and {self._end}."
            ) from error
        before, *rest = text.split(self._begin)
        parts = rest[0].split(self._end) if len(rest) == 1 else []
        if len(parts) != 2 or self._end in before:
            raise UserError(
                f"{self.path} has no place for the table: it must hold the line {self._begin} once and, "
                f"after it, the line {self._end} once."
            )
        return before, parts[1]

    def put(self, table: str) -> None:
        """Puts the text between the markers; the file is written whole or not at all.

        Links to files of the repository, `[adv](gin/adv.gin)`, are made to lead there from this file.
        """
        # Read again: it may have changed meanwhile.
        before, after = self._parts()
        table = re.sub(r"(?<=\]\()[^()]+(?=\))", self._link, table)
        files.write_text(self.path, f"{before}{self._begin}\n{table}\n{self._end}{after}")

    def _link(self, match):
        target = ROOT / match[0]
        if not target.exists():
            return match[0]
        return pathlib.Path(os.path.relpath(target, self.path.resolve().parent)).as_posix()


def find_place(path: str | os.PathLike, name: str) -> Place:
    """The `Place` between <!-- NAME: begin --> and <!-- NAME: end -->."""
    return Place(path, f"<!-- {name}: begin -->", f"<!-- {name}: end -->")
