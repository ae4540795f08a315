"""APGD step by step against its rule written out in numpy, in float64, from the same starts."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import APGD
from tfrobust.attacks.case import Case
from tfrobust.losses import DLR, CrossEntropy, TargetedDLR
from tfrobust.ops.random.keys import ExampleKeys
from tfrobust.threat_models import L1, L2, Linf

RNG = np.random.default_rng(4)
ROWS, SHAPE, SIZE, CLASSES = 12, (8, 6, 1), 48, 5
FIRST, SECOND = 0.3 * RNG.normal(size=(SIZE, 10)), RNG.normal(size=(10, CLASSES))
# Some pixels lie at the faces of the box.
X = np.clip(RNG.uniform(-0.2, 1.2, size=(ROWS, *SHAPE)), 0, 1)


def model(x):
    return tf.tanh((tf.reshape(x, [-1, SIZE]) - 0.5) @ FIRST) @ SECOND


Y = model(X).numpy().argmax(1).astype("int32")


def slope_of(objective, q, target):
    """Logits, loss and gradient in numpy; `q` (n, SIZE)."""
    hidden = np.tanh((q - 0.5) @ FIRST)
    z, rows = hidden @ SECOND, np.arange(len(q))
    order = np.argsort(-z, axis=1)
    one = np.eye(CLASSES)
    own, top = one[Y], [one[order[:, place]] for place in range(4)]
    if isinstance(objective, CrossEntropy):
        p = np.exp(z - z.max(1, keepdims=True))
        loss, weights = (
            np.log(p.sum(1)) + z.max(1) - z[rows, Y],
            p / p.sum(1, keepdims=True) - own,
        )
    else:
        if isinstance(objective, DLR):
            over = np.where((order[:, 0] == Y)[:, None], top[1], top[0]) - own
            under = top[0] - top[2]
        else:
            over, under = one[target] - own, top[0] - (top[2] + top[3]) / 2
        up, low = (over * z).sum(1), (under * z).sum(1) + 1e-12
        loss, weights = up / low, over / low[:, None] - (up / low**2)[:, None] * under
    return z, loss, ((weights @ SECOND.T) * (1 - hidden**2)) @ FIRST.T


def into(norm, q, x, radius):
    """The projection of the card."""
    d = q - x
    if norm == "Linf":
        return np.clip(x + np.clip(d, -radius, radius), 0, 1)
    if norm == "L2":
        length = np.linalg.norm(d, axis=1, keepdims=True)
        return np.clip(x + d / (length + 1e-12) * np.minimum(length, radius), 0, 1)
    room = np.where(d > 0, 1 - x, x)
    low, high = np.zeros((len(x), 1)), np.abs(d).max(1, keepdims=True)
    for _ in range(200):
        level = (low + high) / 2
        over = np.clip(np.abs(d) - level, 0, room).sum(1, keepdims=True) > radius
        low, high = np.where(over, level, low), np.where(over, high, level)
    inside = np.clip(np.abs(d), 0, room).sum(1, keepdims=True) <= radius
    return x + np.sign(d) * np.clip(np.abs(d) - np.where(inside, 0, high), 0, room)


class Trace:
    """What happened to all rows, look by look: lists of arrays."""

    def __init__(self):
        self.seen, self.size, self.best_loss, self.best = [], [], [], []

    def add(self, *values):
        for name, value in zip(("seen", "size", "best_loss", "best"), values, strict=True):
            getattr(self, name).append(np.array(value))


def dense(objective, norm, radius, steps, rho, target, start, trace):
    """The rule of Linf and L2, from one start."""
    x, q, old = X.reshape(ROWS, SIZE), start, start
    _, loss, g = slope_of(objective, q, target)
    best, best_g, best_loss = q.copy(), g.copy(), loss.copy()
    size = np.full(ROWS, 2.0 * radius)
    trace.add(q, size, best_loss, best)
    window, least, less = max(int(0.22 * steps), 1), max(int(0.06 * steps), 1), int(0.03 * steps)
    grown, former, checked = np.zeros(ROWS, int), np.zeros(ROWS), best_loss.copy()
    halved, since = np.ones(ROWS, bool), 0
    for step in range(steps):
        moved, old, a = q - old, q, 1.0 if step == 0 else 0.75
        direction = np.sign(g) if norm == "Linf" else g / np.linalg.norm(g, axis=1, keepdims=True)
        ahead = into(norm, q + size[:, None] * direction, x, radius)
        q = into(norm, q + a * (ahead - q) + (1 - a) * moved, x, radius)
        seen = q
        _, loss, g = slope_of(objective, q, target)
        grown, former = grown + (loss > former), loss
        better = loss > best_loss
        best[better], best_g[better], best_loss[better] = q[better], g[better], loss[better]
        since += 1
        if since == window:
            halve = (grown <= rho * window) | (~halved & (checked >= best_loss))
            halved, checked = halve, best_loss.copy()
            size = np.where(halve, size / 2, size)
            q, g = np.where(halve[:, None], best, q), np.where(halve[:, None], best_g, g)
            grown, since, window = 0 * grown, 0, max(window - max(less, 1), least)
        trace.add(seen, size, best_loss, best)


def sparse(objective, norm, radius, steps, target, start, trace, given=False):
    """The rule of L1 with one radius, from one start."""
    x, q = X.reshape(ROWS, SIZE), start
    _, loss, g = slope_of(objective, q, target)
    best, best_g, best_loss = q.copy(), g.copy(), loss.copy()
    size, window = np.full(ROWS, 1.0 * radius), max(int(0.04 * steps), 1)
    share, sparsity = np.full(ROWS, 0.2), np.full(ROWS, SIZE)
    if given:
        sparsity = (q != x).sum(1)
        share = sparsity / SIZE / 1.5
    trace.add(q, size, best_loss, best)
    for step in range(steps):
        # A rounding up of what should be a whole number is not one pixel less.
        place = np.clip(((1 - share) * SIZE + 1e-9).astype(int), 0, SIZE - 1)
        least = np.sort(np.abs(g), axis=1)[np.arange(ROWS), place]
        sign = np.sign(g * (np.abs(g) >= least[:, None]))
        q = q + size[:, None] * sign / (np.abs(sign).sum(1, keepdims=True) + 1e-10)
        q = seen = into("L1", q, x, radius)
        _, loss, g = slope_of(objective, q, target)
        better = loss > best_loss
        best[better], best_g[better], best_loss[better] = q[better], g[better], loss[better]
        if (step + 1) % window == 0:
            now = (best != x).sum(1)
            fewer, share, sparsity = now / sparsity < 0.95, now / SIZE / 1.5, now
            size = np.clip(np.where(fewer, radius, size / 1.5), radius / 10, radius)
            q, g = np.where(fewer[:, None], best, q), np.where(fewer[:, None], best_g, g)
        trace.add(seen, size, best_loss, best)
    return best


def written_out(attack, target, start):
    trace, radius, steps = Trace(), attack.threat_model.radius(), attack.steps
    norm = type(attack.threat_model).__name__
    if norm != "L1":
        dense(attack.objective, norm, radius, steps, attack.rho, target, start, trace)
    elif not attack.larger_radii:
        sparse(attack.objective, norm, radius, steps, target, start, trace)
    else:
        part, point = int(np.ceil(0.3 * steps)), start
        for factor, its_steps in ((3, part), (2, part), (1, steps - 2 * part)):
            point = into("L1", point, X.reshape(ROWS, SIZE), factor * radius)
            options = its_steps, target, point, trace, True
            point = sparse(attack.objective, norm, factor * radius, *options)
    return trace


@functools.cache
def keys():
    seeds = np.stack([np.arange(ROWS), np.full(ROWS, 6)], axis=1)
    return ExampleKeys(tf.constant(seeds, tf.int32))


ATTACKS = {
    "linf": APGD(Linf(0.02), steps=50),
    "linf-dlr": APGD(Linf(0.02), DLR(), steps=40, rho=0.6),
    "l2": APGD(L2(0.12), steps=50),
    "l2-targeted": APGD(L2(0.12), TargetedDLR(), steps=30, targets=2),
    "l1": APGD(L1(0.5), steps=60),
    "l1-dlr": APGD(L1(0.5), DLR(), steps=30),
    "l1-larger-radii": APGD(L1(0.4), steps=60, larger_radii=True),
    "l1-targeted": APGD(L1(0.4), TargetedDLR(), steps=41, targets=2, larger_radii=True),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_every_iterate_step_size_and_best_loss(name):
    attack = ATTACKS[name]
    run = 1 if attack.targets else 0
    logits = model(X)
    # The third-largest logit, for a search with a target in its second run.
    target = np.argsort(-logits.numpy(), axis=1)[:, 1 + run]
    runs = tf.fill([ROWS], run)
    radius = tf.constant(attack.threat_model.radius(), tf.float64)
    case = Case(tf.constant(X), tf.constant(Y), logits, runs, keys(), radius)
    state = attack.begin(case)
    start = state["current"].numpy().reshape(ROWS, SIZE)
    step = tf.function(lambda s: attack.step(model, case, s), autograph=False)
    trace, alive, compared = written_out(attack, target, start), np.ones(ROWS, bool), 0
    assert len(trace.seen) == attack.looks
    for look in range(attack.looks):
        state = step(state)
        # The look that breaks a row is its last one; where others go on their images may be anything.
        best, size = state["best"].numpy().reshape(ROWS, SIZE), state["step_size"].numpy()
        wrong = slope_of(attack.objective, trace.seen[look], target)[0].argmax(1) != Y
        counts = wrong & (not attack.larger_radii or look >= 2 * -(-3 * attack.steps // 10) + 2)
        caught = alive & counts
        found = state["adversarial"].numpy().reshape(ROWS, SIZE)
        np.testing.assert_allclose(found[caught], trace.seen[look][caught], atol=1e-9)
        np.testing.assert_allclose(best[alive], trace.best[look][alive], atol=1e-9)
        np.testing.assert_allclose(size[alive], trace.size[look][alive], rtol=1e-12)
        loss = state["best_loss"].numpy()
        np.testing.assert_allclose(loss[alive], trace.best_loss[look][alive], rtol=1e-9, atol=1e-12)
        alive &= ~counts
        np.testing.assert_array_equal(state["broken"], ~alive)
        compared += alive.sum()
    assert state["done"].numpy().all() and alive.sum() >= 3 and compared > 3 * attack.looks
    assert (state["index"].numpy()[alive] == attack.steps).all()
    assert len(np.unique(trace.size)) > 3
