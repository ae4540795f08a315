"""Pictures of an evaluation: accuracy against radius, steps and queries; distances; images."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from tfrobust.errors import UserError
from tfrobust.plots.pixels import amplified, factor

# Told apart by people who do not see all colours, on white and on black.
COLOURS = ("#2f7ed8", "#d9722e", "#2a9d6f", "#b0559d", "#b8912a", "#6f6fd6")
SIZE = (5.6, 3.2)


def accuracy_by_epsilon(report):
    """Accuracy against the radius, with that of the threat model marked; None without a curve."""
    curve = report.ours["curves"]["epsilon"]
    if curve is None:
        return None
    figure, axes = _axes("radius", f"accuracy against the {report.ours['norm']} radius")
    order = np.argsort(curve["epsilon"])
    epsilon, accuracy = (np.array(curve[name], float)[order] for name in ("epsilon", "accuracy"))
    axes.plot(epsilon, accuracy, color=COLOURS[0], marker="o", markersize=4)
    _mark_radius(axes, report)
    guess = 1 / report.ours["num_classes"]
    axes.axhline(guess, linestyle=":", color="gray", linewidth=1)
    axes.text(epsilon.max(), guess, "guessing", ha="right", va="bottom", fontsize="small")
    axes.set_xlim(left=0.0)
    return figure


def accuracy_by_step(report):
    """Accuracy had every run ended after so many steps, a line for each attack; None without attacks.

    Square's steps are queries, see `accuracy_by_query`.
    """
    curves = report.ours["curves"]
    lines = {n: c for n, c in curves["step"].items() if n not in curves["query"]}
    return _falling(lines, "step", "steps of each run", "accuracy while the attacks go on")


def accuracy_by_query(report):
    """Accuracy after so many queries of each example; None where no attack counted them."""
    lines = report.ours["curves"]["query"]
    return _falling(lines, "query", "queries of each example", "accuracy under black-box attacks")


def distances(report):
    """Histogram of the smallest distances, with the radius marked; None where none was measured."""
    values = report.distances()
    if not len(values):
        return None
    figure, axes = _axes(f"smallest {report.ours['norm']} distance", "distance to the boundary")
    axes.hist(values, bins=min(40, max(5, len(values) // 5)), color=COLOURS[0], alpha=0.85)
    _mark_radius(axes, report)
    axes.set_xlim(left=0.0)
    axes.autoscale(axis="y")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter("{x:.0f}")
    axes.set_ylabel("examples")
    return figure


def images(report):
    """Clean images, adversarial ones and their differences, amplified; None where there are none."""
    samples = report.samples
    if samples is None:
        return None
    count = len(samples["ids"])
    figure = Figure(figsize=(1.1 * count + 0.8, 4.2), layout="constrained")
    grid = figure.subplots(3, count, squeeze=False)
    for column in range(count):
        clean, found = (_shown(samples[name][column]) for name in ("clean", "images"))
        delta = samples["images"][column] - samples["clean"][column]
        for axes, picture in zip(grid[:, column], (clean, found, amplified(delta)), strict=True):
            axes.imshow(_shown(picture).squeeze(), cmap="gray", vmin=0.0, vmax=1.0)
            axes.set(xticks=[], yticks=[])
        grid[0, column].set_title(f"{samples['ids'][column]}", fontsize="small")
        grid[1, column].set_xlabel(str(samples["attacks"][column]), fontsize="x-small")
        grid[2, column].set_xlabel(f"x {factor(delta):.3g}", fontsize="x-small")
    for axes, name in zip(grid[:, 0], ("clean", "adversarial", "difference"), strict=True):
        axes.set_ylabel(name, fontsize="small")
    return figure


PICTURES = {
    "accuracy_by_epsilon": accuracy_by_epsilon,
    "accuracy_by_step": accuracy_by_step,
    "accuracy_by_query": accuracy_by_query,
    "distances": distances,
}


def _falling(lines, name, label, title):
    if not lines:
        return None
    figure, axes = _axes(label, title)
    for place, (attack, curve) in enumerate(lines.items()):
        colour = COLOURS[place % len(COLOURS)]
        axes.step(curve[name], curve["accuracy"], where="post", label=attack, color=colour)
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


def _mark_radius(axes, report):
    radius = report.ours["radius"]
    axes.axvline(radius, linestyle="--", color=COLOURS[1], linewidth=1.2)
    axes.text(
        radius,
        0.98,
        f" {report.ours['epsilon']}",
        transform=axes.get_xaxis_transform(),
        va="top",
        fontsize="small",
        color=COLOURS[1],
    )


def _shown(image):
    """The image as matplotlib draws it: one or three channels."""
    image = np.asarray(image, float)
    if image.ndim != 3 or not image.size:
        raise UserError(f"Images (h, w, c) are needed. Received one of shape {image.shape}.")
    return image if image.shape[-1] in (1, 3) else image.mean(axis=-1, keepdims=True)
