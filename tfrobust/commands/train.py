"""Trains a robust classifier from a gin file.

    python bin/train.py --gin_file=gin/trades_mer.gin
    python bin/train.py --gin_file=gin/trades.gin --gin_bindings='EPOCHS = 10' --workdir=runs/short
    python bin/train.py --gin_file=gin/your_images.gin --gin_bindings='FOLDER = "photos"'

Everything about the run is kept in its folder: configuration, metrics, TensorBoard logs, checkpoints,
report.md and the exported classifier. Give the same command again to go on with a run that was interrupted.

Exit status: 0 done; 2 something in the request cannot work, nothing was written; 3 training diverged, the
last good checkpoint is kept; 75 stopped by SIGTERM or SIGINT, the state is saved.
"""

import pathlib

from absl import flags

from tfrobust.commands.start import first_look
from tfrobust.commands.start.command_line import ROOT, Command, list_scale_files, use_data_dir
from tfrobust.errors import UserError
from tfrobust.runs import kinds


def _define(values):
    flags.DEFINE_multi_string(
        "gin_file",
        [],
        "Configuration to run; later files override earlier ones.",
        flag_values=values,
    )
    flags.DEFINE_multi_string(
        "gin_bindings",
        [],
        "A line of gin that overrides the files, such as 'EPOCHS = 3'.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "scale",
        None,
        "small: a size that two CPU cores can pay, gin/parts/scale_small.gin, for any file in "
        "gin/paper/. Other names: gin/parts/scale_NAME.gin.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "workdir",
        None,
        "Folder of the run. Default: runs/ and the gin file's name.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "data_dir",
        None,
        "Where prepared TFDS data sets are; overrides TFDS_DATA_DIR.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "dry_run",
        False,
        "Build, trace and time a few steps, print the plan, write nothing.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "resume",
        "auto",
        ["auto", "never", "must"],
        "auto: go on with a run that is in the folder; never: refuse a folder with a run; must: "
        "refuse one without.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "trust",
        False,
        "Run code that the gin files name and that is not of tfrobust: read it before.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "strategy",
        None,
        ["none", "mirrored", "multi_worker"],
        "Overrides training.train.strategy; the devices are training.train.devices. multi_worker: this "
        "process is one of several, by TF_CONFIG or srun.",
        flag_values=values,
    )


def _check(values):
    if not values.gin_file:
        raise UserError("Which configuration? Give --gin_file=gin/trades_mer.gin, for example.")
    files = [*values.gin_file, *list_scale_files(values.scale)]
    first_look.check_configuration(files, values.gin_bindings, values.trust)
    first_look.check_workdir(_choose_workdir(values), kinds.RUN, values.resume)
    first_look.check_data(None, values.data_dir)


def _choose_workdir(values):
    scale = f"_{values.scale}" if values.scale else ""
    return values.workdir or pathlib.Path("runs", pathlib.Path(values.gin_file[-1]).stem + scale)


def _run(values):
    from tfrobust import training
    from tfrobust.config.configuration import Configuration

    bindings = list(values.gin_bindings)
    if values.strategy:
        bindings.append(f"training.train.strategy = {values.strategy!r}")
    scale = list_scale_files(values.scale)
    configuration = Configuration(values.gin_file, bindings, ROOT, values.trust, scale)
    with use_data_dir(values.data_dir):
        configuration.bind(training.train)(
            workdir=_choose_workdir(values),
            resume=values.resume,
            dry_run=values.dry_run,
            configuration=configuration,
        )


COMMAND = Command("train", __doc__, _define, _run, _check, usage="--gin_file=FILE [flags]")
