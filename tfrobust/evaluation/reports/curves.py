"""How accuracy falls while an attack goes on."""

import numpy as np

from tfrobust.evaluation.engine.outcome import Outcome


def compute_accuracy_by_step(outcome: Outcome) -> dict[str, list] | None:
    """Computes accuracy if every run had ended after so many of its steps.

        A(s) = mean over the n examples of [attempted and not (broken after at most s steps)]

    Use it to see whether more steps would still have changed something. Exact for attacks whose steps do not
    depend on how many there are; those of Auto-PGD do.

    Args:
        outcome: `Outcome`.

    Returns:
        {"step": ..., "accuracy": ...}: the numbers of steps at which it changes, from 0 to the last one,
        and the accuracy from there on. None for attacks that judge one iterate of a run, such as the
        last.
    """
    if outcome.attack.judged_steps is None:
        return None
    steps, accuracy = _find_falls(outcome, outcome.step, outcome.attack.judged_steps)
    return {"step": steps, "accuracy": accuracy}


def compute_accuracy_by_run(outcome: Outcome, num_classes: int) -> dict[str, list]:
    """Computes accuracy after so many runs (restarts, targets) of each example."""
    runs, accuracy = _find_falls(outcome, outcome.run + 1, outcome.attack.runs(num_classes))
    return {"run": runs, "accuracy": accuracy}


def compute_accuracy_by_query(outcome: Outcome) -> dict[str, list] | None:
    """Computes accuracy if every example had had so many queries; None if they were not counted."""
    queries = outcome.measures.get("queries")
    if queries is None or not np.isfinite(queries[outcome.broken]).all():
        return None
    asked = queries[outcome.attempted & np.isfinite(queries)]
    places, accuracy = _find_falls(outcome, queries, asked.max(initial=0))
    return {"query": places, "accuracy": accuracy}


def _find_falls(outcome, when, last):
    """Where accuracy falls, and to what, from 0 to `last`; `when` each broken example was."""
    when = np.asarray(when)[outcome.broken]
    places = np.unique([0, int(last), *when.astype(int)])
    standing = int(outcome.attempted.sum())
    return places.tolist(), [
        (standing - int((when <= place).sum())) / len(outcome.attempted) for place in places
    ]
