"""Clean against robust accuracy of several classifiers."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tfrobust.errors import UserError
from tfrobust.plots.style import (
    COLOURS,
    COLUMN,
    HATCHES,
    add_legend,
    finish_axes,
    fold_name,
    in_column,
    make_figure,
)
from tfrobust.runs.reports.evaluation_report import read_evaluation_report
from tfrobust.runs.reports.naming import name_paths
from tfrobust.runs.reports.threat_model import describe_threat_model

# Hatching serves print, and eyes for which the colours are alike.
STYLES = (("clean", COLOURS[0], HATCHES[0]), ("robust", COLOURS[1], HATCHES[1]))
# Of labels below the bars that one column has room for beside each other.
_LETTERS = 36
# Inches of labels for which the figure has room.
_LABELS = 0.13


@in_column
def plot_accuracies(folders: Sequence[str | os.PathLike]) -> Figure:
    """Draws a pair of bars for each evaluation: clean and robust accuracy, with 95 % intervals.

    Use it to show what a method gains and what it costs, beside a classifier of natural training.

    Args:
        folders: folders of evaluations, each with its `report.json`. An evaluation inside a run is
            labelled by the name of the run, others by the name of their folder, with as many of the
            folders above as tell them apart.

    Returns:
        A matplotlib `Figure`.

    Raises:
        UserError: no folder was given, a folder has no report, an evaluation has no attacks, or the
            threat models differ.

    Example:
        >>> import json, pathlib
        >>> accuracy = {"accuracy": 0.9, "interval": [0.88, 0.92]}
        >>> report = {"schema": 1, "threat_model": "Linf(0.1)", "clean": accuracy, "robust": accuracy}
        >>> _ = pathlib.Path("report.json").write_text(json.dumps({"tfrobust": report}))
        >>> tfrobust.plots.plot_accuracies(["."]).savefig("accuracies.png")
    """
    reports = {str(folder): _read(pathlib.Path(folder)) for folder in folders}
    if not reports:
        raise UserError("Give the folders of one or more evaluations.")
    threat_models = {describe_threat_model(report["threat_model"]) for report in reports.values()}
    if len(threat_models) > 1:
        raise UserError(
            f"Accuracies in different threat models cannot be compared: {', '.join(sorted(threat_models))}. "
            "Give evaluations in the same threat model."
        )
    labels = name_paths(folders)
    figure = make_figure(2.5, max(COLUMN, 0.6 + 0.55 * len(reports)))
    axes = figure.subplots()
    places = np.arange(len(reports))
    for shift, (name, colour, hatch) in zip((-0.2, 0.2), STYLES, strict=True):
        values = np.array([report[name]["accuracy"] for report in reports.values()])
        ends = np.array([report[name]["interval"] for report in reports.values()]).T
        bars = axes.bar(
            places + shift,
            values,
            0.38,
            label=name,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            yerr=np.abs(ends - values).tolist(),  # an array of one column: Matplotlib 3.10 warns
            error_kw={"capsize": 2, "linewidth": 0.8},
        )
        for bar, value, top in zip(bars, values, ends[1], strict=True):
            middle = bar.get_x() + bar.get_width() / 2
            axes.text(middle, top + 0.02, f"{100 * value:.0f}", ha="center", fontsize=6.5)
    axes.set_xticks(places, [fold_name(label, _LETTERS // 2) for label in labels])
    axes.set(ylim=(0, 1.1), ylabel="accuracy", xlabel=threat_models.pop())
    axes.set_yticks(np.linspace(0, 1, 6))
    finish_axes(axes)
    axes.grid(visible=False, axis="x")
    if sum(map(len, labels)) > _LETTERS:
        _turn_labels(figure, axes)
    add_legend(axes)
    return figure


def _turn_labels(figure, axes):
    """Labels that don't fit beside each other stand askew, and the axes keep their height."""
    axes.tick_params(axis="x", rotation=30)
    for label in axes.get_xticklabels():
        label.set(ha="right", rotation_mode="anchor")
    height = max(label.get_window_extent().height for label in axes.get_xticklabels())
    figure.set_figheight(figure.get_figheight() + max(0.0, height / figure.dpi - _LABELS))


def _read(folder: pathlib.Path) -> dict[str, Any]:
    report = read_evaluation_report(folder)
    if report["robust"] is None:
        raise UserError(
            f"The evaluation in {folder} has no attacks, so it has no robust accuracy: leave it out."
        )
    return report
