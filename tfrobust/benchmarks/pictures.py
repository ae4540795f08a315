"""How fast training images are read from files, beside a plain tf.data pipeline on the same files."""

import itertools
import os
import statistics
import time
from collections.abc import Callable, Iterable

import tensorflow as tf

from tfrobust import data
from tfrobust.benchmarks.benchmark_table import print_table
from tfrobust.errors import UserError

HEAD = ("", "images / s", "images / s and core", "of tf.data's", "and core")
BATCHES = 96


def measure_pictures(folder: str, image_size: int, batch_size: int, repeats: int) -> None:
    """Prints the rates of our training pipeline and of plain tf.data, in turns, for random crops and flips.

    A core's rate is images in a second of all threads together, which other processes disturb less. The
    first row of tf.data resizes with antialiasing, as we and torchvision do; the second one without, which
    is cheaper and aliases what it shrinks.

    Args:
        folder: folders of JPEG files by class; see `data.image_folder`.
        image_size: height and width of the images.
        batch_size: images in a batch.
        repeats: rounds of 96 batches.

    Raises:
        UserError: there are too few pictures, or other files than JPEG.
    """
    split = data.image_folder(
        folder,
        image_size,
        train_crop=data.RandomResizedCrop(),
        test_crop=data.CenterCrop(image_size * 8 // 7),
        memory_limit_gib=0,
    ).train
    data.steps_per_epoch(split, batch_size)
    reader = split.reader  # type: ignore[attr-defined]
    files = [os.path.join(reader.folder, reader.names[i]) for i in split.ids]
    other = next((f for f in files if not f.lower().endswith((".jpg", ".jpeg"))), None)
    if other is not None:
        raise UserError(
            f"{other} is no JPEG file: --data compares how these are read. Leave it out."
        )
    # As many epochs as the batches of a round may need.
    epochs = 1 + (BATCHES + 1) * batch_size // len(split)
    pipelines: dict[str, Callable[[int], Iterable]] = {
        "tfrobust": lambda seed: data.training_dataset(
            split, batch_size, seed=seed, epochs=epochs, augment=(data.Flip(),)
        ),
        "tf.data, antialiased": lambda seed: _plain(files, image_size, batch_size, seed, True),
        "tf.data, not antialiased": lambda seed: _plain(files, image_size, batch_size, seed, False),
    }
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in pipelines}
    for seed in range(repeats):
        for name, make in pipelines.items():
            rates[name].append(_measure(make(seed), batch_size))
    print(f"{len(split):,} files of {folder}, {image_size} pixels, batches of {batch_size}")
    print_table(HEAD, [_format_row(name, rates) for name in pipelines])


def _plain(files, size, batch_size, seed, antialias):
    """What a tutorial of TensorFlow has: the whole work in tf.data, with its own threads and tuning."""

    def read(path):
        content = tf.io.read_file(path)
        begin, length, _ = tf.image.stateless_sample_distorted_bounding_box(
            tf.io.extract_jpeg_shape(content),
            tf.zeros((1, 0, 4)),
            seed=(seed, 0),
            area_range=(0.08, 1.0),
            aspect_ratio_range=(3 / 4, 4 / 3),
            max_attempts=10,
            use_image_if_no_bounding_boxes=True,
        )
        window = tf.concat([begin[:2], length[:2]], 0)
        image = tf.image.decode_and_crop_jpeg(content, window, 3)
        image = tf.image.resize(image, (size, size), antialias=antialias)
        return tf.image.random_flip_left_right(image) / 255.0

    dataset = tf.data.Dataset.from_tensor_slices(files).shuffle(len(files), seed=seed).repeat()
    dataset = dataset.map(read, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def _measure(batches, batch_size):
    """Images a second, and images a second of the processors, from the second batch on."""
    iterator = iter(batches)
    next(iterator)
    wall, processor = time.monotonic(), time.process_time()
    count = sum(1 for _ in itertools.islice(iterator, BATCHES)) * batch_size
    return count / (time.monotonic() - wall), count / (time.process_time() - processor)


def _format_row(name, rates):
    medians = [statistics.median(column) for column in zip(*rates[name], strict=True)]
    ratios = [
        statistics.median(ours[column] / theirs[column] for ours, theirs in pairs)
        for column in (0, 1)
        for pairs in [list(zip(rates[name], rates["tf.data, antialiased"], strict=True))]
    ]
    return (name, *(f"{rate:.0f}" for rate in medians), *(f"{ratio:.2f}" for ratio in ratios))
