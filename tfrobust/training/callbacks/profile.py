"""A profile of chosen steps of a run."""

import os
import pathlib
import shutil
from typing import Any

import keras
import tensorflow as tf

from tfrobust.errors import UserError


class Profile(keras.callbacks.Callback):
    """Records what TensorFlow and its devices do in some training steps, for TensorBoard's profile plugin.

    It belongs into a `with` statement around the whole training: an exception ends the recording, and nothing
    is written of it. A run that goes on in the middle records what is left of its steps.

    Args:
        folder: of event files; `plugins/profile` is made in it.
        steps: first and last training step, counted from 1 over the whole run.

    Raises:
        UserError: when the first step begins, if something else records a profile.
    """

    def __init__(self, folder: str | os.PathLike, steps: tuple[int, int]) -> None:
        super().__init__()
        self.folder = pathlib.Path(folder)
        self.first, self.last = steps
        self._is_over = self._records = False
        self._step: Any = None

    def __enter__(self) -> "Profile":
        return self

    def __exit__(self, *error: object) -> None:
        self._stop(save=error[0] is None)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._is_over:
            return
        begun = self._count_steps()
        self._is_over = begun >= self.last
        # Where Keras runs several steps in one execution, those among which the first one is.
        if not self._is_over and begun + self.model.steps_per_execution >= self.first:
            self._start()
            self._step = tf.profiler.experimental.Trace("train", step_num=begun + 1, _r=1)
            self._step.__enter__()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._records:
            self._step.__exit__(None, None, None)
            if self._count_steps() >= self.last:
                self._stop()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.model.stop_training:
            self._stop()

    def _count_steps(self):
        return int(self.model.clock.steps.numpy()) // self.model.updates_per_step

    def _start(self):
        if self._records:
            return
        # What a run recorded that was killed before it saved these steps.
        shutil.rmtree(self.folder / "plugins" / "profile", ignore_errors=True)
        try:
            tf.profiler.experimental.start(str(self.folder))
        except tf.errors.AlreadyExistsError as error:
            raise UserError(
                "`profile_steps` cannot be recorded while something else records a profile, such as "
                "`profile_batch` of keras.callbacks.TensorBoard. Leave one of them out."
            ) from error
        self._records = True

    def _stop(self, save=True):
        if self._records:
            tf.profiler.experimental.stop(save=save)
        self._records, self._is_over = False, True


def check_profile_steps(steps: object, total: int) -> tuple[int, int] | None:
    """First and last step of a profile, or None; `steps` as `train` was given them.

    Args:
        steps: pair of whole numbers, or None.
        total: training steps of the run.

    Raises:
        UserError: it is something else, or the run has no such steps.

    Example:
    >>> from tfrobust.training.callbacks.profile import check_profile_steps
    >>> check_profile_steps([10, 20], 300)
    (10, 20)
    """
    if steps is None:
        return None
    pair = tuple(steps) if isinstance(steps, (tuple, list)) else ()
    whole = all(isinstance(step, int) and not isinstance(step, bool) for step in pair)
    if len(pair) != 2 or not whole or not 1 <= pair[0] <= pair[1] <= total:
        raise UserError(
            "`profile_steps` must be the first and the last training step to profile, such as (10, 20), "
            f"counted from 1 to the last step of the run, here {total:,}. Received: profile_steps={steps!r}."
        )
    return pair
