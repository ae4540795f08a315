"""Makes the table of results out of the folders of runs.

    python bin/table.py runs/*                          prints the table
    python bin/table.py --readme=docs/results.md runs/*   puts it between the file's markers
    python bin/table.py --changes runs/base runs/*        what one change at a time does

Every number is read from a run's report.json; nothing is typed in. Folders without one are left out.

Exit status: 0 done; 2 something in the request cannot work.
"""

import os
import pathlib
import re

from absl import flags

from tfrobust.commands.parts.place import find_place
from tfrobust.commands.start.command_line import Command
from tfrobust.errors import UserError
from tfrobust.runs.markdown import code, link, plain
from tfrobust.runs.run_report import read_run_report

HEAD = """| gin file | method | data | threat model | clean | PGD-20 | 95 % interval | training |
| --- | --- | --- | --- | --- | --- | --- | --- |"""
CHANGES_HEAD = """\
| gin file | changes | validation: clean | robust | test: clean | PGD-20 | 95 % interval | training |
| --- | --- | --- | --- | --- | --- | --- | --- |"""


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
    flags.DEFINE_string(
        "markers",
        "results",
        "Name of the markers, as in <!-- results: begin -->.",
        flag_values=values,
    )


def _check(values, folders):
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
    finished = _list_finished(folders)
    rows = sorted(map(format_row, finished), key=_sort_key)
    if values.changes:
        rows = list(map(format_change, dict.fromkeys(finished)))
    table = "\n".join([CHANGES_HEAD if values.changes else HEAD, *rows])
    if values.readme is None:
        print(table)
    else:
        find_place(values.readme, values.markers).put(table)


def format_row(folder: str | os.PathLike) -> str:
    """One line of the table.

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
        f"| {100 * low:.1f} to {100 * high:.1f} | {report.seconds:.0f} s |"
    )


def format_change(folder: str | os.PathLike) -> str:
    """One line of the table of changes.

    Raises:
        UserError: the folder's report.json is not that of a run.
    """
    report = read_run_report(folder)
    changes = "<br>".join(code(line) for line in report.gin_bindings) or "none"
    chosen = ["-" if v is None else f"{100 * v:.2f}" for v in report.validation]
    low, high = report.interval
    cells = [_name_files(report), changes, *chosen, f"{100 * report.clean:.2f}"]
    cells += [f"{100 * report.robust:.2f}", f"{100 * low:.1f} to {100 * high:.1f}"]
    return f"| {' | '.join([*cells, f'{report.seconds:.0f} s'])} |"


def _name_files(report):
    return " + ".join(link(pathlib.Path(name).stem, name) for name in report.gin_files) or "-"


def _list_finished(folders):
    return [folder for folder in folders if pathlib.Path(folder, "report.json").is_file()]


def _sort_key(line):
    return line.split("|")[3], line


COMMAND = Command(
    "table",
    __doc__,
    _define,
    _run,
    _check,
    arguments="folders of runs",
    needs_tensorflow=lambda *_: False,
    usage="[flags] RUN ...",
)
