"""Devices, determinism and seeds, which must be set before TensorFlow computes anything."""

import contextlib
import dataclasses
import re
from collections.abc import Iterator

import keras
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.replicas.workers import ALONE, Workers
from tfrobust.spec import Spec, register
from tfrobust.training.cluster.environment import Cluster
from tfrobust.training.cluster.session import join_workers

STRATEGIES = ("none", "mirrored", "multi_worker")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


@register
@dataclasses.dataclass(frozen=True)
class Runtime(Spec):
    """Where and how a run computes.

    Args:
        strategy: "none" for one device, "mirrored" for copies of the model on several, "multi_worker" for
            several processes, on one machine or more, which `TF_CONFIG` or SLURM tells of each other.
        devices: names such as ("GPU:0", "GPU:1"), of each process; empty means all GPUs, or the CPU. "CPU:1"
            splits the CPU into logical devices, to try several replicas without GPUs.
        deterministic: use deterministic kernels only, so that two runs with one seed are equal to the last
            bit. Somewhat slower on GPUs.
        precision: Keras's dtype policy: "float32", "mixed_bfloat16" or "mixed_float16".
    """

    strategy: str = "none"
    devices: tuple = ()
    deterministic: bool = True
    precision: str = "float32"

    def check(self) -> None:
        for name, allowed in (("strategy", STRATEGIES), ("precision", PRECISIONS)):
            value = getattr(self, name)
            if not isinstance(value, str) or value not in allowed:
                raise UserError(f"`{name}` must be one of {allowed}. Received: {name}={value!r}.")
        if not isinstance(self.deterministic, bool):
            raise UserError(
                f"`deterministic` must be True or False. Received: deterministic={self.deterministic!r}."
            )
        devices = self.devices if isinstance(self.devices, tuple) else (None,)
        if not all(isinstance(d, str) and re.fullmatch(r"[A-Z]+:\d{1,3}", d) for d in devices):
            raise UserError(
                "`devices` must be a sequence of names such as ('GPU:0', 'GPU:1'), or empty. Received: "
                f"devices={self.devices!r}."
            )
        if len(set(devices)) < len(devices):
            raise UserError(f"`devices` must all be different. Received: devices={devices}.")
        kinds = {d.split(":")[0] for d in devices}
        if self.strategy == "multi_worker" and kinds and not (kinds <= {"GPU"} or kinds <= {"CPU"}):
            raise UserError(
                "With strategy='multi_worker' all devices must be GPUs, or all CPUs. Received: "
                f"devices={devices}."
            )
        if self.strategy == "none" and len(self.devices) > 1:
            raise UserError(
                f"Several devices need strategy='mirrored'. Received: devices={self.devices}."
            )

    @contextlib.contextmanager
    def start(self, seed: int, cluster: Cluster | None = None) -> Iterator[Workers]:
        """Applies the settings and opens the context under which models are made.

        Args:
            seed: whole number, the seed of the initial weights and of Keras's own random numbers.
            cluster: the `Cluster` of strategy "multi_worker".

        Yields:
            The `Workers`.
        """
        self._split_cpu()
        if self.deterministic:
            tf.config.experimental.enable_op_determinism()
        with contextlib.ExitStack() as stack:
            workers = ALONE
            if cluster is not None:
                # Before TensorFlow computes anything.
                workers = stack.enter_context(join_workers(cluster, self._choose_physical()))
            keras.utils.set_random_seed(seed % 2**32)
            keras.config.set_dtype_policy(self.precision)
            if self.strategy == "mirrored":
                mirrored = tf.distribute.MirroredStrategy(self._find_devices() or None)
                stack.enter_context(mirrored.scope())
            elif self.strategy == "none" and self.devices:
                stack.enter_context(tf.device(self._find_devices()[0]))
            yield workers

    def _split_cpu(self):
        numbers = [int(d.split(":")[1]) for d in self.devices if d.startswith("CPU:")]
        wanted = max(numbers, default=0) + 1
        if wanted > 1:
            try:
                tf.config.set_logical_device_configuration(
                    tf.config.list_physical_devices("CPU")[0],
                    [tf.config.LogicalDeviceConfiguration()] * wanted,
                )
            except RuntimeError:
                pass  # TensorFlow has started; `_find_devices` says whether the devices are there.

    def _choose_physical(self):
        """The devices of this worker; asking for logical ones would start TensorFlow too early."""
        gpus = [f"GPU:{i}" for i in range(len(tf.config.list_physical_devices("GPU")))]
        missing = [d for d in self.devices if d.startswith("GPU:") and d not in gpus]
        if missing:
            raise UserError(f"There is no device {missing[0]!r}. Available: {gpus or 'the CPU'}.")
        return self.devices or tuple(gpus) or ("CPU:0",)

    def _find_devices(self):
        there = [d.name.split("device:")[1] for d in tf.config.list_logical_devices()]
        missing = [d for d in self.devices if d not in there]
        if missing:
            raise UserError(f"There is no device {missing[0]!r}. Available: {there}.")
        return list(self.devices)
