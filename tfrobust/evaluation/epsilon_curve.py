"""Accuracy against the radius, by a short attack."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfrobust.attacks.apgd import APGD
from tfrobust.evaluation.checks.beside.budget import FEWEST, Grant
from tfrobust.evaluation.checks.beside.grant import grant_passes
from tfrobust.evaluation.checks.check import Limits
from tfrobust.evaluation.engine.outcome import Outcome
from tfrobust.losses.logit_objectives import DLR
from tfrobust.ops.random.keys import content_keys
from tfrobust.threat_models.base import ThreatModel

FACTORS = (0.0, 0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)


@dataclasses.dataclass(frozen=True)
class EpsilonCurve:
    """Accuracy under APGD-DLR at several radii; an upper bound of robust accuracy at each.

    An example that is broken at a radius counts as broken at the larger ones, so that the curve
    never rises. One trace serves all radii.

    Args:
        steps: of the attack at each radius.
        examples: how many of the first examples are attacked.
        factors: radii in units of the threat model's, growing from 0.

    Example:
    >>> from tfrobust.evaluation.epsilon_curve import EpsilonCurve
    >>> EpsilonCurve(steps=4, factors=(0.0, 1.0, 2.0)).cost
    20
    """

    steps: int = 20
    examples: int = 256
    factors: tuple[float, ...] = FACTORS

    @property
    def cost(self) -> int:
        """Passes for each example, at most."""
        return 2 * (self.steps + 1) * sum(factor > 0 for factor in self.factors)

    def __call__(
        self,
        forward: Callable[[tf.Tensor], tf.Tensor],
        x: np.ndarray,
        y: np.ndarray,
        threat_model: ThreatModel,
    ) -> dict[str, Any]:
        """Computes a dict of two lists, "epsilon" in pixel units and "accuracy", and of how many "examples".

        Args:
            forward: function from images to logits, differentiable.
            x, y: images (n, h, w, c) and labels (n,).
            threat_model: `ThreatModel`.
        """
        x, y = x[: self.examples], y[: self.examples]
        attack = APGD(threat_model, DLR(), steps=self.steps)
        standing = np.argmax(np.asarray(forward(x)), axis=1) == y
        # In a graph, row by row, and once: the starts are the same at every radius.
        seeds = tf.function(lambda: content_keys(0, x).seeds, autograph=False)()
        epsilons, accuracies = [], []
        for factor in self.factors:
            if factor:
                found = attack(forward, x, y, seed=seeds, scale=factor).x
                standing = standing & (np.argmax(np.asarray(forward(found)), axis=1) == y)
            epsilons.append(factor * threat_model.radius())
            accuracies.append(float(standing.mean()))
        return {"epsilon": epsilons, "accuracy": accuracies, "examples": len(y)}


def plan_curve(passes: float, fewest: int) -> EpsilonCurve | None:
    """A curve of at most so many passes; None where they do not pay for `fewest` examples.

    Example:
    >>> from tfrobust.evaluation.epsilon_curve import plan_curve
    >>> plan_curve(10_000, 16).examples, plan_curve(1_000, 16)
    (26, None)
    """
    examples = int(min(EpsilonCurve.examples, passes // EpsilonCurve().cost))
    return EpsilonCurve(examples=examples) if examples >= fewest else None


def share_passes(
    outcomes: Sequence[Outcome], limits: Limits, is_asked: bool, is_wanted: bool
) -> tuple[Callable, Grant]:
    """The curve that the attacks' passes pay for, if one is wanted, and what is left for the checks.

    Args:
        outcomes: of the attacks.
        limits: `Limits`.
        is_asked: whether the checks were asked for by name.
        is_wanted: whether there is a report that the curve goes to.
    """
    granted = grant_passes(outcomes, 0, limits, is_asked)
    if not is_wanted:
        return skip_curve, granted
    curve = plan_curve(granted.passes / 4, FEWEST)
    reserved = 0 if curve is None else curve.examples * curve.cost
    return curve or skip_curve, grant_passes(outcomes, reserved, limits, is_asked)


def skip_curve(*_: object) -> None:
    """In the place of an `EpsilonCurve` where none is made."""
