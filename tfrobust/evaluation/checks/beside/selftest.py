"""Whether the attacks of this installation do what they must: C29."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from tfrobust.attacks.apgd import APGD
from tfrobust.attacks.pgd import PGD
from tfrobust.evaluation.checks.check import Check
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.losses.logit_objectives import DLR, Margin
from tfrobust.losses.objectives import CrossEntropy
from tfrobust.threat_models.base import ThreatModel
from tfrobust.threat_models.linf import Linf

_SHAPE, _COUNT, _EPSILON = (3, 4, 1), 64, 0.1
# Scores closer to 0 than that are left to rounding.
_SLACK = 1e-3

SELFTEST = Check(
    "C29",
    "self-test",
    measures="Whether PGD and APGD break exactly those examples of a linear model that can be broken.",
    why="There the answer is known in closed form: an attack that misses an example is broken itself.",
    advice="Run the tests of this package: something in the installation gives wrong results.",
)


def check_installation(threat_model: ThreatModel) -> Finding:
    """C29: attacks break exactly those examples of a linear model that can be broken.

    Also with logits of a hundred times the size, where the cross-entropy has no slope.

    Args:
        threat_model: its norm is what counts.

    Returns:
        A `Finding`, "error" if an attack misses an example.

    Example:
    >>> check_installation(tfrobust.Linf("8/255")).level
    'passed'
    """
    return _check_norm(dataclasses.replace(threat_model, epsilon=_EPSILON))


# Of one process the answer does not change.
@functools.cache
def _check_norm(threat_model):
    random = np.random.default_rng(0)
    w = random.normal(size=_SHAPE).astype(np.float32)
    # No pixel near the box but in Linf, where the closed form knows of it.
    low = 0.0 if isinstance(threat_model, Linf) else 0.3
    x = random.uniform(low, 1 - low, size=(_COUNT, *_SHAPE)).astype(np.float32)
    reach = _EPSILON * float(threat_model.dual_norm(w[None])[0])
    score = (x * w).sum((1, 2, 3))
    # Centred, so that some can be broken and some cannot.
    offset = -np.median(score)
    score = score + offset
    y = (score > 0).astype(np.int32)
    if low == 0:
        falls = -np.sign(score)[:, None, None, None] * np.sign(w)
        room = np.minimum(_EPSILON, np.where(falls > 0, 1 - x, x))
        left = np.abs(score) - (np.abs(w) * room).sum((1, 2, 3))
    else:
        left = np.abs(score) - reach
    sure = np.abs(left) > _SLACK * reach
    missed = {}
    for name, attack, factor in (
        ("PGD", PGD(threat_model, CrossEntropy(), steps=20, selection="any"), 1.0),
        ("PGD on the margin", PGD(threat_model, Margin(), steps=20, selection="any"), 100.0),
        ("APGD", APGD(threat_model, CrossEntropy(), steps=20), 1.0),
        ("APGD on DLR", APGD(threat_model, DLR(), steps=20), 100.0),
    ):

        def model(q, factor=factor):
            s = factor * (tf.reduce_sum(q * w, axis=(1, 2, 3)) + offset)
            return tf.stack([tf.zeros_like(s), s], axis=1)

        found = attack(model, x, y, seed=0).x
        robust = np.argmax(model(found), axis=1) == y
        wrong = int((sure & (robust != (left > 0))).sum())
        if wrong:
            missed[name] = wrong
    worst = float(max(missed.values(), default=0))
    if missed:
        text = (
            f"On a linear model, where the answer is known, attacks are wrong about examples: {missed} of "
            f"{_COUNT}. Something is broken in this installation; run the tests."
        )
        return SELFTEST.finding("error", worst, 0.0, text)
    text = f"PGD and APGD break exactly what can be broken of a linear model, {_COUNT} examples."
    return SELFTEST.finding("passed", worst, 0.0, text)
