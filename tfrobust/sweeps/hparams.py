"""The runs of a sweep in TensorBoard's HParams dashboard."""

import math
from collections.abc import Sequence

import tensorflow as tf
from tensorboard.plugins.hparams import api

from tfrobust.runs import events, files
from tfrobust.sweeps.folder import SweepFolder
from tfrobust.sweeps.grid import shorten
from tfrobust.sweeps.results import MEASURES, Result


def write_hparams(folder: SweepFolder, results: Sequence[Result]) -> None:
    """Writes values and accuracies of all runs, so that `tensorboard --logdir=SWEEP` compares them.

    What an earlier call wrote is replaced. The files are in `tensorboard/`, a folder for each run. Columns
    have a kind, numbers, truth values or texts, and their values to choose from.

    Args:
        folder: `SweepFolder`.
        results: `Result`s; those without an accuracy are left out.
    """
    ended = [result for result in results if result.accuracies]
    values = [_read_values(result) for result in ended]
    columns = {
        name: _unify([found[name] for found in values if name in found])
        for name in dict.fromkeys(name for found in values for name in found)
    }
    titles = {"clean": "clean accuracy", "robust": "robust accuracy, test attack"}
    titles["suite"] = f"robust accuracy, {folder.shared.get('suite')}"
    with files.write_folder(folder.path / "tensorboard") as unfinished:
        measures = [m for m in MEASURES if any(m in r.accuracies for r in ended)]
        with tf.summary.create_file_writer(str(unfinished)).as_default(step=0):
            api.hparams_config(
                [api.HParam(n, api.Discrete(sorted(set(c.values())))) for n, c in columns.items()],
                [api.Metric(f"sweep/{m}", display_name=titles[m]) for m in measures],
            )
        for result, found in zip(ended, values, strict=True):
            settings = {name: columns[name][value] for name, value in found.items()}
            _write_run(unfinished / result.point.name, result, settings)


def _read_values(result):
    values = dict(shorten(result.point.values))
    return values if result.point.seed is None else {**values, "seed": str(result.point.seed)}


def _unify(texts):
    """From each text of a column to its value; of a column in which not all are numbers, to the text."""
    found = {text: events.read_value(text) for text in texts}
    kinds = {type(value) for value in found.values()}
    if kinds == {bool}:
        return found
    if kinds <= {int, float} and all(map(math.isfinite, found.values())):
        return {text: float(value) for text, value in found.items()}
    return {text: text for text in found}


def _write_run(path, result, settings):
    with tf.summary.create_file_writer(str(path)).as_default(step=0):
        events.write_hparams(settings, result.point.name)
        for measure, value in result.accuracies.items():
            tf.summary.scalar(f"sweep/{measure}", value)
