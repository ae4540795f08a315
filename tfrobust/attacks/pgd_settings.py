"""The settings of projected gradient ascent, and the properties that follow from them."""

import dataclasses

import tensorflow as tf

from tfrobust.attacks.freeze import Freeze
from tfrobust.attacks.iterative import IterativeAttack
from tfrobust.attacks.starts import Start, Uniform
from tfrobust.attacks.steppers import Steepest, Stepper
from tfrobust.attacks.targets import check_targets, count_targets
from tfrobust.errors import UserError
from tfrobust.losses.objectives import CrossEntropy, Objective
from tfrobust.ops.numbers import integer, parse_number
from tfrobust.spec import check_kind, in_words, tell_value
from tfrobust.threat_models.base import ThreatModel

SELECTIONS = ("last", "any", "best")


@dataclasses.dataclass(frozen=True)
class PGDSettings(IterativeAttack):
    """The fields of `PGD`, which explains them, and their checks."""

    threat_model: ThreatModel
    objective: Objective = CrossEntropy()
    steps: int = 10
    step_size: float | str | None = None
    relative_step_size: float | str | None = None
    start: Start = Uniform()
    stepper: Stepper = Steepest()
    freeze: Freeze | None = None
    step_noise: float = 0.0
    keep: tuple = ()
    jit_compile: bool = False
    restarts: int = 1
    targets: int | str = 0
    selection: str = "last"
    success: str = "wrong"
    eot: int = 1

    def check(self) -> None:
        check_kind("threat_model", self.threat_model, ThreatModel)
        check_kind("objective", self.objective, Objective)
        check_kind("start", self.start, Start)
        check_kind("stepper", self.stepper, Stepper)
        check_kind("freeze", self.freeze, Freeze, optional=True)
        integer(self.steps, "steps", 1)
        if self.step_size is not None and self.relative_step_size is not None:
            raise UserError(
                "Give `step_size` (pixels) or `relative_step_size` (radii), not both. Received: "
                f"step_size={self.step_size!r}, relative_step_size={self.relative_step_size!r}."
            )
        for name in ("step_size", "relative_step_size"):
            if getattr(self, name) is not None:
                self.store(**{name: parse_number(getattr(self, name), name, 0.0)})
        self.store(step_noise=parse_number(self.step_noise, "step_noise", 0.0))
        check_kind("keep", self.keep, tuple)
        if any(integer(step, "keep", 1) > self.steps for step in self.keep):
            raise UserError(
                f"`keep` must hold whole numbers from 1 to steps={self.steps}. "
                f"Received: keep={self.keep}."
            )
        integer(self.restarts, "restarts", 1)
        integer(self.eot, "eot", 1)
        if self.objective.needs_target != (check_targets(self.targets) != 0):
            raise UserError(
                "A targeted objective needs `targets` (how many, 'all' or 'random'), and other objectives "
                f"take none. Received: objective={self.objective!r}, targets={self.targets!r}."
            )
        for name, choices in (("selection", SELECTIONS), ("success", ("wrong", "target"))):
            if getattr(self, name) not in choices:
                raise UserError(
                    f"`{name}` must be one of {choices}. Received: {name}={getattr(self, name)!r}."
                )
        if self.success == "target" and not self.targets:
            raise UserError("success='target' needs target classes: give `targets`.")
        if not self.is_one_climb and (self.freeze or self.keep or self.jit_compile):
            raise UserError(
                "`freeze`, `keep` and `jit_compile` are for training, with one run whose last iterate "
                "counts. Leave them out, or `restarts`, `targets` and `selection`. Received: "
                f"freeze={self.freeze!r}, keep={self.keep}, jit_compile={self.jit_compile}, "
                f"restarts={self.restarts}, targets={self.targets!r}, selection={self.selection!r}."
            )
        if self.objective.flat_at_clean and self.start.is_clean:
            raise UserError(
                f"{self.objective!r} has a gradient of exactly zero at the clean image, where "
                f"{self.start!r} begins: the attack would never move. Use start=Gaussian(0.001) "
                "or start=Uniform()."
            )

    def describe(self) -> str:
        """Steps and their size first: "PGD-20, 20 steps of 0.015"."""
        steps = "1 step" if self.steps == 1 else f"{self.steps} steps"
        others = self.list_settings(untold=("steps", "step_size", "relative_step_size", "keep"))
        if self.keep:
            kept = "iterate" if len(self.keep) == 1 else "iterates"
            others.append(f"{kept} {' and '.join(map(str, self.keep))} kept")
        name = f"{self.short_name or type(self).__name__}-{self.steps}"
        told = [f"{steps} of {self._tell_size()}"]
        if self.relative_reach < 1:
            told.append(f"at most {self._tell_length(self.relative_reach)} from the clean image")
        return in_words(name, [*told, *others])

    @property
    def relative_reach(self) -> float:
        """How far from the clean image it can end at most, in radii: (start + steps * step size) / radius.

        Below 1 it searches a smaller ball than its threat model, such as twenty steps of 0.01 from a clean
        image in a ball of 0.3: training on it leads to no robustness beyond 0.2. Steps of Adam and noise
        have no such bound: 1.
        """
        radius = float(self.threat_model.radius())
        if radius == 0 or self.step_noise or not isinstance(self.stepper, Steepest):
            return 1.0
        length = self.start.reach(radius) + self.steps * float(self.absolute_step_size(radius))
        # Ten steps of a tenth are one.
        return 1.0 if length > (1 - 1e-6) * radius else length / radius

    def _tell_size(self):
        if self.step_size is not None:
            return tell_value(self.step_size)
        return self._tell_length(self.absolute_step_size(1.0))

    def _tell_length(self, relative):
        """A length in radii, in the unit in which the radius was written: 2/255 at 8/255."""
        epsilon = tell_value(self.threat_model.epsilon)
        numerator, slash, denominator = epsilon.partition("/")
        if not slash:
            return tell_value(float(self.threat_model.radius(relative)))
        return f"{float(numerator) * relative:g}/{denominator}"

    @property
    def is_one_climb(self) -> tf.Tensor:
        """Whether there is one untargeted run whose last iterate counts, as in training."""
        return self.restarts == 1 and not self.targets and self.selection == "last"

    def runs(self, num_classes: int) -> int:
        return self.restarts * max(count_targets(self.targets, num_classes), 1)

    def passes(self, num_classes: int) -> tuple[int, int]:
        runs, gradients = self.runs(num_classes), self.steps * self.eot
        # The last passes judge.
        return runs * (gradients + self.eot), runs * gradients

    @property
    def climbed_objective(self) -> Objective | None:
        return self.objective

    @property
    def needs_class(self) -> str:
        if self.of_likeliest_class:
            return ""
        if self.freeze is not None:
            return "`freeze` counts steps after which that is not predicted"
        if not self.is_one_climb:
            return "`restarts`, `targets` and `selection` go by whether that is predicted"
        return self.objective.needs_class

    @property
    def num_steps(self) -> int:
        return self.steps

    @property
    def kept_steps(self) -> tuple[int, ...]:
        return self.keep

    @property
    def is_targeted(self) -> bool:
        return self.targets != 0

    @property
    def judged_steps(self) -> int | None:
        return self.steps if self.selection == "any" else None

    def check_transfer(self) -> None:
        if self.selection == "any":
            raise UserError(
                "The target sees one image of each run, not all iterates. Give PGD selection='last' or "
                "'best'. Received: selection='any'."
            )
        if self.success != "wrong":
            raise UserError(
                "What the target predicts is judged as correct or wrong. Leave out success='target'."
            )

    def absolute_step_size(self, radius: tf.Tensor) -> tf.Tensor | float:
        """The length of a step in pixel units, for a radius."""
        if self.step_size is not None:
            return self.step_size
        relative = 0.25 if self.relative_step_size is None else self.relative_step_size
        return relative * radius
