"""Trains methods with the same model, budget and seeds, judges them alike, and prints the table.

    python bin/compare.py                       every gin file on the embedded digits
    python bin/compare.py --readme=README.md    and puts the table between the README's markers
    python bin/compare.py --gin_file=gin/trades.gin --gin_file=gin/adv.gin --seeds=0

Runs that are complete are not repeated, and an interrupted one goes on. AutoAttack is its standard version;
an example stands if it stands before all four attacks.

Exit status: 0 done; 2 something cannot work; 3 a run diverged; 75 stopped by a signal, call again to go on.
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
flags.DEFINE_multi_string("gin_file", [], "What to compare. Default: gin/*.gin on the digits.")
flags.DEFINE_multi_string("gin_bindings", [], "Lines of gin for every run, such as 'EPOCHS = 30'.")
flags.DEFINE_list("seeds", ["0", "1", "2"], "A run for each of these seeds.")
flags.DEFINE_string("workdir", "runs/compare", "Folder of the runs.")
flags.DEFINE_bool("run", True, "Train what is not complete; with --norun it counts as not run.")
flags.DEFINE_string("readme", None, "File in which the table between the markers is replaced.")
flags.DEFINE_bool(
    "trust",
    False,
    "Run code that the gin files name and that is not of tfrobust: for files that you have read.",
)

BEGIN, END = "<!-- comparison: begin -->", "<!-- comparison: end -->"


def main(argv):
    from tfrobust.errors import Interrupted, NotFiniteError, UserError

    logging.set_verbosity(logging.WARNING)
    try:
        if len(argv) > 1:
            raise UserError(f"Unknown argument {argv[1]!r}: flags begin with --, see --help.")
        text = compare()
    except UserError as error:
        return _tell("error", error, 2)
    except NotFiniteError as error:
        return _tell("diverged", error, 3)
    except (Interrupted, KeyboardInterrupt) as error:
        return _tell("interrupted", error, 75)
    print(text)
    if FLAGS.readme:
        path = pathlib.Path(FLAGS.readme)
        before, rest = path.read_text(encoding="utf-8").split(BEGIN)
        path.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")
    return 0


def compare():
    import keras

    from tfrobust import training
    from tfrobust.benchmarks import compare as comparing
    from tfrobust.config import Configuration
    from tfrobust.evaluation import load_examples, settings_of_run

    gin_files = FLAGS.gin_file or _on_the_digits()
    results, shared = {gin: [] for gin in gin_files}, comparing.SharedSuite()
    for seed in FLAGS.seeds:
        for gin in gin_files:
            folder = pathlib.Path(FLAGS.workdir, pathlib.Path(gin).stem, f"seed_{seed}")
            if not FLAGS.run and not (folder / "report.json").is_file():
                continue
            print(f"{gin}, seed {seed}", flush=True)
            if FLAGS.run:
                configuration = Configuration(
                    [gin], [*FLAGS.gin_bindings, f"SEED = {seed}"], ROOT, FLAGS.trust
                )
                configuration.configured(training.train)(
                    workdir=folder, configuration=configuration
                )
            data, threat_model = settings_of_run(folder)
            examples = load_examples(data)
            results[gin].append(comparing.judge_run(folder, examples, threat_model, shared))
            keras.utils.clear_session()
    return comparing.table(results)


def _on_the_digits():
    paths = sorted(ROOT.glob("gin/*.gin"))
    return [
        str(p.relative_to(ROOT)) for p in paths if "mnist" not in p.name and "cifar" not in p.name
    ]


def _tell(what, error, status):
    print(
        f"{what}: {str(error).strip().splitlines()[0] if str(error) else 'at once'}",
        file=sys.stderr,
    )
    return status


if __name__ == "__main__":
    app.run(main)
