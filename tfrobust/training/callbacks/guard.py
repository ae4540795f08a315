"""Stops a run whose loss is NaN or infinite."""

import math
from typing import Any

import keras

from tfrobust.errors import NotFiniteError

# What to do about it, wherever it shows first.
ADVICE = "Lower the learning rate, lengthen the warm-up or clip gradients (optimizer argument `clipnorm`)."


class StopOnNaN(keras.callbacks.Callback):
    """Raises `NotFiniteError` after the step whose loss was a NaN or an infinity."""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            step = int(self.model.optimizer.iterations.numpy())
            raise NotFiniteError(f"The loss became {loss} at step {step}. {ADVICE}")
