"""How much memory is taken."""

import resource
import sys

import tensorflow as tf


class Memory:
    """Peak memory of tensors since the last `start`: on the GPUs if there are any, else of the CPU.

    On a CPU TensorFlow counts with oneDNN only, and only tensors of more than 256 KiB.
    """

    def __init__(self) -> None:
        gpus = tf.config.list_logical_devices("GPU")
        self._devices = [gpu.name.removeprefix("/device:") for gpu in gpus] or ["CPU:0"]
        try:
            self.start()
        except ValueError:
            self._devices = []

    def start(self) -> None:
        """Forgets the former peak, and takes what is there as given."""
        for device in self._devices:
            tf.config.experimental.reset_memory_stats(device)
        self._before = self._bytes("current")

    def growth(self) -> int | None:
        """Bytes at the peak beyond those at the start, or None where nothing was counted."""
        return self._bytes("peak") - self._before or None

    def _bytes(self, what):
        return sum(tf.config.experimental.get_memory_info(d)[what] for d in self._devices)


def measure_process_peak() -> int:
    """Bytes that this process has held at most, everything included."""
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
