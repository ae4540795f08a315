"""Auto-PGD: the step size follows from the progress that is made."""

import dataclasses

import tensorflow as tf

from tfrobust.attacks.answers import missed, wrong_most_often
from tfrobust.attacks.ascent import ascent
from tfrobust.attacks.base import Attack, caught, fresh
from tfrobust.attacks.targets import target_of
from tfrobust.errors import UserError
from tfrobust.losses.objectives import CrossEntropy, Objective
from tfrobust.ops import norms
from tfrobust.ops.logits import answered, misclassified
from tfrobust.ops.numbers import integer, number
from tfrobust.spec import check_kind, register
from tfrobust.threat_models.base import ThreatModel
from tfrobust.threat_models.l1 import L1


@register
@dataclasses.dataclass(frozen=True)
class APGD(Attack):
    """APGD-CE, APGD-DLR and, with a targeted objective, APGD-T of AutoAttack.

    z = project(q + eta * steepest(g));  q <- project(q + a (z - q) + (1 - a) (q - q_old))

    with a = 3/4, and 1 in the first step. eta begins at twice the radius. At checkpoints that get
    closer to each other it is halved, and the search goes back to its best point, where the loss
    grew in at most `rho` of the steps since the last one, or where neither the step size nor the
    best loss has changed since then.

    Use it where a number must be trusted: it has no step size to choose. Any misclassified iterate
    counts and ends the search. A call returns the first misclassified iterate, or the one of the first
    run with the largest loss where none was found. With `eot` above 1, for models with noise, a run
    goes on to its end and counts the iterate that is wrong in most of its `eot` passes, if these are at
    least half of them. Where the model gives no finite logits, the step size is halved and the run goes
    on from its best point. It costs restarts * max(targets, 1) * (steps + 1)
    * eot forward and backward passes at most, and a forward pass at the clean image.

    Args:
        threat_model: `Linf` or `L2`.
        objective: `CrossEntropy()`, `DLR()`, or `TargetedDLR()` with `targets`.
        steps: gradient steps of one run, at least 1; AutoAttack has 100.
        restarts: runs from new starts (and, with targets, for each of them), at least 1.
        targets: how many classes are aimed at in turn, those with the largest logits at the clean
            image after the label; 0 for an untargeted objective, 9 in AutoAttack. All of them where
            there are fewer.
        rho: fraction of steps in which the loss must grow, in [0, 1].
        eot: gradients that are averaged for each step, at least 1; for randomised models. The last
            evaluation gives loss and prediction.

    Raises:
        UserError: for settings that cannot work together, or another norm.

    Reference: Croce, Hein, "Reliable evaluation of adversarial robustness with an ensemble of
    diverse parameter-free attacks", 2020. As in its code: the loss must grow in at most (not fewer
    than) rho of the steps, the first growth is counted from 0, and going back leaves the momentum's
    last point.
    """

    threat_model: ThreatModel
    objective: Objective = CrossEntropy()
    steps: int = 100
    restarts: int = 1
    targets: int = 0
    rho: float = 0.75
    eot: int = 1

    def check(self):
        check_kind("threat_model", self.threat_model, ThreatModel)
        if isinstance(self.threat_model, L1):
            raise UserError(
                "APGD searches Linf and L2: in L1 it is another algorithm, with sparse steps and radii that "
                "shrink, which is not here. Use FAB, such as FAB(threat_model, targets=9). "
                f"Received: threat_model={self.threat_model!r}."
            )
        check_kind("objective", self.objective, Objective)
        integer(self.steps, "steps", 1)
        integer(self.restarts, "restarts", 1)
        integer(self.targets, "targets", 0)
        integer(self.eot, "eot", 1)
        number(self.rho, "rho", 0.0, 1.0)
        if self.objective.needs_target != (self.targets > 0):
            raise UserError(
                f"A targeted objective needs `targets` of at least 1, and no other takes them. Received: "
                f"objective={self.objective!r}, targets={self.targets}."
            )

    def runs(self, num_classes):
        # With fewer classes there are fewer to aim at.
        return self.restarts * max(min(self.targets, num_classes - 1), 1)

    def begin(self, case):
        x, y = case.x, case.y
        start = self.threat_model.random_surface_point(x, case.radius, case.keys)
        start = tf.ensure_shape(tf.clip_by_value(start, 0.0, 1.0), x.shape)
        zeros, count = tf.zeros_like(y, x.dtype), tf.zeros_like(y)
        state = {
            **fresh(case),
            # -1: the start has not been evaluated yet.
            "index": count - 1,
            "current": start,
            "former": start,
            "gradient": tf.zeros_like(x),
            "best": start,
            "best_gradient": tf.zeros_like(x),
            "best_loss": zeros + x.dtype.min,
            "former_loss": zeros,
            "checked_loss": zeros + x.dtype.min,
            "step_size": zeros + 2.0 * case.radius,
            "halved": tf.ones_like(y, tf.bool),
            "grown": count,
        }
        if self.targets:
            state["target"] = target_of(case, case.run // self.restarts)
        if self.eot > 1:
            state["wrong_passes"] = count
        return state

    def step(self, forward, case, state):
        x, y, target = case.x, case.y, state.get("target")
        current = self._fused("next", self._next)(x, case.radius, state)
        seen = ascent(self.objective, forward, current, y, target, self.eot)
        return self._fused("learned", self._learned)(x, y, state, current, *seen)

    def _next(self, x, radius, s):
        """What is evaluated in this step: the start, and then what `_moved` says."""
        first = norms.expand(s["index"] < 0, x)
        return tf.where(first, s["current"], self._moved(x, radius, s))

    def _moved(self, x, radius, s):
        current, project = s["current"], self.threat_model.project
        share = norms.expand(tf.cast(tf.where(tf.equal(s["index"], 0), 1.0, 0.75), x.dtype), x)
        size = norms.expand(s["step_size"], x)
        ahead = project(current + size * self.threat_model.steepest(s["gradient"]), x, radius)
        momentum = current - s["former"]
        return project(current + share * (ahead - current) + (1.0 - share) * momentum, x, radius)

    def _learned(self, x, y, state, current, logits, loss, gradient):
        """The state after a look at `current`; `logits` are those of every pass."""
        s, first = state, state["index"] < 0
        is_answer = tf.reduce_all(tf.stack([answered(z) for z in logits]), axis=0)
        better = is_answer & (loss > s["best_loss"])
        known = better | (s["best_loss"] > loss.dtype.min)
        index = s["index"] + 1
        over = index >= self.steps
        # Where nothing was answered yet, the search goes back half of the way to the clean image.
        best = tf.where(norms.expand(known, x), s["best"], (x + current) / 2.0)
        new = {
            "index": index,
            "former": s["current"],
            "best": tf.where(norms.expand(better, current), current, best),
            "best_gradient": tf.where(norms.expand(better, current), gradient, s["best_gradient"]),
            "best_loss": tf.where(better, loss, s["best_loss"]),
            # The code compares the loss after the first step with 0, not with the start's.
            "former_loss": tf.where(is_answer & ~first, loss, s["former_loss"]),
            "grown": s["grown"] + tf.cast(~first & is_answer & (loss > s["former_loss"]), tf.int32),
            "checked_loss": tf.where(first & is_answer, loss, s["checked_loss"]),
            "forwards": s["forwards"] + self.eot,
            "backwards": s["backwards"] + self.eot,
        }
        s = {**s, **missed(s, current, is_answer)}
        wrong = [misclassified(y, z) for z in logits]
        if self.eot == 1:
            catch = caught(s, current, wrong[0])
            new["done"] = catch["broken"] | over
        else:
            # One lucky misclassification ends nothing.
            count = tf.add_n([tf.cast(one, tf.int32) for one in wrong])
            catch = wrong_most_often(s, current, count, over, self.eot)
            new["done"] = over
        new = {**s, **new, **catch, "current": current, "gradient": gradient}
        new = self._checked(new, ~is_answer, known)
        return self._unless_done(state, new)

    def _checked(self, s, lost, known):
        """Halves step sizes and goes back to the best points, where a checkpoint finds no progress.

        The same, at once, where the model gave no answer (`lost`) and some point is `known`.
        """
        # One more, for rows that were done before.
        windows = tf.constant([*checkpoint_windows(self.steps), 0])
        # Row index - 1 holds the steps since the last checkpoint, 0 where there is none.
        window = tf.gather(windows, tf.maximum(s["index"] - 1, 0)) * tf.cast(
            s["index"] > 0, tf.int32
        )
        here = window > 0
        few = tf.cast(s["grown"], tf.float32) <= self.rho * tf.cast(window, tf.float32)
        stuck = ~s["halved"] & (s["checked_loss"] >= s["best_loss"])
        halve = here & (few | stuck)
        image = norms.expand(halve | lost, s["current"])
        return {
            **s,
            "step_size": tf.where(halve | (lost & known), s["step_size"] / 2.0, s["step_size"]),
            "current": tf.where(image, s["best"], s["current"]),
            "gradient": tf.where(image, s["best_gradient"], s["gradient"]),
            "halved": tf.where(here, halve, s["halved"]),
            "checked_loss": tf.where(here, s["best_loss"], s["checked_loss"]),
            "grown": tf.where(here, tf.zeros_like(s["grown"]), s["grown"]),
        }


def checkpoint_windows(steps):
    """For each step, made so far 1 to `steps`: the length of the window that ends with it, or 0.

    The first window has 22 % of the steps, each next one 3 % less, but never fewer than 6 %.
    """
    window, least, less = (max(int(part * steps), 1) for part in (0.22, 0.06, 0.03))
    ends, since = [], 0
    for _ in range(steps):
        since += 1
        ends.append(window if since == window else 0)
        if ends[-1]:
            since, window = 0, max(window - less, least)
    return ends
