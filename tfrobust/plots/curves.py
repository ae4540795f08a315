"""Learning curves of one or several runs."""

import os
from collections.abc import Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tfrobust.errors import UserError
from tfrobust.plots.style import series_style
from tfrobust.runs.metrics import read_metrics

# All but pgf, which needs TeX.
FORMATS = tuple(sorted(set(FigureCanvasAgg.get_supported_filetypes()) - {"pgf"}))
"""Endings of the files that matplotlib writes without other programs."""

PANELS = (
    ("training loss", "loss"),
    ("clean accuracy, validation", "val_accuracy"),
    ("robust accuracy, validation", "val_robust_accuracy"),
)


def plot_curves(folders: Sequence[str | os.PathLike]) -> Figure:
    """Draws training loss, clean and robust validation accuracy against epochs, a line for each run.

    Use it to see robust overfitting and sudden collapses, which the final numbers do not show.

    Args:
        folders: folders of runs, each with its `metrics.jsonl`.

    Returns:
        A matplotlib `Figure` with three panels. A run without robust validation has no line in the last.

    Raises:
        UserError: no folder was given, or the metrics of a folder are missing or cannot be read.

    Example:
        >>> import json, pathlib
        >>> _ = pathlib.Path("metrics.jsonl").write_text(json.dumps({"epoch": 0, "loss": 2.3}))
        >>> figure = tfrobust.plots.plot_curves(["."])
        >>> figure.axes[0].get_title(), figure.axes[0].lines[0].get_ydata().tolist()
        ('training loss', [2.3])
    """
    runs = {str(folder): read_metrics(folder) for folder in folders}
    if not runs:
        raise UserError("Give the folders of one or more runs, such as runs/trades_mer.")
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    for (title, name), axes in zip(PANELS, figure.subplots(1, len(PANELS)), strict=True):
        for number, (label, rows) in enumerate(runs.items()):
            points = [(row["epoch"] + 1, row[name]) for row in rows if name in row]
            if points:
                look = series_style(number) | {"markevery": max(1, len(points) // 8)}
                axes.plot(*zip(*points, strict=True), label=label, **look)
        axes.set(title=title, xlabel="epoch")
        axes.grid(alpha=0.3)
    # Of the first panel: a run without robust validation has no line in the last.
    if figure.axes[0].lines:
        figure.axes[0].legend(fontsize="small")
    return figure
