"""The short attacks that the checks of behaviour look at, each run once."""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrobust.attacks.apgd import APGD
from tfrobust.attacks.base import Attack
from tfrobust.attacks.case import Case
from tfrobust.attacks.fgsm import fgsm, fgsm_rs
from tfrobust.attacks.pgd import PGD
from tfrobust.evaluation.checks.beside.budget import COST, Budget
from tfrobust.evaluation.checks.check import Limits
from tfrobust.evaluation.checks.probe import Probe
from tfrobust.losses.logit_objectives import DLR, Margin, TargetedDLR
from tfrobust.losses.objectives import CrossEntropy
from tfrobust.ops.random.keys import BatchKeys, seed_pair
from tfrobust.threat_models.l1 import L1


class Result(NamedTuple):
    """What an attack did.

    Attributes:
        x: adversarial images, (n, h, w, c).
        survived: as in `Perturbation`, (n,).
        robust: boolean (n,): right at the clean image and at the adversarial one.
    """

    x: np.ndarray
    survived: np.ndarray
    robust: np.ndarray


class Runs:
    """Attacks on the examples of a probe.

    The main one, `climb`, is PGD on the margin with any iterate counting: twice C36's `steps` steps
    of a length that crosses the ball 1.25 times in half of them. In L1, where PGD moves one pixel a
    step, it is APGD with larger radii first, from three starts.

    Args:
        probe: `Probe` of a model with gradients.
        limits: `Limits`.
        budget: `Budget`, or None for any number of passes.
    """

    def __init__(self, probe: Probe, limits: Limits, budget: Budget | None = None):
        self.probe, self.budget = probe, budget or Budget()
        self.steps, self.targets = limits[COST].steps, limits[COST].targets
        self.sparse = isinstance(probe.threat_model, L1)
        self._climb = self._attack(Margin(), 2 * self.steps, "any")
        self._on_entropy = self._attack(CrossEntropy(), self.steps, "last")
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

    def run(self, attack: Attack, seed: int = 0, scale: float = 1.0) -> Result:
        """The `Result` of an attack, judged by a fresh pass; raises `NotAfforded` if too few are left."""
        self.budget.spend(self.cost(attack))
        found = attack(self.probe.forward, self.probe.x, self.probe.y, seed=seed, scale=scale)
        x = found.x.numpy()
        return Result(x, found.survived.numpy(), self.probe.clean & self.probe.right(x))

    def cost(self, attack: Attack) -> int:
        """Passes of an attack on all examples, the clean and the judging one included."""
        size, classes = self.probe.clean_logits.shape
        return size * (sum(attack.passes(classes) or ()) + 2)

    def climb(self, seed: int = 0, scale: float = 1.0) -> Result:
        """The main attack from another start or with another radius."""
        if (seed, scale) not in self._results:
            self._results[seed, scale] = self.run(self._climb, seed, scale)
        return self._results[seed, scale]

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
        return self.run(self._on_entropy)

    @functools.cached_property
    def on_entropy_any(self) -> np.ndarray:
        """Which examples are robust at all iterates of the attack on the cross-entropy, boolean (n,)."""
        robust, survived = self.on_entropy.robust, self.on_entropy.survived
        return robust if self.sparse else robust & (survived == self.steps)

    @functools.cached_property
    def on_ratio(self) -> Result:
        """APGD on DLR."""
        return self.run(self._apgd(DLR(), self.steps))

    @functools.cached_property
    def targeted(self) -> Result:
        """APGD on DLR with targets."""
        return self.run(self._apgd(TargetedDLR(), self.steps, self.targets))

    @functools.cached_property
    def one_step(self) -> np.ndarray:
        """Which examples are robust to FGSM from the clean image and from a random start, boolean (n,)."""
        threat_model = self.probe.threat_model
        return self.run(fgsm(threat_model)).robust & self.run(fgsm_rs(threat_model)).robust

    @functools.cached_property
    def others(self) -> np.ndarray:
        """Which examples are robust to the attacks on cross-entropy, DLR and targets, boolean (n,)."""
        return self.on_entropy_any & self.on_ratio.robust & self.targeted.robust

    @functools.cached_property
    def white_box(self) -> np.ndarray:
        """Which examples are robust to the main attack and the others, boolean (n,)."""
        return self.climb().robust & self.others

    def climb_history(self, late_steps: int) -> np.ndarray:
        """The largest margin so far, before and after each step of the main attack, (steps + 1, n).

        Of an APGD with larger radii: in its last stage, and `late_steps` steps at least.
        """
        attack, looks, first = self._climb, self._climb.steps + 1, 0
        if self.sparse:
            looks = attack.looks
            first = max(0, looks - 1 - max(attack.stages[-1][1], late_steps))
        else:
            attack = dataclasses.replace(attack, selection="best")
        self.budget.spend(self.cost(attack))
        x, y = tf.constant(self.probe.x), tf.constant(self.probe.y)
        search = functools.partial(_history, attack, looks, self.probe.forward)
        return self.probe.compile(
            search, tf.TensorSpec.from_tensor(x), tf.TensorSpec.from_tensor(y)
        )(x, y).numpy()[first:]


def _history(attack, looks, forward, x, y):
    keys = BatchKeys(seed_pair(0))
    radius = tf.constant(attack.threat_model.radius(), x.dtype)
    run = tf.zeros_like(y)
    case = Case(x, y, forward(x), run, keys.fold_in(0), radius, keys)
    losses = tf.TensorArray(x.dtype, looks, element_shape=y.shape)

    def body(index, state, losses):
        state = attack.step(forward, case, state)
        return index + 1, state, losses.write(index, state["best_loss"])

    loop = (tf.constant(0), attack.begin(case), losses)
    return tf.while_loop(lambda index, *_: index < looks, body, loop)[2].stack()
