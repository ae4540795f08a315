"""FAB: the nearest misclassified image, by steps to a linear model's decision boundary."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from tfrobust.attacks.answers import record_unanswered
from tfrobust.attacks.boundary import linearise, step_to_boundary
from tfrobust.attacks.case import Case, make_state
from tfrobust.attacks.iterative import IterativeAttack
from tfrobust.attacks.targets import choose_ranked_target
from tfrobust.errors import UserError
from tfrobust.ops import norms
from tfrobust.ops.logits import all_finite, misclassified
from tfrobust.ops.numbers import integer, parse_number
from tfrobust.spec import check_kind, register
from tfrobust.threat_models.base import ThreatModel, is_within, to_box

# What a move counts, and what is not read where a point is judged.
_COUNTED = ("moved", "index", "forwards", "backwards")
_UNREAD = ("adversarial", "target", "forwards", "backwards")
# With more classes, all gradients cost more than targeting the most likely classes.
MOST_CLASSES = 20


@register
@dataclasses.dataclass(frozen=True)
class FAB(IterativeAttack):
    """Minimises the distance of a misclassified image; FAB-T with `targets`.

    With d(q) the step from q to the hyperplane on which the linearised z_t - z_y is 0, in the box:

        q <- clip((1 - a) (q + overshoot d(q)) + a (x + overshoot d(x))),  a = min(|d(q)| / (|d(q)| +
        |d(x)|), alpha_max)

    and where that is misclassified, it is kept if it is the nearest so far, and q goes back to x +
    backward (q - x). Untargeted, t is the class whose hyperplane is nearest in the linearised model.

    Use it beside attacks of a fixed radius: it does not depend on the scale of a loss, and measures
    distances. It costs 2 forward and 1 backward passes a step (k backward passes untargeted); the
    pass that judges a step serves as the next step's where that is cheaper.

    Args:
        threat_model: `Linf`, `L2` or `L1`; the radius bounds the starts of later restarts, and decides when
            an example is broken.
        steps: of a run, at least 1; 100 in AutoAttack.
        restarts: runs, at least 1: the first from the clean image, later ones from a random point at
            half the radius.
        targets: how many target classes are tried in turn, those with the largest clean logits after
            the label; 0 for the untargeted attack, 9 in AutoAttack. All of them where there are
            fewer.
        alpha_max: largest pull towards the clean image, in [0, 1].
        overshoot: length of a step in units of the distance, at least 1.
        backward: how much of its perturbation a misclassified point keeps, in (0, 1].
        minimal: finish a run after it broke its example, for the smallest distance; AutoAttack does
            not. Like other attacks it makes later runs for unbroken examples only: for the smallest
            "distance" over all targets, evaluate with a radius of 0.
        final_steps: bisections of the way from the clean image to the nearest point found, with
            `minimal`; 10 bring it within a thousandth of where the class changes; 0 in AutoAttack.

    Raises:
        UserError: for settings outside these ranges.

    Example:
    >>> model = lambda x: tf.reshape(x, (-1, 3)) * 10.0
    >>> x = tf.constant([[[[0.6, 0.5, 0.1]]]])
    >>> attack = tfrobust.FAB(tfrobust.Linf(0.1), steps=5)
    >>> found = attack(model, x, [0], seed=0)
    >>> int(tf.argmax(model(found.x), axis=-1)[0])
    1

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

    def check(self) -> None:
        check_kind("threat_model", self.threat_model, ThreatModel)
        integer(self.steps, "steps", 1)
        integer(self.restarts, "restarts", 1)
        integer(self.targets, "targets", 0)
        self.store(
            alpha_max=parse_number(self.alpha_max, "alpha_max", 0.0, 1.0),
            overshoot=parse_number(self.overshoot, "overshoot", 1.0),
            backward=parse_number(self.backward, "backward", 1e-6, 1.0),
        )
        if integer(self.final_steps, "final_steps", 0) and not self.minimal:
            raise UserError(
                "`final_steps` shorten distances, for which the attack must go on: set minimal=True. "
                f"Received: final_steps={self.final_steps}, minimal=False."
            )

    @property
    def measures_boundary(self) -> bool:
        """Yes where a run goes on after a success, or can have none: only x lies within a radius of 0."""
        return self.minimal or self.threat_model.radius() == 0.0

    @property
    def num_steps(self) -> int:
        return self.steps

    @property
    def is_targeted(self) -> bool:
        return self.targets > 0

    def runs(self, num_classes: int) -> int:
        return self.restarts * max(min(self.targets, num_classes - 1), 1)

    def passes(self, num_classes: int) -> tuple[int, int]:
        # Of AutoAttack's code; fewer are needed where passes are shared.
        runs = self.runs(num_classes)
        last, gradients = (3, 1) if self.targets else (2, num_classes)
        return runs * (2 * self.steps + last), runs * self.steps * gradients

    def begin(self, case: Case) -> dict[str, tf.Tensor]:
        x, state = case.x, make_state(case)
        point = x
        if self.restarts > 1:
            half = self.threat_model.random_surface_point(x, case.radius / 2.0, case.keys)
            again = norms.expand(case.run % self.restarts > 0, x)
            point = tf.where(again, to_box(half), x)
        state |= {
            "point": point,
            # Whether the point has to be judged: it was reached by a step.
            "moved": state["done"],
            # Whether it was misclassified when it was last judged.
            "wrong": state["done"],
            "best": x,
            "lost": x,
            "distance": tf.fill(tf.shape(case.y), tf.constant(float("inf"), x.dtype)),
            "halvings": tf.zeros_like(case.y),
        }
        if self.final_steps:
            # The last point of a bisection that was still classified right.
            state["inner"] = x
        if self.targets:
            state["target"] = choose_ranked_target(case, case.run // self.restarts)
        elif case.logits.shape[-1] > MOST_CLASSES:
            raise UserError(
                f"Untargeted FAB needs a backward pass for each of {case.logits.shape[-1]} classes in every "
                f"step; it is for at most {MOST_CLASSES}. Set `targets`, such as targets=9."
            )
        return state

    def step(
        self, forward: Callable[[tf.Tensor], tf.Tensor], case: Case, state: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        # Judging every point by itself costs 2F + B a step, otherwise it is (1 + share) (F + B).
        active = tf.reduce_sum(tf.cast(~state["done"], tf.int32))
        wrong = tf.reduce_sum(tf.cast(state["wrong"] & ~state["done"], tf.int32))
        return tf.cond(
            2 * wrong > active,
            lambda: self._go(forward, case, state, in_one_pass=False),
            lambda: self._go(forward, case, state, in_one_pass=True),
        )

    def _go(self, forward, case, state, in_one_pass):
        """Judges the point and makes a step; one pass for both serves unless the point goes back."""
        y, target = case.y, state.get("target")
        judge, move = self._fused("judge", self._judge), self._fused("move", self._move)
        given = {name: value for name, value in state.items() if name not in _UNREAD}
        if in_one_pass:
            seen = linearise(self.threat_model, forward, state["point"], y, target)
            judged = judge(case.x, y, case.radius, given, seen[2])
        else:
            judged = judge(case.x, y, case.radius, given, forward(state["point"]))
            seen = linearise(self.threat_model, forward, judged["point"], y, target)
        judged = {**state, **judged}
        gap, normal, logits = seen
        before = {name: state[name] for name in ("moved", "done")}
        numbers = {name: judged[name] for name in ("done", "wrong", *_COUNTED)}
        settings = tf.constant(in_one_pass), tf.constant(1 if self.targets else logits.shape[-1])
        # Compiled once for both ways, with no more than it needs.
        moved = move(case.x, judged["point"], gap, normal, before, numbers, *settings)
        return {**judged, **moved}

    def _judge(self, x, y, radius, s, logits):
        """Records points that are misclassified, and moves them back towards x."""
        point = s["point"]
        judging = s["moved"] & ~s["done"]
        wrong, is_answer = judging & misclassified(y, logits), all_finite(logits)
        distance = self.threat_model.distance(point, x)
        # Infinite, not NaN, until one is found: Grappler makes ~(a >= b) an a < b.
        nearer = wrong & (distance < s["distance"])
        best = tf.where(norms.expand(nearer, x), point, s["best"])
        nearest = tf.where(nearer, distance, s["distance"])
        near = is_within(distance, radius)
        lost = judging & ~is_answer
        noted = record_unanswered({**s, "adversarial": s["lost"]}, point, ~(lost & near))
        broken = s["broken"] | (nearer & near)
        # After the last step: halve the way between the nearest point and one that was right.
        over = judging & (s["index"] >= self.steps)
        right_half = over & ~wrong & (s["halvings"] > 0)
        halve = over & (nearest < x.dtype.max) & (s["halvings"] < self.final_steps)
        bisected = {}
        if self.final_steps:
            bisected["inner"] = tf.where(norms.expand(right_half, x), point, s["inner"])
        point = tf.where(norms.expand(wrong, x), x + self.backward * (point - x), point)
        # Without finite logits there is no hyperplane: go half of the way back to the clean image.
        point = tf.where(norms.expand(lost, x), (x + point) / 2.0, point)
        if self.final_steps:
            middle = (bisected["inner"] + best) / 2.0
            point = tf.where(norms.expand(halve, x), middle, point)
        return {
            **bisected,
            "point": point,
            "moved": halve | (s["done"] & s["moved"]),
            "wrong": tf.where(judging, wrong | lost, s["wrong"]),
            "lost": noted["adversarial"],
            # The nearest misclassified image is the one that broke the example, if one has.
            "adversarial": tf.where(norms.expand(broken, x), best, noted["adversarial"]),
            "unanswered": noted["unanswered"],
            "best": best,
            "distance": nearest,
            "halvings": s["halvings"] + tf.cast(halve, tf.int32),
            "broken": broken,
            "done": s["done"] | (over & ~halve) | (broken & (not self.minimal)),
        }

    def _move(self, x, point, gap, normal, before, s, in_one_pass, backwards):
        """The points after the step, and the counts, of rows that were not done before."""
        # A gradient that was taken where a point was does not serve where it went back to.
        back = in_one_pass & before["moved"] & s["wrong"]
        moves = ~s["done"] & (s["index"] < self.steps) & ~back
        reached = step_to_boundary(
            self.threat_model, x, point, gap, normal, self.alpha_max, self.overshoot
        )
        # One pass judges a point and serves the next step unless the point goes back: so the count of a row
        # is its own, whatever the others made of the batch.
        needed = [before["moved"] & (s["wrong"] | ~moves), moves]
        made = tf.add_n([tf.cast(each, tf.int32) for each in needed])
        return {
            "point": tf.where(norms.expand(moves, x), reached, point),
            "moved": s["moved"] | moves,
            "index": s["index"] + tf.cast(moves, tf.int32),
            "forwards": s["forwards"] + tf.where(before["done"], tf.zeros_like(made), made),
            "backwards": s["backwards"] + backwards * tf.cast(moves, tf.int32),
        }
