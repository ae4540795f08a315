"""Trains one configuration with several values and seeds, evaluates the runs, and compares them.

    python bin/sweep.py --gin_file=gin/trades.gin --grid='BETA = 1, 3, 6, 9' --seeds=0,1,2
    python bin/sweep.py --gin_file=gin/atlas.gin --grid='recipes.atlas.alpha = 1e-4, 1e-3' --suite=autoattack
    python bin/sweep.py --gin_file=gin/trades.gin --grid='BETA = 1, 6' --dry_run

Several --grid make all combinations of their values. The folder of the sweep gets a folder for each run;
sweep.md and sweep.png, accuracies against the first swept name with means and deviations over seeds;
sweep.csv, a row for each run; logs/, what each run printed; and TensorBoard's HParams dashboard.

Give the same command again to go on with a sweep that was stopped or killed; runs that are complete are not
repeated. More values, more seeds and other suites may be asked for later; a gin file that has changed since
is refused.

Exit status: 0 done; 1 a run failed or was refused, the others are complete; 2 something in the request
cannot work; 75 stopped by SIGTERM, SIGINT or the end of the terminal, the runs are saved.
"""

import collections
import pathlib
import signal
import sys

from absl import flags

from tfrobust.commands.parts.plan import Evaluations, describe_runs, print_plan
from tfrobust.commands.start import first_look
from tfrobust.commands.start.command_line import (
    LAUNCHER,
    ROOT,
    Command,
    list_scale_files,
    parse_seeds,
)
from tfrobust.errors import UserError

FAILED = 1
# The end of the terminal too, where there is such a signal.
SIGNALS = [s for s in signal.Signals if s.name in ("SIGTERM", "SIGINT", "SIGHUP")]


def _define(values):
    given = {"flag_values": values}
    flags.DEFINE_string("gin_file", None, "Configuration of all runs.", **given)
    flags.DEFINE_multi_string(
        "gin_bindings", [], "Lines of gin for every run, such as 'EPOCHS = 30'.", **given
    )
    flags.DEFINE_multi_string(
        "grid",
        [],
        "A name that gin binds and its values, such as 'BETA = 1, 3, 6'. Give it again for more names.",
        **given,
    )
    flags.DEFINE_list("seeds", [], "A run of each point for each seed, such as 0,1,2.", **given)
    flags.DEFINE_string("scale", None, "As for training: small, for example.", **given)
    flags.DEFINE_string(
        "suite",
        None,
        "Suite under which runs are evaluated. Default: none, only the test of training.",
        **given,
    )
    flags.DEFINE_integer(
        "examples", None, "Evaluate on so many examples, the first ones.", lower_bound=1, **given
    )
    flags.DEFINE_string(
        "workdir", None, "Folder of the sweep. Default: sweeps/ and the gin file's name.", **given
    )
    flags.DEFINE_integer("jobs", 1, "Runs at a time.", 1, 1024, **given)
    flags.DEFINE_bool(
        "dry_run",
        False,
        "Print how many runs there are and how long they take; write nothing.",
        **given,
    )
    flags.DEFINE_bool(
        "trust",
        False,
        "Run code that the gin file names and that is not of tfrobust: read it before.",
        **given,
    )


def _check(values):
    from tfrobust.sweeps.grid import parse_grid

    if values.gin_file is None:
        raise UserError("Which configuration? Give --gin_file=gin/trades.gin, for example.")
    if not values.grid and not values.seeds:
        raise UserError(
            "A sweep changes something: give --grid='BETA = 1, 3, 6' or --seeds=0,1,2, for example."
        )
    points = parse_grid(values.grid, parse_seeds(values.seeds))
    if values.examples is not None and values.suite is None:
        raise UserError("--examples is for evaluations: give --suite=autoattack, for example.")
    for point in points:
        lines = [*values.gin_bindings, *point.bindings]
        files = [values.gin_file, *list_scale_files(values.scale)]
        preview = first_look.check_configuration(files, lines, values.trust)
        if values.suite is not None:
            first_look.check_suite_of_runs(values.suite, preview)
    first_look.check_writable(_make_sweep(values).folder.path)


def _make_sweep(values):
    from tfrobust.sweeps.folder import SweepFolder
    from tfrobust.sweeps.grid import parse_grid
    from tfrobust.sweeps.sweep import Sweep

    points = parse_grid(values.grid, parse_seeds(values.seeds))
    shared = {
        "gin_file": values.gin_file,
        "gin_bindings": list(values.gin_bindings),
        "swept": [name for name, _ in points[0].values],
        "scale": values.scale,
        "suite": values.suite,
        "examples": values.examples,
    }
    scale = f"_{values.scale}" if values.scale else ""
    stem = pathlib.Path(values.gin_file).stem
    workdir = values.workdir or pathlib.Path("sweeps", stem + scale)
    commands = {name: (*LAUNCHER, name) for name in _CALLED}
    return Sweep(
        SweepFolder(workdir, shared, points),
        commands,
        values.gin_file,
        values.gin_bindings,
        values.suite,
        {
            "train": _list_flags(scale=values.scale, trust=values.trust),
            "evaluate": _list_flags(examples=values.examples, trust=values.trust),
        },
    )


def _list_flags(**values):
    return tuple(
        f"--{name}" if value is True else f"--{name}={value}"
        for name, value in values.items()
        if value not in (None, False)
    )


_CALLED = ("train", "evaluate")


def _run(values):
    from tfrobust.runs.bar import fold
    from tfrobust.runs.signals import StopRequest

    sweep = _make_sweep(values)
    _check_unchanged(values, sweep.folder)
    missing = sweep.missing()
    folder = sweep.folder.path
    counts = collections.Counter(point.values for point in sweep.folder.points)
    asked = len(sweep.folder.asked), len(missing), folder, len(counts), min(counts.values())
    print(fold(describe_runs(*asked)))
    if values.dry_run:
        if not missing:
            return 0
        untrained = sweep.list_untrained()
        first = (*untrained, *missing)[0]
        command = sweep.training_command(first, "--dry_run")
        evaluations = Evaluations(len(sweep.list_unjudged()), sweep.list_evaluation_seconds())
        took = sweep.list_durations()
        return print_plan(took, first.name, command, len(untrained), values.jobs, evaluations)
    with sweep.folder.claim(), StopRequest(SIGNALS) as stop:
        failed = sweep.run(values.jobs, stop, lambda line: print(line, flush=True))
    print(fold(f"\n{sweep.write()}\nSee {folder}: sweep.md, sweep.csv, sweep.png, logs."))
    print(f"tensorboard --logdir={folder}/tensorboard compares the runs.")
    if failed:
        print(f"Not complete: {', '.join(failed)}. Their logs say why.", file=sys.stderr)
        return FAILED
    return 0


def _check_unchanged(values, folder):
    """Refuses a gin file that says something else than when runs of the sweep were begun with it."""
    from tfrobust.config.configuration import Configuration
    from tfrobust.runs.kinds import RUN
    from tfrobust.runs.workspace import Workspace

    scale = list_scale_files(values.scale)
    for point in folder.points:
        run = folder.run_folder(point)
        if RUN.read(run) is not None:
            lines = [*values.gin_bindings, *point.bindings]
            given = Configuration([values.gin_file], lines, ROOT, values.trust, scale).given
            Workspace(run, given, "auto")


COMMAND = Command(
    "sweep", __doc__, _define, _run, _check, usage="--gin_file=FILE --grid='NAME = VALUES' [flags]"
)
