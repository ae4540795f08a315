"""Learning curves of one or several runs."""

import os
from collections.abc import Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tfrobust.errors import UserError
from tfrobust.plots.epochs import plot_epochs
from tfrobust.runs.metrics import read_metrics
from tfrobust.runs.reports.naming import name_paths

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
        folders: folders of runs, each with its `metrics.jsonl`; the legend has their last parts that tell
            them apart.

    Returns:
        A matplotlib `Figure` with three panels, one below the other. A run without robust validation has no
        line in the last.

    Raises:
        UserError: no folder was given, or the metrics of a folder are missing or cannot be read.

    Example:
        >>> import json, pathlib
        >>> _ = pathlib.Path("metrics.jsonl").write_text(json.dumps({"epoch": 0, "loss": 2.3}))
        >>> figure = tfrobust.plots.plot_curves(["."])
        >>> figure.axes[0].get_ylabel(), figure.axes[0].lines[0].get_ydata().tolist()
        ('training loss', [2.3])
    """
    if not folders:
        raise UserError("Give the folders of one or more runs, such as runs/trades_mer.")
    found = map(read_metrics, folders)
    runs = dict(zip(name_paths(folders), found, strict=True))
    return plot_epochs(runs, dict(PANELS))
