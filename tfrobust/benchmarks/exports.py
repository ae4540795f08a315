"""What the signatures of an export cost beside the classifier alone."""

import functools
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfrobust.benchmarks.benchmark_table import format_milliseconds, print_table
from tfrobust.benchmarks.device import describe_device
from tfrobust.benchmarks.measuring.costs import compute_ratios, measure_calls, take_median
from tfrobust.contract.keras_file import read_keras_file
from tfrobust.errors import UserError
from tfrobust.models.saved_model import load_saved_model
from tfrobust.runs import kinds
from tfrobust.runs.exported import find_classifier, find_saved_model

HEAD = ("signature", "batch", "alone ms", "signature ms", "signature/alone", "CPU")
BATCHES = (1, 64)
# The smallest measurement, in rounds of one call each.
_FEWEST = 20


def measure_exports(folders: Sequence[str | os.PathLike], repeats: int) -> None:
    """Prints, for each export, the latency of its signatures beside `tf.function` of the bare model.

    Both are called in turns on the same images, with the answer copied to NumPy.

    Args:
        folders: of runs, or of exports.
        repeats: rounds of a batch of 64; a single image has four times as many, and at least 20.
    """
    found = [_find(folder) for folder in folders]
    print(describe_device(), flush=True)
    for folder, export in zip(folders, found, strict=True):
        print(f"\n{folder}", flush=True)
        model, saved_model = export
        print_table(HEAD, measure_export(model, saved_model, repeats))


def measure_export(
    model: keras.Model, saved_model: pathlib.Path, repeats: int
) -> list[tuple[str, ...]]:
    """The rows of `HEAD` for a classifier and its SavedModel."""
    # Held: the signatures refer to its variables weakly.
    loaded = load_saved_model(saved_model)
    spec = loaded.signatures["pixels"].structured_input_signature[1]["pixels"]
    size = [side or 224 for side in spec.shape[1:]]
    alone = tf.function(lambda x: model(x, training=False), autograph=False)
    rows: list[tuple[str, ...]] = []
    for batch in BATCHES:
        images = np.random.default_rng(0).integers(0, 256, (batch, *size), np.uint8)
        taken = tf.constant(images)
        pixels = tf.constant(images / np.float32(255))
        calls: dict[Any, Callable[[], Any]] = {
            "alone": functools.partial(_copy, alone, pixels),
            "serving_default": functools.partial(_ask, loaded, "serving_default", images=taken),
            "pixels": functools.partial(_ask, loaded, "pixels", pixels=pixels),
        }
        costs = measure_calls(calls, max(_FEWEST, 4 * repeats) if batch == 1 else repeats)
        base = take_median(costs["alone"]).wall
        for name in ("serving_default", "pixels"):
            here = take_median(costs[name]).wall
            wall, cpu = compute_ratios(costs[name], costs["alone"])
            times = format_milliseconds(base), format_milliseconds(here)
            rows.append((name, str(batch), *times, f"{wall:.3f}", f"{cpu:.3f}"))
    return rows


def _copy(function, pixels):
    return function(pixels).numpy()


def _ask(loaded, name, **images):
    return loaded.signatures[name](**images)["logits"].numpy()


def _find(folder):
    found = find_classifier(folder)
    saved = find_saved_model(found.path.parent)
    if found.is_saved_model or saved is None or kinds.EXPORT.read(found.path.parent) is None:
        raise UserError(
            f"{folder} is not the folder of an export, with a .keras file and a SavedModel. Make one by "
            "tfrobust export."
        )
    return read_keras_file(found.path), saved
