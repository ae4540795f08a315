"""Projected gradient ascent: the one engine of the whole family."""

import dataclasses

import tensorflow as tf

from tfrobust.attacks.base import Attack, Perturbation
from tfrobust.attacks.freeze import Freeze
from tfrobust.attacks.starts import Start, Uniform
from tfrobust.attacks.steppers import Steepest, Stepper
from tfrobust.errors import UserError
from tfrobust.losses.objectives import CrossEntropy, Objective
from tfrobust.ops import norms
from tfrobust.ops.logits import correct, inference
from tfrobust.ops.numbers import integer, number
from tfrobust.spec import check_kind, register
from tfrobust.threat_models.base import ThreatModel


@register
@dataclasses.dataclass(frozen=True)
class PGD(Attack):
    """Climbs an objective inside a threat model, one projected step after the other.

    x_0 = start; x_{i+1} = project(x_i + move(gradient of the objective at x_i)); the last iterate
    counts.

    Use it for training and as a first measurement; its parts make the attacks of the literature:
    one step with `relative_step_size=1.25` is FGSM with a random start, `objective=ToClean()` with
    `start=Gaussian(0.001)` is the attack of TRADES, `stepper=Adam()` that of LLR.

    Args:
        threat_model: `Linf("8/255")`, `L2("128/255")`.
        objective: what is climbed, summed over the batch so that examples do not interact.
        steps: number of gradient steps, at least 1. Costs that many forward and backward passes,
            and one forward pass more if the objective compares with the clean prediction.
        step_size: length of a step in pixel units ("2/255"). A ramp of epsilon leaves it alone.
        relative_step_size: length of a step in units of the radius; it follows a ramp. One of the
            two sizes may be given; without any, the step is a quarter of the radius (2/255 at
            8/255).
        start: where the search begins.
        stepper: how it moves.
        freeze: which examples stop early, or None. With a rule the start is projected before the
            first gradient, since an example may stay there.
        step_noise: standard deviation, in pixel units, of normal noise added in every step before the
            projection; 0.001 in friendly adversarial training.
        keep: numbers of steps after which the iterate is kept in `Perturbation.path`, each between
            1 and `steps`.
        jit_compile: compile the loop with XLA; starts are drawn outside, where XLA cannot change
            the numbers. On CPUs XLA was slower for convolutional networks.

    Raises:
        UserError: for settings that cannot work, such as a divergence to the clean prediction from
            a start at the clean image, where the gradient is exactly zero.

    Reference: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", 2018.
    """

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

    def check(self):
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
        if self.step_size is not None:
            number(self.step_size, "step_size", 0.0)
        if self.relative_step_size is not None:
            number(self.relative_step_size, "relative_step_size", 0.0)
        if number(self.step_noise, "step_noise", 0.0) and self.jit_compile:
            raise UserError(
                "XLA would draw other numbers. Leave away `step_noise` or `jit_compile`. Received: "
                f"step_noise={self.step_noise!r}, jit_compile=True."
            )
        check_kind("keep", self.keep, tuple)
        if any(integer(step, "keep", 1) > self.steps for step in self.keep):
            raise UserError(
                f"`keep` must hold whole numbers from 1 to steps={self.steps}. "
                f"Received: keep={self.keep}."
            )
        if self.objective.needs_target:
            raise UserError(
                f"PGD chooses no class to aim at and cannot climb {self.objective!r}. "
                "Use APGD with `targets`."
            )
        if self.objective.flat_at_clean and self.start.is_clean:
            raise UserError(
                f"{self.objective!r} has a gradient of exactly zero at the clean image, where "
                f"{self.start!r} begins: the attack would never move. Use start=Gaussian(0.001) "
                "or start=Uniform()."
            )

    def search(self, model, x, y, keys, scale, epoch):
        radius = tf.cast(self.threat_model.radius(scale), x.dtype)
        start = tf.ensure_shape(self.start(self.threat_model, x, radius, keys.fold_in(0)), x.shape)
        if self.freeze is not None:
            start = self.threat_model.project(start, x, radius)
        climb = self._climb
        if self.jit_compile:
            climb = self._function("climb", climb, jit_compile=True)
        return climb(model, x, y, start, radius, epoch, keys.fold_in(1))

    def _climb(self, model, x, y, start, radius, epoch, keys):
        forward = inference(model)
        step_size = tf.cast(self._step_size(radius), x.dtype)
        reference = self.objective.reference(forward, x, y)
        reference = (
            tf.nest.map_structure(tf.stop_gradient, reference) if reference is not None else None
        )

        def body(index, current, survived, kept, moves, frozen):
            logits, gradient = self._gradient(forward, current, y, reference)
            is_correct = correct(y, logits)
            move, moves = self.stepper(self.threat_model, gradient, step_size, index, moves)
            if self.step_noise:
                noise = keys.fold_in(index).normal(tf.shape(x), x.dtype)
                move += number(self.step_noise, "step_noise") * tf.ensure_shape(noise, x.shape)
            proposal = self.threat_model.project(current + move, x, radius)
            if self.freeze is not None:
                active, frozen = self.freeze(frozen, is_correct)
                proposal = tf.where(norms.expand(active, x), proposal, current)
            kept = tuple(
                tf.where(tf.equal(index + 1, step), proposal, former)
                for step, former in zip(self.keep, kept, strict=True)
            )
            survived += tf.cast(is_correct, tf.int32)
            return index + 1, proposal, survived, kept, moves, frozen

        state = (
            tf.constant(0),
            start,
            tf.zeros_like(y, tf.int32),
            tuple(start for _ in self.keep),
            self.stepper.initial_state(x),
            () if self.freeze is None else self.freeze.initial_state(y, epoch),
        )
        state = tf.while_loop(lambda index, *_: index < self.steps, body, state)
        return Perturbation(*tf.nest.map_structure(tf.stop_gradient, state[1:4]))

    def _step_size(self, radius):
        if self.step_size is not None:
            return number(self.step_size, "step_size")
        relative = 0.25 if self.relative_step_size is None else self.relative_step_size
        return number(relative, "relative_step_size") * radius

    def _gradient(self, forward, current, y, reference):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(current)
            logits = forward(current)
            total = tf.reduce_sum(self.objective(y, logits, reference, current))
        gradient = tape.gradient(total, current)
        if gradient is None:
            raise UserError(
                "The objective does not depend on the pixels by differentiable operations, so there is "
                "nothing to climb. Is there an argmax, a rounding or a stop_gradient in the model?"
            )
        # One NaN would stay in the iterate for ever; without it the other pixels still move.
        return logits, tf.where(tf.math.is_finite(gradient), gradient, tf.zeros_like(gradient))
