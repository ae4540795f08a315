"""The short attacks that the checks of behaviour look at, each run once."""

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrobust.attacks.apgd import APGD
from tfrobust.attacks.base import Attack
from tfrobust.attacks.pgd import PGD
from tfrobust.attacks.starts import Uniform
from tfrobust.evaluation.checks.beside.budget import COST, Budget
from tfrobust.evaluation.checks.beside.climb import Climb
from tfrobust.evaluation.checks.beside.standing import Standing
from tfrobust.evaluation.checks.check import Limits
from tfrobust.evaluation.checks.probe import Probe
from tfrobust.evaluation.engine.seeds import derive_seeds
from tfrobust.losses.logit_objectives import DLR, Margin, TargetedDLR
from tfrobust.losses.objectives import CrossEntropy
from tfrobust.ops.random.keys import ExampleKeys
from tfrobust.threat_models.l1 import L1


class Result(NamedTuple):
    """What an attack did.

    Attributes:
        x: adversarial images, (n, h, w, c).
        survived: as in `Perturbation`, (n,).
        robust: boolean (n,): right at the clean image and at the adversarial one.
        history: see `climb.Found`.
    """

    x: np.ndarray
    survived: np.ndarray
    robust: np.ndarray
    history: np.ndarray | None = None


class Runs:
    """Attacks on the examples of a probe.

    The main one, `climb`, is PGD on the margin with any iterate counting: twice C36's `steps` steps
    of a length that crosses the ball 1.25 times in half of them. In L1, where PGD moves one pixel a
    step, it is APGD with larger radii first, from three starts.

    Args:
        probe: `Probe` of a model with gradients.
        limits: `Limits`.
        budget: `Budget`, or None for any number of passes.
        standing: `Standing` of the examples after a suite, whose attacks then stand for some of these;
            None if there was none.
    """

    def __init__(
        self,
        probe: Probe,
        limits: Limits,
        budget: Budget | None = None,
        standing: Standing | None = None,
    ):
        self.probe, self.budget = probe, budget or Budget()
        self.standing = standing or Standing(probe.clean)
        self.steps, self.targets = limits[COST].steps, limits[COST].targets
        self.sparse = isinstance(probe.threat_model, L1)
        attack = self._attack(Margin(), 2 * self.steps, "any")
        looks = None if self.sparse else attack.steps + 1
        self._climb = Climb(attack, probe.traced, looks)
        self._results: dict[tuple[int, float], Result] = {}

    def _attack(self, objective, steps, selection):
        if self.sparse:
            return self._apgd(objective, steps)
        size = 2.5 / self.steps
        return PGD(
            self.probe.threat_model, objective, steps, relative_step_size=size, selection=selection
        )

    def _apgd(self, objective, steps, targets=0):
        # One sparse search misses much. Three stages take some steps.
        options = {"larger_radii": steps >= 5, "restarts": 1 if targets else 3}
        return APGD(
            self.probe.threat_model,
            objective,
            steps,
            targets=targets,
            **(options if self.sparse else {}),
        )

    def run(self, attack: Attack) -> Result:
        """The `Result` of an attack, judged by a fresh pass; raises `NotAfforded` if too few are left."""
        return self._run(Climb(attack, self.probe.traced))

    def _run(self, climb, seed=0, scale=1.0, rows=None):
        probe = self.probe
        rows = np.arange(len(probe.y)) if rows is None else rows
        self.budget.spend(self.cost(climb.attack, len(rows)))
        found = climb(probe.x[rows], probe.y[rows], probe.ids[rows], seed, scale)
        right = probe.right(found.x, rows)
        return Result(found.x, found.survived, probe.clean[rows] & right, found.history)

    def cost(self, attack: Attack, count: int | None = None) -> int:
        """Passes of an attack on `count` examples or all, the clean and the judging one included."""
        size, classes = self.probe.clean_logits.shape
        return (size if count is None else count) * (sum(attack.passes(classes) or ()) + 2)

    def climb(self, seed: int = 0, scale: float = 1.0) -> Result:
        """The main attack from another start or with another radius."""
        if (seed, scale) not in self._results:
            self._results[seed, scale] = self._run(self._climb, seed, scale)
        return self._results[seed, scale]

    def climb_again(self, seed: int, robust: np.ndarray) -> np.ndarray:
        """Which of the examples in a boolean mask are robust from another start, too, boolean (n,)."""
        if (seed, 1.0) in self._results or not robust.any():
            return robust & self.climb(seed).robust if robust.any() else robust
        rows, left = np.flatnonzero(robust), np.zeros_like(robust)
        left[rows] = self._run(self._climb, seed, rows=rows).robust
        return left

    def robust_after(self, steps: int) -> np.ndarray:
        """Which examples are robust after so many steps of the main attack, boolean (n,)."""
        result = self.climb()
        if self.sparse:
            # Another number of steps is another search.
            return result.robust | self.run(self._attack(Margin(), steps, "any")).robust
        return result.robust | (self.probe.clean & (result.survived > steps))

    @functools.cached_property
    def on_entropy(self) -> Result:
        """PGD on the cross-entropy, whose last iterate counts; APGD in L1."""
        return self.run(self._attack(CrossEntropy(), self.steps, "last"))

    @functools.cached_property
    def on_entropy_any(self) -> np.ndarray:
        """Which examples are robust at all iterates of the attack on the cross-entropy, boolean (n,)."""
        robust, survived = self.on_entropy.robust, self.on_entropy.survived
        return robust if self.sparse else robust & (survived == self.steps)

    @functools.cached_property
    def on_ratio(self) -> np.ndarray:
        """Which are robust to the suite's attacks on logits or, without any, to APGD on DLR, (n,)."""
        if self.standing.on_logits:
            return self.standing.robust
        return self.standing.robust & self.run(self._apgd(DLR(), self.steps)).robust

    @functools.cached_property
    def targeted(self) -> np.ndarray:
        """Which are robust to the suite's targeted attacks or, without any, to APGD with targets, (n,)."""
        if self.standing.targeted:
            return self.standing.robust
        attack = self._apgd(TargetedDLR(), self.steps, self.targets)
        return self.standing.robust & self.run(attack).robust

    @functools.cached_property
    def one_step(self) -> np.ndarray:
        """Which examples are robust to FGSM from the clean image and from a random start, boolean (n,)."""
        probe, threat_model = self.probe, self.probe.threat_model
        # A start's logits and three gradients, and two judging passes.
        self.budget.spend(6 * len(probe.y))
        direct = probe.step(probe.clean_slopes["cross-entropy"])
        keys = ExampleKeys(tf.constant(derive_seeds(0, "one step", probe.ids)))
        radius = threat_model.radius()
        start = Uniform()(threat_model, tf.constant(probe.x), radius, keys)
        slope = probe.slopes(start)[1]["cross-entropy"]
        ahead = probe.step(slope, 1.25 * radius, start)
        return probe.clean & probe.right(direct) & probe.right(ahead)

    @functools.cached_property
    def many_steps(self) -> np.ndarray:
        """Which are robust to the suite's attacks of many steps or, without any, to our own, (n,)."""
        if self.standing.steps >= self.steps:
            return self.standing.robust
        return self.standing.robust & self.climb().robust & self.on_entropy_any

    @functools.cached_property
    def others(self) -> np.ndarray:
        """Which examples are robust to the attacks on cross-entropy, DLR and targets, boolean (n,)."""
        return self.on_entropy_any & self.on_ratio & self.targeted

    @functools.cached_property
    def white_box(self) -> np.ndarray:
        """Which examples are robust to the main attack and the others, boolean (n,)."""
        return self.climb().robust & self.others

    def climb_history(self, late_steps: int) -> np.ndarray:
        """The largest margin so far, before and after each step of the main attack, (steps + 1, n).

        Of examples that it does not break. Of an APGD with larger radii: in its last stage, and
        `late_steps` steps at least.
        """
        history = self.climb().history
        if history is not None:
            return history
        attack = self._apgd(Margin(), 2 * self.steps)
        first = max(0, attack.looks - 1 - max(attack.stages[-1][1], late_steps))
        found = self._run(Climb(attack, self.probe.traced, attack.looks))
        return found.history[first:]
