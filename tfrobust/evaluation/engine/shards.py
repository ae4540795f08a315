"""One evaluation out of the journals of processes that evaluated parts of the examples."""

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


class Shards:
    """The finished journals of shards, read as the journal of the whole evaluation.

    Only the attacks are taken from them: the clean pass, checks and reports are made again. The result
    differs from that of one process in nothing but seconds and the computed passes.

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
        parts = [self._read(pathlib.Path(folder), fingerprint, attacks) for folder in folders]
        found = np.concatenate([part.arrays["ids"] for part in parts])
        if sorted(found.tolist()) != sorted(np.asarray(ids).tolist()):
            raise UserError(
                f"The shards hold {len(found)} examples ({len(np.unique(found))} different ones), the "
                f"evaluation has {len(ids)}, or they are not the same: give every shard once."
            )
        places = {int(i): place for place, i in enumerate(ids)}
        self._order = np.argsort([places[int(i)] for i in found])
        self._parts = parts

    def _read(self, folder, fingerprint, attacks):
        saved, skipped = checkpoint.load_newest(folder)
        if saved is None:
            raise UserError(f"There is no evaluation in {folder}. {' '.join(skipped)}".strip())
        former = {**saved.state["fingerprint"], "examples": fingerprint["examples"]}
        check_same(folder, former, fingerprint)
        done = len(saved.state["outcomes"])
        if done < len(attacks):
            raise UserError(
                f"The shard in {folder} has finished {done} of {len(attacks)} attacks: let it finish first."
            )
        return saved

    def finished(self, place: int, attack: Attack) -> tuple[Outcome, np.ndarray]:
        """Returns the `Outcome` number `place` on all examples, and its images, those of `Outcome.held`."""
        outcomes, images = zip(
            *(
                read_outcome(p.state["outcomes"][place], p.arrays, place, attack)
                for p in self._parts
            ),
            strict=True,
        )

        whole = merge_outcomes(outcomes, self._order)
        # Images are in the order of the examples of each shard.
        found = np.concatenate(images)
        number = np.concatenate([np.where(o.held, 0, -1) for o in outcomes])
        number[number == 0] = np.arange(len(found))
        number = number[self._order]
        return whole, found[number[number >= 0]]

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
