"""What happens while an attack runs: its progress is shown, its state saved, and a request to stop heard."""

from collections.abc import Callable

import numpy as np

from tfrobust.errors import Interrupted
from tfrobust.evaluation.engine.journal import Journal
from tfrobust.evaluation.engine.scheduling.schedule import SlotSchedule
from tfrobust.evaluation.engine.shards import Shards
from tfrobust.runs.bar import Bar


def make_look(
    journal: Journal | Shards | None,
    bar: Bar,
    stop: Callable[[], bool],
    standing: np.ndarray,
    individual: bool,
) -> Callable[[SlotSchedule], None]:
    """The function that an attack's `SlotSchedule` calls between its ticks.

    Args:
        journal: that saves the state, or None.
        bar: shows the progress.
        stop: function that returns True to save and stop.
        standing: which examples no attack has broken, boolean (n,).
        individual: whether the attack is given others too.

    Returns:
        A function that raises `Interrupted` when `stop` returned True.
    """

    def look(schedule):
        left = standing.sum() - (0 if individual else schedule.host["broken"].sum())
        bar.show(schedule.share, f"robust accuracy <= {100 * left / len(standing):.2f} %")
        asked = stop()
        if journal and (asked or journal.due()):
            journal.save(schedule.snapshot())
        if asked:
            if journal is None:
                raise Interrupted("Stopped on request; without a workdir nothing was saved.", "")
            raise Interrupted("Stopped on request; what was evaluated so far is saved.")

    return look
