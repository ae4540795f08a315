"""Projected gradient ascent: the one engine of the whole family."""

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

from tfrobust.attacks.answers import record_success, record_unanswered, record_votes
from tfrobust.attacks.ascent import ascent
from tfrobust.attacks.case import Case, Perturbation, make_state
from tfrobust.attacks.pgd_settings import PGDSettings
from tfrobust.attacks.targets import choose_target
from tfrobust.errors import UserError
from tfrobust.losses.margin import logit_difference
from tfrobust.ops import norms
from tfrobust.ops.logits import all_finite, correct, inference, likeliest_class, misclassified
from tfrobust.ops.random.draws import drawing_under_xla
from tfrobust.ops.random.keys import Keys
from tfrobust.spec import register


@register
@dataclasses.dataclass(frozen=True)
class PGD(PGDSettings):
    """Maximises an objective inside a threat model, by projected gradient steps.

    x_0 = start; x_{i+1} = project(x_i + move(gradient of the objective at x_i)); the last iterate
    counts, unless `selection` says otherwise.

    Use it for training and as a first measurement; its parts make the attacks of the literature:
    one step with `relative_step_size=1.25` is FGSM with a random start, `objective=ToClean()` with
    `start=Gaussian(0.001)` is the attack of TRADES, `stepper=Adam()` that of LLR. For evaluation set
    `restarts` and `selection="any"`: a run then costs one forward pass more, which judges the
    last iterate, and ends at the first misclassified one. (In an evaluation, where rows are replaced,
    that last pass is also computed backward, which no row needs and none counts.)

    Args:
        threat_model: `Linf("8/255")`, `L2("128/255")`, or `L1(12)`, in which the attack is weak.
        objective: what is maximised, summed over the batch so that examples do not interact.
        steps: number of gradient steps, at least 1. Costs that many forward and backward passes,
            and one forward pass more if the objective compares with the clean prediction.
        step_size: length of a step in pixel units ("2/255"). A ramp of epsilon does not change it.
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
        jit_compile: compile the loop with XLA, with the same random numbers. On CPUs XLA was slower
            for convolutional networks.
        restarts: runs from new starts, and with targets for each of them, at least 1. Use more where
            the number is to be trusted and the start is random; a later run never undoes a success.
        targets: how many target classes are tried in turn, for an objective that needs one: those with the
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

    Example:
    >>> model = lambda x: tf.reshape(x, (-1, 3)) * 10.0
    >>> x = tf.constant([[[[0.6, 0.5, 0.1]]]])
    >>> found = tfrobust.PGD(tfrobust.Linf(0.1), steps=10)(model, x, [0], seed=0)
    >>> int(tf.argmax(model(found.x), axis=-1)[0])
    1

    Reference: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", 2018.
    """

    def search(
        self,
        model: keras.layers.Layer | Callable[[tf.Tensor], tf.Tensor],
        x: tf.Tensor,
        y: tf.Tensor,
        keys: Keys,
        scale: tf.Tensor | float,
        epoch: tf.Tensor | float,
    ) -> Perturbation:
        if not self.is_one_climb:
            return super().search(model, x, y, keys, scale, epoch)
        radius = tf.cast(self.threat_model.radius(scale), x.dtype)
        start = tf.ensure_shape(self.start(self.threat_model, x, radius, keys.fold_in(0)), x.shape)
        if self.freeze is not None:
            start = self.threat_model.project(start, x, radius)
        climb = self._climb
        if self.jit_compile:
            climb = self._function("climb", climb, jit_compile=True)
        with drawing_under_xla(self.jit_compile):
            return climb(model, x, y, start, radius, epoch, keys.fold_in(1))

    def _climb(self, model, x, y, start, radius, epoch, keys):
        forward = inference(model)
        step_size = tf.cast(self.absolute_step_size(radius), x.dtype)
        reference = self.objective.reference(forward, x, y)
        reference = (
            tf.nest.map_structure(tf.stop_gradient, reference) if reference is not None else None
        )

        # By the likeliest class of a soft label it is judged whether an iterate survives.
        label = likeliest_class(y)

        def body(index, current, survived, kept, moves, frozen):
            answers, _, gradient = ascent(self.objective, forward, current, y, reference, self.eot)
            is_correct = correct(label, answers[-1])
            origin = x, radius, step_size
            proposal, moves = self._move(origin, current, gradient, index, moves, keys)
            # Without finite logits there is no gradient: go half of the way back to the clean image.
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
            tf.zeros_like(label, tf.int32),
            tuple(start for _ in self.keep),
            self.stepper.initial_state(x),
            () if self.freeze is None else self.freeze.initial_state(label, epoch),
        )
        state = tf.while_loop(lambda index, *_: index < self.steps, body, state)
        return Perturbation(*tf.nest.map_structure(tf.stop_gradient, state[1:4]))

    def begin(self, case: Case) -> dict[str, tf.Tensor]:
        if self.freeze is not None:
            raise UserError(
                f"{self.freeze!r} is a rule for training and follows its epochs; a search that is begun "
                "row by row has none. Leave `freeze` out; selection='any' ends a run at its success."
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

    def advance(
        self, forward: Callable[[tf.Tensor], tf.Tensor], case: Case, state: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
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
        # A start without finite logits is no result.
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
            # One misclassification by chance ends no search.
            catch = record_votes(seen, s["current"], wrong, over, self.eot)
        done = over | catch["broken"]
        origin = x, case.radius, tf.cast(self.absolute_step_size(case.radius), x.dtype)
        moves = [s[name] for name in sorted(s) if name.startswith("move_")]
        keys = case.keys.fold_in(1)
        current, moved = self._move(origin, s["current"], gradient, index, tuple(moves), keys)
        # Without finite logits: half of the way back to the best point so far.
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

    def _move(self, origin, current, gradient, index, moves, keys):
        """The next iterates and the stepper's new state; `index` is a scalar or (b,)."""
        x, radius, step_size = origin
        move, moves = self.stepper(self.threat_model, gradient, step_size, index, moves)
        if self.step_noise:
            noise = keys.fold_in(index).normal(tf.shape(x), x.dtype)
            move += self.step_noise * tf.ensure_shape(noise, x.shape)
        return self.threat_model.project(current + move, x, radius), moves
