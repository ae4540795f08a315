"""The folder of a run, and what may be done with one that is not empty."""

import contextlib
import difflib
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from tfrobust.errors import UserError
from tfrobust.runs import files, kinds
from tfrobust.runs.exported import find_saved_model


class Workspace:
    """Names and rules of a run's folder. Nothing is written before `claim`.

    The first file of a run is `run.json`, which is whole or absent and has all of the start in it, the
    configuration too; `config.gin` is a copy of that for people.

    Args:
        path: the folder.
        given: text of the configuration as given.
        resume: "auto" goes on with a run that is there, "never" refuses a folder with one, "must" refuses
            a folder without.

    Raises:
        UserError: the folder holds something else, or a run with another configuration; the differing lines
            are listed.
    """

    def __init__(self, path: str | os.PathLike, given: str, resume: str) -> None:
        self.path = pathlib.Path(path)
        self.given = given
        self.config = self.path / "config.gin"
        self.config_used = self.path / "config_used.gin"
        self.record = self.path / kinds.RUN.marker
        self.report = self.path / "report.md"
        self.latest = self.path / "checkpoints" / "latest"
        self.best = self.path / "checkpoints" / "best"
        self.tensorboard = self.path / "tensorboard"
        self.export = self.path / "export"
        self.resume = resume
        self.has_run = kinds.check_resume(self.path, kinds.RUN, resume)
        if self.has_run:
            self._check_existing()

    def _check_existing(self):
        kinds.check_resume(self.path, kinds.RUN, self.resume)
        former = kinds.RUN.read(self.path).get("configuration")
        if self.config.is_file():
            former = self.config.read_text(encoding="utf-8", errors="replace")
        if former is not None and former != self.given:
            compared = difflib.ndiff(former.splitlines(), self.given.splitlines())
            changed = [line for line in compared if line[:2] in ("- ", "+ ") and line[2:].strip()]
            raise UserError(
                f"{self.path} holds a run with another configuration; choose another --workdir. "
                f"Differences (- there, + now): {'; '.join(changed)}."
            )

    @property
    def is_complete(self) -> bool:
        """Whether the run has ended and all that it leaves at its end is there."""
        exported = (self.export / "export.json", self.export / "classifier.keras")
        last = (self.path / "report.json", self.report, *exported)
        is_there = all(path.is_file() for path in last)
        return self.has_run and is_there and find_saved_model(self.export) is not None

    @contextlib.contextmanager
    def claim(
        self, used: str, seed: int, data: dict[str, Any], threat_model: dict[str, Any] | None
    ) -> Iterator[None]:
        """Begins the run or goes on with it, and keeps others out meanwhile.

        Everything is compared again under the lock, since another process may have been here.

        Args:
            used: text of the configuration with all values that were used.
            seed: of the run.
            data: {"name": ..., "fingerprint": {split: digits}, "source": ..., "image_shape": ...,
                "class_names": ...}, JSON values.
            threat_model: {"norm": ..., "epsilon": ...}, or None.

        Raises:
            UserError: another process is running in the folder, or it holds something else by now, or a
                run on other data.
        """
        with kinds.claim_folder(self.path, kinds.RUN) as there:
            content = {"seed": seed, "configuration": self.given}
            content |= {"data": data, "threat_model": threat_model, "starts": []}
            if there:
                self._check_existing()
                former = kinds.RUN.read(self.path) or {}
                self._check_data(former.get("data"), data)
                # What an earlier version did not write.
                content |= former
            if not there or content != former:
                files.write_json(self.record, content)
            files.write_text(self.config_used, used)
            files.write_text(self.config, self.given)
            yield

    def _check_data(self, former, now):
        former, now = (former or {}).get("fingerprint", {}), now["fingerprint"]
        changed = [name for name in now if name in former and former[name] != now[name]]
        if changed:
            raise UserError(
                f"{self.path} holds a run on other data: images or labels of the {' and '.join(changed)} "
                "split are not those that it began with. Put them back, or choose another --workdir."
            )
