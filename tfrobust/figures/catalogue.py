"""All figures by name."""

import dataclasses
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfrobust.figures.request import Drawn, Request


@dataclasses.dataclass(frozen=True)
class Entry:
    """A figure.

    Args:
        paths: what its paths are.
        told: what it shows, a sentence.
        module: of this room, which is imported only for its figures.
    """

    paths: str
    told: str
    module: str

    @property
    def needs_models(self) -> bool:
        """Whether it loads models, and with them TensorFlow."""
        return self.module == "of_models"


FIGURES = {
    "curves": Entry(
        "runs", "loss, clean and robust validation accuracy against epochs", "of_reports"
    ),
    "epochs": Entry(
        "runs",
        "Jacobian norm, robust and clean validation accuracy; collapses marked",
        "of_reports",
    ),
    "divergences": Entry(
        "runs", "R and R' against epochs (training.RecordDivergences)", "of_reports"
    ),
    "accuracies": Entry(
        "evaluations", "clean and robust accuracy, a pair of bars each", "of_reports"
    ),
    "epsilon": Entry("evaluations", "robust accuracy against the radius", "of_reports"),
    "bounds": Entry(
        "evaluations or certifications",
        "certified and attacked accuracy against the radius",
        "of_bounds",
    ),
    "rows": Entry(
        "evaluations or judged runs",
        "clean against robust accuracy, a point for each gin file",
        "of_rows",
    ),
    "trade_off": Entry("sweeps", "clean against robust accuracy over a coefficient", "of_reports"),
    "sensitivity": Entry("one sweep", "accuracies against the swept values", "of_reports"),
    "loss_landscape": Entry(
        "models", "loss around an image: sign of gradient, random signs", "of_models"
    ),
    "loss_surface": Entry(
        "models", "loss around an image: direction of PGD, random signs", "of_models"
    ),
    "weight_landscape": Entry(
        "models", "loss over two filter-normalised directions of weights", "of_models"
    ),
    "linearity": Entry(
        "models", "histogram of sqrt(gamma): how far from linear the loss is", "of_models"
    ),
    "perturbations": Entry(
        "one model", "images before and after PGD-20, and the change", "of_models"
    ),
}


def find_figure(name: str) -> "Callable[[Request], Drawn]":
    """The function that draws the figure of a name."""
    module = importlib.import_module(f"tfrobust.figures.{FIGURES[name].module}")
    return getattr(module, f"draw_{name}")
