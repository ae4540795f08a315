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
from tfrobust.runs.reports.naming import name_paths

# Images among which the first is sought that all models get right.
_TRIED = 256


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
        data: source of the images; None for that of the runs.
        norm, epsilon: threat model; None for that of the runs.
        example: id of the image of a figure about one image; None for the first that all models get right.
        examples: number of images of a figure about many.
        points: places along each axis of a plane.
        extent: half the width of a plane, in units of its directions.
        seed: of directions and attacks.
        tell: function of a share in [0, 1] and of what is computed.
        say: function of a sentence for whoever waits.
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
    say: Callable[[str], None] = lambda text: None
    trust: bool = False

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """What the paths are called in the picture: their last parts that tell them apart."""
        return name_paths(self.paths)

    @functools.cached_property
    def subjects(self) -> dict[str, Any]:
        """The models by name, as `evaluation.Subject`s."""
        from tfrobust.figures.inputs import load_subjects

        return load_subjects(dict(zip(self.names, self.paths, strict=True)), self.trust)

    @functools.cached_property
    def all_examples(self) -> Any:
        """The test images, in memory or stored."""
        from tfrobust.figures.inputs import find_examples

        return find_examples(self.subjects, self.data)

    @functools.cached_property
    def threat_model(self) -> Any:
        """That which was asked for, else that of the runs."""
        from tfrobust.figures.inputs import find_threat_model

        return find_threat_model(self.subjects, self.norm, self.epsilon)

    def take_first(self, most: int | None = None) -> Any:
        """The first images of a figure about many, as `evaluation.Examples`."""
        number = self.examples if most is None else min(self.examples, most)
        return self.all_examples.first(number).load()

    def take_one(self) -> Any:
        """The image of a figure about one image: the one that was asked for, or the first that is right."""
        from tfrobust.figures.inputs import find_place, take_one

        if self.example is not None:
            return take_one(self.all_examples, find_place(self.all_examples, self.example))
        few = self.all_examples.first(_TRIED).load()
        right = np.ones(len(few), bool)
        for subject in self.subjects.values():
            right &= np.argmax(np.asarray(subject.forward(few.x)), axis=1) == few.y
        if not right.any():
            raise UserError(
                f"None of the first {len(few)} images is classified right by all models. Give --example=ID."
            )
        return take_one(few, int(np.argmax(right)))

    def keep(
        self, settings: dict[str, Any], compute: Callable[[], dict[str, np.ndarray]]
    ) -> dict[str, np.ndarray]:
        """Arrays that are computed once for the same settings, kept beside the picture as .npz."""
        path = self.output.with_suffix(".npz")
        arrays, was_there = load_or_compute(path, settings, compute)
        if was_there:
            self.say(f"nothing has changed since {path} was computed: drawn from it")
        return arrays
