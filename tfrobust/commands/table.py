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

import pathlib

from absl import flags

from tfrobust.commands.parts.place import find_place
from tfrobust.commands.parts.rows import (
    BOUNDS_HEAD,
    CHANGES_HEAD,
    HEAD,
    compare_rows,
    format_bounds,
    format_change,
    format_row,
)
from tfrobust.commands.start.command_line import Command
from tfrobust.comparison.text import describe_letters, list_sentences
from tfrobust.comparison.verdicts import TEST_TABLE
from tfrobust.errors import UserError
from tfrobust.runs.markdown import plain


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
