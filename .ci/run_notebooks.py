"""Executes docs/notebooks at a small scale, and looks at what a reader would see: [FOLDER].

FOLDER keeps the executed notebooks. They need scikit-learn's digits and no network.
"""

import concurrent.futures
import pathlib
import re
import sys
import tempfile
import time

import nbclient
import nbformat
from nbformat.v4 import new_code_cell

NOTEBOOKS = pathlib.Path(__file__).resolve().parent.parent / "docs" / "notebooks"
# At 0.4 what fine-tuning gains depends on a processor's rounding: 5 points on one, 22 on another.
SCALE = 0.5
# One accuracy that a notebook prints: "after: clean 98%, robust 71%".
ACCURACIES = re.compile(r"^(?:(\w+): )?clean (\d+)%, robust (\d+)%$", re.M)


def with_scale(notebook: nbformat.NotebookNode, scale: float) -> nbformat.NotebookNode:
    """The notebook with another SCALE, in a cell after the one that is tagged so, as papermill does it."""
    places = [
        place
        for place, cell in enumerate(notebook.cells)
        if "parameters" in cell.metadata.get("tags", ())
    ]
    (place,) = places
    notebook.cells.insert(place + 1, new_code_cell(f"SCALE = {scale}"))
    return notebook


def execute(name: str, folder: pathlib.Path, scale: float = SCALE) -> nbformat.NotebookNode:
    """The executed notebook; a cell that fails raises `nbclient.exceptions.CellExecutionError`."""
    notebook = with_scale(nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4), scale)
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=900, resources=resources).execute()
    return notebook


def printed(notebook: nbformat.NotebookNode) -> str:
    """What the cells print, without warnings and logs."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(output.text for output in outputs if output.get("name") == "stdout")


def pictures(notebook: nbformat.NotebookNode) -> int:
    """How many pictures the cells show."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return sum("image/png" in output.get("data", ()) for output in outputs)


def accuracies(text: str) -> dict[str, tuple[int, int]]:
    """(clean, robust) accuracies in percent that a notebook prints, by name."""
    return {name: (int(clean), int(robust)) for name, clean, robust in ACCURACIES.findall(text)}


def judge(name: str, notebook: nbformat.NotebookNode) -> list[str]:
    """What of it a reader should see and would not."""
    text = printed(notebook)
    found = accuracies(text)
    names, expectations = EXPECTED[name]
    if set(found) != set(names):
        return [f"it prints accuracies of {', '.join(names)}, and no others"]
    return [what for what, holds in expectations.items() if not holds(found, text, notebook)]


def _within(found, text, notebook):
    return all(robust <= clean for clean, robust in found.values())


def _one_picture(found, text, notebook):
    return pictures(notebook) == 1


EXPECTED = {
    "fine_tune": (
        ("before", "after"),
        {
            "robust within clean accuracy": _within,
            "most clean images are right afterwards": lambda found, *_: found["after"][0] > 50,
            "robust accuracy is higher afterwards": lambda found, *_: (
                found["after"][1] >= found["before"][1] + 10
            ),
            "one picture": _one_picture,
        },
    ),
    "first_robust_model": (
        ("natural", "robust"),
        {
            "the images' shape and range are printed": lambda _, text, __: "8, 1) 0.0 1.0" in text,
            "robust within clean accuracy": _within,
            "both are right on most clean images": lambda found, *_: (
                min(clean for clean, _ in found.values()) > 50
            ),
            "robust training withstands more of AutoAttack": lambda found, *_: (
                found["robust"][1] >= found["natural"][1] + 20
            ),
            "one picture": _one_picture,
        },
    ),
    "evaluate_another_model": (
        ("model", "mirrored", "remote"),
        {
            "robust within clean accuracy": _within,
            "AutoAttack breaks what Square does": lambda found, *_: (
                found["model"][1] <= found["remote"][1]
            ),
            "the softmax that was left on is named": lambda _, text, __: "softmax" in text,
        },
    ),
}


def _run(name):
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        notebook = execute(name, pathlib.Path(folder))
    return notebook, time.monotonic() - began


def main(kept: pathlib.Path | None) -> None:
    """Executes all, tells the time of each, and fails where one is not as it should be."""
    complaints = []
    # Two at a time: traces take one core. The longest goes first.
    with concurrent.futures.ThreadPoolExecutor(2) as workers:
        runs = {name: workers.submit(_run, name) for name in EXPECTED}
    for name, run in runs.items():
        notebook, seconds = run.result()
        print(f"{name}: {seconds:.0f} s\n{printed(notebook).strip()}\n", flush=True)
        if kept is not None:
            kept.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, kept / f"{name}.ipynb")
        complaints += [f"{name}: it should be that {what}" for what in judge(name, notebook)]
    if complaints:
        sys.exit("\n".join(complaints))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if sys.argv[1:] else None)
