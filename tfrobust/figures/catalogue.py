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
        flags: that make a difference to it.
    """

    paths: str
    told: str
    module: str
    flags: tuple[str, ...] = ()

    @property
    def needs_models(self) -> bool:
        """Whether it loads models, and with them TensorFlow."""
        return self.module == "of_models"


_MODELS = ("data", "data_dir", "seed", "trust")
_BALL = (*_MODELS, "norm", "epsilon")
_PLANE = ("points", "extent")

FIGURES = {
    "curves": Entry("runs", "loss, clean and robust validation accuracy over epochs", "of_reports"),
    "epochs": Entry(
        "runs",
        "Jacobian norm, robust and clean accuracy over epochs, collapses marked (ATLAS, figure 11)",
        "of_reports",
    ),
    "divergences": Entry(
        "runs", "R and R' over epochs, by training.RecordDivergences (FAIT, figure 4)", "of_reports"
    ),
    "accuracies": Entry(
        "evaluations", "clean and robust accuracy, a pair of bars for each", "of_reports"
    ),
    "epsilon": Entry("evaluations", "robust accuracy against the radius", "of_reports"),
    "bounds": Entry(
        "evaluations or certifications",
        "certified and attacked accuracy against the radius",
        "of_bounds",
    ),
    "rows": Entry(
        "evaluations or runs",
        "clean against robust accuracy, a point for each gin file",
        "of_rows",
    ),
    "trade_off": Entry(
        "sweeps", "clean against robust accuracy over a coefficient (FAIT, figure 1)", "of_reports"
    ),
    "sensitivity": Entry(
        "one sweep", "accuracies against the swept values (ATLAS, figures 4 to 17)", "of_reports"
    ),
    "loss_landscape": Entry(
        "models",
        "loss around an image, along the gradient's sign and random signs (RAT, figures 2, 3)",
        "of_models",
        (*_BALL, *_PLANE, "example"),
    ),
    "loss_surface": Entry(
        "models",
        "loss around an image, towards PGD-20 and along random signs (LLR, figure A1)",
        "of_models",
        (*_BALL, *_PLANE, "example"),
    ),
    "weight_landscape": Entry(
        "models",
        "loss over two filter-normalised directions of weights",
        "of_models",
        (*_MODELS, *_PLANE, "examples"),
    ),
    "linearity": Entry(
        "models",
        "histogram of sqrt(gamma), how far from linear the loss is (LLR, figure F3)",
        "of_models",
        (*_BALL, "examples"),
    ),
    "perturbations": Entry(
        "one model",
        "images before and after PGD-20, and the change (LLR, figures F2, F4)",
        "of_models",
        (*_BALL, "examples", "example"),
    ),
}


def find_figure(name: str) -> "Callable[[Request], Drawn]":
    """The function that draws the figure of a name."""
    module = importlib.import_module(f"tfrobust.figures.{FIGURES[name].module}")
    return getattr(module, f"draw_{name}")
