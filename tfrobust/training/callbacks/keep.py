"""Keras callbacks that save the state of a run, so that it can be killed at any moment."""

import os
import pathlib
import time
from typing import Any

import keras
import numpy as np

from tfrobust.errors import Interrupted, NotFiniteError
from tfrobust.ops.replicas.workers import ALONE, Workers
from tfrobust.runs import checkpoint, variables
from tfrobust.training.callbacks.guard import ADVICE
from tfrobust.training.callbacks.protocols import Remembers, RemembersArrays

_CALLBACK = "callback/"


class KeepState(keras.callbacks.Callback):
    """Saves the whole state of a run, and restores a saved one.

    It saves at the end of every epoch, after `seconds` within one, and when `stop` is true,
    after which it raises `Interrupted`. It must be the last in the list, so that the other callbacks
    have seen the epoch.

    A signal during validation costs one step: at the beginning of an epoch's last step the state is kept in
    memory, and that is what is saved.

    Args:
        folder: holds the checkpoints of the run.
        steps_per_epoch: steps of a whole epoch.
        stop: object that is true once the run shall stop, such as `StopRequest`.
        seconds: a killed run loses at most this much work, and the current step.
        stateful: name -> callback that `Remembers`, and perhaps `RemembersArrays`.
        resume_from: `checkpoint.Checkpoint` to put back when training begins, or None.
        workers: the `Workers` that train together. All save and stop after the same step, and the chief
            alone writes.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        steps_per_epoch: int,
        stop: object,
        seconds: float,
        stateful: dict[str, Remembers],
        resume_from: checkpoint.Checkpoint | None = None,
        workers: Workers = ALONE,
    ) -> None:
        super().__init__()
        self.folder = pathlib.Path(folder)
        self.steps_per_epoch = steps_per_epoch
        self.stop = stop
        self.seconds = seconds
        self.stateful = stateful
        self.resume_from = resume_from
        self.workers = workers
        self._epoch = self._first_step = 0
        self._before_last_step: tuple[int, Any] | None = None
        self._saved_at = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch, self._first_step = epoch, 0
        if self.resume_from is None:
            return
        state, self.resume_from = self.resume_from, None
        variables.restore(
            self.model, select_model_arrays(state.arrays), self.workers.index, self.workers.count
        )
        self._first_step = state.state["step"]
        if self._first_step == 0:
            self.model.reset_metrics()
        restore_callbacks(self.stateful, state)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # Of the last execution, where Keras runs several steps in one.
        if self._first_step + batch + self.model.steps_per_execution >= self.steps_per_epoch:
            self._before_last_step = self._first_step + batch, self._now()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        step = self._first_step + batch + 1
        if step >= self.steps_per_epoch:
            return
        asked, due = self.workers.any_of(
            self.stop, time.monotonic() - self._saved_at > self.seconds
        )
        if asked or due:
            self._save(self._epoch, step, *self._now())
            self._leave_if(asked)

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        (asked,) = self.workers.any_of(self.stop)
        if asked and self._before_last_step is not None:
            step, state = self._before_last_step
            self._save(self._epoch, step, *state)
        self._leave_if(asked)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._before_last_step = None
        self._save(epoch + 1, 0, *self._now())
        self._leave_if(*self.workers.any_of(self.stop))

    def _leave_if(self, asked):
        if asked:
            raise Interrupted(
                f"Stopped on request in epoch {self._epoch + 1}; the state is saved in {self.folder}."
            )

    def _now(self):
        """The arrays of the model and of the callbacks, and what else these remember."""
        arrays = variables.snapshot(self.model, self.workers.exchange) | {
            f"{_CALLBACK}{name}/{key}": array
            for name, owner in self.stateful.items()
            if isinstance(owner, RemembersArrays)
            for key, array in owner.get_arrays().items()
        }
        return arrays, {name: owner.get_state() for name, owner in self.stateful.items()}

    def _save(self, epoch, step, arrays, remembered):
        check_finite(arrays)
        state = {
            "epoch": epoch,
            "step": step,
            # A callback that ends the run early has ended it for good.
            "stopped": step == 0 and bool(self.model.stop_training),
            "stateful": remembered,
        }
        if self.workers.is_chief:
            checkpoint.save(self.folder, epoch * self.steps_per_epoch + step, arrays, state)
        self._saved_at = time.monotonic()


def restore_callbacks(stateful: dict[str, Remembers], saved: checkpoint.Checkpoint) -> None:
    """Restores the state of every callback from a checkpoint."""
    for name, owner in stateful.items():
        owner.set_state(saved.state["stateful"][name])
        if isinstance(owner, RemembersArrays):
            begin = f"{_CALLBACK}{name}/"
            owner.set_arrays(
                {k.removeprefix(begin): v for k, v in saved.arrays.items() if k.startswith(begin)}
            )


def select_model_arrays(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those of a checkpoint's arrays that belong to the model, without the callbacks'."""
    return {name: array for name, array in arrays.items() if not name.startswith(_CALLBACK)}


def check_finite(arrays: dict[str, np.ndarray]) -> None:
    """Raises `NotFiniteError` if an array has a NaN or an infinity: such a state is never saved."""
    for name, array in arrays.items():
        # Kind V is bfloat16 and its like, which NumPy does not count among the floats.
        if array.dtype.kind in "fV" and not np.isfinite(array.astype(np.float64)).all():
            raise NotFiniteError(
                f"{name} is not finite; the last good checkpoint is kept. {ADVICE}"
            )


class KeepBest(keras.callbacks.Callback):
    """Keeps the weights of the best epoch, by a named rule on the validation split.

    Args:
        folder: holds the checkpoint of the best epoch.
        rule: "best_robust" (validation accuracy under the evaluation attack), "best_clean" (validation
            accuracy) or "last" (every epoch is better than the one before). On ties the earlier epoch stays.
        workers: the `Workers` that train together, of whom the chief alone writes.
    """

    RULES = {"best_robust": "val_robust_accuracy", "best_clean": "val_accuracy", "last": None}

    def __init__(self, folder: str | os.PathLike, rule: str, workers: Workers = ALONE) -> None:
        super().__init__()
        self.workers = workers
        self.folder = pathlib.Path(folder)
        self.rule = rule
        self.best: dict[str, Any] = {"epoch": None, "value": None}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        monitor = self.RULES[self.rule]
        value = float(epoch) if monitor is None else float((logs or {})[monitor])
        if self.best["value"] is None or value > self.best["value"]:
            arrays = variables.snapshot(self.model, self.workers.exchange)
            check_finite(arrays)
            self.best = {"epoch": epoch, "value": value}
            if self.workers.is_chief:
                checkpoint.save(self.folder, epoch + 1, arrays, self.best, keep=1)

    def get_state(self) -> Any:
        return self.best

    def set_state(self, value: Any) -> None:
        self.best = value
