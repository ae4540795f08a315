"""One evaluation out of the journals of processes that evaluated parts of the examples."""

import copy
import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from tfrobust.attacks.base import Attack
from tfrobust.errors import UserError
from tfrobust.evaluation.engine.journal import check_same, read_outcome
from tfrobust.evaluation.engine.merge import merge_outcomes
from tfrobust.evaluation.engine.outcome import Outcome
from tfrobust.runs import checkpoint

# Folders of the chunks of one journal, and the images that a finished one keeps.
CHUNKS = "chunk-{}"
CLOSED = "closed:adversarial"


class Shards:
    """The finished journals of shards, read as the journal of the whole evaluation.

    Only the attacks are taken from them: the clean pass, checks and reports are made again. The result
    differs from that of one process in nothing but seconds and the computed passes. Of shards that were
    evaluated in several chunks the images of the first examples are there; others are NaN.

    Args:
        folders: of the journals, in any order.
        fingerprint: of the whole evaluation, see `Journal`; the examples' part may differ.
        ids: int (n,), of all examples in order.
        attacks: sequence of (name, `Attack`), of the suite.

    Raises:
        UserError: a journal is missing, of another evaluation or not finished, or the shards are not all
            of the examples, each once.
    """

    def __init__(
        self,
        folders: Sequence[str | os.PathLike],
        fingerprint: dict,
        ids: np.ndarray,
        attacks: Sequence[tuple[str, Attack]],
    ):
        parts = []
        for folder in map(pathlib.Path, folders):
            chunks = sorted(folder.glob(CHUNKS.format("*")))
            parts += [self._read(part, fingerprint, attacks) for part in chunks or [folder]]
        found = np.concatenate([part.arrays["ids"] for part in parts])
        if sorted(found.tolist()) != sorted(np.asarray(ids).tolist()):
            raise UserError(
                f"The shards hold {len(found)} examples ({len(np.unique(found))} different ones), the "
                f"evaluation has {len(ids)}, or they are not the same: give every shard once."
            )
        self._places = {int(i): place for place, i in enumerate(found)}
        self._parts, self._chosen, self._is_first = parts, self._find(ids), True

    def _find(self, ids):
        return np.array([self._places[int(i)] for i in ids])

    def choose(self, ids: np.ndarray, is_first: bool) -> "Shards":
        """The same of some examples, in this order; the first choice has the costs of all."""
        chosen = copy.copy(self)
        chosen._chosen, chosen._is_first = self._find(ids), is_first
        return chosen

    def _read(self, folder, fingerprint, attacks):
        saved, skipped = checkpoint.load_newest(folder)
        if saved is None:
            raise UserError(f"There is no evaluation in {folder}. {' '.join(skipped)}".strip())
        now = {**fingerprint, "chunk": None}
        former = {**saved.state["fingerprint"], "examples": now["examples"], "chunk": None}
        check_same(folder, former, now)
        done = len(saved.state["outcomes"])
        if done < len(attacks):
            raise UserError(
                f"The shard in {folder} has finished {done} of {len(attacks)} attacks: let it finish first."
            )
        return saved

    def finished(self, place: int, attack: Attack) -> tuple[Outcome, np.ndarray]:
        """Returns the `Outcome` number `place` on the examples, and its images, those of `Outcome.held`."""
        outcomes, images = zip(
            *(
                read_outcome(p.state["outcomes"][place], p.arrays, place, attack)
                for p in self._parts
            ),
            strict=True,
        )
        whole = merge_outcomes(outcomes, self._chosen)
        if not self._is_first:
            whole = dataclasses.replace(
                whole, passes=(0, 0), seconds=0.0, tracing_seconds=0.0, traces=0
            )
        return whole, self._find_images(whole.held, outcomes, images)

    def _find_images(self, held, outcomes, images):
        """Images of held examples, in order. Those of a shard are in the order of its examples."""
        starts = np.cumsum([0, *(len(outcome.held) for outcome in outcomes)])
        numbers = [np.cumsum(outcome.held) - 1 for outcome in outcomes]
        found = []
        for place in self._chosen[held]:
            part = int(np.searchsorted(starts, place, side="right")) - 1
            inner, saved = place - starts[part], self._parts[part].arrays
            if CLOSED not in saved:
                found.append(images[part][numbers[part][inner]])
            elif inner < len(saved[CLOSED]):
                found.append(saved[CLOSED][inner])
            else:
                found.append(np.full(saved[CLOSED].shape[1:], np.nan, np.float32))
        return np.stack(found) if found else images[0][:0]

    def current(self) -> None:
        """Returns None: no attack is running."""
        return None

    def add(self, outcome: Outcome, images: np.ndarray) -> None:
        """Does nothing: all attacks are saved already."""

    def save(self, snapshot: object = None) -> None:
        """Does nothing, as `add`."""

    def due(self) -> bool:
        """Returns False: there is never anything to save."""
        return False
