"""Trains a robust classifier from a gin file.

    python bin/train.py --gin_file=gin/trades_mer.gin

Everything about the run is kept in its folder: configuration, metrics, TensorBoard logs, checkpoints,
report.md and the exported classifier. Give the same command again to go on with a run that was interrupted.

Exit status: 0 done; 2 something in the request cannot work, nothing was written; 3 training diverged, the
last good checkpoint is kept; 75 stopped by SIGTERM or SIGINT, the state is saved.
"""

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import app, flags, logging  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_multi_string(
    "gin_file", [], "Configuration to run; may be repeated, later files override earlier ones."
)
flags.DEFINE_multi_string(
    "gin_bindings", [], "A line of gin that overrides the files, such as 'EPOCHS = 3'; repeatable."
)
flags.DEFINE_string("workdir", None, "Folder of the run. Default: runs/ and the gin file's name.")
flags.DEFINE_string("data_dir", None, "Where prepared TFDS data sets are; overrides TFDS_DATA_DIR.")
flags.DEFINE_bool(
    "dry_run", False, "Build, trace and time a few steps, print the plan, write nothing."
)
flags.DEFINE_enum(
    "resume",
    "auto",
    ["auto", "never", "must"],
    "auto: go on with a run that is in the folder; never: refuse a folder with a run; must: refuse one "
    "without.",
)
flags.DEFINE_bool(
    "trust",
    False,
    "Run code that the gin files name and that is not of tfrobust: for files that you have read.",
)
flags.DEFINE_enum(
    "strategy",
    None,
    ["none", "mirrored"],
    "Overrides training.train.strategy; the devices are training.train.devices.",
)


def main(argv):
    from tfrobust import training
    from tfrobust.config import Configuration
    from tfrobust.errors import Interrupted, NotFiniteError, UserError

    logging.set_verbosity(logging.WARNING)
    try:
        if len(argv) > 1:
            raise UserError(f"Unknown argument {argv[1]!r}: flags begin with --, see --help.")
        if FLAGS.data_dir:
            os.environ["TFDS_DATA_DIR"] = FLAGS.data_dir
        bindings = list(FLAGS.gin_bindings)
        if FLAGS.strategy:
            bindings.append(f"training.train.strategy = {FLAGS.strategy!r}")
        configuration = Configuration(FLAGS.gin_file, bindings, ROOT, FLAGS.trust)
        workdir = FLAGS.workdir or pathlib.Path("runs", pathlib.Path(FLAGS.gin_file[-1]).stem)
        configuration.configured(training.train)(
            workdir=workdir,
            resume=FLAGS.resume,
            dry_run=FLAGS.dry_run,
            configuration=configuration,
        )
    except UserError as error:
        return _tell("error", error, 2)
    except NotFiniteError as error:
        return _tell("diverged", error, 3)
    except (Interrupted, KeyboardInterrupt) as error:
        return _tell("interrupted", error, 75)
    return 0


def _tell(what, error, status):
    # gin adds lines about the configurable that was called; ours are one line each.
    print(
        f"{what}: {str(error).strip().splitlines()[0] if str(error) else 'at once'}",
        file=sys.stderr,
    )
    return status


def _parse_flags(argv):
    try:
        return app.parse_flags_with_usage(argv) if _wants_help(argv) else FLAGS(argv)
    except flags.Error as error:
        sys.exit(_tell("error", f"{error} See --help.", 2))


def _wants_help(argv):
    return any(argument.lstrip("-").startswith("help") for argument in argv[1:])


if __name__ == "__main__":
    app.run(main, flags_parser=_parse_flags)
