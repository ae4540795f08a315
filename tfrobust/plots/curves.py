"""Learning curves of one run or of several."""

import json
import pathlib

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tfrobust.errors import UserError

# pgf needs a TeX.
FORMATS = tuple(sorted(set(FigureCanvasAgg.get_supported_filetypes()) - {"pgf"}))
"""Endings of the pictures that matplotlib writes by itself."""

PANELS = (
    ("training loss", "loss"),
    ("clean accuracy, validation", "val_accuracy"),
    ("robust accuracy, validation", "val_robust_accuracy"),
)


def plot_curves(folders):
    """Training loss, clean and robust validation accuracy against epochs, a line for each run.

    Use it to see overfitting of robustness, and collapses, which one final number hides.

    Args:
        folders: folders of runs, each with its `metrics.jsonl`.

    Returns:
        A matplotlib `Figure` with a panel for each of the three.

    Raises:
        UserError: no folder was given, or one holds no metrics.
    """
    runs = {str(folder): _rows(pathlib.Path(folder)) for folder in folders}
    if not runs:
        raise UserError("Give the folders of one or more runs, such as runs/trades_mer.")
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    for (title, name), axes in zip(PANELS, figure.subplots(1, len(PANELS)), strict=True):
        for label, rows in runs.items():
            points = [(row["epoch"] + 1, row[name]) for row in rows if name in row]
            if points:
                axes.plot(*zip(*points, strict=True), label=label)
        axes.set(title=title, xlabel="epoch")
        axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return figure


def _rows(folder):
    path = folder / "metrics.jsonl"
    if not path.is_file():
        raise UserError(
            f"{folder} holds no metrics.jsonl; give the folder of a run that has begun."
        )
    rows = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            _check(row)
            rows.append(row)
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise UserError(
            f"{path}, line {len(rows) + 1}: not a row of metrics with an epoch. Leave that run out, "
            "or remove the line."
        ) from error
    return rows


def _check(row):
    numbers = [row["epoch"] + 1, *(row[name] + 0.0 for _, name in PANELS if name in row)]
    if not all(isinstance(value, (int, float)) for value in numbers):
        raise TypeError("a row of metrics holds numbers")
