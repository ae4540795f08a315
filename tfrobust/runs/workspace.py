"""The folder of a run, and what may be done with one that is not empty."""

import contextlib
import difflib
import pathlib

from tfrobust.errors import UserError
from tfrobust.runs import files

RESUME = ("auto", "never", "must")


class Workspace:
    """Names and rules of a run's folder. Nothing is written before `claim`.

    Args:
        path: the folder.
        given: text of the configuration as given.
        resume: "auto" goes on with a run that is there, "never" refuses a folder with one, "must" refuses
            a folder without.

    Raises:
        UserError: the folder holds something else, or a run with another configuration; the differing lines
            are listed.
    """

    def __init__(self, path, given, resume):
        self.path = pathlib.Path(path)
        self.given = given
        self.config = self.path / "config.gin"
        self.config_used = self.path / "config_used.gin"
        self.record = self.path / "run.json"
        self.report = self.path / "report.md"
        self.latest = self.path / "checkpoints" / "latest"
        self.best = self.path / "checkpoints" / "best"
        self.tensorboard = self.path / "tensorboard"
        self.export = self.path / "export"
        if resume not in RESUME:
            raise UserError(f"`resume` must be one of {RESUME}. Received: resume={resume!r}.")
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path} is a file; give the folder of a run as --workdir.")
        self.has_run = self.config.is_file()
        if self.has_run:
            self._check_existing(resume)
        elif resume == "must":
            raise UserError(
                f"There is no run in {self.path} to resume. Give its folder as --workdir, or --resume=auto."
            )
        elif self.path.is_dir() and any(p for p in self.path.iterdir() if p.name[0] != "."):
            raise UserError(
                f"{self.path} is not empty and holds no run of tfrobust. Choose another --workdir."
            )

    def _check_existing(self, resume):
        if resume == "never":
            raise UserError(
                f"{self.path} holds a run already. Choose another --workdir, or --resume=auto to go on."
            )
        former = self.config.read_text(encoding="utf-8")
        if former != self.given:
            compared = difflib.ndiff(former.splitlines(), self.given.splitlines())
            changed = [line for line in compared if line[:2] in ("- ", "+ ") and line[2:].strip()]
            raise UserError(
                f"{self.path} holds a run with another configuration; choose another --workdir. "
                f"Differences (- there, + now): {'; '.join(changed)}."
            )

    @property
    def is_complete(self):
        """Whether the run has ended and all that it leaves at its end is there."""
        last = (self.path / "report.json", self.report, self.export / "export.json")
        exported = (
            self.export / "classifier.keras",
            self.export / "saved_model" / "saved_model.pb",
        )
        return self.has_run and all(path.is_file() for path in (*last, *exported))

    @contextlib.contextmanager
    def claim(self, used):
        """Makes the folder, writes the configuration, as given and as used, and keeps others out meanwhile.

        Args:
            used: text of the configuration with all values that were used.

        Raises:
            UserError: another process is running in the folder.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with files.locked(self.path):
            files.write_text(self.config_used, used)
            files.write_text(self.config, self.given)
            yield
