"""A paper's table with our runs as text, Markdown or HTML."""

import html
from collections.abc import Mapping, Sequence

from tfrobust.comparison.pairs import Comparison
from tfrobust.comparison.text import describe_letters, list_sentences
from tfrobust.papers.book import Line, Ours, Time
from tfrobust.papers.differences import compare_lines
from tfrobust.papers.tables import Column, PaperTable
from tfrobust.runs.markdown import cell, link, plain, sentence, table

NOT_RUN = "not run"
LEGEND = (
    "Accuracies in percent, ours with the 95 % interval over test images and, of several runs, seeds. ≠: it "
    "has no point in common with that of the paper's value on its test images. Not run: no report was found. "
    "Times are in units of one row's; ours are medians of training steps, of a machine that may have done "
    "other work."
)


def format_markdown(paper: PaperTable, lines: Sequence[Line]) -> str:
    """The table as Markdown: for each row a line of the paper's values, our runs, and those with changes."""
    differences = compare_lines(paper, lines)
    head, rows = _make_rows(paper, lines, differences)
    body = table([cell(title) for title in head], [[cell(value) for value in row] for row in rows])
    files = dict.fromkeys(line.row.gin_file for line in lines)
    links = ", ".join(link(name.removeprefix("gin/paper/"), name) for name in files)
    parts = [
        f"**{plain(paper.title)}** ({plain(paper.source)}). {sentence(paper.note)}".strip(),
        body,
        *(
            f"{plain(title)}:\n\n" + "\n".join(f"- {plain(said)}" for said in sentences)
            for title, sentences in _list_told(paper, lines, differences)
        ),
    ]
    return "\n\n".join([*parts, f"{LEGEND} Files: {links}."])


def format_text(paper: PaperTable, lines: Sequence[Line]) -> str:
    """The table in columns, for a terminal."""
    differences = compare_lines(paper, lines)
    head, rows = _make_rows(paper, lines, differences)
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    body = "\n".join(
        "  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, ["-" * width for width in widths], *rows]
    )
    note = f"\n{paper.note}" if paper.note else ""
    told = [
        "\n".join([f"{title}:", *(f"- {said}" for said in sentences)])
        for title, sentences in _list_told(paper, lines, differences)
    ]
    return "\n\n".join([f"{paper.title} ({paper.source}){note}", body, *told, LEGEND])


def format_html(paper: PaperTable, lines: Sequence[Line]) -> str:
    """The table as a part of a page."""
    differences = compare_lines(paper, lines)
    head, rows = _make_rows(paper, lines, differences)
    top = "".join(f"<th>{html.escape(value)}</th>" for value in head)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{html.escape(value)}</td>" for value in row) + "</tr>"
        for row in rows
    )
    told = "".join(
        f"<p>{html.escape(title)}:</p>\n<ul>\n"
        + "".join(f"<li>{html.escape(said)}</li>\n" for said in sentences)
        + "</ul>\n"
        for title, sentences in _list_told(paper, lines, differences)
    )
    caption = html.escape(f"{paper.title} ({paper.source}). {paper.note}".strip())
    return (
        f"<table>\n<caption>{caption}</caption>\n<thead><tr>{top}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>\n{told}<p>{html.escape(LEGEND)}</p>\n"
    )


def _list_told(
    paper: PaperTable, lines: Sequence[Line], differences: Mapping[int, Comparison]
) -> list[tuple[str, list[str]]]:
    """Titles of columns with the sentences on their differences; columns with the same ones together."""
    told: dict[tuple[str, ...], list[str]] = {}
    for place, found in differences.items():
        told.setdefault(tuple(list_sentences(found)), []).append(paper.columns[place].title)
    columns = [(", ".join(titles), said) for said, titles in told.items() if said]
    letters = describe_letters(differences.values())
    left_out = list(dict.fromkeys(told for line in lines for told in line.remarks))
    named = {"Letters": letters, "Test images": _tell_images(paper, lines), "Left out": left_out}
    return [*columns, *((title, said) for title, said in named.items() if said)]


def _tell_images(paper, lines):
    """A sentence on the columns that ours have on fewer test images than the paper, if there are any."""
    told: dict[str, list[str]] = {}
    for place, column in enumerate(paper.columns):
        found = {
            line.cells[place].images
            for line in lines
            if isinstance(line.cells[place], Ours)
            and line.cells[place].images < line.row.count_images(column)
        }
        if found:
            told.setdefault(" or ".join(map(str, sorted(found))), []).append(column.title)
    parts = [f"{', '.join(titles)} on {images}" for images, titles in told.items()]
    return [f"Ours are of fewer test images than the paper's: {'; '.join(parts)}."] if parts else []


def _make_rows(paper, lines, differences):
    head = ["method", "", *(column.title for column in paper.columns)]
    rows, former = [], None
    for number, line in enumerate(lines):
        if line.row is not former:
            values = enumerate(line.row.values)
            rows.append(
                [line.row.method, "paper", *(_format_value(paper, i, v) for i, v in values)]
            )
            former = line.row
        letters = {place: found.letters[number] for place, found in differences.items()}
        cells = enumerate(zip(paper.columns, line.cells, strict=True))
        most = len(_list_seeds(line))
        ours = [_format_ours(c, our, letters.get(place, ""), most) for place, (c, our) in cells]
        rows.append(["", _name_runs(line), *ours])
    return head, rows


def _name_runs(line):
    seeds = _list_seeds(line)
    changes = "".join(f" + {name}" for name in line.changes)
    return f"ours{changes}" + (f", {_count_seeds(len(seeds))}" if seeds else "")


def _list_seeds(line):
    return {seed for ours in line.cells if ours is not None for seed in ours.seeds}


def _count_seeds(count):
    return "1 seed" if count == 1 else f"{count} seeds"


def _format_value(paper: PaperTable, place: int, value: float | None) -> str:
    if value is None:
        return "-"
    suite = paper.columns[place].suite
    if suite == "time":
        units = [row.values[place] for row in paper.rows if row.method == paper.time_row]
        return f"{value / unit:.2f}" if (unit := units[0]) else "-"
    return f"{value:.2f}" if suite else f"{value:g}"


def _format_ours(column: Column, ours: Ours | Time | None, letters: str, most: int) -> str:
    if not column.suite:
        return "-"
    if ours is None:
        return NOT_RUN
    if isinstance(ours, Time):
        return f"{ours.ratio:.2f}"
    low, high = ours.interval
    differs = " ≠" if ours.overlaps is False else ""
    group = f" {letters}" if letters else ""
    few = f" of {_count_seeds(len(ours.seeds))}" if len(ours.seeds) < most else ""
    return f"{ours.value:.2f} ({low:.2f} to {high:.2f}){few}{differs}{group}"
