"""FAB: linear models by closed form, a second route in float64, counters, and what must not matter."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tfrobust import L2, Linf
from tfrobust.attacks.case import Case
from tfrobust.attacks.fab import FAB
from tfrobust.errors import UserError
from tfrobust.evaluation.engine.scheduling.program import Program
from tfrobust.evaluation.engine.scheduling.queue import Work
from tfrobust.evaluation.engine.scheduling.schedule import SlotSchedule
from tfrobust.ops.random.keys import ExampleKeys
from tfrobust.threat_models import L1

RNG = np.random.default_rng(0)
W = RNG.normal(size=16).astype("float32")
X = RNG.uniform(0.4, 0.6, size=(20, 4, 4, 1)).astype("float32")
OFFSET = np.float32(0.3 - np.min(X.reshape(20, 16) @ W))
SEEDS = np.stack([np.arange(20), np.full(20, 7)], axis=1).astype("int32")
# The threat models of the tests, and the dual norms of their distances.
MODELS = {"Linf": (Linf(0.3), 1), "L2": (L2(0.9), 2)}


def linear(x):
    score = tf.reshape(x, [-1, 16]) @ W[:, None] + OFFSET
    return tf.concat([tf.zeros_like(score), score], axis=1)


def exact(norm):
    return (X.reshape(20, 16) @ W + OFFSET) / np.linalg.norm(W, MODELS[norm][1])


def weights(classes, seed=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(16, 12)), rng.normal(size=(12, classes))


def network(x, classes=5):
    first, second = (v.astype("float32") for v in weights(classes))
    return tf.nn.relu(tf.reshape(x - 0.5, [-1, 16]) @ first) @ second


LABELS = np.argmax(network(X), axis=1)
IN_ONE_PASS, IN_TWO_PASSES = (functools.partial(FAB._go, in_one_pass=b) for b in (True, False))


def case_of(model, x, y, radius, run=0):
    keys = ExampleKeys(tf.constant(SEEDS[: len(y)]))
    x, runs = tf.constant(x), tf.fill([len(y)], run)
    return Case(x, tf.constant(y, tf.int32), model(x), runs, keys, tf.constant(radius, x.dtype))


def compiled(attack, model, case, way=FAB.step, **options):
    """A step as a compiled function of the state alone."""
    return tf.function(lambda s: way(attack, model, case, s), autograph=False, **options)


def to_the_end(attack, model, case, way=FAB.step, **options):
    """The last state, as arrays, of a search in one compiled loop."""

    def search(state):
        def body(s):
            new = way(attack, model, case, s)
            return ({name: new[name] for name in s},)

        return tf.while_loop(lambda s: ~tf.reduce_all(s["done"]), body, (state,))[0]

    state = tf.function(search, autograph=False, **options)(attack.begin(case))
    return {name: value.numpy() for name, value in state.items()}


@pytest.mark.parametrize("targets", [0, 1])
@pytest.mark.parametrize("norm", MODELS)
def test_distances_on_a_linear_model_follow_the_sequence(norm, targets):
    """r <- (1 - a) (r + 1.05 |1 - r|) + 1.05 a, then 0.9 r after a success: 1.05, 1.0052, 1.0087, ..."""
    threat_model = MODELS[norm][0]
    attack = FAB(threat_model, steps=8, targets=targets, minimal=True)
    case = case_of(linear, X, np.ones(20), threat_model.radius())
    state, step = attack.begin(case), compiled(attack, linear, case)
    seen, expected, nearest, r = [], [], [np.full(20, np.inf)], 0.0
    for _ in range(8):
        a = min(abs(1 - r) / (abs(1 - r) + 1), 0.1)
        r = (1 - a) * (r + 1.05 * abs(1 - r)) + 1.05 * a
        expected.append(r)
        r *= 0.9
    while not state["done"].numpy().all():
        state = step(state)
        nearest.append(state["distance"].numpy())
        assert (nearest[-1] <= nearest[-2]).all()
        if state["moved"].numpy().all():
            seen.append(threat_model.distance(state["point"], case.x).numpy() / exact(norm))
    np.testing.assert_allclose(expected[:4], [1.05, 1.0052133, 1.0087015, 1.0084391], atol=1e-6)
    for ratios, value in zip(seen, expected, strict=True):
        np.testing.assert_allclose(ratios, value, rtol=1e-3)
    ratio = nearest[-1] / exact(norm)
    assert (ratio >= 1.0049).all() and (ratio <= 1.0056).all()
    closest = threat_model.distance(state["best"], case.x).numpy()
    # Compiled by themselves, sums of squares are added in another order.
    np.testing.assert_allclose(closest, nearest[-1], rtol=1e-6)
    assert (np.argmax(linear(state["best"]), axis=1) == 0).all()


@pytest.mark.parametrize("norm", MODELS)
def test_bisections_come_to_the_boundary_and_cost_a_forward_pass_each(norm):
    threat_model = MODELS[norm][0]
    attack = FAB(threat_model, steps=3, targets=1, minimal=True, final_steps=10)
    state = to_the_end(attack, linear, case_of(linear, X, np.ones(20), 0.9))
    ratio = state["distance"] / exact(norm)
    assert (ratio >= 1 - 1e-5).all() and (ratio <= 1.001).all()
    assert (np.argmax(linear(state["best"]), axis=1) == 0).all()
    # Every step is judged, and those that succeeded are evaluated again.
    assert set(state["forwards"]) == {3 + 3 + 10} and set(state["backwards"]) == {3}


def nearest(norm, x, normal, gap):
    """The nearest point of a hyperplane in the box, in numpy: the level by halving an interval.

    In L1 pixels are filled one by one, those of the largest weight first.
    """
    w = normal * np.where(gap >= 0, 1, -1)[:, None]
    cap = np.where(w > 0, x, np.where(w < 0, 1 - x, 0))
    if norm == "L1":
        found, rest = np.zeros_like(w), np.abs(gap).astype("float64")
        for row, line in enumerate(w):
            for i in np.argsort(-np.abs(line))[: np.count_nonzero(line)]:
                length = min(cap[row, i], rest[row] / abs(line[i]))
                found[row, i] = -np.sign(line[i]) * length
                rest[row] -= length * abs(line[i])
        return found

    def delta(level):
        size = np.abs(w) if norm == "L2" else np.ones_like(w)
        return -np.sign(w) * np.minimum(level[:, None] * size, cap)

    low, high = np.zeros(len(x)), np.full(len(x), 1e3)
    for _ in range(100):
        middle = (low + high) / 2
        enough = -(w * delta(middle)).sum(1) >= np.abs(gap)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return delta(high)


def plain(norm, x, y, target, steps, start=None):
    """The card's algorithm in float64 on `network`, without TensorFlow.

    Returns:
        The points that were reached, before they are pulled back, the smallest distance after each
        step, and which rows were nowhere on a boundary, where rounding decides.
    """
    x = x.reshape(-1, 16).astype("float64")
    first, second = weights(5)
    rows, q, points, distances = np.arange(len(x)), x.copy(), [], []
    if start is not None:
        q = start.reshape(-1, 16).astype("float64")
    order, dual = (np.inf, 1) if norm == "Linf" else (2, 2)
    best, decided = np.full(len(x), np.inf), np.ones(len(x), bool)
    for _ in range(steps):
        hidden = (q - 0.5) @ first
        z = np.maximum(hidden, 0) @ second
        slopes = np.einsum("bh,hc,ih->bci", hidden > 0, second, first)
        f, g = z - z[rows, y][:, None], slopes - slopes[rows, y][:, None]
        aim = target
        if target is None:
            distance = np.abs(f) / (1e-12 + np.linalg.norm(g, dual, axis=2))
            distance[rows, y] = 1e10
            aim = distance.argmin(1)
        f, w = f[rows, aim], g[rows, aim]
        b = (w * q).sum(1) - f
        here = nearest(norm, q, w, (w * q).sum(1) - b)
        there = nearest(norm, x, w, (w * x).sum(1) - b)
        a1, a2 = (np.maximum(np.linalg.norm(d, order, axis=1), 1e-8) for d in (here, there))
        a = np.minimum(a1 / (a1 + a2), 0.1)[:, None]
        q = np.clip((1 - a) * (q + 1.05 * here) + a * (x + 1.05 * there), 0, 1)
        points.append(q)
        z = np.maximum((q - 0.5) @ first, 0) @ second
        wrong = z.argmax(1) != y
        decided &= np.diff(np.sort(z, axis=1)[:, -2:])[:, 0] > 1e-4
        r = np.linalg.norm(q - x, order, axis=1)
        best = np.where(wrong & (r < best), r, best)
        distances.append(best)
        q = np.where(wrong[:, None], x + 0.9 * (q - x), q)
    return points, distances, decided


# Many pixels at the faces of the box.
WIDE = np.clip(RNG.uniform(-0.3, 1.3, size=(20, 4, 4, 1)), 0, 1).astype("float32")
WIDE_LABELS = np.argmax(network(WIDE), axis=1)


@pytest.mark.parametrize("restart", [0, 1])
@pytest.mark.parametrize("targets", [0, 4])
@pytest.mark.parametrize("norm", MODELS)
def test_the_same_points_as_the_plain_algorithm(norm, targets, restart):
    attack = FAB(MODELS[norm][0], steps=7, restarts=2, targets=targets, minimal=True)
    # With targets, the third-likeliest class after the label.
    run = restart + 2 * (2 if targets else 0)
    case = case_of(network, WIDE, WIDE_LABELS, 0.3, run)
    target = None
    if targets:
        others = np.where(np.eye(5)[WIDE_LABELS] > 0, -np.inf, case.logits)
        target = np.argsort(-others, axis=1)[:, 2]
    state, step = attack.begin(case), compiled(attack, network, case, IN_TWO_PASSES)
    start = state["point"].numpy()
    moved = MODELS[norm][0].distance(start, WIDE).numpy()
    assert (moved == 0).all() if restart == 0 else (moved <= 0.15001).all() and moved.max() > 0.14
    points, distances, sure = plain(norm, WIDE, WIDE_LABELS, target, 7, start)
    for number, point in enumerate(points):
        state = step(state)
        found = state["point"].numpy().reshape(20, 16)
        np.testing.assert_allclose(found[sure], point[sure], atol=1e-4)
        assert found.min() >= 0 and found.max() <= 1
        if number:
            nearer = state["distance"].numpy()
            np.testing.assert_allclose(nearer[sure], distances[number - 1][sure], rtol=1e-3)
    assert sure.sum() >= 18 and np.isfinite(distances[-1]).sum() > 10


ORDERS = {"Linf": np.inf, "L2": 2, "L1": 1}


@pytest.mark.parametrize("norm", ORDERS)
def test_targets_in_slots_find_the_nearest_of_ten_classes(norm):
    """A linear model; a radius of 0 lets every run go to its end."""
    rng = np.random.default_rng(8)
    matrix = rng.normal(size=(16, 10)).astype("float32")
    offset = 0.1 * np.arange(10, dtype="float32")

    def model(x):
        return tf.reshape(x, [-1, 16]) @ matrix + offset

    x = WIDE[:12]
    logits = model(x).numpy()
    y = logits.argmax(1).astype("int32")
    order, distances = ORDERS[norm], np.full((12, 10), np.inf)
    for c in range(10):
        w = (matrix[:, [c]] - matrix[:, y]).T.astype("float64")
        delta = nearest(norm, x.reshape(12, 16), w, logits[:, c] - logits[np.arange(12), y])
        reached = x.reshape(12, 16) + delta
        gain = (reached * w).sum(1) + offset[c] - offset[y]
        distances[:, c] = np.where(np.abs(gain) < 1e-4, np.linalg.norm(delta, order, 1), np.inf)
        distances[y == c, c] = np.inf
    truth = distances.min(1)
    threat_model = {"Linf": Linf, "L2": L2, "L1": L1}[norm](0.0)
    attack = FAB(threat_model, 12, targets=9, minimal=True, final_steps=12)
    result = SlotSchedule(Program(model, attack, 7), Work(x, y, logits, SEEDS[:12]), 10)()
    assert not result["broken"].any()
    ratio = result["distance"] / truth
    assert (ratio >= 1 - 1e-4).all() and (ratio <= 1.005).all() and np.median(ratio) <= 1.001


def unbreakable(x):
    return 100.0 * tf.one_hot(LABELS, 5) + 1e-3 * network(x)


@pytest.mark.parametrize(
    ("threat_model", "targets", "backwards"), [(Linf(0.03), 0, 5), (L2(0.1), 4, 1)]
)
def test_passes_on_a_model_that_nothing_breaks(threat_model, targets, backwards):
    attack = FAB(threat_model, steps=10, targets=targets)
    state = to_the_end(attack, unbreakable, case_of(unbreakable, X, LABELS, 0.03))
    assert not state["broken"].any()
    # The pass that judges a step is the next one's; AutoAttack's code makes 20 and 10.
    assert set(state["forwards"]) == {11}
    assert set(state["backwards"]) == {10 * backwards}
    assert np.isinf(state["distance"]).all()


@pytest.mark.parametrize(("threat_model", "targets"), [(Linf(0.05), 4), (L2(0.2), 0)])
def test_both_ways_of_making_a_step_give_the_same_points(threat_model, targets):
    attack = FAB(threat_model, steps=12, targets=targets, minimal=True, final_steps=3)
    case = case_of(network, X, LABELS, threat_model.radius())
    ways = {"apart": IN_TWO_PASSES, "merged": IN_ONE_PASS, "mixed": FAB.step}
    found = {
        name: to_the_end(
            attack,
            network,
            case,
            # A row that is done would go on counting, but for `step`.
            lambda a, f, c, s, way=way: _held(s, way(a, f, c, s)),
        )
        for name, way in ways.items()
    }
    for name in ("apart", "merged"):
        for value in ("best", "distance", "index", "broken", "backwards"):
            np.testing.assert_allclose(found[name][value], found["mixed"][value], atol=1e-6)
    # What a row needs is the same, however the batch is computed.
    for name in ("apart", "merged"):
        np.testing.assert_array_equal(found[name]["forwards"], found["mixed"]["forwards"])
    assert len(set(found["mixed"]["forwards"])) > 1


def _held(state, new):
    done = state["done"]
    return {n: tf.where(done, state[n], v) if v.shape.rank == 1 else v for n, v in new.items()} | {
        "best": tf.where(done[:, None, None, None], state["best"], new["best"])
    }


@pytest.mark.parametrize("targets", [pytest.param(0, marks=pytest.mark.slow), 4])
def test_a_row_does_not_depend_on_its_company(targets):
    attack = FAB(Linf(0.02), steps=10, restarts=2, targets=targets)
    whole = attack(network, X, LABELS, seed=SEEDS).x.numpy()
    moved = np.abs(whole - X).max((1, 2, 3))
    assert (moved <= 0.02 * (1 + 1e-6) + 1e-7).all()
    # What was found outside the ball is not given back.
    wrong = np.argmax(network(whole), axis=1) != LABELS
    np.testing.assert_array_equal(wrong, moved > 0)
    assert 0 < wrong.sum() < 20
    # Few rows that are exchanged while others go on.
    given = Work(X, LABELS.astype("int32"), network(X).numpy(), SEEDS)
    program = Program(network, attack, 7)
    result = SlotSchedule(program, given, 5)()
    assert program.traces == 1
    np.testing.assert_array_equal(result["broken"], wrong)
    np.testing.assert_allclose(result["images"], whole, atol=1e-6)
    lasting = result["forwards"][~wrong]
    assert (lasting <= attack.runs(5) * 20).all() and (lasting >= attack.runs(5) * 11).all()


@pytest.mark.parametrize("classes", [2, 3])
def test_few_classes(classes):
    y = np.argmax(network(X, classes), axis=1)
    attack = FAB(Linf(0.1), steps=5, targets=9)
    assert attack.runs(classes) == classes - 1
    found = attack(lambda x: network(x, classes), X, y, seed=0).x
    wrong = np.argmax(network(found, classes), axis=1) != y
    np.testing.assert_array_equal(wrong, (found.numpy() != X).any((1, 2, 3)))
    assert wrong.sum() >= 10


@pytest.mark.parametrize("targets", [0, 2])
def test_a_gradient_that_vanishes_or_is_no_number_makes_no_nan(targets):
    def model(x):
        flat = tf.reshape(x, [-1, 16])
        # The square root's slope at 0 is infinite, times 0.
        broken = tf.sqrt(tf.maximum(flat[:, :1] - 2.0, 0.0))
        return tf.concat([0.0 * flat[:, :1], 1.0 + broken, broken], axis=1)

    attack = FAB(Linf(0.1), steps=3, targets=targets)
    state = to_the_end(attack, model, case_of(model, X, np.ones(20), 0.1))
    np.testing.assert_array_equal(state["best"], X)
    np.testing.assert_allclose(state["point"], X, atol=1e-6)


@pytest.mark.parametrize(("targets", "run"), [(0, 0), (1, 0), (1, 1)])
def test_logits_that_are_no_numbers_are_left_again(targets, run):
    """Beyond the boundary of a linear model there are only NaNs; some of the later starts lie there."""

    def model(x):
        logits = linear(x)
        # The gradient is a number there.
        return logits + tf.where(logits[:, 1:] < 0.0, np.float32(np.nan), np.float32(0.0))

    attack = FAB(L2(2.0), steps=20, restarts=2, targets=targets, minimal=True)
    case = case_of(model, X, np.ones(20), 2.0, run)
    assert np.isnan(model(attack.begin(case)["point"])).any() == bool(run)
    state = to_the_end(attack, model, case)
    assert np.isfinite(state["point"]).all()
    # Logits that are not finite are no misclassification; the first such image is kept for a second look.
    assert not np.any(state["broken"]) and np.isinf(state["distance"]).all()
    assert np.all(state["unanswered"] > 0) and np.isnan(model(state["lost"])).all()


def test_settings_that_cannot_work():
    for wrong in ({"steps": 0}, {"overshoot": 0.5}, {"backward": 0.0}, {"alpha_max": 2.0}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            FAB(Linf(0.1), **wrong)
    with pytest.raises(UserError, match="minimal=True"):
        FAB(Linf(0.1), final_steps=3)
    wide = case_of(lambda x: network(x, 30), X, LABELS, 0.1)
    with pytest.raises(UserError, match="30 classes"):
        FAB(Linf(0.1)).begin(wide)


def test_in_l1_the_sequence_is_the_same():
    """One pixel has to do: a weight of 4 gives it the room."""
    weights, threat_model = W.copy(), L1(0.9)
    weights[5] = 4.0
    offset = np.float32(0.3 - np.min(X.reshape(20, 16) @ weights))

    def model(x):
        score = tf.reshape(x, [-1, 16]) @ weights[:, None] + offset
        return tf.concat([tf.zeros_like(score), score], axis=1)

    exact_distance = (X.reshape(20, 16) @ weights + offset) / 4.0
    found = FAB(threat_model, steps=8, minimal=True)(model, X, np.ones(20, int), seed=0).x
    ratio = threat_model.distance(found, X).numpy() / exact_distance
    assert (ratio >= 1.0049).all() and (ratio <= 1.0056).all()


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
