"""The folder of a sweep: its runs, what it is about, and who may go on with it."""

import contextlib
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from tfrobust.errors import UserError
from tfrobust.runs import files, kinds
from tfrobust.sweeps.grid import Point


class SweepFolder:
    """Names and rules of a sweep's folder.

    `sweep.json` says what the runs have in common and lists all points that were ever asked for: a later call
    may add values and seeds to a sweep, but not change what its runs share.

    Args:
        path: the folder.
        shared: what all runs have in common, a dict of JSON values.
        points: the `Point`s that are asked for now.

    Raises:
        UserError: the folder holds something else, or a sweep of something else; what differs is listed.
    """

    def __init__(
        self, path: str | os.PathLike, shared: dict[str, Any], points: Sequence[Point]
    ) -> None:
        self.path, self.shared, self.asked = pathlib.Path(path), shared, tuple(points)
        kinds.check_ours(self.path, kinds.SWEEP)
        self.points = self._join_points()

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
            self.points = self._join_points()
            points = [{"values": p.values, "seed": p.seed} for p in self.points]
            files.write_json(
                self.path / kinds.SWEEP.marker, {"sweep": self.shared, "points": points}
            )
            yield

    def _join_points(self):
        """The points of former calls, and those of this one that are new."""
        content = kinds.SWEEP.read(self.path)
        if content is None:
            return self.asked
        former = content["sweep"]
        changed = [
            f"{name}: there {former.get(name)!r}, now {self.shared.get(name)!r}"
            for name in sorted(former.keys() | self.shared.keys())
            if former.get(name) != self.shared.get(name)
        ]
        if changed:
            raise UserError(
                f"{self.path} holds a sweep of something else. Choose another --workdir. What differs: "
                f"{'; '.join(changed)}."
            )
        there = tuple(
            Point(tuple((name, value) for name, value in p["values"]), p["seed"])
            for p in content["points"]
        )
        return (*there, *(point for point in self.asked if point not in there))
