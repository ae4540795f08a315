"""Auto-PGD: the step size follows from the progress of the search."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from tfrobust.attacks.apgd_course import Course
from tfrobust.attacks.ascent import ascent
from tfrobust.attacks.case import Case, make_state
from tfrobust.attacks.iterative import IterativeAttack
from tfrobust.attacks.targets import choose_ranked_target
from tfrobust.errors import UserError
from tfrobust.losses.objectives import CrossEntropy, Objective
from tfrobust.ops.numbers import integer, parse_number
from tfrobust.spec import check_kind, register
from tfrobust.threat_models.base import ThreatModel
from tfrobust.threat_models.l1 import L1


@register
@dataclasses.dataclass(frozen=True)
class APGD(IterativeAttack):
    """APGD-CE, APGD-DLR and, with a targeted objective, APGD-T of AutoAttack.

    z = project(q + eta * steepest(g));  q <- project(q + a (z - q) + (1 - a) (q - q_old))

    with a = 3/4, and 1 in the first step. eta begins at twice the radius. At checkpoints, which get
    closer and closer, it is halved, and the search goes back to its best point, where the loss
    grew in at most `rho` of the steps since the last one, or where neither the step size nor the
    best loss has changed since then. In L1 its steps are sparse, see `apgd_l1.SparseSteps`.

    Use it where a number must be trusted: it has no step size to choose. Any misclassified iterate
    counts and ends the search. A call returns the first misclassified iterate, or the one of the first
    run with the largest loss where none was found. With `eot` above 1, for models with noise, a run
    goes on to its end and counts the iterate that is wrong in most of its `eot` passes, if these are at
    least half of them. Where the model gives no finite logits, the step size is halved and the run goes
    on from its best point. It costs restarts * max(targets, 1) * (steps + 1)
    * eot forward and backward passes at most (steps + 3 with `larger_radii`), and a forward pass at the
    clean image.

    Args:
        threat_model: `Linf`, `L2` or `L1`.
        objective: `CrossEntropy()`, `DLR()`, or `TargetedDLR()` with `targets`.
        steps: gradient steps of one run, at least 1; AutoAttack has 100.
        restarts: runs from new starts (and, with targets, for each of them), at least 1.
        targets: how many target classes are tried in turn, those with the largest logits at the clean
            image after the label; 0 for an untargeted objective, 9 in AutoAttack (5 in L1). All of them
            where there are fewer.
        rho: fraction of steps in which the loss must grow, in [0, 1]; in Linf and L2.
        eot: gradients that are averaged for each step, at least 1; for randomised models. The last
            evaluation gives loss and prediction.
        larger_radii: in L1, search with three and two radii first, in 30 % of the steps each, and go on
            from the best points; what is found there does not count. AutoAttack's standard version
            does; it takes 5 steps at least.

    Raises:
        UserError: for settings that do not work together.

    Example:
    >>> model = lambda x: tf.reshape(x, (-1, 3)) * 10.0
    >>> x = tf.constant([[[[0.6, 0.5, 0.1]]]])
    >>> found = tfrobust.APGD(tfrobust.Linf(0.1), steps=5)(model, x, [0], seed=0)
    >>> int(tf.argmax(model(found.x), axis=-1)[0])
    1

    Reference: Croce, Hein, "Reliable evaluation of adversarial robustness with an ensemble of
    diverse parameter-free attacks", 2020; in L1 "Mind the box: l1-APGD for sparse adversarial attacks
    on image classifiers", 2021. As in their code: the loss must grow in at most (not fewer than) rho
    of the steps, the first growth is counted from 0, and going back leaves the momentum's last point.
    """

    threat_model: ThreatModel
    objective: Objective = CrossEntropy()
    steps: int = 100
    restarts: int = 1
    targets: int = 0
    rho: float = 0.75
    eot: int = 1
    larger_radii: bool = False

    def check(self) -> None:
        check_kind("threat_model", self.threat_model, ThreatModel)
        check_kind("objective", self.objective, Objective)
        integer(self.steps, "steps", 1)
        integer(self.restarts, "restarts", 1)
        integer(self.targets, "targets", 0)
        integer(self.eot, "eot", 1)
        self.store(rho=parse_number(self.rho, "rho", 0.0, 1.0))
        self._check_norm()
        if self.objective.needs_target != (self.targets > 0):
            raise UserError(
                "A targeted objective needs `targets` of at least 1, and other objectives take none. "
                f"Received: objective={self.objective!r}, targets={self.targets}."
            )

    def _check_norm(self):
        sparse = isinstance(self.threat_model, L1)
        if self.larger_radii and not sparse:
            raise UserError(
                "`larger_radii` is for L1: in Linf and L2 a search begins in the ball itself. Received: "
                f"larger_radii=True, threat_model={self.threat_model!r}."
            )
        if self.larger_radii and self.steps < 5:
            raise UserError(
                "`larger_radii` needs at least 5 steps, so that some are left for the radius itself. "
                f"Received: steps={self.steps}."
            )
        if sparse and self.rho != APGD.rho:
            raise UserError(
                "`rho` decides when steps are halved in Linf and L2; steps in L1 follow the number of "
                f"pixels that change. Leave it out. Received: rho={self.rho}."
            )

    @property
    def stages(self) -> tuple[tuple[int, int], ...]:
        """The searches of a run, one after the other: pairs of a factor of the radius and steps."""
        return self._course.rule.stages

    @property
    def looks(self) -> int:
        """How many points of a run are evaluated: those after the steps, and a start of each stage."""
        return self._course.looks

    @property
    def climbed_objective(self) -> Objective | None:
        return self.objective

    @property
    def num_steps(self) -> int:
        return self.steps

    @property
    def is_targeted(self) -> bool:
        return self.targets > 0

    def check_transfer(self) -> None:
        """Nothing: a run ends at the point with the largest objective."""

    def runs(self, num_classes: int) -> int:
        # With fewer classes there are fewer targets.
        return self.restarts * max(min(self.targets, num_classes - 1), 1)

    def passes(self, num_classes: int) -> tuple[int, int]:
        each = self.runs(num_classes) * self.looks * self.eot
        return each, each

    def begin(self, case: Case) -> dict[str, tf.Tensor]:
        x, y, rule = case.x, case.y, self._course.rule
        start = rule.start(x, rule.stages[0][0] * case.radius, case.keys)
        start = tf.ensure_shape(start, x.shape)
        count = tf.zeros_like(y)
        state = {
            **make_state(case),
            # -1: the start has not been evaluated yet.
            "index": count - 1,
            "look": count,
            # Where the next look is, and where the last one left the search.
            "candidate": start,
            "current": start,
            "best": start,
            "best_gradient": tf.zeros_like(x),
            "best_loss": tf.zeros_like(y, x.dtype) + x.dtype.min,
            **rule.memory(x, y, case.radius),
        }
        if self.targets:
            state["target"] = choose_ranked_target(case, case.run // self.restarts)
        if self.eot > 1:
            state["wrong_passes"] = count
        return state

    def step(
        self, forward: Callable[[tf.Tensor], tf.Tensor], case: Case, state: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        course, target = self._course, state.get("target")
        seen = ascent(self.objective, forward, state["candidate"], case.y, target, self.eot)
        given = {name: value for name, value in state.items() if name != "target"}
        return {**state, **course.update(case.x, case.y, case.radius, given, *seen)}

    @property
    def _course(self):
        return Course(self.threat_model, self.steps, self.rho, self.eot, self.larger_radii)
