"""The runs of a sweep in TensorBoard's HParams dashboard."""

from collections.abc import Sequence

import tensorflow as tf
from tensorboard.plugins.hparams import api

from tfrobust.runs import events, files
from tfrobust.sweeps.folder import SweepFolder
from tfrobust.sweeps.grid import shorten
from tfrobust.sweeps.results import MEASURES, Result

_TITLES = {"clean": "clean accuracy", "robust": "robust accuracy", "suite": "under the suite"}


def write_hparams(folder: SweepFolder, results: Sequence[Result]) -> None:
    """Writes values and accuracies of all runs, so that `tensorboard --logdir=SWEEP` compares them.

    What an earlier call wrote is replaced. The files are in `tensorboard/`, a folder for each run.

    Args:
        folder: `SweepFolder`.
        results: `Result`s; those without an accuracy are left out.
    """
    root = folder.path / "tensorboard"
    with files.write_folder(root) as unfinished:
        measures = [m for m in MEASURES if any(m in r.accuracies for r in results)]
        with tf.summary.create_file_writer(str(unfinished)).as_default(step=0):
            names = [name for name, _ in shorten(results[0].point.values)] if results else []
            api.hparams_config(
                [api.HParam(name) for name in [*names, "seed"]],
                [api.Metric(f"sweep/{m}", display_name=_TITLES[m]) for m in measures],
            )
        for result in results:
            if result.accuracies:
                _write_run(unfinished / result.point.name, result)


def _write_run(path, result):
    values = {name: events.read_value(value) for name, value in shorten(result.point.values)}
    if result.point.seed is not None:
        values["seed"] = result.point.seed
    with tf.summary.create_file_writer(str(path)).as_default(step=0):
        events.write_hparams(values, result.point.name)
        for measure, value in result.accuracies.items():
            tf.summary.scalar(f"sweep/{measure}", value)
