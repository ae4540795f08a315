"""Makes the table of results out of the folders of runs.

    python bin/table.py runs/*                          prints the table
    python bin/table.py --readme=docs/results.md runs/*   puts it between the file's markers
    python bin/table.py --changes runs/base runs/*        what one change at a time does
    python bin/table.py --bounds evaluations/*            certified and attacked accuracy side by side
    python bin/table.py --certified=0.25,0.5 folders/*    certified accuracy at these radii

Every number is read from the reports of runs, of evaluations with certificates (bin/evaluate.py
--certified=FOLDER), or of certifications (bin/certify.py); nothing is typed in. Folders without one are left
out. Rows are compared in pairs on the test examples that they share: those with a letter in common are not
told apart, and sentences below the table say how sure the others are, and what could not be compared.

Exit status: 0 done; 2 something in the request cannot work.
"""

import functools
import pathlib

from absl import flags

from tfrobust.commands.parts.certified_table import make_certified_table, parse_radii
from tfrobust.commands.parts.place import find_place
from tfrobust.commands.parts.rows import (
    BOUNDS_HEAD,
    CHANGES_HEAD,
    HEAD,
    compare_rows,
    format_bounds,
    format_change,
    format_row,
    tell_apart,
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
    flags.DEFINE_list(
        "certified",
        [],
        "A table of certifications: certified accuracy at these radii, such as 0.25,0.5.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "markers",
        "results",
        "Name of the markers, as in <!-- results: begin -->.",
        flag_values=values,
    )


def _check(values, folders):
    if values.bounds + values.changes + bool(values.certified) > 1:
        raise UserError(
            "--bounds is about evaluations, --changes about runs, --certified about certifications: give one "
            "of them."
        )
    parse_radii(values.certified)
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
    # One folder that is given twice, however it is written, is one row.
    finished = list(
        {pathlib.Path(f).resolve(): f for f in reversed(_list_finished(folders))}.values()
    )
    finished.reverse()
    if values.certified:
        table = make_certified_table(finished, values.certified)
    else:
        table = _make_table(values, finished)
    if values.readme is None:
        print(table)
    else:
        find_place(values.readme, values.markers).put(table)


def _make_table(values, finished):
    head, form = HEAD, format_row
    if values.bounds:
        head, form = BOUNDS_HEAD, format_bounds
    elif values.changes:
        head, form = CHANGES_HEAD, format_change
    else:
        finished, form = _sort(finished)
    found = compare_rows(finished, values.bounds)
    rows = [form(folder, letters) for folder, letters in zip(finished, found.letters, strict=True)]
    told = [
        f"- {plain(sentence)}" for sentence in [*list_sentences(found), *describe_letters([found])]
    ]
    attack = "the suites" if values.bounds else "the test attack"
    below = ["", f"Under {attack}:", "", *told] if told else []
    return "\n".join([head, *rows, *below])


def _list_finished(folders):
    return [folder for folder in folders if pathlib.Path(folder, "report.json").is_file()]


def _sort(folders):
    """The folders by data and row, and a function that makes their rows, which tells them apart."""
    form = {
        folder: functools.partial(format_row, told=told)
        for folder, told in zip(folders, tell_apart(folders), strict=True)
    }
    rows = {folder: form[folder](folder) for folder in folders}
    ordered = sorted(folders, key=lambda folder: (rows[folder].split("|")[3], rows[folder]))
    return ordered, lambda folder, letters: form[folder](folder, letters)


def _compares(values, folders):
    """Whether two rows have verdicts: the posterior of their difference needs TensorFlow."""
    tables = {"certified.csv": values.certified, "examples.csv": values.bounds, TEST_TABLE: True}
    name = next(name for name, asked in tables.items() if asked)
    return len([f for f in set(folders) if pathlib.Path(f, name).is_file()]) > 1


COMMAND = Command(
    "table",
    __doc__,
    _define,
    _run,
    _check,
    arguments="folders of runs, evaluations or certifications",
    needs_tensorflow=_compares,
    usage="[flags] FOLDER ...",
)
