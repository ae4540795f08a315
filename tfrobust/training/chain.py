"""The callbacks of a run: what is logged, saved and kept at each step and epoch."""

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from tfrobust.evaluation.robust_accuracy import RobustAccuracy
from tfrobust.runs.checkpoint import Checkpoint
from tfrobust.runs.events import read_value
from tfrobust.runs.workspace import Workspace
from tfrobust.training.callbacks.guard import StopOnNaN
from tfrobust.training.callbacks.keep import KeepBest, KeepState
from tfrobust.training.callbacks.metrics_log import MetricsLog
from tfrobust.training.callbacks.profile import Profile
from tfrobust.training.callbacks.progress import Progress
from tfrobust.training.callbacks.protocols import Remembers
from tfrobust.training.callbacks.record import RecordMetrics
from tfrobust.training.callbacks.tensorboard import TensorBoardLog
from tfrobust.training.experiment import Experiment
from tfrobust.training.measurements.base import Measurement

# They write into the logs of an epoch.
MEASURING = (Measurement, RobustAccuracy)


class Chain(NamedTuple):
    """The callbacks of a run.

    Attributes:
        callbacks: in the order in which Keras calls them.
        stateful: name -> callback with a state, which checkpoints hold.
        metrics: the one that writes the numbers of each epoch.
        profile: what `fit` is called within: the one that records a profile, or nothing.
    """

    callbacks: list[keras.callbacks.Callback]
    stateful: dict[str, Remembers]
    metrics: RecordMetrics
    profile: contextlib.AbstractContextManager


def make_chain(
    experiment: Experiment,
    workspace: Workspace,
    log: MetricsLog | None,
    *,
    checkpoint_rule: str,
    save_seconds: float,
    image_epochs: int,
    profile_steps: tuple[int, int] | None = None,
    stop: object,
    extra: Sequence[keras.callbacks.Callback] = (),
    saved: Checkpoint | None = None,
) -> Chain:
    """Makes the callbacks of a run, those of the user among them.

    Args:
        experiment: what the run has built.
        workspace: where they write.
        log: of the numbers of each epoch; None on workers that are not the chief.
        checkpoint_rule, save_seconds, image_epochs, profile_steps: as for `train`.
        stop: true once the run shall stop.
        extra: the user's callbacks.
        saved: `Checkpoint` to put back when training begins, or None.
    """
    workers, steps = experiment.workers, experiment.steps_per_epoch
    best, metrics = KeepBest(workspace.best, checkpoint_rule, workers), RecordMetrics(log)
    stateful: dict[str, Remembers] = {"best": best, "time": metrics}  # type: ignore[dict-item]
    stateful |= {c.name: c for c in extra if isinstance(c, Remembers)}
    folder = workspace.latest
    state = KeepState(folder, steps, stop, save_seconds, stateful, saved, workers)
    seen: list[keras.callbacks.Callback] = []
    board: list[keras.callbacks.Callback] = []
    profiles: list[Profile] = []
    if workers.is_chief:
        if profile_steps:
            profiles.append(Profile(workspace.tensorboard / "train", profile_steps))
        validation = experiment.splits.validation
        images = validation.take(np.arange(min(8, len(validation))))
        batches = -(-len(validation) // experiment.evaluation_batch_size)
        seen.append(Progress(experiment.epochs, steps, validation_batches=batches))
        board.append(
            TensorBoardLog(
                workspace.tensorboard,
                images,
                workspace.given,
                image_epochs,
                first_epoch=saved.state["epoch"] if saved else 0,
                settings=_list_settings(experiment),
                class_names=experiment.splits.info.class_names,
            )
        )
    callbacks = [
        StopOnNaN(),
        # After the one that waits for a step's end.
        *profiles,
        # Before what reads the logs.
        *(c for c in extra if isinstance(c, MEASURING)),
        *seen,
        metrics,
        *board,
        *(c for c in extra if not isinstance(c, MEASURING)),
        best,
        state,
    ]
    profile = profiles[0] if profiles else contextlib.nullcontext()
    return Chain(callbacks, stateful, metrics, profile)


def _list_settings(experiment):
    """What tells runs apart, for TensorBoard's HParams: the main settings, and what overrides the file's."""
    settings = {
        "method": experiment.method.describe(),
        "data": experiment.splits.info.name,
        "threat_model": experiment.test_attack.threat_model.describe(),
        "epochs": experiment.epochs,
        "batch_size": experiment.batch_size,
        "seed": experiment.seed,
    }
    for binding in experiment.gin_bindings:
        name, _, text = binding.partition("=")
        name, value = name.strip(), read_value(text.strip())
        # Not EPOCHS beside epochs.
        if settings.get(name.rpartition(".")[2].lower()) != value:
            settings[name] = value
    return settings
