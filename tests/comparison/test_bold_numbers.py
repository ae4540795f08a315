"""No table has a number in bold unless a comparison tells its row apart from all others of the column."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "tfrobust"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    PACKAGE / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "docs").rglob("*.ipynb")),
]
BOLD = re.compile(r"\*\*.*?\*\*|__.*?__|<(b|strong)\b.*?</\1>|\\textbf\{.*?\}", re.S)
# Letters of groups: a cell of their own, or behind the number.
LETTERS = re.compile(r"^[a-zA-Z]{1,6}$")
BEHIND = re.compile(r"[\d).%] ([a-zA-Z]{1,6})$")
# What makes bold text, by file, and of what.
MAKERS = {
    "evaluation/reports/report_text.py": "names and levels of checks",
    "certification/certification.html.jinja": "the threat model in a sentence",
    "evaluation/reports/parts.html.jinja": "the mark on a scale",
    "evaluation/reports/report.html.jinja": "the threat model in a sentence, names of checks",
    "papers/text.py": "the title of a table",
    "serving/card/card.md.jinja": "the threat model in a list",
}


def read_tables(text):
    """Tables as lists of rows of cells: Markdown's, and HTML's."""
    tables = re.findall(r"(?:^[ \t]*\|.*\n?)+", text, re.M)
    for table in tables:
        rows = [re.split(r"(?<!\\)\|", line.strip())[1:-1] for line in table.strip().splitlines()]
        yield [
            [c.strip() for c in row] for row in rows if not re.fullmatch(r"[\s|:-]+", "".join(row))
        ]
    for table in re.findall(r"<table.*?</table>", text, re.S):
        rows = re.findall(r"<tr.*?</tr>", table, re.S)
        yield [[c.strip() for c in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", r, re.S)] for r in rows]


def find_unproven(text):
    """Cells with a number in bold whose row shares a letter with another one, or has none."""
    return [
        cell
        for head, *rows in filter(None, read_tables(text))
        for row in rows
        for place, cell in enumerate(row)
        if any(re.search(r"\d", bold[0]) for bold in BOLD.finditer(cell))
        if not _is_apart(head, rows, row, place)
    ]


def _is_apart(head, rows, row, place):
    mine = _find_letters(head, row, place)
    return bool(mine) and all(
        not mine & _find_letters(head, other, place) for other in rows if other is not row
    )


def _find_letters(head, row, place):
    plain = re.sub(r"[*_]{2}|<[^>]+>", "", row[place]).strip() if place < len(row) else ""
    if behind := BEHIND.search(plain):
        return set(behind[1])
    group = head.index("group") if "group" in head else None
    cell = row[group] if group is not None and group < len(row) else ""
    return set(cell) if LETTERS.match(cell) else set()


def make_table(first, second, groups=("a", "b")):
    rows = f"| A | {first} | {groups[0]} |\n| B | {second} | {groups[1]} |\n"
    return f"| run | robust | group |\n|---|---|---|\n{rows}"


@pytest.mark.parametrize("bold", ["**90.1**", "__90.1__", "<b>90.1</b>", "<strong>90.1</strong>"])
def test_a_number_in_bold_needs_a_letter_of_its_own(bold):
    assert find_unproven(make_table(bold, "80.0")) == []
    assert find_unproven(make_table(bold, "80.0", ("a", "ab"))) == [bold]
    assert find_unproven(make_table(bold, "80.0", ("", "a"))) == [bold]
    assert find_unproven(make_table(bold, "80.0").replace("group", "note")) == [bold]
    # Letters behind the numbers; each column has its own.
    assert find_unproven(f"| run | x |\n|---|---|\n| A | {bold} a |\n| B | 80.0 b |\n") == []
    assert find_unproven(f"| run | x |\n|---|---|\n| A | {bold} a |\n| B | 80.0 a |\n") == [
        f"{bold} a"
    ]
    html = f"<table><tr><th>run<th>x</th></tr><tr><td>A</td><td>{bold}</td></tr></table>"
    assert find_unproven(html.replace("<th>run<th>", "<th>run</th><th>")) == [bold]
    assert find_unproven(make_table("90.1", "**failed**")) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_have_no_number_in_bold_without_a_comparison(page):
    assert find_unproven(page.read_text(encoding="utf-8")) == []


def test_every_place_that_makes_bold_text_is_known():
    """What formats a table gets its bold from one of these files, each of which is about words."""
    marked, found = re.compile(r"(?<!\d)\*\*|<b>|<strong|</b>|textbf|fontweight"), set()
    for path in sorted(PACKAGE.rglob("*")):
        name = str(path.relative_to(PACKAGE))
        if path.suffix == ".py":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            told = _find_docstrings(tree)
            nodes = (n for n in ast.walk(tree) if isinstance(n, ast.Constant) and n not in told)
            texts = [n.value for n in nodes if isinstance(n.value, str)]
        elif path.suffix in (".jinja", ".html", ".toml"):
            texts = [path.read_text(encoding="utf-8")]
        else:
            continue
        # Two asterisks alone are a pattern of files.
        if any(marked.search(text.replace("**/", "")) for text in texts):
            found.add(name)
    assert found == set(MAKERS)


def _find_docstrings(tree):
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, kinds) and node.body]
    return {body[0].value for body in bodies if isinstance(body[0], ast.Expr)}


def test_templates_have_no_bold_cells():
    for path in sorted(PACKAGE.rglob("*.jinja")):
        for cell in re.findall(
            r"<td.*?</td>|^\|.*\|$", path.read_text(encoding="utf-8"), re.S | re.M
        ):
            assert not BOLD.search(cell), (path.name, cell)
