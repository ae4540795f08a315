"""Measures the robust accuracy of a classifier, and says when it should not be believed.

    python bin/evaluate.py --model=runs/trades_mer
    python bin/evaluate.py --model=model.keras --data=cifar10 --epsilon=8/255
    python bin/evaluate.py --model=served/1 --data=test.npz --norm=L2 --epsilon=0.5 --suite=pgd_20

The first is AutoAttack on the test split and in the threat model of the run. Several processes may share
the work, each with --shard=0/2, --shard=1/2 ...; --merge=FOLDER,FOLDER ... then makes one report of them.

The folder of the evaluation holds report.json, report.md, report.html and examples.csv. Give the same
command again to go on with one that was stopped or killed.

Exit status: 0 done; 2 something in the request cannot work; 75 stopped by SIGTERM or SIGINT, the state is
saved; with --strict also 4, a check found a reason not to trust the number.
"""

import contextlib
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import app, flags, logging  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_string("model", None, "Folder of a run, .keras file, or folder of a SavedModel.")
flags.DEFINE_string("suite", "autoattack", "Name of the suite; --suite=help lists them.")
flags.DEFINE_multi_string(
    "gin_file", [], "Files that bind evaluation.custom.attacks, in place of --suite; repeatable."
)
flags.DEFINE_multi_string("gin_bindings", [], "Lines of gin that override the files; repeatable.")
flags.DEFINE_enum(
    "norm", None, ["Linf", "L2", "L1"], "Of the threat model. Default: the run's, or Linf."
)
flags.DEFINE_string(
    "epsilon", None, "Radius in pixels of [0, 1], such as 8/255. Default: the run's."
)
flags.DEFINE_string("data", None, "digits, a TFDS name, or an .npz file. Default: the run's.")
flags.DEFINE_string("data_dir", None, "Where prepared TFDS data sets are; overrides TFDS_DATA_DIR.")
flags.DEFINE_enum("split", "test", ["test", "validation", "train"], "Which part of the data.")
flags.DEFINE_integer("examples", None, "Only the first so many examples.", lower_bound=1)
flags.DEFINE_integer("seed", 0, "Names every random number.", lower_bound=0)
flags.DEFINE_multi_string("surrogate", [], "A run or .keras file to transfer from; repeatable.")
flags.DEFINE_string("workdir", None, "Folder of the evaluation. Default: in the run's, by suite.")
flags.DEFINE_enum("resume", "auto", ["auto", "never", "must"], "As in bin/train.py.")
flags.DEFINE_string("shard", None, "i/n: every n-th example from number i on (from 0).")
flags.DEFINE_list("merge", [], "Folders of all shards: one report of them.")
flags.DEFINE_enum("checks", "full", ["full", "contract", "none"], "How much is checked.")
flags.DEFINE_string("statement", "", "What the defence does, and which adaptive attack was tried.")
flags.DEFINE_bool("strict", False, "Exit with 4 if a check found a reason not to trust the number.")
flags.DEFINE_bool("force", False, "Go on where a check before the attacks found an error.")
flags.DEFINE_bool(
    "trust",
    False,
    "Run code that the gin files or the SavedModel name and that is not of tfrobust: read them before.",
)
flags.DEFINE_bool("images", False, "Keep the adversarial images, in adversarial.npz.")
flags.DEFINE_integer("slots", None, "Rows of a batch. Default: at most 256.", lower_bound=1)
flags.DEFINE_enum("strategy", "none", ["none", "mirrored"], "mirrored: on all GPUs.")
flags.DEFINE_bool("jit_compile", False, "Compile the attacks with XLA.")


def main(argv):
    from tfrobust.errors import Interrupted, UserError

    logging.set_verbosity(logging.WARNING)
    try:
        if len(argv) > 1:
            raise UserError(f"Unknown argument {argv[1]!r}: flags begin with --, see --help.")
        return run()
    except UserError as error:
        return _tell("error", error, 2)
    except (Interrupted, KeyboardInterrupt) as error:
        return _tell("interrupted", error, 75)


def run():
    import tensorflow as tf

    from tfrobust import evaluation
    from tfrobust.runs.signals import StopRequest

    if FLAGS.suite == "help":
        print("\n".join(f"{name:24} {text}" for name, text in evaluation.listed_suites().items()))
        return 0
    if FLAGS.data_dir:
        os.environ["TFDS_DATA_DIR"] = FLAGS.data_dir
    strategy = tf.distribute.MirroredStrategy() if FLAGS.strategy == "mirrored" else None
    with strategy.scope() if strategy else contextlib.nullcontext():
        subject = evaluation.Subject.of(_required("model"))
    data, threat_model = _setting(subject.folder)
    examples, shard = _examples(data)
    suite = _suite(evaluation, threat_model)
    workdir = FLAGS.workdir or _workdir(subject.folder, suite.name, shard)
    with StopRequest() as stop:
        result = evaluation.evaluate(
            subject,
            examples,
            suite,
            seed=FLAGS.seed,
            workdir=workdir,
            resume=FLAGS.resume,
            merge=FLAGS.merge,
            checks=FLAGS.checks,
            statement=FLAGS.statement,
            force=FLAGS.force,
            keep_images=FLAGS.images,
            slots=FLAGS.slots or "auto",
            strategy=strategy,
            jit_compile=FLAGS.jit_compile,
            bar=evaluation.Bar(),
            stop=lambda: bool(stop),
        )
    page = evaluation.write_page(workdir)
    print(evaluation.headline(result))
    print(f"See {page.parent}: report.html, report.md, report.json, examples.csv.")
    fired = any(finding.level in ("severe", "error") for finding in result.findings)
    return 4 if FLAGS.strict and fired else 0


def _examples(source):
    from tfrobust.errors import UserError
    from tfrobust.evaluation import load_examples

    examples = load_examples(source, FLAGS.split)
    if FLAGS.examples:
        examples = examples.first(FLAGS.examples)
    if FLAGS.shard is None:
        return examples, ""
    try:
        index, count = map(int, FLAGS.shard.split("/"))
    except ValueError as error:
        raise UserError(f"A shard is i/n, such as 0/4. Received: --shard={FLAGS.shard}.") from error
    return examples.shard(index, count), f"-{index}-of-{count}"


def _setting(run_folder):
    """Data and threat model: those of the flags, else those of the run."""
    from tfrobust import threat_models
    from tfrobust.evaluation import settings_of_run

    given = FLAGS.epsilon is not None or FLAGS.norm is not None
    if run_folder is None or (FLAGS.data is not None and given):
        data, threat_model = _required("data"), None
    else:
        data, threat_model = settings_of_run(run_folder)
    if given or threat_model is None:
        threat_model = getattr(threat_models, FLAGS.norm or "Linf")(_required("epsilon"))
    return FLAGS.data or data, threat_model


def _suite(evaluation, threat_model):
    if not FLAGS.gin_file and not FLAGS.gin_bindings:
        return evaluation.suite(FLAGS.suite, threat_model, surrogates=_surrogates())
    from tfrobust.config import Configuration

    configuration = Configuration(FLAGS.gin_file, FLAGS.gin_bindings, ROOT, FLAGS.trust)
    suite = configuration.configured(evaluation.custom)()
    configuration.check_all_used()
    return suite


def _surrogates():
    """Runs by the classifiers that they exported; files as they are."""
    exported = [pathlib.Path(path, "export", "classifier.keras") for path in FLAGS.surrogate]
    return [
        str(file if file.is_file() else path)
        for path, file in zip(FLAGS.surrogate, exported, strict=True)
    ]


def _workdir(run_folder, suite, shard):
    return pathlib.Path(run_folder or "runs", "evaluation", f"{suite}{shard}")


def _required(name):
    from tfrobust.errors import UserError

    if FLAGS[name].value is None:
        raise UserError(f"Which {name}? Give --{name}=..., see --help.")
    return FLAGS[name].value


def _tell(what, error, status):
    print(
        f"{what}: {str(error).strip().splitlines()[0] if str(error) else 'at once'}",
        file=sys.stderr,
    )
    return status


if __name__ == "__main__":
    app.run(main)
