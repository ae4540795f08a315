"""The state that a run goes on from, the same on all its workers."""

import os
import time

from tfrobust.errors import UserError
from tfrobust.ops.replicas.workers import Workers
from tfrobust.runs import checkpoint
from tfrobust.runs.workspace import Workspace
from tfrobust.training.callbacks.metrics_log import MetricsLog

PATIENCE = 60.0
"""Seconds in which what the chief sees in a folder must show on every machine."""


def load_state(workspace: Workspace, workers: Workers) -> checkpoint.Checkpoint | None:
    """The newest checkpoint that is intact, as the chief finds it; None if the run begins.

    Args:
        workspace: `Workspace` of the run, claimed by the chief.
        workers: the `Workers` that train together.

    Raises:
        UserError: all checkpoints are damaged, that of the best epoch is lost, or a worker does not see them.
    """
    saved = None
    with workers.refused_together():
        if workers.is_chief:
            saved, skipped = checkpoint.load_newest(workspace.latest)
            for reason in skipped:
                print(f"Skipped a damaged checkpoint: {reason}")
            if skipped and saved is None:
                raise UserError(
                    f"All checkpoints in {workspace.latest} are damaged. Remove that folder to start over."
                )
            if saved is not None:
                _check_best(workspace, saved.state["stateful"]["best"]["epoch"])
                state = saved.state
                print(f"Resuming at epoch {state['epoch'] + 1}, step {state['step']} of it.")
    return share_checkpoint(workspace.latest, saved, workers)


def share_checkpoint(
    folder: str | os.PathLike, saved: checkpoint.Checkpoint | None, workers: Workers
) -> checkpoint.Checkpoint | None:
    """The checkpoint that the chief has loaded, loaded by every worker.

    Args:
        folder: holds the checkpoints, on a file system that all workers share.
        saved: the chief's `Checkpoint`, or None; anything on the others.
        workers: the `Workers` that train together.

    Raises:
        UserError: a worker does not see it.
    """
    if workers.count == 1:
        return saved
    step = workers.exchange(saved.step if workers.is_chief and saved else None)[0]
    with workers.refused_together():
        if step is not None and not workers.is_chief:
            saved = _load_soon(folder, step)
    return saved if step is not None else None


def _load_soon(folder, step):
    # A file that another machine has just written may take a while to show.
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return checkpoint.load(folder, step)
        except checkpoint.CorruptCheckpoint as error:
            if time.monotonic() > end:
                raise UserError(
                    f"The checkpoint of step {step} that worker 0 has in {folder} cannot be read here: "
                    f"{error}. Give all workers a --workdir on a file system that they share."
                ) from error
            time.sleep(1.0)


def _check_best(workspace, epoch):
    """Raises `UserError` at the start, in place of after hours, if the best epoch so far is lost."""
    best, skipped = checkpoint.load_newest(workspace.best)
    if epoch is None or best is not None:
        return
    seen = f"cannot be read: {'; '.join(skipped)}" if skipped else "are gone"
    raise UserError(
        f"The weights of the best epoch so far, number {epoch + 1}, should be in {workspace.best} and "
        f"{seen}. Put that folder back, or remove {workspace.best.parent} to train again from the beginning."
    )


def open_log(workspace: Workspace, saved: checkpoint.Checkpoint | None) -> MetricsLog:
    """The log of the epochs' numbers, without the rows that are written again; says what it lacks.

    Args:
        workspace: `Workspace` of the run.
        saved: the checkpoint that the run goes on from, or None.
    """
    log = MetricsLog(workspace.path, first_epoch=saved.state["epoch"] if saved else 0)
    if log.lost:
        lost = ", ".join(str(number + 1) for number in log.lost)
        print(f"metrics.jsonl and metrics.csv lack the rows of epochs {lost}; the run continues.")
    if saved is None and log.dropped:
        print(
            f"There is no checkpoint: the run starts over, and {log.dropped} rows of metrics were dropped."
        )
    return log
