"""What a person sees while a run goes on."""

import sys
import time

import keras


class Progress(keras.callbacks.Callback):
    """A bar with the time left on a terminal; otherwise one plain line for each epoch.

    Args:
        epochs: of the whole run.
        steps_per_epoch: steps of a whole epoch.
        stream: where to write; standard output by default.
        width: columns of the bar.
    """

    def __init__(self, epochs, steps_per_epoch, stream=None, width=24):
        super().__init__()
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.stream = stream or sys.stdout
        self.width = width
        self._live = self.stream.isatty()
        self._began = self._drawn = 0.0
        self._done = 0
        self._epoch = 0

    def on_train_begin(self, logs=None):
        self._began, self._done = time.monotonic(), 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
        self._epoch_began = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        self._done += 1
        if self._live and time.monotonic() - self._drawn > 0.2:
            self._drawn = time.monotonic()
            total = self.epochs * self.steps_per_epoch
            step = self._step()
            filled = min(self.width, self.width * step // total)
            bar = "=" * filled + "." * (self.width - filled)
            self._write(
                f"\r[{bar}] epoch {self._epoch + 1}/{self.epochs} step {step}/{total} "
                f"loss {float(logs['loss']):.4f} ETA {clock(self._left(step))}\x1b[K"
            )

    def on_epoch_end(self, epoch, logs=None):
        step = self._step()
        numbers = "  ".join(f"{name} {value:.4f}" for name, value in sorted_logs(logs).items())
        seconds = time.monotonic() - self._epoch_began
        begin, end = ("\r", "\x1b[K\n") if self._live else ("", "\n")
        self._write(
            f"{begin}epoch {epoch + 1}/{self.epochs}  {seconds:.1f}s  {numbers}  "
            f"ETA {clock(self._left(step))}{end}"
        )

    def _step(self):
        updates = int(self.model.optimizer.iterations.numpy())
        return updates // getattr(self.model, "updates_per_step", 1)

    def _left(self, step):
        passed = time.monotonic() - self._began
        return passed / max(self._done, 1) * (self.epochs * self.steps_per_epoch - step)

    def _write(self, text):
        self.stream.write(text)
        self.stream.flush()


def sorted_logs(logs):
    """An epoch's numbers as floats: the loss first, then its parts, validation last."""
    order = sorted(logs, key=lambda name: (name.startswith("val_"), name != "loss", name))
    return {name: float(logs[name]) for name in order}


def clock(seconds):
    """Seconds as minutes and seconds, 1:05, or with hours, 1:01:05."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
