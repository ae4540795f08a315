"""What Auto-PGD does between two passes, whatever its objective is."""

import dataclasses
import functools

import tensorflow as tf

from tfrobust.attacks.answers import record_success, record_unanswered, record_votes
from tfrobust.attacks.apgd_l1 import SparseSteps
from tfrobust.attacks.apgd_momentum import MomentumSteps
from tfrobust.attacks.apgd_plan import plan_looks
from tfrobust.attacks.case import keep_done
from tfrobust.ops import norms
from tfrobust.ops.logits import all_finite, misclassified
from tfrobust.threat_models.base import ThreatModel
from tfrobust.threat_models.l1 import L1


@dataclasses.dataclass(frozen=True)
class Course:
    """The looks of an `APGD` run, and what follows from each: records, checkpoints and the next point.

    Args:
        threat_model, steps, rho, eot, larger_radii: see `APGD`.
    """

    threat_model: ThreatModel
    steps: int
    rho: float
    eot: int
    larger_radii: bool

    @functools.cached_property
    def rule(self) -> MomentumSteps | SparseSteps:
        """How it moves."""
        if isinstance(self.threat_model, L1):
            return SparseSteps(self.threat_model, self.steps, self.larger_radii)
        return MomentumSteps(self.threat_model, self.steps, self.rho)

    @property
    def looks(self) -> int:
        """How many points of a run are evaluated: those after the steps, and a start of each stage."""
        return self.steps + len(self.rule.stages)

    def update(
        self,
        x: tf.Tensor,
        y: tf.Tensor,
        radius: tf.Tensor | float,
        state: dict[str, tf.Tensor],
        logits: tuple[tf.Tensor, ...],
        loss: tf.Tensor,
        gradient: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """The state after a look at its "candidate", with the next one.

        Args:
            x: clean images, (b, h, w, c).
            y: labels, int32 (b,).
            radius: scalar.
            state: of the attack, without targets.
            logits: of every pass, a tuple of (b, k).
            loss: of the last one, (b,).
            gradient: shape of `x`.
        """
        new = self._record(x, y, radius, state, logits, loss, gradient)
        new["candidate"] = self._move(x, radius, new)
        return keep_done(state, {name: new[name] for name in state})

    def _move(self, x, radius, s):
        """The images to look at next: a stage's start, and then where its steps lead."""
        rule, start = self.rule, s["best"]
        plan = plan_looks(rule.stages, rule.windows, s["look"])
        if len(rule.stages) > 1:
            radius *= tf.cast(plan["factor"], x.dtype)
            start = self.threat_model.project(start, x, radius)
        return tf.where(norms.expand(plan["starts"], x), start, rule.move(x, radius, s))

    def _record(self, x, y, radius, state, logits, loss, gradient):
        s, rule, current = state, self.rule, state["candidate"]
        plan = plan_looks(rule.stages, rule.windows, s["look"])
        first, in_set = plan["starts"], tf.equal(plan["factor"], 1)
        is_answer = tf.reduce_all(tf.stack([all_finite(z) for z in logits]), axis=0)
        better = is_answer & (first | (loss > s["best_loss"]))
        known = better | (s["best_loss"] > loss.dtype.min)
        # Without any finite logits so far, the search goes half of the way back to the clean image.
        best = tf.where(norms.expand(known, x), s["best"], (x + current) / 2.0)
        over = s["look"] + 1 >= self.looks
        # A stage of a larger radius finds no image of the threat model.
        seen = {**s, **record_unanswered(s, current, is_answer | ~in_set)}
        wrong = [misclassified(y, z) & in_set for z in logits]
        if self.eot == 1:
            catch = record_success(seen, current, wrong[0])
        else:
            # One misclassification by chance ends no search.
            count = tf.add_n([tf.cast(one, tf.int32) for one in wrong])
            catch = record_votes(seen, current, count, over, self.eot)
        new = {
            **seen,
            **catch,
            "look": s["look"] + 1,
            "index": plan["steps"],
            "current": current,
            "gradient": gradient,
            "best": tf.where(norms.expand(better, current), current, best),
            "best_gradient": tf.where(norms.expand(better, current), gradient, s["best_gradient"]),
            "best_loss": tf.where(better, loss, s["best_loss"]),
            "done": catch["broken"] | over,
            "forwards": s["forwards"] + self.eot,
            "backwards": s["backwards"] + self.eot,
        }
        radius *= tf.cast(plan["factor"], x.dtype)
        # Logits that are not finite count as no progress.
        loss = tf.where(is_answer, loss, tf.zeros_like(loss) + loss.dtype.min)
        new = rule.observe(x, radius, s, new, first, loss)
        new = rule.pass_checkpoint(x, radius, new, plan["window"])
        back = norms.expand(is_answer, x)
        new |= {
            "step_size": tf.where(is_answer | ~known, new["step_size"], new["step_size"] / 2.0),
            "current": tf.where(back, new["current"], new["best"]),
            "gradient": tf.where(back, new["gradient"], new["best_gradient"]),
        }
        return new
