"""What an evaluation saves its chunks in, or reads them from."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np

from tfrobust.attacks.base import Attack
from tfrobust.evaluation.engine.journal import Journal
from tfrobust.evaluation.engine.shards import CHUNKS, Shards
from tfrobust.evaluation.examples.chunk import Chunk
from tfrobust.runs.bar import Bar

JOURNAL = "state"


class Journals:
    """Opens the journal of each chunk of an evaluation, or of all of its examples at once.

    Args:
        folder: of the evaluation, or None to save nothing.
        fingerprint: see `Journal`.
        resume: see `Journal`.
        seconds: see `Journal`.
        bar: where damaged states are reported, or None.
    """

    def __init__(
        self,
        folder: str | os.PathLike | None,
        fingerprint: dict,
        resume: str = "auto",
        seconds: float = 60,
        bar: Bar | None = None,
    ):
        self._folder = None if folder is None else pathlib.Path(folder, JOURNAL)
        self._fingerprint, self._resume, self._seconds = fingerprint, resume, seconds
        self._bar = bar
        self._shards: Shards | None = None
        self.whole: Journal | Shards | None = None

    def read_shards(
        self,
        folders: Sequence[str | os.PathLike],
        ids: np.ndarray,
        attacks: Sequence[tuple[str, Attack]],
    ) -> None:
        """Reads the folders of finished shards from now on, in place of saving; see `Shards`."""
        parts = [pathlib.Path(folder, JOURNAL) for folder in folders]
        self._shards = Shards(parts, self._fingerprint, ids, attacks)

    def open_whole(self, ids: np.ndarray | None) -> None:
        """Opens what all examples are saved in, or read from, as `whole`; nothing if `ids` are None."""
        self.whole = self._shards
        if ids is not None and self._shards is None and self._folder is not None:
            self.whole = self._open(self._folder, self._fingerprint, ids, self._resume)

    def open_chunk(self, chunk: Chunk) -> Journal | Shards | None:
        """What one of several chunks is saved in, or read from."""
        if self._shards is not None:
            return self._shards.choose(chunk.ids, chunk.number == 0)
        if self._folder is None:
            return None
        fingerprint = {**self._fingerprint, **({"digest": chunk.digest} if chunk.digest else {})}
        folder = self._folder / CHUNKS.format(f"{chunk.number:05d}")
        # Whether there may be something was decided for all of them.
        return self._open(folder, fingerprint, chunk.ids, "auto")

    def _open(self, folder, fingerprint, ids, resume):
        journal = Journal(folder, fingerprint, ids, resume, self._seconds)
        journal.report_skipped(self._bar)
        return journal
