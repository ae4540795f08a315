"""The rows of tables of runs and of evaluations, and which of them differ."""

import functools
import os
import pathlib
import re
from collections.abc import Sequence

from tfrobust.comparison.compare import compare_methods, judge_method
from tfrobust.comparison.pairs import Comparison
from tfrobust.comparison.verdicts import read_evaluation, read_test
from tfrobust.errors import UserError
from tfrobust.runs.markdown import code, link, plain
from tfrobust.runs.reports.evaluation_report import read_evaluation_report
from tfrobust.runs.reports.naming import find_owner
from tfrobust.runs.reports.run_report import read_run_report

HEAD = """| gin file | method | data | threat model | clean | PGD-20 | 95 % interval | group | training |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""
CHANGES_HEAD = """\
| gin file | changes | validation: clean | robust | test: clean | PGD-20 | 95 % interval | group | training |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""

BOUNDS_HEAD = """| run | threat model | clean | certified, at least | 95 % interval | attacked, at most | \
95 % interval | group | certificates | attacks |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


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
        names = [name_run(pathlib.Path(folder)) for folder in folders]
    else:
        reports = [read_run_report(folder) for folder in folders]
        names = [
            ", ".join([" + ".join(pathlib.Path(name).stem for name in report.gin_files), *lines])
            for report, lines in zip(reports, list_differences(folders), strict=True)
        ]
    return [
        name if name and names.count(name) == 1 else f"{name} in {folder}".strip()
        for name, folder in zip(names, folders, strict=True)
    ]


def list_differences(folders: Sequence[str | os.PathLike]) -> list[tuple[str, ...]]:
    """The lines of gin of each run that not all of them have."""
    found = [read_run_report(folder).gin_bindings for folder in folders]
    shared = set.intersection(*map(set, found)) if found else set()
    return [tuple(line for line in lines if line not in shared) for lines in found]


def tell_apart(folders: Sequence[str | os.PathLike]) -> list[tuple[str, ...]]:
    """What tells the row of each run from those of the same gin files: lines of gin, or else its folder."""
    lines = list_differences(folders)
    rows = [(read_run_report(f).gin_files, told) for f, told in zip(folders, lines, strict=True)]
    return [
        told if rows.count((files, told)) == 1 else (*told, str(folder))
        for (files, told), folder in zip(rows, folders, strict=True)
    ]


def format_row(folder: str | os.PathLike, group: str = "", told: Sequence[str] = ()) -> str:
    """One line of the table.

    `group` are the letters of the row, `told` is what `tell_apart` says of it.

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
    gin = "<br>".join([_name_files(report), *map(code, told)])
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
    ours = read_evaluation_report(folder)
    proven, attacked = ours.get("certified"), ours["robust"]
    if not (proven and attacked):
        raise UserError(
            f"The evaluation in {folder} has no {'attacks' if proven else 'certificates'}. Evaluate with "
            "both: tfrobust evaluate --model=... --certified=FOLDER."
        )
    # Reports of earlier versions don't have the first of the two.
    seconds = [proven.get("seconds"), ours["costs"]["attack_seconds"]]
    cells = [
        plain(name_run(pathlib.Path(folder))),
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


def name_run(folder: pathlib.Path) -> str:
    """The name of the run that an evaluation or a certification is of, else that of its folder.

    Example:
        >>> from tfrobust.commands.parts.rows import name_run
        >>> name_run(pathlib.Path("runs/noise/certification/smoothing")), name_run(pathlib.Path("bounds/ibp"))
        ('noise', 'ibp')
    """
    return find_owner(folder).name


def _name_files(report):
    return " + ".join(link(pathlib.Path(name).stem, name) for name in report.gin_files) or "-"
