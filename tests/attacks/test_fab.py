"""FAB: the card's sequence on linear models, counters, two ways of counting the same steps."""

import numpy as np
import pytest
import tensorflow as tf

from tfrobust import L2, Linf
from tfrobust.attacks.base import Case
from tfrobust.attacks.fab import FAB
from tfrobust.errors import UserError
from tfrobust.ops.random import ExampleKeys
from tfrobust.threat_models import L1

RNG = np.random.default_rng(0)
W = RNG.normal(size=16).astype("float32")
# In L1 one pixel has to do: with this weight the box leaves it the room.
W[5] = 4.0
X = RNG.uniform(0.4, 0.6, size=(20, 4, 4, 1)).astype("float32")
OFFSET = np.float32(0.3 - np.min(X.reshape(20, 16) @ W))
# And the order of the dual norm.
MODELS = {"Linf": (Linf(0.3), 1), "L2": (L2(0.9), 2), "L1": (L1(0.9), np.inf)}


def linear(x):
    score = tf.reshape(x, [-1, 16]) @ W[:, None] + OFFSET
    return tf.concat([tf.zeros_like(score), score], axis=1)


def case_of(model, x, y, radius):
    size = len(y)
    seeds = np.stack([np.arange(size), np.full(size, 9)], axis=1).astype("int32")
    run, keys = tf.zeros([size], tf.int32), ExampleKeys(tf.constant(seeds))
    x = tf.constant(x)
    return Case(x, tf.constant(y, tf.int32), model(x), run, keys, tf.constant(radius))


def exact(norm):
    return (X.reshape(20, 16) @ W + OFFSET) / np.linalg.norm(W, MODELS[norm][1])


@pytest.mark.parametrize("targets", [0, 1])
@pytest.mark.parametrize("norm", MODELS)
def test_distances_on_a_linear_model_follow_the_sequence(norm, targets):
    """r <- (1 - a) (r + 1.05 |1 - r|) + 1.05 a, then 0.9 r after a success: 1.05, 1.0052, 1.0087, ..."""
    threat_model = MODELS[norm][0]
    attack = FAB(threat_model, steps=8, targets=targets, minimal=True)
    case = case_of(linear, X, np.ones(20), threat_model.radius())
    state, step = (
        attack.begin(case),
        tf.function(lambda s: attack.step(linear, case, s), autograph=False),
    )
    ratio, seen, expected, r = 1.0, [], [], 0.0
    for _ in range(8):
        a = min(abs(1 - r) / (abs(1 - r) + 1), 0.1)
        r = (1 - a) * (r + 1.05 * abs(1 - r)) + 1.05 * a
        expected.append(r)
        r *= 0.9
    while not state["done"].numpy().all():
        state = step(state)
        if state["moved"].numpy().all():
            seen.append(threat_model.distance(state["point"], case.x).numpy() / exact(norm))
    np.testing.assert_allclose(expected[:4], [1.05, 1.0052133, 1.0087015, 1.0084391], atol=1e-6)
    for ratios, value in zip(seen, expected, strict=True):
        np.testing.assert_allclose(ratios, value, rtol=1e-3)
    ratio = state["distance"].numpy() / exact(norm)
    assert (ratio >= 1.0049).all() and (ratio <= 1.0056).all()
    closest = threat_model.distance(state["best"], case.x).numpy()
    np.testing.assert_array_equal(closest, state["distance"])


@pytest.mark.parametrize("norm", MODELS)
def test_bisections_come_closer_and_more_steps_never_come_less_close(norm):
    threat_model = MODELS[norm][0]

    def distances(**settings):
        attack = FAB(threat_model, minimal=True, **settings)
        found = attack(linear, X, np.ones(20, int), seed=0).x
        assert (np.argmax(linear(found), axis=1) == 0).all()
        return threat_model.distance(found, X).numpy()

    near = distances(steps=3, final_steps=10) / exact(norm)
    assert (near >= 1 - 1e-5).all() and (near <= 1.001).all()
    assert (distances(steps=5) <= distances(steps=2)).all()


def test_in_l1_the_box_makes_the_nearest_point_use_several_pixels():
    """Weights 3, 2, 1 from (0.9, 0.6, 0.5): with two pixels at their limits 0.2 of the third is left."""
    slopes = tf.constant([[3.0], [2.0], [1.0]])

    def model(x):
        score = tf.reshape(x, [-1, 3]) @ slopes - 0.3
        return tf.concat([tf.zeros_like(score), score], axis=1)

    x = np.array([[0.9, 0.6, 0.5]], "float32").reshape(1, 3, 1, 1)
    attack = FAB(L1(3.0), steps=20, minimal=True, final_steps=10)
    found = attack(model, x, np.array([1]), seed=0).x.numpy().ravel()
    assert model(found.reshape(1, 3, 1, 1))[0, 1] <= 0
    np.testing.assert_allclose(found, [0.0, 0.0, 0.3], atol=2e-3)


def network(x, classes=5, seed=3):
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(16, 12)).astype("float32")
    second = rng.normal(size=(12, classes)).astype("float32")
    return tf.nn.relu(tf.reshape(x - 0.5, [-1, 16]) @ first) @ second


LABELS = np.argmax(network(X), axis=1)


@pytest.mark.parametrize(("targets", "backwards"), [(0, 5), (4, 1)])
def test_passes_on_a_model_that_nothing_breaks(targets, backwards):
    def unbreakable(x):
        return 100.0 * tf.one_hot(LABELS, 5) + 1e-3 * network(x)

    attack = FAB(Linf(0.03), steps=10, targets=targets)
    case = case_of(unbreakable, X, LABELS, 0.03)
    state, step = (
        attack.begin(case),
        tf.function(lambda s: attack.step(unbreakable, case, s), autograph=False),
    )
    for _ in range(14):
        state = step(state)
    assert state["done"].numpy().all() and not state["broken"].numpy().any()
    # The pass that judges a step is the next one's; AutoAttack's code makes 20 and 10.
    assert set(state["forwards"].numpy()) == {11}
    assert set(state["backwards"].numpy()) == {10 * backwards}
    assert np.isinf(state["distance"].numpy()).all()


@pytest.mark.parametrize("threat_model", [Linf(0.05), L2(0.2), L1(0.4)])
@pytest.mark.parametrize("targets", [0, 4])
def test_both_ways_of_making_a_step_give_the_same_points(threat_model, targets, monkeypatch):
    attack = FAB(threat_model, steps=12, targets=targets, minimal=True, final_steps=3)
    case = case_of(network, X, LABELS, threat_model.radius())
    found = {}
    for way in ("_apart", "_merged", None):
        if way:
            chosen = getattr(FAB, way)
            monkeypatch.setattr(FAB, "advance", lambda s, f, c, t, w=chosen: w(s, f, c, t))
        else:
            monkeypatch.undo()
        state, step = (
            attack.begin(case),
            tf.function(lambda s: attack.step(network, case, s), autograph=False),
        )
        while not state["done"].numpy().all():
            state = step(state)
        found[way] = {k: v.numpy() for k, v in state.items()}
    for way in ("_apart", "_merged"):
        for name in ("best", "distance", "index", "broken"):
            np.testing.assert_allclose(found[way][name], found[None][name], atol=1e-6)
    # Mixing the two never needs more passes than the worse of them.
    most = np.maximum(found["_apart"]["forwards"], found["_merged"]["forwards"])
    assert (found[None]["forwards"] <= most).all()


def test_the_first_steps_as_the_card_writes_them():
    """One target on a small network, in numpy, without the box's corners."""
    threat_model, y = L2(0.2), LABELS
    attack = FAB(threat_model, steps=6, targets=1, minimal=True)
    case = case_of(network, X, y, 0.2)
    target = np.argsort(-np.where(np.eye(5)[y] > 0, -np.inf, case.logits.numpy()), axis=1)[:, 0]
    q, best = X.astype("float64"), np.full(20, np.inf)
    for _ in range(6):
        point = tf.constant(q.astype("float32"))
        with tf.GradientTape() as tape:
            tape.watch(point)
            z = network(point)
            f = tf.gather(z, target, batch_dims=1) - tf.gather(z, y, batch_dims=1)
        w, f = tape.gradient(f, point).numpy(), f.numpy()
        size = (w**2).sum((1, 2, 3))
        here = -w * (f / size)[:, None, None, None]
        gap = f + (w * (X - q)).sum((1, 2, 3))
        there = -w * (gap / size)[:, None, None, None]
        a1, a2 = (np.sqrt((d**2).sum((1, 2, 3))) for d in (here, there))
        a = np.minimum(a1 / (a1 + a2), 0.1)[:, None, None, None]
        q = np.clip((1 - a) * (q + 1.05 * here) + a * (X + 1.05 * there), 0, 1)
        wrong = np.argmax(network(q.astype("float32")), axis=1) != y
        r = np.sqrt(((q - X) ** 2).sum((1, 2, 3)))
        best = np.where(wrong & (r < best), r, best)
        q = np.where(wrong[:, None, None, None], X + 0.9 * (q - X), q)
    state, step = (
        attack.begin(case),
        tf.function(lambda s: attack.step(network, case, s), autograph=False),
    )
    while not state["done"].numpy().all():
        state = step(state)
    assert np.isfinite(best).sum() > 15
    np.testing.assert_allclose(state["distance"], best, rtol=1e-3)


@pytest.mark.parametrize("targets", [0, 4])
def test_a_row_does_not_depend_on_its_company(targets):
    attack = FAB(Linf(0.02), steps=10, restarts=2, targets=targets)
    seeds = np.stack([np.arange(20), np.full(20, 7)], axis=1).astype("int32")
    whole = attack(network, X, LABELS, seed=seeds).x.numpy()
    mixed = np.random.default_rng(1).permutation(20)[:7]
    part = attack(network, X[mixed], LABELS[mixed], seed=seeds[mixed]).x.numpy()
    np.testing.assert_allclose(part, whole[mixed], atol=1e-6)
    moved = np.abs(whole - X).max((1, 2, 3))
    assert (moved <= 0.02 * (1 + 1e-6) + 1e-7).all()
    # What was found outside the ball is not given back.
    wrong = np.argmax(network(whole), axis=1) != LABELS
    np.testing.assert_array_equal(wrong, moved > 0)
    assert 0 < wrong.sum() < 20


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_few_classes(classes):
    y = np.argmax(network(X, classes), axis=1)
    attack = FAB(Linf(0.1), steps=5, targets=9)
    assert attack.runs(classes) == classes - 1
    found = attack(lambda x: network(x, classes), X, y, seed=0).x
    assert np.isfinite(found.numpy()).all()


def test_a_gradient_that_vanishes_or_is_no_number_makes_no_nan():
    def model(x):
        flat = tf.reshape(x, [-1, 16])
        # The square root's slope at 0 is infinite, times 0.
        broken = tf.sqrt(tf.maximum(flat[:, :1] - 2.0, 0.0))
        return tf.concat([0.0 * flat[:, :1], 1.0 + broken, broken], axis=1)

    found = FAB(Linf(0.1), steps=3)(model, X, np.ones(20, int), seed=0).x
    np.testing.assert_array_equal(found, X)


def test_settings_that_cannot_work():
    for wrong in ({"steps": 0}, {"overshoot": 0.5}, {"backward": 0.0}, {"alpha_max": 2.0}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            FAB(Linf(0.1), **wrong)
    with pytest.raises(UserError, match="minimal=True"):
        FAB(Linf(0.1), final_steps=3)
    wide = case_of(lambda x: network(x, 30), X, LABELS, 0.1)
    with pytest.raises(UserError, match="30 classes"):
        FAB(Linf(0.1)).begin(wide)
