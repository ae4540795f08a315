"""What an evaluation has found so far, on disk; a kill loses nothing that was saved."""

import dataclasses
import os
import pathlib
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfrobust.attacks.base import Attack
from tfrobust.errors import UserError
from tfrobust.evaluation.engine.outcome import Outcome
from tfrobust.runs import checkpoint, kinds
from tfrobust.runs.bar import Bar
from tfrobust.runs.reports.identity import Identity


class Journal:
    """Saves finished attacks, and the slots of the one that is running, so that nothing is done twice.

    Args:
        folder: holds the journal of one evaluation, and nothing else.
        fingerprint: dict of JSON values that names the evaluation: model, data, suite, seed. A journal
            of another one is refused.
        ids: int (n,), of the examples.
        resume: "auto" continues what is there, "never" refuses a folder with a journal, "must" one
            without.
        seconds: time between two saves.

    Raises:
        UserError: the folder holds another evaluation, or `resume` forbids it.

    Example:
    >>> from tfrobust.evaluation.engine.journal import Journal
    >>> journal = Journal("state", {"suite": "pgd_20", "seed": 0}, ids=np.arange(10))
    >>> journal.has_begun, journal.finished(0, tfrobust.PGD(tfrobust.Linf(0.1))) is None
    (False, True)
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        fingerprint: dict,
        ids: np.ndarray,
        resume: str = "auto",
        seconds: float = 60,
    ):
        if resume not in kinds.RESUME:
            raise UserError(f"`resume` must be one of {kinds.RESUME}. Received: resume={resume!r}.")
        self.folder = pathlib.Path(folder)
        self._fingerprint, self._seconds = fingerprint, seconds
        self._saved = time.monotonic()
        self._records: list[dict] = []
        self._arrays = {"ids": np.asarray(ids)}
        self._current: dict[str, np.ndarray] | None = None
        saved, self.skipped = checkpoint.load_newest(self.folder)
        self._number = 0 if saved is None else saved.step
        if saved is None and resume == "must":
            raise UserError(f"There is no evaluation in {self.folder} to resume.")
        if saved is not None and resume == "never":
            raise UserError(
                f"{self.folder} holds an evaluation already. Choose another folder, or resume='auto'."
            )
        if saved is not None:
            self._read(saved)

    def _read(self, saved):
        check_same(self.folder, saved.state["fingerprint"], self._fingerprint)
        self._records = saved.state["outcomes"]
        current = {}
        for name, array in saved.arrays.items():
            part, _, rest = name.partition(":")
            if part == "current":
                current[rest] = array
            else:
                self._arrays[name] = array
        self._current = current or None

    @property
    def has_begun(self) -> bool:
        """Whether anything has been saved."""
        return self._number > 0

    def report_skipped(self, bar: Bar | None) -> None:
        """Says which saved states are damaged, and whether one is left to continue."""
        lines = [f"Skipped a saved state that is damaged: {reason}" for reason in self.skipped]
        if self.skipped and not self.has_begun:
            lines.append("No saved state is left: the evaluation starts again.")
        if bar is not None:
            for line in lines:
                bar.write(line)

    def finished(self, place: int, attack: Attack) -> tuple[Outcome, np.ndarray] | None:
        """Returns the `Outcome` number `place` and its images, or None if it is not finished."""
        if place >= len(self._records):
            return None
        return read_outcome(self._records[place], self._arrays, place, attack)

    def current(self) -> dict[str, np.ndarray] | None:
        """Returns the snapshot of the attack that was running, or None; only the first call has it."""
        current, self._current = self._current, None
        return current

    def add(self, outcome: Outcome, images: np.ndarray) -> None:
        """Saves a finished attack with its images (m, h, w, c), of the m examples of `outcome.held`."""
        place, record = len(self._records), {}
        for field in dataclasses.fields(outcome):
            value = getattr(outcome, field.name)
            if isinstance(value, np.ndarray):
                self._arrays[f"{place}:{field.name}"] = value
            elif field.name == "measures":
                self._arrays |= {f"{place}:measure/{n}": a for n, a in value.items()}
            elif field.name != "attack":
                record[field.name] = value
        self._arrays[f"{place}:images"] = images
        self._records.append(record)
        self.save()

    def close(self, kept: Mapping[str, np.ndarray]) -> None:
        """Saves arrays to go on with, in place of the images of all attacks: nothing is left to do."""
        for place in range(len(self._records)):
            self._arrays[f"{place}:images"] = self._arrays[f"{place}:images"][:0]
        self._arrays |= {f"closed:{name}": array for name, array in kept.items()}
        self.save()

    @property
    def closed(self) -> dict[str, np.ndarray]:
        """What `close` saved, by name; empty where it has not been called."""
        return {
            name.removeprefix("closed:"): array
            for name, array in self._arrays.items()
            if name.startswith("closed:")
        }

    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._saved >= self._seconds

    def save(self, snapshot: Mapping[str, np.ndarray] | None = None) -> None:
        """Writes the finished attacks, and the `snapshot` of the running one."""
        current = {f"current:{name}": array for name, array in (snapshot or {}).items()}
        self._number += 1
        state = {"fingerprint": self._fingerprint, "outcomes": self._records}
        checkpoint.save(self.folder, self._number, {**self._arrays, **current}, state, keep=1)
        self._saved = time.monotonic()


def check_same(folder: str | os.PathLike, former: dict, now: dict) -> None:
    """Raises `UserError` if two fingerprints differ."""
    changed = {
        name: (repr(former.get(name)), repr(now.get(name)))
        for name in (former.keys() | now.keys()) - {"model", "surrogates"}
        if former.get(name) != now.get(name)
    }
    # Fingerprints of earlier versions have no surrogates; how many there are is of the suite.
    for one, other in zip(_list_models(former), _list_models(now), strict=False):
        if not one[1].is_same(other[1]):
            changed[one[0]] = str(one[1]), str(other[1])
    if changed:
        differences = "; ".join(
            f"{name}: {told[0]} there, {told[1]} now" for name, told in sorted(changed.items())
        )
        raise UserError(
            f"{folder} holds another evaluation; choose another folder. Differences: {differences}."
        )


def _list_models(fingerprint):
    surrogates = enumerate(fingerprint.get("surrogates", ()))
    named = [
        ("model", fingerprint.get("model")),
        *((f"surrogate {i}", one) for i, one in surrogates),
    ]
    return [(name, Identity.read(one)) for name, one in named]


def read_outcome(
    record: dict, arrays: Mapping[str, np.ndarray], place: int, attack: Attack
) -> tuple[Outcome, np.ndarray]:
    """Makes an `Outcome`, and the images of `Outcome.held`, from what a journal wrote."""
    prefix = f"{place}:"
    mine: dict[str, Any] = {
        n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)
    }
    images = mine.pop("images")
    measures = {n: mine.pop(f"measure/{n}") for n in attack.measures}
    record = {**record, "passes": tuple(record["passes"])}
    return Outcome(attack=attack, measures=measures, **mine, **record), images
