"""Makes the table of results out of the folders of runs.

    python bin/table.py runs/*                          prints the table
    python bin/table.py --readme=docs/results.md runs/*   puts it between the file's markers
    python bin/table.py --changes runs/base runs/*        what one change at a time does
    python bin/table.py --bounds evaluations/*            certified and attacked accuracy side by side

Every number is read from the report.json of a run, or of an evaluation with certificates (bin/evaluate.py
--certified=FOLDER); nothing is typed in. Folders without one are left out. Rows are compared in pairs on the
test examples that they share: those with a letter in common are not told apart, and sentences below the table
say how sure the others are, and what could not be compared.

Exit status: 0 done; 2 something in the request cannot work.
"""

import functools
import os
import pathlib
import re
from collections.abc import Sequence

from absl import flags

from tfrobust.commands.parts.place import find_place
from tfrobust.commands.start.command_line import Command
from tfrobust.comparison.compare import compare_methods, judge_method
from tfrobust.comparison.pairs import Comparison
from tfrobust.comparison.text import describe_letters, list_sentences
from tfrobust.comparison.verdicts import TEST_TABLE, read_evaluation, read_test
from tfrobust.errors import UserError
from tfrobust.runs import files
from tfrobust.runs.markdown import code, link, plain
from tfrobust.runs.reports.run_report import read_run_report

HEAD = """| gin file | method | data | threat model | clean | PGD-20 | 95 % interval | group | training |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""
CHANGES_HEAD = """\
| gin file | changes | validation: clean | robust | test: clean | PGD-20 | 95 % interval | group | training |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""

BOUNDS_HEAD = """| run | threat model | clean | certified, at least | 95 % interval | attacked, at most | \
95 % interval | group | certificates | attacks |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


def _define(values):
    flags.DEFINE_string(
        "readme",
        None,
        "File in which the table between the markers is replaced.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "changes",
        False,
        "A table of changes: lines of gin beside the file, validation accuracies; in the order given.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "bounds",
        False,
        "A table of evaluations with certificates: both bounds, and the seconds that each took.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "markers",
        "results",
        "Name of the markers, as in <!-- results: begin -->.",
        flag_values=values,
    )


def _check(values, folders):
    if values.bounds and values.changes:
        raise UserError("--bounds is about evaluations, --changes about runs: give one of them.")
    for folder in folders:
        if not pathlib.Path(folder).exists():
            raise UserError(
                f"There is no {folder}. Give the folders of finished runs, such as runs/*."
            )
    if not _list_finished(folders):
        raise UserError("Give the folders of one or more finished runs, such as runs/*.")
    if values.readme is not None:
        find_place(values.readme, values.markers)


def _run(values, folders):
    finished = list(dict.fromkeys(_list_finished(folders)))
    head, form = HEAD, format_row
    if values.bounds:
        head, form = BOUNDS_HEAD, format_bounds
    elif values.changes:
        head, form = CHANGES_HEAD, format_change
    else:
        finished.sort(key=lambda folder: _sort_key(format_row(folder)))
    found = compare_rows(finished, values.bounds)
    rows = [form(folder, letters) for folder, letters in zip(finished, found.letters, strict=True)]
    told = [
        f"- {plain(sentence)}" for sentence in [*list_sentences(found), *describe_letters([found])]
    ]
    attack = "the suites" if values.bounds else "the test attack"
    below = ["", f"Under {attack}:", "", *told] if told else []
    table = "\n".join([head, *rows, *below])
    if values.readme is None:
        print(table)
    else:
        find_place(values.readme, values.markers).put(table)


def compare_rows(folders: Sequence[str | os.PathLike], bounds: bool = False) -> Comparison:
    """Compares the rows of a table in pairs, each one run.

    Args:
        folders: of runs, which are compared under their test attack; or of evaluations.
        bounds: whether they are evaluations.
    """
    read = read_evaluation if bounds else read_test
    names = _name_rows(folders, bounds)
    return compare_methods(
        [
            judge_method(name, [functools.partial(read, folder)])
            for name, folder in zip(names, folders, strict=True)
        ]
    )


def _name_rows(folders, bounds):
    """The rows in words: gin files, lines that not all rows have, and the folder where that is not enough."""
    if bounds:
        names = [_name_run(pathlib.Path(folder)) for folder in folders]
    else:
        reports = [read_run_report(folder) for folder in folders]
        shared = set.intersection(*(set(r.gin_bindings) for r in reports))
        names = [
            ", ".join(
                [
                    " + ".join(pathlib.Path(name).stem for name in report.gin_files),
                    *(line for line in report.gin_bindings if line not in shared),
                ]
            )
            for report in reports
        ]
    return [
        name if name and names.count(name) == 1 else f"{name} in {folder}".strip()
        for name, folder in zip(names, folders, strict=True)
    ]


def format_row(folder: str | os.PathLike, group: str = "") -> str:
    """One line of the table.

    `group` are the letters of the row.

    Raises:
        UserError: the folder's report.json is not that of a run.
    """
    report = read_run_report(folder)
    found = re.search(r"epsilon=([^)]*)", report.threat_model)
    if found is None:
        raise UserError(
            f"{folder} has a report without epsilon: its threat model is {report.threat_model!r}. Leave that "
            "folder out, or train it again."
        )
    gin = _name_files(report)
    low, high = report.interval
    return (
        f"| {gin} | {plain(report.method)} | {plain(report.data)} "
        f"| {plain(report.threat_model.split('(')[0])} {plain(found[1].strip(chr(39)))} "
        f"| {100 * report.clean:.2f} | {100 * report.robust:.2f} "
        f"| {100 * low:.1f} to {100 * high:.1f} | {group} | {report.seconds:.0f} s |"
    )


def format_change(folder: str | os.PathLike, group: str = "") -> str:
    """One line of the table of changes.

    `group` are the letters of the row.

    Raises:
        UserError: the folder's report.json is not that of a run.
    """
    report = read_run_report(folder)
    changes = "<br>".join(code(line) for line in report.gin_bindings) or "none"
    chosen = ["-" if v is None else f"{100 * v:.2f}" for v in report.validation]
    low, high = report.interval
    cells = [_name_files(report), changes, *chosen, f"{100 * report.clean:.2f}"]
    cells += [f"{100 * report.robust:.2f}", f"{100 * low:.1f} to {100 * high:.1f}"]
    return f"| {' | '.join([*cells, group, f'{report.seconds:.0f} s'])} |"


def format_bounds(folder: str | os.PathLike, group: str = "") -> str:
    """One line of the table of both bounds.

    `group` are the letters of the row.

    Raises:
        UserError: the folder's report.json is not that of an evaluation with attacks and certificates.
    """
    ours = files.read_json(pathlib.Path(folder, "report.json"), "tfrobust", 1)["tfrobust"]
    proven, attacked = ours.get("certified"), ours["robust"]
    if not (proven and attacked):
        raise UserError(
            f"The evaluation in {folder} has no {'attacks' if proven else 'certificates'}. Evaluate with "
            "both: python bin/evaluate.py --model=... --certified=FOLDER."
        )
    # Reports of earlier versions don't have the first of the two.
    seconds = [proven.get("seconds"), ours["costs"]["attack_seconds"]]
    cells = [
        plain(_name_run(pathlib.Path(folder))),
        f"{ours['norm']} {plain(str(ours['epsilon']))}",
        f"{100 * ours['clean']['accuracy']:.2f}",
        *_format_share(proven),
        *_format_share(attacked),
        group,
        *("-" if s is None else f"{s:.1f} s" for s in seconds),
    ]
    return f"| {' | '.join(cells)} |"


def _format_share(counts):
    low, high = counts["interval"]
    return f"{100 * counts['accuracy']:.2f}", f"{100 * low:.1f} to {100 * high:.1f}"


def _name_run(folder):
    folder = folder.resolve()
    return folder.parent.parent.name if folder.parent.name == "evaluation" else folder.name


def _name_files(report):
    return " + ".join(link(pathlib.Path(name).stem, name) for name in report.gin_files) or "-"


def _list_finished(folders):
    return [folder for folder in folders if pathlib.Path(folder, "report.json").is_file()]


def _sort_key(line):
    return line.split("|")[3], line


def _compares(values, folders):
    """Whether two rows have verdicts: the posterior of their difference needs TensorFlow."""
    name = "examples.csv" if values.bounds else TEST_TABLE
    return len([f for f in set(folders) if pathlib.Path(f, name).is_file()]) > 1


COMMAND = Command(
    "table",
    __doc__,
    _define,
    _run,
    _check,
    arguments="folders of runs, or of evaluations",
    needs_tensorflow=_compares,
    usage="[flags] FOLDER ...",
)
