"""How much memory tensors take."""

import ctypes
import pathlib

import tensorflow as tf


class Memory:
    """Peak memory of all tensors since the last `start`: on the GPUs if there are any, else of the CPU."""

    def __init__(self):
        gpus = tf.config.list_logical_devices("GPU")
        self._devices = [gpu.name.removeprefix("/device:") for gpu in gpus]
        if not gpus and _count_on_cpu():
            self._devices = ["CPU:0"]

    def start(self):
        """Forgets the former peak."""
        for device in self._devices:
            tf.config.experimental.reset_memory_stats(device)

    def peak(self):
        """Bytes, or None where TensorFlow does not tell."""
        if not self._devices:
            return None
        return sum(tf.config.experimental.get_memory_info(d)["peak"] for d in self._devices)


def _count_on_cpu():
    # TensorFlow counts a CPU's tensors only when told to, and has no Python function for that. The size
    # of the process would not do: its allocator never gives memory back.
    for library in pathlib.Path(tf.__file__).parent.glob("libtensorflow_framework.*"):
        try:
            ctypes.CDLL(str(library))._ZN3tsl23EnableCPUAllocatorStatsEv()
            return True
        except (OSError, AttributeError):
            continue
    return False
