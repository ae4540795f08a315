"""Which of our rows in a paper's table differ, column by column."""

from collections.abc import Sequence

from tfrobust.comparison.compare import compare_methods, judge_method
from tfrobust.comparison.pairs import Comparison
from tfrobust.papers.book import Line
from tfrobust.papers.tables import PaperTable


def compare_lines(table: PaperTable, lines: Sequence[Line]) -> dict[int, Comparison]:
    """Compares our rows of a table on the test examples that they share.

    Args:
        table: `PaperTable`.
        lines: of `compare_table`.

    Returns:
        From the place of a column of accuracies under attack to its `Comparison`, with the lines as rows.
        Columns that none of our runs has are left out, and so are clean accuracies and times.
    """
    found = {}
    for place, column in enumerate(table.columns):
        methods = [
            judge_method(
                name_line(line),
                [run.verdicts[column.suite] for run in line.runs if column.suite in run.verdicts],
            )
            for line in lines
        ]
        if any(method.runs or method.lacking for method in methods):
            found[place] = compare_methods(methods)
    return found


def name_line(line: Line) -> str:
    """A row of ours in words: the paper's name, and what the runs changed."""
    return " + ".join([line.row.method, *line.changes])
