"""RayS: against the batch algorithm in numpy, linear models by closed form, blocks by table."""

import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks.case import Case
from tfrobust.attacks.rays import TOLERANCE, RayS, _block
from tfrobust.errors import UserError
from tfrobust.ops.random.keys import ExampleKeys, keys_of
from tfrobust.threat_models import L2, Linf

SHAPE = (4, 3, 4)  # 48 entries, no two axes that could be confused unnoticed with the channels.
N = int(np.prod(SHAPE))
RNG = np.random.default_rng(0)
W = RNG.normal(size=N).astype("float32")
X = RNG.uniform(0.3, 0.7, size=(20, *SHAPE)).astype("float32")
# Distances to the boundary between 0 and 0.1, so that no ray is cut by the box before it.
OFFSET = RNG.uniform(0.0, 0.1, size=20).astype("float32") * np.abs(W).sum()


def linear(x, y):
    """Labels of a binary linear model with an offset of its own for every image, as one-hot logits."""
    score = tf.reshape(x, [-1, N]) @ W[:, None] - X.reshape(20, N) @ W[:, None] + OFFSET[:, None]
    return tf.one_hot(tf.cast(score[:, 0] > 0, tf.int32), 2)


def network(x, seed=3, classes=4):
    """Labels of a small network, as one-hot logits."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(N, 16)).astype("float32")
    second = rng.normal(size=(16, classes)).astype("float32")
    logits = tf.nn.relu(tf.reshape(x - 0.5, [-1, N]) @ first) @ second
    return tf.one_hot(tf.argmax(logits, axis=1), classes)


ONES = np.ones(20, "int32")
LABELS = np.argmax(network(X), axis=1).astype("int32")


def case_of(attack, x, y, model):
    x, y = tf.constant(x), tf.constant(y, tf.int32)
    run, radius = tf.zeros_like(y), tf.constant(attack.threat_model.radius(), x.dtype)
    return Case(x, y, model(x), run, keys_of(0), radius)


def searched(attack, x, y, model, jit_compile=False):
    """The state at the end, as arrays."""
    case = case_of(attack, x, y, model)

    @tf.function(autograph=False, jit_compile=jit_compile)
    def run(state):
        return tf.while_loop(
            lambda s: ~tf.reduce_all(s["done"]), lambda s: (attack.step(model, case, s),), (state,)
        )[0]

    return {name: value.numpy() for name, value in run(attack.begin(case)).items()}


def by_the_card(x, y, model, queries, radius, order):
    """The algorithm of the whole batch, with channels first; `model` gives one-hot logits."""
    size, n = x.shape[0], x[0].size
    flat = np.moveaxis(x, -1, 1).reshape(size, n)
    shape = (size, x.shape[-1], *x.shape[1:-1])
    signs, d = np.ones((size, n), "float32"), np.full(size, np.inf, "float32")
    final = np.ones_like(flat)
    count, stop = np.zeros(size, int), np.zeros(size, int)
    far, level, block = np.ones(size, bool), 0, 0

    def image(v, length):
        if np.isinf(length).all():
            return (v > 0).astype("float32")
        return np.clip(flat + length[:, None] * (v / np.float32(np.sqrt(n))), 0, 1)

    def wrong(points, rows):
        count[rows] += 1
        images = np.moveaxis(points.reshape(shape), 1, -1)
        return rows & (np.argmax(model(tf.constant(images)), axis=1) != y)

    while (count < queries).any():
        active = count < queries
        length = -(-n // 2**level)
        start, end = block * length, min(n, (block + 1) * length)
        trial = signs.copy()
        trial[:, start:end] *= -1
        first = np.where(np.isinf(d)[:, None], (trial > 0).astype("float32"), image(trial, d))
        hit = wrong(first.astype("float32"), active)
        high = np.where(hit, np.minimum(d, np.float32(np.sqrt(n))), d)
        low = np.zeros(size, "float32")
        open_rows = hit & (high - low > 1e-3)
        while open_rows.any():
            middle = np.where(open_rows, (low + high) / np.float32(2), np.float32(0))
            inside = wrong(image(trial, middle), open_rows)
            high = np.where(inside, middle, high)
            low = np.where(open_rows & ~inside, middle, low)
            open_rows &= high - low > 1e-3
        better = hit & (high < d)
        d = np.where(better, high, d)
        found = image(trial, np.where(better, high, np.float32(0)))
        final = np.where(better[:, None], found, final)
        signs = np.where(better[:, None], trial, signs)
        block += 1
        if block == 2**level or end == n:
            level, block = level + 1, 0
        distance = np.linalg.norm(final - flat, order, axis=1)
        stop[far] = count[far]
        far &= distance > radius
    images = np.moveaxis(final.reshape(shape), 1, -1)
    return images, distance, np.minimum(stop, queries), count, d


@pytest.mark.parametrize("threat_model", [Linf(0.03), L2(0.2)], ids=str)
@pytest.mark.parametrize("queries", [9, 700])
def test_every_row_does_what_the_batch_algorithm_does(threat_model, queries):
    order = np.inf if isinstance(threat_model, Linf) else 2
    # The last two are misclassified from the start.
    y = np.where(np.arange(20) < 18, LABELS, 3 - LABELS)
    found = searched(RayS(threat_model, queries), X, y, network)
    images, distance, stop, count, d = by_the_card(
        X, y, network, queries, threat_model.radius(), order
    )
    np.testing.assert_array_equal(found["forwards"], count)
    np.testing.assert_array_equal(found["queries"], stop)
    broke = np.isfinite(d)
    np.testing.assert_array_equal(broke, np.isfinite(found["distance"]))
    np.testing.assert_allclose(found["along"], d, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found["distance"][broke], distance[broke], rtol=0, atol=1e-6)
    np.testing.assert_allclose(found["best"][broke], images[broke], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found["broken"], broke & (distance <= threat_model.radius()))
    if queries == 700:
        assert broke.all() and 2 < found["broken"].sum() < 20


def test_it_comes_to_a_plane_as_near_as_the_tolerance_lets_it():
    """An entry with the wrong sign stays only where a flip would gain less than the tolerance.

    C / (S + t) is convex in t, so that k such entries together gain no more than k tolerances; one
    more is that of the last bisection.
    """
    found = searched(RayS(Linf(0.05), 1000), X, ONES, lambda x: linear(x, ONES))
    error = (found["distance"] - OFFSET / np.abs(W).sum()) * np.sqrt(N) / TOLERANCE
    # The way to the boundary goes against the weights.
    left = (found["sign"].reshape(20, N) * np.sign(W) > 0).sum(axis=1)
    # Float32 sums put a point on either side of the boundary.
    assert error.min() > -0.01 and (error <= left + 1.01).all()
    assert error.max() < 2.4 and np.median(error) < 1.0
    np.testing.assert_array_equal(found["broken"], found["distance"] <= 0.05)
    assert 0 < found["broken"].sum() < 20


def test_the_distance_along_the_ray_never_grows_and_what_was_found_is_misclassified():
    attack = RayS(Linf(0.03), 400)
    case = case_of(attack, X, LABELS, network)
    state, step = attack.begin(case), tf.function(attack.step, autograph=False)
    former = state["along"].numpy()
    for number in range(1, 401):
        state = step(network, case, state)
        assert (state["along"].numpy() <= former).all()
        former = state["along"].numpy()
        if number % 40 == 0:
            wrong = np.argmax(network(state["best"]), axis=1) != LABELS
            np.testing.assert_array_equal(wrong, np.isfinite(former))
    found = tf.boolean_mask(state["adversarial"], state["broken"])
    clean = tf.boolean_mask(case.x, state["broken"])
    assert (Linf(0.03).distance(found, clean).numpy() <= 0.03 * (1 + 1e-6) + 1e-7).all()
    labels = LABELS[state["broken"].numpy()]
    assert len(labels) and (np.argmax(network(found), axis=1) != labels).all()


def test_more_queries_come_no_less_near():
    near, nearer = (searched(RayS(Linf(0.03), q), X, LABELS, network) for q in (300, 600))
    assert (nearer["along"] <= near["along"]).all() and (nearer["along"] < near["along"]).any()
    assert (nearer["broken"] >= near["broken"]).all()


def test_blocks_of_five_entries():
    x, sizes, level, block = tf.zeros((1, 5, 1, 1)), [], tf.constant([0]), tf.constant([0])
    covered = []
    for _ in range(16):
        inside, last = _block(level, block, x, tf.constant(5))
        places = np.flatnonzero(inside.numpy())
        sizes.append(len(places))
        covered.extend(places)
        level, block = (level + 1, block * 0) if last[0] else (level, block + 1)
    assert sizes == [5, 3, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    assert covered == [*range(5), *range(5), *range(5), *range(5), *range(5)]
    # As deep as a long search goes: single entries still.
    inside, last = _block(tf.constant([30]), tf.constant([4]), x, tf.constant(5))
    assert np.flatnonzero(inside.numpy()).tolist() == [4] and last.numpy().all()


def test_blocks_take_one_channel_after_the_other():
    inside, _ = _block(tf.constant([2]), tf.constant([1]), tf.zeros((1, *SHAPE)), tf.constant(N))
    expected = np.zeros(SHAPE, bool)
    expected[..., 1] = True
    np.testing.assert_array_equal(inside[0], expected)


@pytest.mark.parametrize("shape", [(5, 9, 1), (7, 7, 3), (1, 1, 4), (13,)], ids=str)
def test_images_of_any_shape(shape):
    rng = np.random.default_rng(5)
    x = rng.uniform(0.4, 0.6, size=(3, *shape)).astype("float32")
    # Of one sign mostly: without scores a first success needs a block that points the right way.
    weights = rng.uniform(-0.3, 1.0, size=int(np.prod(shape))).astype("float32")
    offset = 0.1 * np.abs(weights).sum() - x.reshape(3, -1) @ weights

    def model(q):
        score = tf.reshape(q, [3, -1]) @ weights[:, None] + offset[:, None]
        return tf.one_hot(tf.cast(score[:, 0] > 0, tf.int32), 2)

    found = searched(RayS(Linf(0.01), 2500), x, np.ones(3), model)
    error = (found["distance"] - 0.1) * np.sqrt(len(weights)) / TOLERANCE
    left = (found["sign"].reshape(3, -1) * np.sign(weights) > 0).sum(axis=1)
    assert error.min() > -0.01 and (error <= left + 1.01).all()


def test_the_first_bisection_costs_what_the_card_says():
    """Along the diagonal of 48 entries: a look at the corner, and 13 halvings."""
    attack = RayS(Linf(0.03), 14)
    found = searched(attack, X[:1], LABELS[:1] * 0 + 1, lambda x: tf.one_hot([0] * x.shape[0], 2))
    assert found["forwards"] == found["queries"] == 14 and found["broken"] and found["done"]
    assert found["distance"] <= TOLERANCE / np.sqrt(N)


def test_what_is_never_misclassified_has_no_distance():
    found = searched(RayS(Linf(0.03), 30), X, LABELS, lambda x: tf.one_hot(LABELS, 4))
    assert np.isinf(found["distance"]).all() and not found["broken"].any()
    assert set(found["queries"]) == set(found["forwards"]) == {30}
    np.testing.assert_array_equal(found["best"], X)


def test_the_search_can_end_at_success_with_the_same_count():
    whole = searched(RayS(Linf(0.03), 500), X, LABELS, network)
    short = searched(RayS(Linf(0.03), 500, stop_at_success=True), X, LABELS, network)
    for name in ("broken", "queries", "index", "adversarial"):
        np.testing.assert_array_equal(short[name], whole[name])
    broken = short["broken"]
    np.testing.assert_array_equal(short["forwards"][broken], short["queries"][broken])
    assert (short["forwards"][~broken] >= 500).all() and (whole["forwards"] >= 500).all()


def test_neither_batch_nor_order_nor_seed_matter():
    attack = RayS(Linf(0.03), 300)
    whole = attack(network, X, LABELS, seed=0)
    mixed = RNG.permutation(20)[:7]
    part = attack(network, X[mixed], LABELS[mixed], seed=1)
    np.testing.assert_array_equal(part.x, whole.x.numpy()[mixed])
    np.testing.assert_array_equal(part.survived, whole.survived.numpy()[mixed])
    assert attack(network, X[:0], LABELS[:0], seed=0).x.shape == (0, *SHAPE)


def test_rows_may_be_exchanged_while_others_go_on():
    """Row 1 begins anew when the others have made 37 steps; it ends as if alone."""
    attack = RayS(Linf(0.03), 200)
    first, second = (case_of(attack, X[i : i + 3], LABELS[i : i + 3], network) for i in (0, 3))
    take = tf.constant([False, True, False])

    def mixed(ours, theirs):
        shape = [-1] + [1] * (ours.shape.rank - 1)
        return tf.where(tf.reshape(take, shape), theirs, ours)

    state, step = attack.begin(first), tf.function(attack.step, autograph=False)
    for _ in range(37):
        state = step(network, first, state)
    state = tf.nest.map_structure(mixed, state, attack.begin(second))
    x, y = mixed(first.x, second.x), mixed(first.y, second.y)
    case = first._replace(x=x, y=y, keys=ExampleKeys(tf.zeros((3, 2), tf.int32)))
    while not state["done"].numpy().all():
        state = step(network, case, state)
    alone = searched(attack, x.numpy(), y.numpy(), network)
    for name in ("distance", "queries", "broken", "best", "along"):
        np.testing.assert_array_equal(state[name], alone[name], err_msg=name)


def test_settings_are_checked_and_survive_serialisation():
    attack = RayS(L2("128/255"), 50, stop_at_success=True)
    assert RayS.from_config(attack.get_config()) == attack
    with pytest.raises(UserError, match="queries"):
        RayS(Linf(0.1), queries=0)
    with pytest.raises(UserError, match="stop_at_success"):
        RayS(Linf(0.1), stop_at_success=1)
