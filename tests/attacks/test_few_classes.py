"""Two and three classes for every attack of AutoAttack: what can be broken of a linear model falls."""

import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import APGD, FAB, Square
from tfrobust.losses import DLR, TargetedDLR
from tfrobust.threat_models import L1, L2, Linf

RNG = np.random.default_rng(5)
ROWS, SIZE = 40, 25
X = RNG.uniform(0.3, 0.7, size=(ROWS, 5, 5, 1)).astype("float32")
SLOPES = RNG.normal(size=(SIZE, 3)).astype("float32")
SEEDS = np.stack([np.arange(ROWS), np.full(ROWS, 3)], axis=1).astype("int32")
# Radii at which about half of the examples fall, and the dual norms.
NORMS = {"Linf": (Linf(0.025), 1), "L2": (L2(0.11), 2), "L1": (L1(0.25), np.inf)}


def linear(classes):
    def model(x):
        return tf.reshape(x - 0.5, [-1, SIZE]) @ SLOPES[:, :classes]

    return model


ATTACKS = {
    "apgd-ce": lambda t: APGD(t, steps=20),
    "apgd-dlr": lambda t: APGD(t, DLR(), steps=20),
    "apgd-t": lambda t: APGD(t, TargetedDLR(), steps=20, targets=9),
    "fab": lambda t: FAB(t, steps=20),
    "fab-t": lambda t: FAB(t, steps=20, targets=9),
    "square": lambda t: Square(t, queries=300),
}
# Each takes seconds to compile: by default the ones that treat few classes differently.
DEFAULT = {("apgd-ce", 2), ("apgd-dlr", 2), ("apgd-t", 2), ("apgd-t", 3), ("fab-t", 2)}
CASES = [
    pytest.param(n, a, k, marks=() if n == "Linf" and (a, k) in DEFAULT else pytest.mark.slow)
    for n in NORMS
    for a in ATTACKS
    for k in (2, 3)
]


@pytest.mark.parametrize(("norm", "name", "classes"), CASES)
def test_what_can_be_broken_is_broken(norm, name, classes):
    model, (threat_model, dual) = linear(classes), NORMS[norm]
    logits = model(X).numpy()
    y = logits.argmax(1)
    slopes = SLOPES[:, :classes].T[None] - SLOPES[:, y].T[:, None]
    reach = threat_model.radius() * np.linalg.norm(slopes, dual, axis=2)
    lead = logits[np.arange(ROWS), y][:, None] - logits
    left = np.where(np.eye(classes)[y] > 0, np.inf, lead - reach).min(1)
    truth, sure = left < 0, np.abs(left) > 0.02 * reach.max(1)
    assert 0.15 < truth.mean() < 0.85 and sure.mean() > 0.8
    attack = ATTACKS[name](threat_model)
    targeted = getattr(attack, "targets", 0) > 0
    assert attack.runs(classes) == (classes - 1 if targeted else 1)
    found = attack(model, X, y, seed=SEEDS).x
    broken = model(found).numpy().argmax(1) != y
    distance = threat_model.distance(found, tf.constant(X)).numpy()
    assert (distance <= threat_model.radius() * (1 + 1e-6) + 1e-7).all()
    assert not (broken & sure & ~truth).any()
    missed = (sure & truth & ~broken).sum()
    # FAB steps to the boundary itself; Square sees logits alone, and has few queries here.
    most = {"fab": 0.0, "fab-t": 0.0, "square": 0.6}.get(name, 0.2)
    assert missed <= most * truth.sum()
