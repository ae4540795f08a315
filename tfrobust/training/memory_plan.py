"""Whether a training step fits into the memory at hand, and what to turn on if it does not."""

import contextlib
import os
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf

from tfrobust.benchmarks.measuring.memory import Memory, measure_process_peak
from tfrobust.errors import UserError
from tfrobust.methods.accumulation import find_whole_batch_part
from tfrobust.methods.base import AdversarialModel
from tfrobust.training.experiment import Experiment

_REMATERIALIZE = (
    " Or set training.train.rematerialize = True, which takes longer and leaves the batch whole."
)

# No step keeps more than this many times the bytes of its images; below that nothing need be measured.
_MOST = 10_000


class StepMemory(NamedTuple):
    """Memory of a training step: a straight line through two batch sizes.

    Attributes:
        fixed: bytes that do not depend on the batch, the process as it was before included.
        per_image: bytes for each image that is computed at the same time.
    """

    fixed: float
    per_image: float

    def peak(self, batch_size: int, steps: int = 1) -> float:
        """Bytes of a batch that is computed in so many parts."""
        return self.fixed + self.per_image * -(-batch_size // steps)


def measure_available() -> int:
    """Bytes of memory that this process may have: of the machine, or of its container."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = pathlib.Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else "max"
    return min(total, int(text)) if text.isdigit() else total


def estimate(experiment: Experiment) -> StepMemory | None:
    """The memory of a training step, from steps on an eighth and a quarter of a batch.

    Returns:
        None on GPUs, whose memory TensorFlow does not tell, and where the step is small, or
        nothing was counted.
    """
    if tf.config.list_logical_devices("GPU"):
        return None
    batch = next(iter(experiment.training_dataset()))
    size = int(batch[0].shape[0])
    in_float32 = 4 * size * batch[0].shape[1:].num_elements()
    if size < 16 or _MOST * in_float32 < measure_available():
        return None
    points = []
    for count in (-(-size // 8), -(-size // 4)):
        rows = [values[:count] for values in batch]
        # The first call traces.
        experiment.method.train_on_batch(*rows)
        memory = Memory()
        experiment.method.train_on_batch(*rows)
        points.append((-(-count // experiment.method.accumulation_steps), memory.growth()))
    (few, little), (many, much) = points
    if little is None or much is None:
        return None
    slope = max(much - little, 0) / max(many - few, 1)
    return StepMemory(measure_process_peak() + max(little - slope * few, 0.0), slope)


@contextlib.contextmanager
def naming_what_helps(method: AdversarialModel, batch_size: int) -> Iterator[None]:
    """Raises what a device has no memory for as `UserError` that says what to turn on."""
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        whole = find_whole_batch_part(method)
        steps = 2 * method.accumulation_steps
        raise UserError(
            f"A step of {batch_size} images does not fit into the memory of the device. "
            + (
                f"Set training.train.accumulation_steps = {steps}, or more."
                if whole is None
                else f"{type(whole).__name__} cannot accumulate gradients: take a smaller batch_size."
            )
            + ("" if method.rematerialize else _REMATERIALIZE)
        ) from error


def advise(
    memory: StepMemory, method: AdversarialModel, batch_size: int, available: int
) -> str | None:
    """What to do about a step that does not fit; None if it fits.

    Args:
        memory: of the step.
        method: whose step it is.
        batch_size: images of a batch on one device.
        available: bytes.
    """
    steps = method.accumulation_steps
    needed = memory.peak(batch_size, steps)
    if needed <= available:
        return None
    seen = (
        f"A step of {batch_size} images needs about {needed / 2**30:.2f} GiB, over the "
        f"{available / 2**30:.2f} GiB of this machine."
    )
    whole = find_whole_batch_part(method)
    while steps < batch_size and memory.peak(batch_size, steps) > available:
        steps *= 2
    if whole is None and memory.peak(batch_size, steps) <= available:
        return (
            f"{seen} Set training.train.accumulation_steps = {steps}: about "
            f"{memory.peak(batch_size, steps) / 2**30:.2f} GiB, and the same result but for "
            f"BatchNormalization.{_REMATERIALIZE if not method.rematerialize else ''}"
        )
    most = int((available - memory.fixed) // memory.per_image) if memory.per_image else 0
    if most < 1:
        return f"{seen} Not even one image would fit: take a smaller network."
    reason = "" if whole is None else f" ({type(whole).__name__} cannot accumulate gradients)"
    again = "" if method.rematerialize else " training.train.rematerialize = True, or"
    return f"{seen} Set{again} training.train.batch_size to at most {most}{reason}."
