"""What a figure is asked for, and what it gives."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tfrobust.errors import UserError
from tfrobust.figures.kept import load_or_compute


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A figure with its numbers.

    Args:
        figure: matplotlib `Figure`.
        head: names of the columns of its numbers.
        rows: of numbers and text.
    """

    figure: Figure
    head: tuple[str, ...]
    rows: list[tuple]


@dataclasses.dataclass(frozen=True)
class Request:
    """What is drawn, of what.

    Args:
        paths: of models, runs, evaluations or sweeps, as the figure takes them.
        output: picture to write; arrays are kept beside it.
        data: source of the images; None for that of the first run.
        norm, epsilon: threat model; None for that of the first run.
        example: id of the image of a figure about one image; None for the first that all models get right.
        examples: number of images of a figure about many.
        points: places along each axis of a plane.
        extent: half the width of a plane, in units of its directions.
        seed: of directions and attacks.
        tell: function of a share in [0, 1] and of what is computed.
        trust: load models that contain code.
    """

    paths: tuple[str, ...]
    output: pathlib.Path
    data: str | None = None
    norm: str | None = None
    epsilon: str | None = None
    example: int | None = None
    examples: int = 1000
    points: int = 41
    extent: float = 1.0
    seed: int = 0
    tell: Callable[[float, str], None] = lambda share, what: None
    trust: bool = False

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """What the paths are called in the picture: their last parts that tell them apart."""
        paths = [pathlib.Path(path).resolve() for path in self.paths]
        paths = [p.parent.parent if p.parent.name == "evaluation" else p for p in paths]
        for count in range(1, max(len(p.parts) for p in paths) + 1):
            names = ["/".join(p.parts[-count:]).removesuffix(".keras") for p in paths]
            if len(set(names)) == len(names):
                return tuple(names)
        return tuple(map(str, paths))

    @functools.cached_property
    def subjects(self) -> dict[str, Any]:
        """The models by name, as `evaluation.Subject`s."""
        from tfrobust.evaluation import Subject

        found = {n: Subject.of(p, self.trust) for n, p in zip(self.names, self.paths, strict=True)}
        for name, subject in found.items():
            if not subject.has_gradient:
                raise UserError(f"{name} has no gradient, and this figure needs one.")
        return found

    @functools.cached_property
    def setting(self) -> tuple[Any, Any]:
        """The images, as `evaluation.Examples`, and the threat model."""
        from tfrobust import threat_models
        from tfrobust.evaluation import load_examples, read_run_settings

        folders = [s.folder for s in self.subjects.values() if s.folder is not None]
        data: Any = self.data
        threat_model = None
        if folders and (data is None or self.epsilon is None):
            source, threat_model = read_run_settings(folders[0])
            data = source if data is None else data
        if self.epsilon is not None:
            threat_model = getattr(threat_models, self.norm or "Linf")(self.epsilon)
        if data is None or threat_model is None:
            raise UserError(
                "These models do not say their data and radius. Give --data and --epsilon."
            )
        origin = next(iter(self.subjects.values())).origin
        return load_examples(data, origin=origin), threat_model

    def choose_example(self) -> tuple[np.ndarray, int, int]:
        """The image of a figure about one image, its label and its id."""
        examples, _ = self.setting
        if self.example is not None:
            places = np.flatnonzero(examples.ids == self.example)
            if not len(places):
                some = ", ".join(map(str, examples.ids[:5]))
                raise UserError(
                    f"There is no image with the id {self.example}. The first ids are {some}."
                )
        else:
            right = np.ones(min(256, len(examples.y)), bool)
            for subject in self.subjects.values():
                logits = np.asarray(subject.forward(examples.x[: len(right)]))
                right &= np.argmax(logits, axis=1) == examples.y[: len(right)]
            if not right.any():
                raise UserError("No image is classified right by all models. Give --example=ID.")
            places = np.flatnonzero(right)
        place = int(places[0])
        return examples.x[place], int(examples.y[place]), int(examples.ids[place])

    def keep(
        self, settings: dict[str, Any], compute: Callable[[], dict[str, np.ndarray]]
    ) -> dict[str, np.ndarray]:
        """Arrays that are computed once for the same settings, kept beside the picture as .npz."""
        arrays, was_there = load_or_compute(self.output.with_suffix(".npz"), settings, compute)
        if was_there:
            self.tell(1.0, f"drawn from {self.output.with_suffix('.npz')}")
        return arrays
