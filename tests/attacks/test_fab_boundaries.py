"""FAB's distances on a piecewise linear model whose nearest boundary is known."""

import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks.fab import FAB
from tfrobust.evaluation.engine.scheduling.program import Program
from tfrobust.evaluation.engine.scheduling.queue import Work
from tfrobust.evaluation.engine.scheduling.schedule import SlotSchedule
from tfrobust.threat_models import L1, L2, Linf

RNG = np.random.default_rng(2)
ROWS, SIZE = 16, 12
X = RNG.uniform(0.42, 0.58, size=(ROWS, 4, 3, 1)).astype("float32")
SLOPES = RNG.normal(size=(SIZE, 3)).astype("float32")
# A pixel of each class that is enough in L1.
SLOPES[[1, 5, 9], [0, 1, 2]] = [4.0, -4.0, 4.0]
AT_X = X.reshape(ROWS, SIZE) @ SLOPES
OFFSET = (0.4 - AT_X.min(axis=0)).astype("float32")
# The second and the third class lie on both sides of the examples, beyond two parallel planes.
MIDDLE = np.median(AT_X, axis=0).astype("float32")
REACH = (np.abs(AT_X - MIDDLE).max(axis=0) + np.float32([0, 0.5, 0.8])).astype("float32")


def model(x):
    """Label 0 has 0; class 1 is linear, classes 2 and 3 are |linear| minus a constant."""
    s = tf.reshape(x, [-1, SIZE]) @ SLOPES
    one = -(s[:, :1] + OFFSET[:1])
    others = tf.abs(s[:, 1:] - MIDDLE[1:]) - REACH[1:]
    return tf.concat([tf.zeros_like(one), one, others], axis=1)


LOGITS = model(X).numpy()
NORMS = {"Linf": (Linf, 1), "L2": (L2, 2), "L1": (L1, np.inf)}


def distances(norm):
    """To each class's nearest plane, (n, 3); none reaches the box."""
    return -LOGITS[:, 1:] / np.linalg.norm(SLOPES, NORMS[norm][1], axis=0)


# Each takes seconds to compile: by default every norm once.
DEFAULT = {("Linf", 0), ("L2", 3), ("L1", 3)}


@pytest.mark.parametrize(
    ("norm", "targets"),
    [
        pytest.param(norm, targets, marks=() if (norm, targets) in DEFAULT else pytest.mark.slow)
        for norm in NORMS
        for targets in (0, 3)
    ],
)
def test_the_nearest_boundary_is_found(norm, targets):
    truth = distances(norm)
    assert (LOGITS.argmax(1) == 0).all() and truth.min() > 0
    nearest = truth.argmin(1)
    assert len({*nearest}) > 1 and (norm != "L1" or truth.min(1).max() < 0.4)
    seeds = np.stack([np.arange(ROWS), np.full(ROWS, 7)], axis=1).astype("int32")
    # A radius of 0 lets all runs go to their end; without bisections the distance is that of the card.
    attack = FAB(NORMS[norm][0](0.0), 12, targets=targets, minimal=True)
    work = Work(X, np.zeros(ROWS, "int32"), LOGITS, seeds)
    ratio = SlotSchedule(Program(model, attack, ROWS), work, 4)()["distance"] / truth.min(1)
    assert (ratio >= 1.0 - 1e-5).all()
    assert (np.abs(ratio - 1.0052133) < 5e-4).mean() >= (0.9 if targets else 1.0)
    assert ratio.max() < 1.01
