"""What batches cost: images a second with and without augmentation, and fits that wait for tf.data."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfrobust import data
from tfrobust.benchmarks.benchmark_table import print_table
from tfrobust.data.augmentation.transforms import Transform
from tfrobust.methods.in_memory import as_batches

HEAD = ("training batches", "images/s", "images/s and core", "of none")
STALL_HEAD = ("short fits", "median s", "longest / median", "over 1.5 medians")
# Batches before the clock starts.
_WARM_UP = 8


def measure_memory(image_size: int, batch_size: int, repeats: int) -> None:
    """Prints the rates of training batches from memory, and short fits beside what Keras makes of them.

    Args:
        image_size: height and width of the images, pixels.
        batch_size: images in a batch.
        repeats: rounds of 40 batches and of three fits.
    """
    print_table(HEAD, list(measure_batches(image_size, batch_size, 40 * repeats)))
    print_table(STALL_HEAD, list(measure_stalls(3 * repeats, seconds=0.9)))


def measure_batches(
    image_size: int, batch_size: int, batches: int
) -> Iterator[tuple[str, str, str, str]]:
    """Rows of `HEAD`: 8-bit colour images in memory, with crop and flip and without, in one process.

    Args:
        image_size: height and width of the images, pixels.
        batch_size: images in a batch.
        batches: how many are made of each kind; "image by image" makes a tenth of them.
    """
    shape = (batch_size * 4, image_size, image_size, 3)
    pixels = np.random.Generator(np.random.Philox(0)).integers(0, 256, shape, np.uint8)
    split = data.Split(pixels, np.arange(len(pixels)) % 10)
    usual = (data.PadCrop(4), data.Flip())
    kinds: dict[str, tuple[Sequence[Transform], int]] = {
        "no augmentation": ((), batches),
        "crop and flip": (usual, batches),
        "reflected crop and flip": ((data.PadCrop(4, "reflect"), data.Flip()), batches),
        # As a transform without `augment_batch` is applied.
        "crop and flip, image by image": (
            tuple(_without_batches(transform) for transform in usual),
            -(-batches // 10),
        ),
    }
    plain = None
    for name, (augment, count) in kinds.items():
        wall, cpu = _measure_rate(split, batch_size, augment, count)
        plain = plain or cpu
        yield name, f"{wall:,.0f}", f"{cpu:,.0f}", f"{cpu / plain:.2f}"


def _without_batches(transform: Transform) -> Transform:
    return lambda image, seed: transform(image, seed)


def _measure_rate(split, batch_size, augment, count):
    """Images a second of time, and of processor time of all threads."""
    epochs = -(-(count + _WARM_UP) // data.steps_per_epoch(split, batch_size))
    made = data.training_dataset(split, batch_size, seed=0, epochs=epochs, augment=augment)
    wall = cpu = 0.0
    # To the end: an iterator that is left in the middle may be waited for.
    for number, _ in enumerate(made.take(count + _WARM_UP), 1):
        if number == _WARM_UP:
            wall, cpu = time.perf_counter(), time.process_time()
    images = count * batch_size
    return images / (time.perf_counter() - wall), images / (time.process_time() - cpu)


def measure_stalls(fits: int, seconds: float) -> Iterator[tuple[str, str, str, str]]:
    """Rows of `STALL_HEAD`: short fits on arrays, as Keras gives them to tf.data and as methods do.

    Args:
        fits: of each kind.
        seconds: of each of three steps, which only sleep.
    """

    class Sleeper(keras.Model):
        def train_step(self, batch: Any) -> dict[str, tf.Tensor]:
            return {"loss": tf.py_function(sleep, [], tf.float32)}

    def sleep() -> float:
        time.sleep(seconds)
        return 0.0

    images = np.zeros((96, 8, 8, 1), np.float32)
    kinds: dict[str, Callable] = {
        "arrays, by Keras": lambda: {"x": images, "shuffle": True},
        "arrays, by a method": lambda: as_batches(images, batch_size=32, shuffle=True),
    }
    for name, make in kinds.items():
        model = Sleeper()
        model.built = True
        model.compile()
        took = []
        for _ in range(fits):
            began = time.perf_counter()
            model.fit(**make(), verbose=0)
            took.append(time.perf_counter() - began)
        median = statistics.median(took)
        over = sum(one > 1.5 * median for one in took)
        yield name, f"{median:.2f}", f"{max(took) / median:.2f}", f"{over} of {fits}"
