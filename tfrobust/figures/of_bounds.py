"""Figures of what certifications proved beside what attacks broke."""

import csv
import math

import numpy as np

from tfrobust.errors import UserError
from tfrobust.figures.evaluations import choose_evaluation, read_chosen_report
from tfrobust.figures.request import Drawn, Request
from tfrobust.plots import plot_bounds
from tfrobust.plots.bounds import Bounds, find_steps
from tfrobust.runs.reports.certification_report import TABLE, read_certification


def draw_bounds(request: Request) -> Drawn:
    """Certified and attacked accuracy against the radius, of evaluations, certifications or both.

    An evaluation with certificates has both. Where its curve under attack is of the first examples only, so
    are the steps that stand beside it: the two are always of the same images.
    """
    bounds, norms = {}, set()
    for name, path in zip(request.names, request.paths, strict=True):
        folder = choose_evaluation(path)
        read = _read_certification if (folder / TABLE).is_file() else _read_evaluation
        bounds[name], norm = read(name, folder)
        norms.add(norm)
    if len(norms) > 1:
        raise UserError(f"Radii of different norms cannot be compared: {', '.join(sorted(norms))}.")
    rows = [
        (name, measure, float(radius), float(accuracy))
        for name, found in bounds.items()
        for measure, points in (("certified", found.certified), ("attacked", found.attacked))
        if points is not None
        for radius, accuracy in zip(*points, strict=True)
    ]
    head = ("path", "measure", "radius", "accuracy")
    return Drawn(plot_bounds(bounds, norms.pop()), head, rows)


def _read_certification(name, folder):
    report = read_certification(folder)
    steps = find_steps(report.clean, report.radii)
    return Bounds(certified=steps, examples=len(report.clean)), report.norm


def _read_evaluation(name, folder):
    ours = read_chosen_report(folder)
    curve = ours["curves"]["epsilon"]
    if curve is not None:
        attacked = np.array(curve["epsilon"]), np.array(curve["accuracy"])
    elif ours["robust"] is not None:
        radii = np.array([0.0, ours["radius"]])
        attacked = radii, np.array([ours[m]["accuracy"] for m in ("clean", "robust")])
    else:
        raise UserError(f"The evaluation {name} has no attacks. Leave it out.")
    examples = curve["examples"] if curve is not None else ours["clean"]["total"]
    if ours.get("certified") is None:
        return Bounds(attacked=attacked, examples=examples), ours["norm"]
    rows = _read_rows(folder / "examples.csv")
    rows = rows[:examples]
    clean = np.array([row["clean_right"] == "true" for row in rows])
    radii = np.array([float(row["certified_radius"] or math.nan) for row in rows])
    return Bounds(find_steps(clean, radii), attacked, examples), ours["norm"]


def _read_rows(path):
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror}. Run the command that made its folder again; it "
            "writes its reports."
        ) from error
