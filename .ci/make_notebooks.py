"""Writes docs/notebooks from the tutorials that name one, without outputs: text and Python blocks in turn."""

import ast
import pathlib
import re

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"
NAMES = ("first_robust_model", "fine_tune", "evaluate_another_model")
SCALE = re.compile(r"^SCALE = ", re.M)
PYTHON = re.compile(r"^```python\n(.*?)^```\n", re.M | re.S)


def make_notebook(text: str) -> str:
    """A notebook of a page, as the text of its file."""
    text = re.sub(r"^<!-- .*? -->\n\n?|^The same is a notebook: .*\n", "", text, flags=re.M)
    text = re.sub(r"\{ width=\"\d+\" \}", "", text)
    # Links are from docs/notebooks as from docs/tutorials.
    cells = []
    for place, part in enumerate(PYTHON.split(text)):
        if part.strip():
            cell = new_code_cell if place % 2 else new_markdown_cell
            # Where run_notebooks.py and papermill put another scale.
            tagged = {"tags": ["parameters"]} if place % 2 and SCALE.search(part) else {}
            content = _without_result(part.strip()) if place % 2 else part.strip()
            cells.append(cell(content, id=f"cell-{place}", metadata=tagged))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
    return nbformat.writes(notebook, version=4) + "\n"


def _without_result(code):
    """A cell that ends with the call of a method, such as `fit`, does not show what that returned."""
    last = ast.parse(code).body[-1]
    value = last.value if isinstance(last, ast.Expr) else None
    is_call = isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute)
    return f"{code};" if is_call else code


if __name__ == "__main__":
    for name in NAMES:
        page = (DOCS / "tutorials" / f"{name}.md").read_text(encoding="utf-8")
        (DOCS / "notebooks" / f"{name}.ipynb").write_text(make_notebook(page), encoding="utf-8")
