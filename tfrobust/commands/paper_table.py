"""Prints a table of a paper with our runs beside it.

    python bin/paper_table.py atlas_1
    python bin/paper_table.py atlas_1 --readme=docs/results.md runs sweeps/beta
    python bin/paper_table.py --list

The runs are found by their reports, at any depth below the folders, runs/ and sweeps/ where none is given;
every number of ours is read from those. A run belongs to a row by its gin file and lines of gin, an
evaluation to a column by its suite: `bin/evaluate.py --model=RUN --suite=SUITE` fills a cell. What was not
run says so. An evaluation of another radius, norm, split or data set than the run's own test fills none, and
is named below the table.

Rows of ours are compared in pairs on the test examples that they share, column by column: rows with a letter
in common are not told apart, and sentences below the table say how sure the others are. What could not be
compared, and why, is said too.

Exit status: 0 done; 2 something in the request cannot work.
"""

import collections
import pathlib

from absl import flags

from tfrobust.commands.parts.place import find_place
from tfrobust.commands.start.command_line import Command
from tfrobust.errors import UserError

FORMATS = ("text", "markdown", "html")


def _define(values):
    flags.DEFINE_bool("list", False, "List the tables.", flag_values=values)
    flags.DEFINE_enum("format", "text", list(FORMATS), "How to print it.", flag_values=values)
    flags.DEFINE_string(
        "readme",
        None,
        "Markdown file in which the table between the markers of its name is replaced.",
        flag_values=values,
    )


def _check(values, arguments):
    from tfrobust.papers.tables import list_tables

    if values.list:
        return
    tables = list_tables()
    if not arguments or arguments[0] not in tables:
        seen = f" Received: {arguments[0]!r}." if arguments else ""
        raise UserError(f"Which table? Give one of {', '.join(tables)}.{seen}")
    for folder in arguments[1:]:
        if not pathlib.Path(folder).is_dir():
            raise UserError(f"There is no folder {folder}. Give folders with runs, such as runs.")
    if values.readme is not None:
        if values.format == "html":
            raise UserError("--readme puts Markdown into a file. Leave out --format=html.")
        find_place(values.readme, arguments[0])


def _list_folders(arguments):
    return arguments[1:] or [name for name in ("runs", "sweeps") if pathlib.Path(name).is_dir()]


def _run(values, arguments):
    from tfrobust.papers import compare_table, find_runs, list_tables, load_table
    from tfrobust.papers.text import format_html, format_markdown, format_text

    if values.list:
        print("\n".join(f"{name:8} {title}" for name, title in list_tables().items()))
        return
    name = arguments[0]
    table = load_table(name)
    lines = compare_table(table, find_runs(_list_folders(arguments)))
    if values.readme is not None:
        find_place(values.readme, name).put(format_markdown(table, lines))
        return
    make = {"text": format_text, "markdown": format_markdown, "html": format_html}[values.format]
    print(make(table, lines))


def _compares(values, arguments):
    """Whether there are two runs of one suite: the posterior of their difference needs TensorFlow."""
    from tfrobust.papers import find_runs

    found = [] if values.list else find_runs(_list_folders(arguments))
    return (
        max(collections.Counter(s for run in found for s in run.verdicts).values(), default=0) > 1
    )


COMMAND = Command(
    "paper_table",
    __doc__,
    _define,
    _run,
    _check,
    arguments="a table, and folders with runs (default: runs, sweeps)",
    needs_tensorflow=_compares,
    usage="TABLE [flags] [FOLDER ...]",
)
