"""Several processes evaluate parts of one set of examples; their journals make one evaluation."""

import pathlib

import numpy as np

from tfrobust.errors import UserError
from tfrobust.evaluation.engine.journal import check_same, read_outcome
from tfrobust.evaluation.engine.merge import merge_outcomes
from tfrobust.runs import checkpoint


class Shards:
    """The finished journals of shards, read as the journal of the whole evaluation.

    Everything but the attacks is done again by whoever reads them: the clean pass, the second look's
    counts, checks and reports. What differs from one process is only what is measured in seconds, and
    the computed passes.

    Args:
        folders: of the journals, in any order.
        fingerprint: of the whole evaluation, see `Journal`; the examples' part may differ.
        ids: int (n,), of all examples in order.

    Raises:
        UserError: a journal is missing, of another evaluation or not finished, or the shards are not
            the whole.
    """

    def __init__(self, folders, fingerprint, ids, attacks):
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
                f"The shard in {folder} has finished {done} of {len(attacks)} attacks: let it end first."
            )
        return saved

    def finished(self, place, attack):
        """The `Outcome` number `place` on all examples, and the images of what it broke, or was outvoted."""
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

    def current(self):
        """Nothing is going on."""
        return None

    def due(self):
        """Nothing is ever to be saved."""
        return False
