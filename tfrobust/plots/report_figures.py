"""Pictures of reports: accuracy against radius, steps and queries; distances to the boundary."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from tfrobust.plots.bounds import draw_certified, find_steps
from tfrobust.plots.style import COLOURS, series_style

SIZE = (5.6, 3.2)


class DrawnReport(Protocol):
    """What the figures read: `tfrobust.evaluation.reports.page_files.ReportFiles`."""

    ours: dict[str, Any]
    """The part "tfrobust" of `report.json`."""

    def distances(self) -> np.ndarray:
        """The smallest distances to the boundary that were found, (n,)."""

    def proven(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Of each example whether it is right, (n,), and its certified radius, (n,); None without."""


def draw_accuracy_by_epsilon(report: DrawnReport) -> Figure | None:
    """Draws accuracy against the radius and marks the threat model's; None if there is no curve.

    With certificates, what they prove of the same examples is drawn as steps.
    """
    curve = report.ours["curves"]["epsilon"]
    if curve is None:
        return None
    figure, axes = _axes(
        "radius (pixels in [0, 1])", f"accuracy against the {report.ours['norm']} radius"
    )
    order = np.argsort(curve["epsilon"])
    epsilon, accuracy = (np.array(curve[name], float)[order] for name in ("epsilon", "accuracy"))
    proven = report.proven()
    look = series_style(0) | {"linestyle": "-" if proven is None else ":"}
    axes.plot(epsilon, accuracy, label="attacked", **look)
    if proven is not None:
        clean, radii = (part[: curve.get("examples", len(part))] for part in proven)
        draw_certified(axes, find_steps(clean, radii), COLOURS[2], "certified")
        axes.legend(fontsize="small", frameon=False)
    _mark_radius(axes, report.ours)
    guess = 1 / report.ours["num_classes"]
    axes.axhline(guess, linestyle=":", color="gray", linewidth=1)
    axes.text(epsilon.max(), guess, "guessing", ha="right", va="bottom", fontsize="small")
    axes.set_xlim(left=0.0)
    return figure


def draw_accuracy_by_step(report: DrawnReport) -> Figure | None:
    """Draws the accuracy if every run had ended after s steps against s, a line for each attack.

    Attacks that count queries are left to `draw_accuracy_by_query`. None if there are no others.
    """
    curves = report.ours["curves"]
    lines = {n: c for n, c in curves["step"].items() if n not in curves["query"]}
    return _draw_steps(lines, "step", "steps of each run", "accuracy against steps")


def draw_accuracy_by_query(report: DrawnReport) -> Figure | None:
    """Draws accuracy against the queries made for each example; None if no attack counts queries."""
    lines = report.ours["curves"]["query"]
    return _draw_steps(
        lines, "query", "queries of each example", "accuracy under black-box attacks"
    )


def draw_distances(report: DrawnReport) -> Figure | None:
    """Draws a histogram of the smallest distances and marks the radius; None if none was measured."""
    values = report.distances()
    if not len(values):
        return None
    figure, axes = _axes(
        f"smallest {report.ours['norm']} distance (pixels in [0, 1])", "distance to the boundary"
    )
    axes.hist(values, bins=min(40, max(5, len(values) // 5)), color=COLOURS[0], alpha=0.85)
    axes.set_xlim(left=0.0)
    _mark_radius(axes, report.ours)
    axes.autoscale(axis="y")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter("{x:.0f}")
    axes.set_ylabel("examples")
    return figure


def draw_certified_accuracy(
    content: Mapping[str, Any], clean: np.ndarray, radii: np.ndarray
) -> Figure | None:
    """Draws certified accuracy against the radius, of a certification; None if nothing is proven.

    Args:
        content: the part "certification" of its `report.json`.
        clean: boolean (n,): right at the clean image.
        radii: (n,), proven radii, 0 where nothing is proven.
    """
    steps = find_steps(clean, radii)
    if not len(steps[0]):
        return None
    figure, axes = _axes(
        "radius (pixels in [0, 1])", f"certified accuracy against the {content['norm']} radius"
    )
    draw_certified(axes, steps, COLOURS[2], "certified")
    furthest = 1.1 * max(steps[0][-1], content["radius"])
    axes.set_xlim(0.0, furthest)
    _mark_radius(axes, content)
    share = float(np.mean(clean))
    axes.axhline(share, linestyle=":", color="gray", linewidth=1)
    # Below the line where the frame is close.
    side = "top" if share > 0.9 else "bottom"
    axes.text(furthest, share, "clean", ha="right", va=side, fontsize="small")
    return figure


PICTURES: dict[str, Callable[[DrawnReport], Figure | None]] = {
    "accuracy_by_epsilon": draw_accuracy_by_epsilon,
    "accuracy_by_step": draw_accuracy_by_step,
    "accuracy_by_query": draw_accuracy_by_query,
    "distances": draw_distances,
}


def _draw_steps(lines, name, label, title):
    if not lines:
        return None
    figure, axes = _axes(label, title)
    for place, (attack, curve) in enumerate(lines.items()):
        # Markers at some places only: the steps are many.
        look = series_style(place) | {"markevery": max(1, len(curve[name]) // 8)}
        axes.step(curve[name], curve["accuracy"], where="post", label=attack, **look)
    axes.set_xlim(0.0, max(1, *(max(curve[name]) for curve in lines.values())))
    axes.legend(fontsize="small", frameon=False)
    return figure


def _axes(label, title):
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, loc="left", fontsize="medium")
    axes.set(xlabel=label, ylim=(0.0, 1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(alpha=0.5, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _mark_radius(axes, ours):
    radius = ours["radius"]
    axes.axvline(radius, linestyle="--", color=COLOURS[1], linewidth=1.2)
    # Beside the line, on the side where there is room.
    right = radius < 0.85 * axes.get_xlim()[1]
    axes.annotate(
        str(ours["epsilon"]),
        (radius, 0.98),
        xytext=(3 if right else -3, 0),
        xycoords=axes.get_xaxis_transform(),
        textcoords="offset points",
        ha="left" if right else "right",
        va="top",
        fontsize="small",
        color=COLOURS[1],
    )
