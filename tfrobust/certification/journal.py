"""What a certification has proven so far, on disk; a kill loses nothing that was saved."""

import os
import pathlib
import time
from collections.abc import Sequence

import numpy as np

from tfrobust.certification.certificate import Proven
from tfrobust.errors import UserError
from tfrobust.evaluation.engine.journal import check_same
from tfrobust.runs import checkpoint
from tfrobust.runs.bar import Bar

FOLDER = "state"


class ProofJournal:
    """Saves what was proven of each example, certificate by certificate.

    Args:
        folder: of the certification, or None to save nothing.
        fingerprint: dict of JSON values that names the certification.
        ids: int (n,), of the examples.
        seconds: time between two saves.
        bar: where damaged states are reported, or None.
    """

    def __init__(
        self,
        folder: str | os.PathLike | None,
        fingerprint: dict,
        ids: np.ndarray,
        seconds: float = 60,
        bar: Bar | None = None,
    ):
        self._folder = None if folder is None else pathlib.Path(folder, FOLDER)
        self._ids, self._fingerprint = np.asarray(ids), fingerprint
        self._seconds, self._saved, self._number = seconds, time.monotonic(), 0
        self._arrays: dict[str, np.ndarray] = {"ids": self._ids}
        self._spent: dict[str, float] = {}
        if self._folder is not None:
            saved, skipped = checkpoint.load_newest(self._folder)
            for reason in skipped:
                (bar or Bar(None)).write(f"Skipped a saved state that is damaged: {reason}")
            if saved is not None:
                self._number, self._arrays = saved.step, dict(saved.arrays)
                self._spent = dict(saved.state["seconds"])

    def merge(self, folders: Sequence[str | os.PathLike]) -> None:
        """Takes what finished shards have proven, in place of proving it.

        Raises:
            UserError: a folder holds no certification, or another one, or the shards are not all of the
                examples, each once.
        """
        parts = []
        for folder in folders:
            saved, _ = checkpoint.load_newest(pathlib.Path(folder, FOLDER))
            if saved is None:
                raise UserError(
                    f"There is no certification in {folder}: let the shard finish first."
                )
            former = {**saved.state["fingerprint"], "examples": self._fingerprint["examples"]}
            check_same(folder, former, self._fingerprint)
            parts.append(saved)
        found = np.concatenate([part.arrays["ids"] for part in parts])
        if sorted(found.tolist()) != sorted(self._ids.tolist()):
            raise UserError(
                f"The shards hold {len(found)} examples ({len(np.unique(found))} different ones), the "
                f"certification has {len(self._ids)}, or they are not the same: give every shard once."
            )
        order = np.argsort(found)[np.argsort(np.argsort(self._ids))]
        # A certificate whose turn never came in one of the shards.
        names = {name for part in parts for name in part.arrays if ":" in name}
        for name in names:
            blank = self._make_blank()
            values = [
                part.arrays.get(name, blank[name.rpartition(":")[2]][: len(part.arrays["ids"])])
                for part in parts
            ]
            self._arrays[name] = np.concatenate(values)[order]
        for part in parts:
            for name, seconds in part.state["seconds"].items():
                self._spent[name] = self._spent.get(name, 0.0) + seconds

    def _make_blank(self):
        n = len(self._ids)
        empty = Proven(np.full(n, -1), np.zeros(n), np.full(n, np.nan), np.zeros(n, int))
        return {**empty._asdict(), "done": np.zeros(n, bool)}

    def read(self, name: str) -> tuple[Proven, np.ndarray, float]:
        """What a certificate proved: `Proven` of all examples, whose turn it was, and the seconds."""
        blank = self._make_blank()
        parts = {field: self._arrays.get(f"{name}:{field}", blank[field]) for field in blank}
        done = parts.pop("done").astype(bool)
        return Proven(**parts), done, self._spent.get(name, 0.0)

    def write(self, name: str, proven: Proven, done: np.ndarray, seconds: float) -> None:
        """Takes note of it, and saves all if it is time to."""
        for field, array in proven._asdict().items():
            self._arrays[f"{name}:{field}"] = array
        self._arrays[f"{name}:done"] = done
        self._spent[name] = seconds
        if time.monotonic() - self._saved >= self._seconds:
            self.save()

    def save(self) -> None:
        """Saves all."""
        if self._folder is None:
            return
        self._number += 1
        state = {"seconds": self._spent, "fingerprint": self._fingerprint}
        checkpoint.save(self._folder, self._number, self._arrays, state, keep=1)
        self._saved = time.monotonic()
