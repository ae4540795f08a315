"""FAB: the nearest misclassified image, by steps to a linear model's decision boundary."""

import dataclasses

import tensorflow as tf

from tfrobust.attacks.base import Attack, fresh
from tfrobust.attacks.targets import target_of
from tfrobust.errors import UserError
from tfrobust.ops import norms
from tfrobust.ops.logits import correct
from tfrobust.ops.numbers import integer, number
from tfrobust.spec import check_kind, register
from tfrobust.threat_models.base import ThreatModel, to_box

# All gradients of more classes cost more than aiming at the likeliest ones.
MOST_CLASSES = 20


@register
@dataclasses.dataclass(frozen=True)
class FAB(Attack):
    """Minimises the distance of a misclassified image; FAB-T with `targets`.

    With d(q) the step from q to the hyperplane on which the linearised z_t - z_y is 0, in the box:

        q <- clip((1 - a) (q + overshoot d(q)) + a (x + overshoot d(x))),  a = min(|d(q)| / (|d(q)| +
        |d(x)|), alpha_max)

    and where that is misclassified, it is kept if it is the nearest so far, and q goes back to x +
    backward (q - x). Untargeted, t is the class whose hyperplane is nearest in the linearised model.

    Use it beside attacks of a fixed radius: it does not depend on a loss's scale, and tells
    distances. It costs 2 forward and 1 backward passes a step (k backward passes untargeted); the
    pass that judges a step serves as the next step's where that is cheaper.

    Args:
        threat_model: `Linf`, `L2` or `L1`; the radius bounds the starts of later restarts, and says when
            an example is broken.
        steps: of a run, at least 1; 100 in AutoAttack.
        restarts: runs, at least 1: the first from the clean image, later ones from a random point at
            half the radius.
        targets: how many classes are aimed at in turn, those with the largest clean logits after
            the label; 0 for the untargeted attack, 9 in AutoAttack. All of them where there are
            fewer.
        alpha_max: largest pull towards the clean image, in [0, 1].
        overshoot: length of a step in units of the distance, at least 1.
        backward: how much of its perturbation a misclassified point keeps, in (0, 1].
        minimal: finish a run after it broke its example, for the smallest distance; AutoAttack needs
            none. Like other attacks it makes later runs for unbroken examples only: for the smallest
            "distance" over all targets, evaluate with a radius of 0.
        final_steps: bisections of the way from the clean image to the nearest point found, with
            `minimal`; 10 bring it within a thousandth of where the class changes; 0 in AutoAttack.

    Raises:
        UserError: for settings outside these ranges.

    Reference: Croce, Hein, "Minimally distorted adversarial examples with a fast adaptive boundary
    attack", 2020, in AutoAttack's version.
    """

    threat_model: ThreatModel
    steps: int = 100
    restarts: int = 1
    targets: int = 0
    alpha_max: float = 0.1
    overshoot: float = 1.05
    backward: float = 0.9
    minimal: bool = False
    final_steps: int = 0

    measures = ("distance",)

    def check(self):
        check_kind("threat_model", self.threat_model, ThreatModel)
        integer(self.steps, "steps", 1)
        integer(self.restarts, "restarts", 1)
        integer(self.targets, "targets", 0)
        number(self.alpha_max, "alpha_max", 0.0, 1.0)
        number(self.overshoot, "overshoot", 1.0)
        number(self.backward, "backward", 1e-6, 1.0)
        if integer(self.final_steps, "final_steps", 0) and not self.minimal:
            raise UserError(
                "`final_steps` shorten distances, for which the attack must go on: set minimal=True. "
                f"Received: final_steps={self.final_steps}, minimal=False."
            )

    def runs(self, num_classes):
        return self.restarts * max(min(self.targets, num_classes - 1), 1)

    def begin(self, case):
        x, state = case.x, fresh(case)
        half = self.threat_model.random_surface_point(x, case.radius / 2.0, case.keys)
        again = norms.expand(case.run % self.restarts > 0, x)
        state |= {
            "point": tf.where(again, to_box(half), x),
            # Whether the point has to be judged: it was reached by a step.
            "moved": state["done"],
            # Whether it was misclassified when it was last judged.
            "wrong": state["done"],
            "best": x,
            "inner": x,
            "distance": tf.fill(tf.shape(case.y), tf.constant(float("inf"), x.dtype)),
            "halvings": tf.zeros_like(case.y),
        }
        if self.targets:
            state["target"] = target_of(case, case.run // self.restarts)
        elif case.logits.shape[-1] > MOST_CLASSES:
            raise UserError(
                f"Untargeted FAB needs a backward pass for each of {case.logits.shape[-1]} classes in every "
                f"step; it is for at most {MOST_CLASSES}. Set `targets`, such as targets=9."
            )
        return state

    def advance(self, forward, case, state):
        # Judging every point by itself costs 2F + B a step, otherwise it is (1 + share) (F + B).
        active = tf.reduce_sum(tf.cast(~state["done"], tf.int32))
        wrong = tf.reduce_sum(tf.cast(state["wrong"] & ~state["done"], tf.int32))
        return tf.cond(
            2 * wrong > active,
            lambda: self._apart(forward, case, state),
            lambda: self._merged(forward, case, state),
        )

    def _apart(self, forward, case, state):
        """Judges, then makes a step from what is left of the point."""
        judged = self._judged(case, state, forward(state["point"]))
        gap, normal, _ = self._linearised(forward, case, judged)
        moves = ~judged["done"] & (judged["index"] < self.steps)
        passes = tf.cast(moves, tf.int32)
        made = tf.cast(state["moved"], tf.int32) + passes
        return self._stepped(case, judged, gap, normal, moves, made, passes)

    def _merged(self, forward, case, state):
        """One pass judges a point and gives its gradient, which serves unless the point goes back."""
        gap, normal, logits = self._linearised(forward, case, state)
        judged = self._judged(case, state, logits)
        back = state["moved"] & judged["wrong"]
        moves = ~judged["done"] & (judged["index"] < self.steps) & ~back
        passes = tf.cast(moves, tf.int32)
        return self._stepped(case, judged, gap, normal, moves, tf.ones_like(passes), passes)

    def _linearised(self, forward, case, state):
        """z_t - z_y at the point and its gradient, for the class that is aimed at; and the logits."""
        point, size = state["point"], case.logits.shape[-1]
        label = tf.one_hot(case.y, size, dtype=point.dtype)
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(point)
            logits = forward(point)
            lead = logits - tf.reduce_sum(logits * tf.cast(label, logits.dtype), 1, keepdims=True)
            if self.targets:
                value = tf.gather(lead, state["target"], axis=1, batch_dims=1)
            else:
                values = [lead[:, c] for c in range(size)]
        if self.targets:
            return (
                _finite(tf.cast(value, point.dtype)),
                _finite(tape.gradient(value, point)),
                logits,
            )
        gradients = tf.stack([_finite(tape.gradient(v, point)) for v in values], axis=1)
        sizes = tf.stack([self.threat_model.dual_norm(g) for g in tf.unstack(gradients, axis=1)], 1)
        gaps = _finite(tf.cast(tf.stack(values, axis=1), point.dtype))
        distances = tf.where(label > 0.0, point.dtype.max, tf.abs(gaps) / (1e-12 + sizes))
        nearest = tf.argmin(distances, axis=1, output_type=tf.int32)
        chosen = [tf.gather(v, nearest, batch_dims=1) for v in (gaps, gradients)]
        return chosen[0], chosen[1], logits

    def _judged(self, case, s, logits):
        """Notes points that were reached and are misclassified, and takes them back towards x."""
        x, point = case.x, s["point"]
        judging = s["moved"] & ~s["done"]
        wrong = judging & ~correct(case.y, logits)
        distance = self.threat_model.distance(point, x)
        # Infinite, not NaN, until one is found: Grappler makes ~(a >= b) an a < b.
        nearer = wrong & (distance < s["distance"])
        best = tf.where(norms.expand(nearer, x), point, s["best"])
        nearest = tf.where(nearer, distance, s["distance"])
        caught = nearer & (distance <= case.radius * (1.0 + 1e-6) + 1e-7)
        broken = s["broken"] | caught
        # After the last step: halve the way between the nearest point and one that was right.
        over = judging & (s["index"] >= self.steps)
        right_half = over & ~wrong & (s["halvings"] > 0)
        inner = tf.where(norms.expand(right_half, x), point, s["inner"])
        halve = over & (nearest < x.dtype.max) & (s["halvings"] < self.final_steps)
        point = tf.where(norms.expand(wrong, x), x + self.backward * (point - x), point)
        return {
            **s,
            "point": tf.where(norms.expand(halve, x), (inner + best) / 2.0, point),
            "moved": halve,
            "wrong": tf.where(judging, wrong, s["wrong"]),
            "best": best,
            "inner": inner,
            "distance": nearest,
            "halvings": s["halvings"] + tf.cast(halve, tf.int32),
            "broken": broken,
            "adversarial": tf.where(norms.expand(caught, x), best, s["adversarial"]),
            "done": s["done"] | (over & ~halve) | (broken & (not self.minimal)),
        }

    def _stepped(self, case, s, gap, normal, moves, forwards, backwards):
        """The point after a step towards the boundary, pulled towards the clean image."""
        x, point, threat_model = case.x, s["point"], self.threat_model
        # The same hyperplane from both points, as one batch.
        from_x = gap + tf.reduce_sum(norms.flat(normal * (x - point)), axis=1)
        # Many small operations, of which XLA makes one; a model's passes are slower with it on CPUs.
        project = self._function(
            "project", threat_model.to_hyperplane, jit_compile=True, reduce_retracing=False
        )
        both = project(
            tf.concat([point, x], 0), tf.concat([normal, normal], 0), tf.concat([gap, from_x], 0)
        )
        here, there = tf.split(both, 2)
        zero = tf.zeros_like(x)
        lengths = [tf.maximum(threat_model.distance(d, zero), 1e-8) for d in (here, there)]
        pull = tf.minimum(lengths[0] / (lengths[0] + lengths[1]), self.alpha_max)
        pull = norms.expand(pull, x)
        ahead = point + self.overshoot * here
        reached = to_box((1.0 - pull) * ahead + pull * (x + self.overshoot * there))
        count = 1 if self.targets else case.logits.shape[-1]
        return {
            **s,
            "point": tf.where(norms.expand(moves, x), reached, point),
            "moved": s["moved"] | moves,
            "index": s["index"] + tf.cast(moves, tf.int32),
            "forwards": s["forwards"] + forwards,
            "backwards": s["backwards"] + count * backwards,
        }


def _finite(values):
    # One NaN would stay in the iterate for ever.
    return tf.where(tf.math.is_finite(values), values, tf.zeros_like(values))
