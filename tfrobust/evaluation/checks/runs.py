"""The short attacks that the checks of behaviour look at, each made once."""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrobust.attacks.apgd import APGD
from tfrobust.attacks.base import Case
from tfrobust.attacks.fgsm import fgsm, fgsm_rs
from tfrobust.attacks.noise import RandomNoise
from tfrobust.attacks.pgd import PGD
from tfrobust.evaluation.checks.budget import Budget, climbing
from tfrobust.losses.objectives import DLR, Margin, TargetedDLR
from tfrobust.ops.random import BatchKeys, seed_pair


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


def cost_of_all(limits, num_classes):
    """About the passes for each example of all checks of behaviour but the long part of C15."""
    steps, targets = limits.steps, min(limits.targets, num_classes - 1)
    # Radii, restarts and the history; the others; one step twice; the departure from the tangent.
    long = 2 * (2 * steps + 2) * (7 + 2 * limits.restarts)
    return long + 2 * (steps + 2) * (2 + targets) + 12 + 104 + limits.noise_samples


class Runs:
    """Attacks on the examples of a probe.

    The main one, `climb`, is PGD on the margin with any iterate counting: twice `limits.steps` steps
    of a length that crosses the ball 1.25 times in half of them.

    Args:
        probe: `Probe` of a model with gradients.
        limits: `Thresholds`.
        budget: `Budget`, or None for any number of passes.
    """

    def __init__(self, probe, limits, budget=None):
        self.probe, self.limits, self.budget = probe, limits, budget or Budget()
        threat_model, size = probe.threat_model, 2.5 / limits.steps
        self._climb = PGD(
            threat_model,
            Margin(),
            steps=2 * limits.steps,
            relative_step_size=size,
            selection="any",
        )
        self._on_entropy = PGD(threat_model, steps=limits.steps, relative_step_size=size)
        self._results = {}

    def made(self, attack, seed=0, scale=1.0):
        """The `Result` of an attack, judged by a fresh pass; `NotAfforded` if there are too few left."""
        self.budget.take(self.cost(attack))
        found = attack(self.probe.forward, self.probe.x, self.probe.y, seed=seed, scale=scale)
        x = found.x.numpy()
        return Result(x, found.survived.numpy(), self.probe.clean & self.probe.right(x))

    def cost(self, attack):
        """Passes of an attack on all examples, the clean and the judging one included."""
        size, classes = self.probe.clean_logits.shape
        if isinstance(attack, RandomNoise):
            return size * (attack.samples + 2)
        return size * (climbing(attack, classes) + 2)

    def climb(self, seed=0, scale=1.0):
        """The main attack from another start or with another radius."""
        if (seed, scale) not in self._results:
            self._results[seed, scale] = self.made(self._climb, seed, scale)
        return self._results[seed, scale]

    def after(self, steps):
        """Which examples stand after so many steps of the main attack, boolean (n,)."""
        result = self.climb()
        return result.robust | (self.probe.clean & (result.survived > steps))

    @functools.cached_property
    def on_entropy(self):
        """PGD on the cross-entropy; the last iterate counts."""
        return self.made(self._on_entropy)

    @functools.cached_property
    def on_entropy_any(self):
        """Which examples stand all iterates of PGD on the cross-entropy, boolean (n,)."""
        return self.on_entropy.robust & (self.on_entropy.survived == self.limits.steps)

    @functools.cached_property
    def on_ratio(self):
        return self.made(APGD(self.probe.threat_model, DLR(), steps=self.limits.steps))

    @functools.cached_property
    def targeted(self):
        steps, targets = self.limits.steps, self.limits.targets
        return self.made(APGD(self.probe.threat_model, TargetedDLR(), steps=steps, targets=targets))

    @functools.cached_property
    def one_step(self):
        """Which examples stand FGSM from the clean image and from a random start, boolean (n,)."""
        threat_model = self.probe.threat_model
        return self.made(fgsm(threat_model)).robust & self.made(fgsm_rs(threat_model)).robust

    @functools.cached_property
    def others(self):
        """Which examples stand the attacks on cross-entropy, DLR and targets, boolean (n,)."""
        return self.on_entropy_any & self.on_ratio.robust & self.targeted.robust

    @functools.cached_property
    def white_box(self):
        """Which examples stand the main attack and the others, boolean (n,)."""
        return self.climb().robust & self.others

    @functools.cached_property
    def history(self):
        """The largest margin so far, before and after each step of the main attack, (steps + 1, n)."""
        attack = dataclasses.replace(self._climb, selection="best")
        self.budget.take(self.cost(attack))
        x, y = tf.constant(self.probe.x), tf.constant(self.probe.y)
        search = functools.partial(_history, attack, self.probe.forward)
        return self.probe.compiled(
            search, tf.TensorSpec.from_tensor(x), tf.TensorSpec.from_tensor(y)
        )(x, y).numpy()


def _history(attack, forward, x, y):
    keys = BatchKeys(seed_pair(0))
    radius = tf.constant(attack.threat_model.radius(), x.dtype)
    run = tf.zeros_like(y)
    case = Case(x, y, forward(x), run, keys.fold_in(0), radius, keys)
    losses = tf.TensorArray(x.dtype, attack.steps + 1, element_shape=y.shape)

    def body(index, state, losses):
        state = attack.step(forward, case, state)
        return index + 1, state, losses.write(index, state["best_loss"])

    loop = (tf.constant(0), attack.begin(case), losses)
    return tf.while_loop(lambda index, *_: index <= attack.steps, body, loop)[2].stack()
