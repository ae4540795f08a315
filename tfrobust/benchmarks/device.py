"""What a device makes of training steps: images a second, peak memory, passes; one table to send."""

import os
import pathlib
import platform
from collections.abc import Sequence

import keras
import tensorflow as tf

from tfrobust.benchmarks.benchmark_table import (
    format_formula,
    format_mebibytes,
    format_milliseconds,
    print_table,
)
from tfrobust.benchmarks.calls import RepeatedStep
from tfrobust.benchmarks.measuring.costs import Cost, measure_calls, take_median
from tfrobust.benchmarks.steps import MeasuredMethod
from tfrobust.version import __version__

HEAD = ("method", "passes", "step ms", "images/s", "images/s, fastest", "peak MiB", "traces")


def describe_device() -> str:
    """The device that steps run on, and the versions of what they run in; two lines of text."""
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    names = [detail.get("device_name", "GPU") for detail in details]
    device = f"{_name_processor()}, {os.cpu_count()} cores"
    if gpus:
        capability = details[0].get("compute_capability")
        capable = f", compute capability {'.'.join(map(str, capability))}" if capability else ""
        device = f"{names[0]}{capable}, 1 of {len(gpus)}; {device}"
    build = tf.sysconfig.get_build_info()
    cuda = f", CUDA {build['cuda_version']}" if gpus and "cuda_version" in build else ""
    return (
        f"{device}\ntfrobust {__version__}, TensorFlow {tf.__version__}{cuda}, Keras "
        f"{keras.__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    )


def measure_device(
    subjects: dict[str, MeasuredMethod],
    model: keras.Model,
    x: tf.Tensor,
    y: tf.Tensor,
    repeats: int,
    jit_compile: bool = False,
) -> list[tuple[str, ...]]:
    """Prints a row of `HEAD` for each method, one after the other, so that the device holds one.

    Args:
        subjects: dict from a name to its `MeasuredMethod`.
        model: the classifier.
        x, y: the batch.
        repeats: steps that are timed, at least 1, after one that traces.
        jit_compile: compile the steps with XLA.

    Returns:
        The rows. A method whose step does not fit says so in its row.
    """
    rows = []
    for name, subject in subjects.items():
        try:
            step = RepeatedStep(subject, model, x, y, jit_compile)
            costs = measure_calls({name: step}, repeats)[name]
        except tf.errors.ResourceExhaustedError:
            rows.append((name, format_formula(subject), *["out of memory"] * 3, "-", "-"))
        else:
            rows.append(format_row(name, subject, costs, int(x.shape[0]), step.traces))
        keras.utils.clear_session(free_memory=True)
    print_table(HEAD, rows)
    return rows


def format_row(
    name: str, subject: MeasuredMethod, costs: Sequence[Cost], batch_size: int, traces: int
) -> tuple[str, ...]:
    """A row of `HEAD` from a method's costs, one for each step: medians, and the fastest step."""
    median, fastest = take_median(costs), min(cost.wall for cost in costs)
    return (
        name,
        format_formula(subject),
        format_milliseconds(median.wall),
        f"{batch_size / median.wall:.4g}",
        f"{batch_size / fastest:.4g}",
        format_mebibytes(median.memory),
        str(traces),
    )


def _name_processor():
    """Linux says it in a file only; elsewhere Python knows."""
    source = pathlib.Path("/proc/cpuinfo")
    lines = source.read_text().splitlines() if source.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names or [platform.processor() or platform.machine()])[0]
