"""The folder of a sweep: its runs, what it is about, and who may go on with it."""

import contextlib
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from tfrobust.errors import UserError
from tfrobust.runs import files, kinds
from tfrobust.runs.reports.lines import unify_line
from tfrobust.sweeps.grid import Point, check_folders


class SweepFolder:
    """Names and rules of a sweep's folder.

    `sweep.json` says what the runs have in common and lists all points that were ever asked for: a later call
    may add values, seeds and suites to a sweep, but not change what its runs share, nor on how many examples
    a suite judges them. A value that is written in another way than before is the same point.

    Args:
        path: the folder.
        shared: what all runs have in common, a dict of JSON values; "suite" and "examples" are how they are
            judged.
        points: the `Point`s that are asked for now.

    Raises:
        UserError: the folder holds something else, or a sweep of something else; what differs is listed.
    """

    def __init__(
        self, path: str | os.PathLike, shared: dict[str, Any], points: Sequence[Point]
    ) -> None:
        self.path, self.shared, self.asked = pathlib.Path(path), shared, tuple(points)
        self.suites = {shared["suite"]: shared.get("examples")} if shared.get("suite") else {}
        kinds.check_ours(self.path, kinds.SWEEP)
        self._join_former()

    def run_folder(self, point: Point) -> pathlib.Path:
        """The folder of the run of a point."""
        return self.path / point.name

    def log(self, point: Point) -> pathlib.Path:
        """The file that holds what the run's commands printed."""
        return self.path / "logs" / f"{point.name}.log"

    @contextlib.contextmanager
    def claim(self) -> Iterator[None]:
        """Begins the sweep or goes on with it, and keeps other processes out of it meanwhile."""
        with kinds.claim_folder(self.path, kinds.SWEEP):
            self._join_former()
            points = [{"values": p.values, "seed": p.seed} for p in self.points]
            content = {"sweep": self.shared, "points": points, "suites": self.suites}
            files.write_json(self.path / kinds.SWEEP.marker, content)
            yield

    def _join_former(self):
        """The points and suites of former calls come before those of this one that are new."""
        self.points = self.asked
        content = kinds.SWEEP.read(self.path)
        if content is None:
            return
        there = [
            Point(tuple((name, value) for name, value in p["values"]), p["seed"])
            for p in content["points"]
        ]
        if not any(self.run_folder(point).exists() for point in there):
            # Nothing of it was begun: a misspelt name can be written right in the same folder.
            return
        self._check_shared(content["sweep"])
        former = {point.meaning: point for point in there}
        self.asked = tuple(former.get(point.meaning, point) for point in self.asked)
        self.points = (*there, *(point for point in self.asked if point not in there))
        check_folders(self.points)
        self._join_suites(content)

    def _join_suites(self, content):
        judged = content["sweep"]
        # Of an earlier version, which had one suite for all calls.
        former = {judged["suite"]: judged.get("examples")} if judged.get("suite") else {}
        former = content.get("suites", former)
        for suite, examples in self.suites.items():
            if former.get(suite, examples) != examples:
                seen, now = (f"{n} examples" if n else "all" for n in (former[suite], examples))
                raise UserError(
                    f"{self.path} holds evaluations under {suite} on {seen}, and now it is {now}. Give "
                    "the number of before, or choose another --workdir."
                )
        self.suites = {**former, **self.suites}

    def _check_shared(self, former):
        changed = [
            f"{name}: there {former.get(name)!r}, now {self.shared.get(name)!r}"
            for name in sorted((former.keys() | self.shared.keys()) - {"suite", "examples"})
            if _unify(former.get(name)) != _unify(self.shared.get(name))
        ]
        if changed:
            raise UserError(
                f"{self.path} holds a sweep of something else. Choose another --workdir. What differs: "
                f"{'; '.join(changed)}."
            )


def _unify(value):
    """Lines of gin by what they say; all else as it is."""
    return [*map(unify_line, value)] if isinstance(value, list) else value
