"""Projected gradient ascent: the one engine of the whole family."""

import dataclasses

import tensorflow as tf

from tfrobust.attacks.answers import record_success, record_unanswered, record_votes
from tfrobust.attacks.ascent import ascent
from tfrobust.attacks.case import Perturbation, make_state
from tfrobust.attacks.freeze import Freeze
from tfrobust.attacks.iterative import IterativeAttack
from tfrobust.attacks.starts import Start, Uniform
from tfrobust.attacks.steppers import Steepest, Stepper
from tfrobust.attacks.targets import check_targets, choose_target, count_targets
from tfrobust.errors import UserError
from tfrobust.losses.margin import logit_difference
from tfrobust.losses.objectives import CrossEntropy, Objective
from tfrobust.ops import norms
from tfrobust.ops.logits import all_finite, correct, inference, misclassified
from tfrobust.ops.numbers import integer, parse_number
from tfrobust.spec import check_kind, register
from tfrobust.threat_models.base import ThreatModel

SELECTIONS = ("last", "any", "best")


@register
@dataclasses.dataclass(frozen=True)
class PGD(IterativeAttack):
    """Climbs an objective inside a threat model, one projected step after the other.

    x_0 = start; x_{i+1} = project(x_i + move(gradient of the objective at x_i)); the last iterate
    counts, unless `selection` says otherwise.

    Use it for training and as a first measurement; its parts make the attacks of the literature:
    one step with `relative_step_size=1.25` is FGSM with a random start, `objective=ToClean()` with
    `start=Gaussian(0.001)` is the attack of TRADES, `stepper=Adam()` that of LLR. For evaluation give
    it `restarts` and `selection="any"`: a run then costs one forward pass more, which judges the
    last iterate, and ends at the first misclassified one. (Where rows are exchanged, in an evaluation,
    that last pass is computed backward too, though no row needs it and none counts it.)

    Args:
        threat_model: `Linf("8/255")`, `L2("128/255")`, or `L1(12)`, in which the attack is weak.
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
        restarts: runs from new starts, and with targets for each of them, at least 1. Use more where
            the number is to be trusted and the start is random; a later run never undoes a success.
        targets: how many classes are aimed at in turn, for an objective that needs it: those with the
            largest logits at the clean image after the label, "all" of them in the order of their
            numbers, or one "random" class of each example; 0 for an untargeted objective.
        selection: what counts as found: the "last" iterate, for training and for the numbers of
            papers that judge it; "any" misclassified iterate from the start on, for evaluation;
            "best", the iterate with the largest objective, for transfer and for codes that judge it.
            With the last two the start is projected, since it may be the result.
        success: what must be predicted: any "wrong" class, for robust accuracy; or "target", more
            z_target than z_label, for the success rate of targeted attacks.
        eot: gradients that are averaged for each step, at least 1; for randomised models. Above 1 an
            iterate counts as misclassified that is so in at least half of its `eot` passes; with "any"
            the run goes on to its end, and the iterate that was wrong most often counts.

    Where no run breaks an example, the result is that of the run with the largest objective.

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
    restarts: int = 1
    targets: int | str = 0
    selection: str = "last"
    success: str = "wrong"
    eot: int = 1

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
        for name in ("step_size", "relative_step_size"):
            if getattr(self, name) is not None:
                self.store(**{name: parse_number(getattr(self, name), name, 0.0)})
        self.store(step_noise=parse_number(self.step_noise, "step_noise", 0.0))
        if self.step_noise and self.jit_compile:
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
        integer(self.restarts, "restarts", 1)
        integer(self.eot, "eot", 1)
        if self.objective.needs_target != (check_targets(self.targets) != 0):
            raise UserError(
                "A targeted objective needs `targets` (how many, 'all' or 'random'), and no other takes "
                f"them. Received: objective={self.objective!r}, targets={self.targets!r}."
            )
        for name, choices in (("selection", SELECTIONS), ("success", ("wrong", "target"))):
            if getattr(self, name) not in choices:
                raise UserError(
                    f"`{name}` must be one of {choices}. Received: {name}={getattr(self, name)!r}."
                )
        if self.success == "target" and not self.targets:
            raise UserError("success='target' needs a class to aim at: give `targets`.")
        if not self._is_one_climb and (self.freeze or self.keep or self.jit_compile):
            raise UserError(
                "`freeze`, `keep` and `jit_compile` are for training, with one run whose last iterate "
                "counts. Leave them away, or `restarts`, `targets` and `selection`. Received: "
                f"freeze={self.freeze!r}, keep={self.keep}, jit_compile={self.jit_compile}, "
                f"restarts={self.restarts}, targets={self.targets!r}, selection={self.selection!r}."
            )
        if self.objective.flat_at_clean and self.start.is_clean:
            raise UserError(
                f"{self.objective!r} has a gradient of exactly zero at the clean image, where "
                f"{self.start!r} begins: the attack would never move. Use start=Gaussian(0.001) "
                "or start=Uniform()."
            )

    @property
    def _is_one_climb(self):
        return self.restarts == 1 and not self.targets and self.selection == "last"

    def search(self, model, x, y, keys, scale, epoch):
        if not self._is_one_climb:
            return super().search(model, x, y, keys, scale, epoch)
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
            answers, _, gradient = ascent(self.objective, forward, current, y, reference, self.eot)
            is_correct = correct(y, answers[-1])
            origin = x, radius, step_size
            proposal, moves = self._moved(origin, current, gradient, index, moves, keys)
            # Without logits there is no slope; the way back to the clean image leads out of there.
            lost = norms.expand(~all_finite(answers[-1]), x)
            proposal = tf.where(lost, (x + current) / 2.0, proposal)
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

    def runs(self, num_classes):
        return self.restarts * max(count_targets(self.targets, num_classes), 1)

    def passes(self, num_classes):
        runs, gradients = self.runs(num_classes), self.steps * self.eot
        # The last passes judge.
        return runs * (gradients + self.eot), runs * gradients

    @property
    def climbed_objective(self):
        return self.objective

    @property
    def num_steps(self):
        return self.steps

    @property
    def kept_steps(self):
        return self.keep

    @property
    def is_targeted(self):
        return self.targets != 0

    @property
    def judged_steps(self):
        return self.steps if self.selection == "any" else None

    def check_transfer(self):
        if self.selection == "any":
            raise UserError(
                "The target sees one image of each run, not all iterates. Give PGD selection='last' or "
                "'best'. Received: selection='any'."
            )
        if self.success != "wrong":
            raise UserError(
                "What the target predicts is judged as right or wrong. Leave out success='target'."
            )

    def begin(self, case):
        if self.freeze is not None:
            raise UserError(
                f"{self.freeze!r} is a rule for training and follows its epochs; a search that is begun "
                "row by row has none. Leave `freeze` away; selection='any' ends a run at its success."
            )
        x = case.x
        start = self.start(self.threat_model, x, case.radius, case.keys)
        start = tf.ensure_shape(start, x.shape)
        if self.selection != "last":
            start = self.threat_model.project(start, x, case.radius)
        state = {
            **make_state(case),
            # -1: the start has not been evaluated yet.
            "index": tf.zeros_like(case.y) - 1,
            "current": start,
            "best": start,
            "best_loss": tf.fill(tf.shape(case.y), case.logits.dtype.min),
            "best_counts": tf.zeros_like(case.y, tf.bool),
        }
        state |= {f"move_{i}": part for i, part in enumerate(self.stepper.initial_state(x))}
        if self.eot > 1:
            state["wrong_passes"] = tf.zeros_like(case.y)
        if self.targets:
            state["target"] = choose_target(self.targets, case, case.run // self.restarts)
        else:
            self.objective.reference_from(case.logits)  # Refuses before any work is done.
        return state

    def advance(self, forward, case, state):
        s, x, target = state, case.x, state.get("target")
        reference = target if self.targets else self.objective.reference_from(case.logits)
        answers, loss, gradient = ascent(
            self.objective, forward, s["current"], case.y, reference, self.eot
        )
        index = s["index"] + 1
        is_answer = tf.reduce_all(tf.stack([all_finite(logits) for logits in answers]), axis=0)
        wrong = [tf.cast(self._counts(z, case.y, target), tf.int32) for z in answers]
        wrong = wrong[0] if self.eot == 1 else tf.add_n(wrong)
        counts = 2 * wrong >= self.eot
        lowest = loss.dtype.min
        better = is_answer if self.selection == "last" else is_answer & (loss > s["best_loss"])
        best = tf.where(norms.expand(better, x), s["current"], s["best"])
        # A start without an answer stands for nothing.
        known = better | (s["best_loss"] > lowest)
        best = tf.where(norms.expand(known, x), best, x)
        best_counts = tf.where(better, counts, s["best_counts"])
        over = index >= self.steps
        seen = {**s, **record_unanswered(s, s["current"], is_answer)}
        if self.selection != "any":
            catch = record_success(seen, best, over & best_counts)
        elif self.eot == 1:
            catch = record_success(seen, s["current"], counts)
        else:
            # One lucky misclassification ends nothing.
            catch = record_votes(seen, s["current"], wrong, over, self.eot)
        done = over | catch["broken"]
        origin = x, case.radius, tf.cast(self._step_size(case.radius), x.dtype)
        moves = [s[name] for name in sorted(s) if name.startswith("move_")]
        keys = case.keys.fold_in(1)
        current, moved = self._moved(origin, s["current"], gradient, index, tuple(moves), keys)
        # Where nothing is answered, half of the way back to the best point so far.
        goes_on = norms.expand(is_answer, x)
        current = tf.where(goes_on, current, (best + s["current"]) / 2.0)
        moved = [tf.where(goes_on, new, old) for new, old in zip(moved, moves, strict=True)]
        return {
            **seen,
            **catch,
            **{f"move_{i}": part for i, part in enumerate(moved)},
            "index": index,
            "current": current,
            "best": best,
            "best_loss": tf.where(better, loss, s["best_loss"]),
            "best_counts": best_counts,
            "done": done,
            "forwards": s["forwards"] + self.eot,
            "backwards": s["backwards"] + tf.where(done, 0, self.eot),
        }

    def _counts(self, logits, y, target):
        if self.success == "target":
            return all_finite(logits) & (logit_difference(y, target, logits) > 0.0)
        return misclassified(y, logits)

    def _moved(self, origin, current, gradient, index, moves, keys):
        """The next iterates and the stepper's new state; `index` is a scalar or (b,)."""
        x, radius, step_size = origin
        move, moves = self.stepper(self.threat_model, gradient, step_size, index, moves)
        if self.step_noise:
            noise = keys.fold_in(index).normal(tf.shape(x), x.dtype)
            move += self.step_noise * tf.ensure_shape(noise, x.shape)
        return self.threat_model.project(current + move, x, radius), moves

    def _step_size(self, radius):
        if self.step_size is not None:
            return self.step_size
        relative = 0.25 if self.relative_step_size is None else self.relative_step_size
        return relative * radius
