"""Trains methods with the same model, budget and seeds, judges them alike, and prints the table.

    python bin/compare.py                       every gin file on the embedded digits
    python bin/compare.py --readme=docs/results.md   and puts the table between the file's markers
    python bin/compare.py --gin_file=gin/trades.gin --gin_file=gin/adv.gin --dry_run
    python bin/compare.py --gin_file=gin/paper/cifar10_resnet18/trades.gin --scale=small --examples=500

Runs that are complete are not repeated, and an interrupted one resumes. AutoAttack is its standard version;
an example is robust if it survives all four attacks.

Of each run the table is computed of three small files. --keep=FOLDER copies them, and with that folder as
--workdir, --norun prints the table again without runs, data or time.

Exit status: 0 done; 2 something cannot work; 3 a run diverged, the others are in the table; 75 stopped by a
signal, call again to go on.
"""

import pathlib
import re
import sys

from absl import flags

from tfrobust.commands.parts.place import find_place
from tfrobust.commands.parts.plan import describe_runs, print_plan
from tfrobust.commands.start import first_look
from tfrobust.commands.start.command_line import (
    DIVERGED,
    LAUNCHER,
    ROOT,
    Command,
    list_scale_files,
    parse_seeds,
)
from tfrobust.errors import NotFiniteError, UserError, one_line

SUITE = "autoattack"


def _define(values):
    given = {"flag_values": values}
    flags.DEFINE_multi_string(
        "gin_file", [], "What to compare. Default: gin/*.gin on the digits.", **given
    )
    flags.DEFINE_multi_string(
        "gin_bindings", [], "Lines of gin for every run, such as 'EPOCHS = 30'.", **given
    )
    flags.DEFINE_string("scale", None, "As for training: small, for example.", **given)
    flags.DEFINE_integer(
        "examples", None, "Judge on so many test images, the first ones.", lower_bound=1, **given
    )
    flags.DEFINE_multi_string(
        "beside",
        [],
        "A column more: AutoAttack accuracy minus that of this one of the files, with its 95 % interval, "
        "paired by image and seed.",
        **given,
    )
    flags.DEFINE_list("seeds", ["0", "1", "2"], "A run for each of these seeds.", **given)
    flags.DEFINE_string("workdir", "runs/compare", "Folder of the runs.", **given)
    flags.DEFINE_bool(
        "run", True, "Train what is not complete; with --norun it counts as not run.", **given
    )
    flags.DEFINE_bool(
        "dry_run",
        False,
        "Print how many runs there are and how long they take; write nothing.",
        **given,
    )
    flags.DEFINE_bool(
        "trust",
        False,
        "Run code that the gin files name and that is not of tfrobust: read it before.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "keep",
        None,
        "Folder to copy what the table is computed of into, three small files a run: with it as --workdir, "
        "--norun prints the table again.",
        **given,
    )
    flags.DEFINE_string(
        "readme", None, "File in which the table between the markers is replaced.", **given
    )
    flags.DEFINE_string(
        "markers", "comparison", "Name of the markers, as in <!-- comparison: begin -->.", **given
    )


def _check(values):
    parse_seeds(values.seeds or [""])
    for gin in values.gin_file or list_digits_files():
        files = [gin, *list_scale_files(values.scale)]
        first_look.check_configuration(files, _bind(values, values.seeds[0]), values.trust)
    for gin in values.beside:
        if gin not in (values.gin_file or list_digits_files()):
            raise UserError(f"--beside={gin} is not compared: give it as --gin_file too.")
    names = [pathlib.Path(gin).stem for gin in values.gin_file]
    if len(set(names)) < len(names):
        raise UserError(
            f"The files' names name the folders of their runs and must differ. Received: {', '.join(names)}."
        )
    if values.readme is not None:
        find_place(values.readme, values.markers)
    first_look.check_writable(values.workdir)
    if values.keep is not None:
        _check_keep(values)


def _check_keep(values):
    from tfrobust.benchmarks.kept import check_target

    first_look.check_writable(values.keep)
    if pathlib.Path(values.keep).resolve() == pathlib.Path(values.workdir).resolve():
        raise UserError(f"--keep={values.keep} is the folder of the runs: choose another one.")
    for gin in values.gin_file or list_digits_files():
        for seed in values.seeds:
            check_target(_choose_folder(values.keep, gin, seed), SUITE)


def _run(values):
    if values.dry_run:
        return _print_plan(values)
    from tfrobust.runs.bar import fold

    place = None if values.readme is None else find_place(values.readme, values.markers)
    text, diverged = _make_table(values)
    print(fold(text))
    if place:
        place.put(text)
    if diverged:
        print(f"Diverged, and not in the table: {'; '.join(diverged)}.", file=sys.stderr)
        return DIVERGED
    return 0


def _print_plan(values):
    """Prints what the runs take: what those that have ended took, or else the plan of the first one."""
    from tfrobust.runs.bar import fold
    from tfrobust.runs.reports.run_report import read_duration
    from tfrobust.sweeps.sweep import is_trained

    gin_files = values.gin_file or list_digits_files()
    runs = [(gin, seed) for seed in values.seeds for gin in gin_files]
    folders = {run: _choose_folder(values.workdir, *run) for run in runs}
    missing = [run for run in runs if not is_trained(folders[run])]
    asked = len(runs), len(missing), values.workdir, len(gin_files), len(values.seeds)
    print(fold(describe_runs(*asked)))
    if not missing:
        return 0
    took = [read_duration(folders[run]) for run in runs if run not in missing]
    gin, seed = missing[0]
    command = [
        *LAUNCHER,
        "train",
        f"--gin_file={gin}",
        *(f"--gin_bindings={line}" for line in _bind(values, seed)),
        *([f"--scale={values.scale}"] if values.scale else []),
        *(["--trust"] if values.trust else []),
        f"--workdir={folders[missing[0]]}",
        "--dry_run",
    ]
    return print_plan(took, f"{gin}, seed {seed}", command, len(missing), 1)


def _make_table(values):
    import keras

    from tfrobust import training
    from tfrobust.benchmarks import compare as comparing
    from tfrobust.benchmarks.kept import keep_run
    from tfrobust.evaluation import load_examples, read_run_settings

    gin_files = values.gin_file or list_digits_files()
    for gin in gin_files:
        # All of them before the first one is trained, which takes a while.
        _read_configuration(values, gin, values.seeds[0])
    results, shared = {gin: [] for gin in gin_files}, comparing.SharedSuite(SUITE)
    diverged = []

    def load_test(folder):
        data, threat_model = read_run_settings(folder)
        return load_examples(data).load(), threat_model

    for seed in values.seeds:
        for gin in gin_files:
            folder = _choose_folder(values.workdir, gin, seed)
            if not values.run and not (folder / "report.json").is_file():
                continue
            print(f"{gin}, seed {seed}", flush=True)
            if values.run:
                configuration = _read_configuration(values, gin, seed)
                try:
                    configuration.bind(training.train)(workdir=folder, configuration=configuration)
                except NotFiniteError as error:
                    # The others don't wait for it.
                    print(f"diverged: {one_line(error)}", file=sys.stderr)
                    diverged.append(f"{gin}, seed {seed}")
                    keras.utils.clear_session()
                    continue
            results[gin].append(comparing.judge_run(folder, load_test, shared, values.examples))
            if values.keep is not None:
                keep_run(folder, _choose_folder(values.keep, gin, seed), shared.name)
            keras.utils.clear_session()
    return comparing.format_comparison(results, values.beside), diverged


def _choose_folder(workdir, gin, seed):
    return pathlib.Path(workdir, pathlib.Path(gin).stem, f"seed_{seed}")


def _read_configuration(values, gin, seed):
    from tfrobust.config.configuration import Configuration

    scale = list_scale_files(values.scale)
    return Configuration([gin], _bind(values, seed), ROOT, values.trust, scale)


def _bind(values, seed):
    return [*values.gin_bindings, f"training.train.seed = {seed}"]


def list_digits_files() -> list[str]:
    """Files on the digits at their common radius: a table holds one threat model."""
    paths = sorted(ROOT.glob("gin/*.gin"))
    return [str(p.relative_to(ROOT)) for p in paths if _is_on_digits(p.read_text("utf-8"))]


def _is_on_digits(text):
    if re.search(r"^EPSILON = ", text, re.M):
        return False
    included = re.findall(r"^include '(.+)'", text, re.M)
    return "gin/parts/digits.gin" in included or any(
        _is_on_digits((ROOT / name).read_text("utf-8"))
        for name in included
        if not name.startswith("gin/parts/")
    )


COMMAND = Command("compare", __doc__, _define, _run, _check)
