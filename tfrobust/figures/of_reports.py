"""Figures of what runs, evaluations and sweeps have written."""

import pathlib

import numpy as np

from tfrobust.errors import UserError
from tfrobust.figures.evaluations import choose_evaluation, read_chosen_report
from tfrobust.figures.request import Drawn, Request
from tfrobust.ops.uncertainty.interval import binomial_interval
from tfrobust.plots import (
    plot_accuracies,
    plot_epochs,
    plot_epsilon_curves,
    plot_trade_off,
)
from tfrobust.plots.curves import PANELS
from tfrobust.plots.sweeps import place_values
from tfrobust.runs import kinds
from tfrobust.runs.metrics import read_metrics
from tfrobust.runs.reports.run_report import read_run_report
from tfrobust.runs.reports.threat_model import describe_threat_model

# The attack of curves over the radius, by which the accuracy is more than under a suite.
_CURVE = "APGD-DLR"


def draw_curves(request: Request) -> Drawn:
    """Training loss, clean and robust validation accuracy against epochs, a line for each run."""
    rows = [
        (
            name,
            row["epoch"] + 1,
            *(row.get(key) for key in ("loss", "val_accuracy", "val_robust_accuracy")),
        )
        for name, found in _read_metrics(request).items()
        for row in found
    ]
    head = ("run", "epoch", "loss", "clean accuracy", "robust accuracy")
    return Drawn(plot_epochs(_read_metrics(request), dict(PANELS)), head, rows)


def draw_accuracies(request: Request) -> Drawn:
    """Clean and robust accuracy with their intervals, a pair of bars for each evaluation."""
    rows = []
    for name, report in _read_evaluations(request).items():
        for measure in ("clean", "robust"):
            found = report[measure] or {"accuracy": None, "interval": (None, None)}
            rows.append((name, measure, found["accuracy"], *found["interval"]))
    head = ("evaluation", "measure", "accuracy", "low", "high")
    return Drawn(plot_accuracies([choose_evaluation(path) for path in request.paths]), head, rows)


def draw_epsilon(request: Request) -> Drawn:
    """Robust accuracy against the radius, a line for each evaluation, under a short attack of its own."""
    reports = _read_evaluations(request)
    norms = {report["norm"] for report in reports.values()}
    if len(norms) > 1:
        raise UserError(f"Radii of different norms cannot be compared: {', '.join(sorted(norms))}.")
    curves = {}
    for name, report in reports.items():
        curve = report["curves"]["epsilon"]
        if curve is None:
            raise UserError(
                f"The evaluation {name} has no curve over the radius: evaluations that are short have none. "
                "Evaluate under a longer suite, such as autoattack."
            )
        curves[name] = np.array(curve["epsilon"]), np.array(curve["accuracy"])
    radii = {report["radius"] for report in reports.values()}
    examples = {name: report["curves"]["epsilon"]["examples"] for name, report in reports.items()}
    ends = {name: _find_intervals(pair[1], examples[name]) for name, pair in curves.items()}
    radius = radii.pop() if len(radii) == 1 else None
    figure = plot_epsilon_curves(curves, norms.pop(), radius, examples, ends, _CURVE)
    rows = [
        (name, *map(float, row), examples[name])
        for name, (radii, accuracies) in curves.items()
        for row in zip(radii, accuracies, *ends[name], strict=True)
    ]
    return Drawn(figure, ("evaluation", "radius", "accuracy", "low", "high", "images"), rows)


def draw_trade_off(request: Request) -> Drawn:
    """Clean against robust accuracy over a swept coefficient, a line for each sweep.

    FAIT, figure 1, with a star at the largest robust accuracy of each line; `sweep.md` says whether it
    differs from the others. A sweep of several names has a line for each value of the others.
    """
    lines: dict[str, list[tuple[str, float, float]]] = {}
    swept, measures, ended = {}, set(), set()
    for name, path in zip(request.names, request.paths, strict=True):
        folder = pathlib.Path(path)
        groups, suite = _read_sweep(folder)
        measures.add(suite or _name_attack(folder))
        for group in groups:
            clean, robust = group.mean("clean"), group.mean("robust" if suite is None else "suite")
            if clean is None or robust is None:
                continue
            ended.add(name)
            first, label, line = _place_in_line(name, group)
            swept[line] = first
            lines.setdefault(line, []).append((label, clean, robust))
        if name not in ended:
            raise UserError(f"No run of the sweep {path} has ended. Leave it out.")
    if len(measures) > 1:
        raise UserError(
            f"The sweeps were evaluated by different attacks: {', '.join(sorted(measures))}."
        )
    lines = {line: _order(points) for line, points in lines.items()}
    figure = plot_trade_off(
        lines, f"robust accuracy, {measures.pop()}" if measures else "robust accuracy"
    )
    rows = [(line, swept[line], *point) for line, points in lines.items() for point in points]
    return Drawn(figure, ("sweep", "swept", "value", "clean", "robust"), rows)


def draw_sensitivity(request: Request) -> Drawn:
    """Accuracies against what a sweep changes, means and deviations over seeds: a line for each other value.

    ATLAS, figures 4 to 10 and 12 to 17.
    """
    from tfrobust.sweeps.sweep import draw_groups

    if len(request.paths) != 1:
        raise UserError(f"This figure shows one sweep. Received: {len(request.paths)} of them.")
    groups, suite = _read_sweep(pathlib.Path(request.paths[0]))
    rows = [
        (
            *(value for _, value in group.values),
            measure,
            group.mean(measure),
            group.deviation(measure),
        )
        for group in groups
        for measure in ("clean", "robust", "suite")
        if group.mean(measure) is not None
    ]
    names = [name for name, _ in groups[0].values]
    return Drawn(draw_groups(groups, suite), (*names, "measure", "mean", "deviation"), rows)


def draw_epochs(request: Request) -> Drawn:
    """Jacobian norm, validation robust and clean accuracy over training, collapses marked.

    ATLAS, figure 11.
    """
    metrics = _read_metrics(request)
    keys = {
        "Jacobian norm at x' (logits / pixel)": "jacobian_norm",
        "robust accuracy, validation": "val_robust_accuracy",
        "clean accuracy, validation": "val_accuracy",
    }
    found = {key for rows in metrics.values() for row in rows for key in row}
    keys = {title: key for title, key in keys.items() if key in found}
    if not keys:
        raise UserError("The runs have no validation and recorded no Jacobian norm.")
    figure = plot_epochs(metrics, keys, collapse="val_robust_accuracy", wide=("jacobian_norm",))
    return Drawn(figure, ("run", "epoch", *keys.values()), _list_rows(metrics, keys.values()))


def draw_divergences(request: Request) -> Drawn:
    """R and R' over epochs on fixed training examples, from runs with `training.RecordDivergences`.

    FAIT, figure 4.
    """
    metrics = _read_metrics(request)
    keys = {"R": "divergence_one_piece", "R'": "divergence_two_pieces"}
    for name, rows in metrics.items():
        if not any(key in row for key in keys.values() for row in rows):
            raise UserError(
                f"The run {name} has not recorded R and R'. Train it with training.RecordDivergences."
            )
    # A line for each run and each of the two, in one panel: they are there to be compared.
    lines = {
        f"{name}, {short}": [{"epoch": row["epoch"], "value": row.get(key)} for row in rows]
        for name, rows in metrics.items()
        for short, key in keys.items()
    }
    figure = plot_epochs(lines, {"mean divergence (nats)": "value"})
    return Drawn(figure, ("run", "epoch", *keys.values()), _list_rows(metrics, keys.values()))


def _list_rows(metrics, keys):
    return [
        (name, row["epoch"] + 1, *(row.get(key) for key in keys))
        for name, found in metrics.items()
        for row in found
    ]


def _read_metrics(request):
    return {n: read_metrics(p) for n, p in zip(request.names, request.paths, strict=True)}


def _read_evaluations(request):
    return {
        name: read_chosen_report(path)
        for name, path in zip(request.names, request.paths, strict=True)
    }


def _read_sweep(folder):
    """The `Group`s of a sweep's results, and the name of its suite or None."""
    from tfrobust.sweeps.grid import Point
    from tfrobust.sweeps.results import group_results, read_result

    content = kinds.SWEEP.read(folder)
    if content is None:
        raise UserError(f"There is no sweep in {folder}. Give folders that tfrobust sweep made.")
    suite = content["sweep"].get("suite")
    points = [Point(tuple(map(tuple, p["values"])), p["seed"]) for p in content["points"]]
    return group_results([read_result(folder / p.name, p, suite) for p in points]), suite


def _place_in_line(name, group):
    """The first swept name and its value, and the line of a figure on which they are a point."""
    if not group.values:
        return "", "", name
    (swept, value), *others = group.values
    told = [f"{other} {text}" for other, text in others]
    return swept, value, ", ".join([name, *told, f"over {swept}"])


def _order(points):
    """Points (value, clean, robust) in the order of their values, of which some may have come later."""
    places, _ = place_values([value for value, *_ in points])
    return sorted(points, key=lambda point: places[point[0]])


def _name_attack(folder):
    reports = sorted(folder.glob("*/report.json"))
    if not reports:
        return ""
    return (
        f"test attack in {describe_threat_model(read_run_report(reports[0].parent).threat_model)}"
    )


def _find_intervals(accuracies, count):
    ends = [binomial_interval(round(float(accuracy) * count), count) for accuracy in accuracies]
    low, high = np.array(ends).T
    return low, high
