"""Square: tables and kernels of the card, and query by query what the plain algorithm does."""

import functools

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies
from scipy import optimize

from tfrobust import L2, Linf
from tfrobust.attacks import square_draws, square_linf
from tfrobust.attacks.case import Case
from tfrobust.attacks.square import Square
from tfrobust.attacks.square_draws import compute_sides
from tfrobust.attacks.square_l1 import L1Squares
from tfrobust.attacks.square_l2 import L2Squares
from tfrobust.errors import UserError
from tfrobust.evaluation.engine.evaluator import Evaluator
from tfrobust.evaluation.engine.scheduling.program import Program
from tfrobust.evaluation.engine.scheduling.queue import Work
from tfrobust.evaluation.engine.scheduling.schedule import SlotSchedule
from tfrobust.evaluation.subject import Subject
from tfrobust.losses.margin import margin
from tfrobust.ops.random.keys import ExampleKeys
from tfrobust.threat_models import L1

ROWS = 12


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (32, [29, 20, 14, 10, 7, 5, 4, 3]),
        (28, [25, 18, 13, 9, 6, 4, 3, 2]),
        (224, [200, 142, 100, 71, 50, 35, 25, 18]),
    ],
)
def test_sides_are_those_of_the_reference(size, expected):
    sides = compute_sides(Square(Linf(0.1)).shares(), size, size)
    first = [0, 11, 51, 201, 501, 1001, 2001, 4001]
    assert sides[first].tolist() == expected
    # A side holds from there until the next one.
    assert sides[np.array([*first[1:], 5000]) - 1].tolist() == expected


@pytest.mark.parametrize("length", [1, 62, 63, 130])
def test_packed_lines_share_a_bit_where_both_are_true(length):
    a, b = np.random.default_rng(0).random((2, 200, length)) < 1.5 / length
    both = tf.bitwise.bitwise_and(square_draws.pack_flags(a), square_draws.pack_flags(b)).numpy()
    np.testing.assert_array_equal((both > 0).any(-1), (a & b).any(-1))
    ones = [bin(value).count("1") for value in both.reshape(-1)]
    assert sum(ones) == (a & b).sum() > 0


def test_sides_in_l2_are_odd_unless_the_image_ends():
    shares = Square(L2(0.1)).shares()
    first = [0, 11, 51, 201, 501, 1001, 2001, 4001]
    sides = L2Squares((32, 32, 3), shares).sides
    assert sides[first].tolist() == [29, 21, 15, 11, 7, 5, 5, 3]
    assert L2Squares((9, 6, 1), shares).sides[first].tolist() == [6, 5, 3, 3, 3, 3, 3, 3]


def test_a_rescaled_schedule_has_the_same_sides_in_fewer_queries():
    whole = Square(Linf(0.1), queries=10000).shares()
    short = Square(Linf(0.1), queries=1000, rescale_schedule=True).shares()
    np.testing.assert_array_equal(short, whole[::10])


def test_kernels_are_those_of_the_reference():
    expected = [
        [0.136083, 0.680414, 0.136083],
        [-0.129099, -0.129099, -0.129099],
        [-0.129099, -0.645497, -0.129099],
    ]
    kernel = L2Squares.kernel
    np.testing.assert_allclose(kernel(3), expected, atol=1e-6)
    row = [0.049162, 0.159777, 0.602237, 0.159777, 0.049162]
    np.testing.assert_allclose(np.abs(kernel(5)[1]), row, atol=1e-6)
    for side in (1, 3, 7, 11):
        np.testing.assert_allclose(np.linalg.norm(kernel(side)), 1.0, rtol=1e-6)


def test_kernels_in_l1_by_hand():
    """Pyramids of 1 / (k + 1)^4 in the sum norm: 1 and 2 / 16 above, 1 and 5 / 16 below."""
    above, below = np.array([[1 / 16, 1 + 1 / 16, 1 / 16]]), np.full((2, 3), 1 / 16)
    below[1, 1] += 1
    expected = np.concatenate([above / above.sum(), -below / below.sum()]) / 2
    np.testing.assert_allclose(L1Squares.kernel(3), expected, rtol=1e-6)
    np.testing.assert_array_equal(L1Squares.kernel(1), [[-1.0]])
    for side in (3, 5, 11):
        np.testing.assert_allclose(np.abs(L1Squares.kernel(side)).sum(), 1.0, rtol=1e-6)
        np.testing.assert_allclose(L1Squares.kernel(side).sum(), 0.0, atol=1e-6)


@functools.cache
def network_for(shape, classes=4):
    generator = np.random.default_rng(5)
    size = int(np.prod(shape))
    first = generator.normal(size=(size, 16)).astype("float32")
    second = generator.normal(size=(16, classes)).astype("float32")

    def network(x):
        return tf.nn.relu(tf.reshape(x - 0.5, [-1, size]) @ first) @ second

    x = generator.random((ROWS, *shape)).astype("float32")
    return network, x, np.argmax(network(x), axis=1).astype("int32")


def case_of(shape, radius):
    network, x, y = network_for(shape)
    seeds = np.stack([np.arange(ROWS), np.full(ROWS, 9)], axis=1).astype("int32")
    keys = ExampleKeys(tf.constant(seeds))
    run = tf.zeros([ROWS], tf.int32)
    return network, Case(tf.constant(x), tf.constant(y), network(x), run, keys, tf.constant(radius))


def finished(network, attack, case):
    """The state at the end of all rows' runs."""
    state, step = attack.begin(case), tf.function(lambda s: attack.step(network, case, s))
    while not state["done"].numpy().all():
        state = step(state)
    return state


def plain(network, attack, case):
    """The algorithm of the card in numpy, one query after the other, with the library's draws.

    Also returns how many answers were not known before: of a proposal that changes the image, and that
    was not refused since the last change (which is remembered for one side, and small images only).
    """
    x, y, radius = case.x.numpy(), case.y.numpy(), np.float32(case.radius)
    rows, height, width, channels = x.shape
    high, low = np.clip(x + radius, 0, 1), np.clip(x - radius, 0, 1)
    stripes = case.keys.fold_in(-3).uniform((rows, 1, width, channels)).numpy() >= 0.5
    best = np.where(stripes, high, low)
    words = case.keys.words(np.tile(np.arange(attack.queries), (rows, 1))).numpy()
    sides = compute_sides(attack.shares(), height, width)

    def value_of(images):
        return -margin(y, network(images)).numpy()

    value = value_of(best)
    queries, values, needed = np.ones(rows, int), [value.copy()], np.ones(rows, int)
    remembers, known = height * width * 2**channels <= 2**14, [set() for _ in range(rows)]
    for number in range(attack.queries):
        side, proposal = int(sides[number]), best.copy()
        active = value > 0
        for row in range(rows):
            word = int(words[row, number])
            top = int(
                np.float32((word >> 43) & (2**21 - 1)) * np.float32(2.0**-21) * (height - side)
            )
            left = int(
                np.float32((word >> 22) & (2**21 - 1)) * np.float32(2.0**-21) * (width - side)
            )
            for channel in range(channels):
                colour = high if (word >> channel) & 1 else low
                window = slice(top, top + side), slice(left, left + side), channel
                proposal[(row, *window)] = colour[(row, *window)]
            place = side, top, left, word % 2**channels
            changes = (proposal[row] != best[row]).any() and place not in known[row]
            needed[row] += active[row] and changes
            known[row] |= {place} if remembers else set()
        new = value_of(proposal)
        taken = active & ((new < value) | (new <= 0))
        best[taken], value[taken] = proposal[taken], new[taken]
        for row in np.flatnonzero(taken):
            known[row].clear()
        queries += active
        values.append(value.copy())
    return best, value, queries, needed, np.array(values)


@pytest.mark.parametrize(
    ("shape", "radius", "queries"),
    [
        ((8, 8, 1), 0.02, 700),
        ((9, 5, 1), 0.03, 600),
        ((7, 7, 3), 0.01, 300),
        ((1, 1, 1), 0.01, 40),
        ((6, 5, 4), 0.02, 120),
        ((40, 40, 5), 0.002, 40),
    ],
)
def test_what_is_known_is_not_asked_and_changes_nothing(shape, radius, queries):
    network, case = case_of(shape, radius)
    attack = Square(Linf(radius), queries=queries)
    best, value, asked, needed, values = plain(network, attack, case)
    assert (np.diff(values, axis=0) <= 0).all()
    state = finished(network, attack, case)
    np.testing.assert_array_equal(state["best"], best)
    np.testing.assert_array_equal(state["queries"], asked)
    np.testing.assert_allclose(state["value"], value, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(state["broken"], np.argmax(network(best), 1) != case.y)
    lasting = ~state["broken"].numpy()
    assert lasting.any() and (state["queries"].numpy()[lasting] == queries + 1).all()
    np.testing.assert_array_equal(state["forwards"], needed)
    if shape == (8, 8, 1):
        assert needed[lasting].mean() < 0.5 * queries
    assert not state["backwards"].numpy().any()
    # Inside a square of the last colour every pixel is at the ball's or the box's face.
    delta = np.abs(best - case.x.numpy())
    at_face = (delta == 0) | (np.abs(delta - radius) < 1e-6) | (best == 0) | (best == 1)
    assert at_face.all()


def test_neither_the_look_ahead_nor_the_table_changes_what_is_found(monkeypatch):
    network, case = case_of((8, 8, 1), 0.02)
    usual = finished(network, Square(Linf(0.02), queries=150), case)
    monkeypatch.setattr(square_linf, "AHEAD", 1)
    one = finished(network, Square(Linf(0.02), queries=150), case)
    monkeypatch.setattr(square_linf, "_MOST_PLACES", 0)
    forgetful = finished(network, Square(Linf(0.02), queries=150), case)
    assert "known" in one and "known" not in forgetful
    for name in ("best", "value", "broken", "queries", "adversarial"):
        np.testing.assert_array_equal(one[name], usual[name])
        np.testing.assert_array_equal(forgetful[name], usual[name])
    np.testing.assert_array_equal(one["forwards"], usual["forwards"])
    assert forgetful["forwards"].numpy().sum() > usual["forwards"].numpy().sum()


def test_every_query_of_a_random_model_is_made_and_a_deterministic_one_does_not_feel_it():
    network, case = case_of((8, 8, 1), 0.02)
    attack = Square(Linf(0.02), queries=80)
    skips = finished(network, attack, case)
    asks = finished(network, attack, case._replace(is_random=tf.constant(True)))
    for name in ("best", "value", "broken", "queries", "adversarial", "index"):
        np.testing.assert_array_equal(asks[name], skips[name])
    np.testing.assert_array_equal(asks["forwards"], asks["queries"])
    assert (skips["forwards"].numpy() < asks["forwards"].numpy()).mean() > 0.5


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_noise_is_found_out_before_the_search(noise):
    """By whoever runs it: an evaluation, and a call of the attack itself."""
    network, x, y = network_for((8, 8, 1))
    answers = []

    def model(images):
        def asked():
            answers.append(noise)
            return np.random.default_rng(len(answers)).normal(size=4) * noise

        drawn = tf.numpy_function(asked, [], tf.float64)
        return network(images) + tf.cast(tf.ensure_shape(drawn, [4]), tf.float32)

    attack = Square(Linf(0.002), queries=60)
    evaluator = Evaluator(Subject.of(model), [("square", attack)])
    _, (outcome,), _ = evaluator(x, y, np.arange(ROWS))
    stands = outcome.attempted & ~outcome.broken & ~outcome.rejected
    asked = outcome.forwards[stands]
    assert stands.sum() > 3 and ((asked == 61).all() if noise else (asked < 61).any())
    answers.clear()
    attack(model, x, y, seed=0)
    assert len(answers) > 60 if noise else len(answers) < 66


def test_the_search_jumps_to_its_end_when_every_square_is_known():
    network, case = case_of((1, 1, 1), 0.0)
    attack = Square(Linf(0.0), queries=100_000)
    state, step = attack.begin(case), tf.function(lambda s: attack.step(network, case, s))
    for _ in range(3):
        state = step(state)
    assert state["done"].numpy().all() and (state["queries"].numpy() == 100_001).all()
    assert (state["forwards"].numpy() == 1).all()


def test_a_linear_lead_is_lowered_by_the_windows_sum():
    """v = 2 w.x + 30 with w > 0: a proposal is kept if and only if its change summed with w is below 0."""
    weights = np.random.default_rng(2).uniform(0.5, 1.5, 35).astype("float32")

    def model(x):
        score = tf.reshape(x, [-1, 35]) @ weights[:, None] + 15.0
        return tf.concat([score, -score], axis=1)

    _, case = case_of((7, 5, 1), 0.1)
    case = case._replace(y=tf.zeros([ROWS], tf.int32), logits=model(case.x))
    attack = Square(Linf(0.1), queries=60)
    state, step = attack.begin(case), tf.function(lambda s: attack.step(model, case, s))
    kept = refused = 0
    state = step(state)
    while not state["done"].numpy().all():
        new = step(state)
        change = (state["candidate"] - state["best"]).numpy().reshape(ROWS, 35) @ weights
        lower, asks = change < 0, state["asks"].numpy()
        moved = (new["best"] != state["best"]).numpy().any((1, 2, 3))
        np.testing.assert_array_equal(moved, asks & lower)
        kept, refused, state = kept + moved.sum(), refused + (asks & ~lower).sum(), new
    assert kept > ROWS and refused > ROWS
    # No pass was made for a proposal that changes nothing: every colour that was left is the lower one.
    lowest = np.clip(case.x - 0.1, 0, 1)
    assert (state["best"].numpy() == lowest).mean() > 0.8


@pytest.mark.parametrize(
    "threat_model",
    [
        Linf(0.03),
        *(pytest.param(t, marks=pytest.mark.slow) for t in (L2(0.2), L1(1.0))),
    ],
)
def test_slots_count_the_queries_of_a_plain_call(threat_model):
    network, x, y = network_for((7, 5, 2))
    seeds = np.stack([np.arange(ROWS), np.full(ROWS, 3)], axis=1).astype("int32")
    attack = Square(threat_model, queries=40, restarts=2)
    found = attack(network, x, y, seed=seeds).x.numpy()
    broken = np.argmax(network(found), axis=1) != y
    assert 0 < broken.sum() < ROWS
    work = Work(x, y, network(x).numpy(), seeds)
    programs = (
        Program(network, attack, 5),
        Program(network, attack, ROWS),
    )
    results = [SlotSchedule(program, work, 4)() for program in programs]
    for result in results:
        np.testing.assert_array_equal(result["broken"], broken)
        np.testing.assert_allclose(result["images"][broken], found[broken], atol=1e-6)
        for measured in ("broken_run", "step"):
            np.testing.assert_array_equal(result[measured], results[0][measured])
        # Of an example that is broken a later run may have begun, or not.
        assert (result["queries"][~broken] == 2 * 41).all()
        assert (result["queries"][broken] <= 2 * 41).all()
        np.testing.assert_array_equal(result["forwards"][~broken], results[0]["forwards"][~broken])
    mixed = np.random.default_rng(1).permutation(ROWS)[:5]
    part = attack(network, x[mixed], y[mixed], seed=seeds[mixed]).x.numpy()
    np.testing.assert_allclose(part, found[mixed], atol=1e-6)


@functools.cache
def attack_with(threat_model):
    return Square(threat_model, queries=25)


@hypothesis.settings(max_examples=9)
@hypothesis.given(
    seed=strategies.integers(0, 2**31),
    scale=strategies.sampled_from([0.0, 0.3, 1.0]),
    bound=strategies.sampled_from([0.0, 0.05, 0.5]),
    threat_model=strategies.sampled_from([Linf(0.2), L2(0.7), L1(2.0)]),
)
def test_what_is_found_lies_in_ball_and_box(seed, scale, bound, threat_model):
    """`bound`: images begin at most that far from a face of the box."""
    network, x, y = network_for((6, 5, 3))
    x = np.where(np.abs(x - 0.5) > 0.5 - bound, np.round(x), x).astype("float32")
    found = attack_with(threat_model)(network, x, y, seed=seed, scale=scale).x.numpy()
    distance = threat_model.distance(tf.constant(found), tf.constant(x)).numpy()
    assert (distance <= threat_model.radius(scale) * (1 + 1e-6) + 1e-7).all()
    assert found.min() >= 0 and found.max() <= 1 and found.dtype == np.float32


def test_twice_the_logits_are_the_same_search():
    network, case = case_of((6, 5, 3), 0.02)
    attack = Square(Linf(0.02), queries=60)
    one, two = finished(network, attack, case), finished(lambda x: 2.0 * network(x), attack, case)
    np.testing.assert_array_equal(two["best"], one["best"])
    np.testing.assert_array_equal(two["forwards"], one["forwards"])


def test_a_tie_ends_the_search_and_is_not_a_mistake_of_the_first_class():
    """Equal logits: the lowest class counts, so that label 1 is wrong and label 0 is right."""
    _, case = case_of((5, 5, 1), 0.1)
    labels = tf.constant(np.arange(ROWS) % 2, tf.int32)
    state = finished(lambda x: tf.zeros([ROWS, 3]), Square(Linf(0.1)), case._replace(y=labels))
    np.testing.assert_array_equal(state["broken"], labels.numpy() == 1)
    assert (state["queries"].numpy() == 1).all() and (state["forwards"].numpy() == 1).all()


@pytest.mark.parametrize("shape", [(8, 8, 1), (5, 9, 3), (12, 7, 4)])
def test_l2_moves_mass_and_stays_on_the_sphere(shape):
    network, case = case_of(shape, 0.3)
    attack = Square(L2(0.3), queries=60)
    state, step = attack.begin(case), tf.function(lambda s: attack.step(network, case, s))
    before = np.full(ROWS, np.inf)
    for _ in range(61):
        state = step(state)
        value = state["value"].numpy()
        assert (value <= before).all()
        before = value
    assert state["done"].numpy().all()
    best = state["best"].numpy()
    lengths = np.sqrt(((best - case.x.numpy()) ** 2).sum((1, 2, 3)))
    assert (lengths <= 0.3 * (1 + 1e-6)).all() and best.min() >= 0 and best.max() <= 1
    inner = (best > 0).all((1, 2, 3)) & (best < 1).all((1, 2, 3))
    np.testing.assert_allclose(lengths[inner], 0.3, rtol=1e-5)
    start = attack.begin(case)["best"].numpy()
    assert (before < -margin(case.y, network(start)).numpy()).any()


def cut(norm, x, delta, radius):
    """The image x + delta, brought into the set, in numpy."""
    if norm == "l2":
        return np.clip(x + radius * delta / np.linalg.norm(delta), 0, 1)
    radius *= 1 - 1e-6
    room, size = np.where(delta > 0, 1 - x, x), np.abs(delta)

    def left(level):
        return np.clip(size - level, 0, room)

    excess = lambda level: left(level).sum() - radius  # noqa: E731
    level = optimize.brentq(excess, 0, size.max(), xtol=1e-14) if excess(0.0) > 0 else 0.0
    return x + np.sign(delta) * left(level)


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_a_proposal_by_hand(norm):
    """One step of the formula for one row, written out."""
    radius, order = {"l2": (0.5, 2), "l1": (2.0, 1)}[norm]
    _, case = case_of((8, 8, 2), radius)
    attack = Square({"l2": L2, "l1": L1}[norm](radius), queries=30)
    law = attack._law(case.x)
    state = {**attack.begin(case), "index": tf.fill([ROWS], 3)}
    found = law.propose(case.x, case.radius, state, False).image.numpy()
    words = case.keys.words(np.tile([6, 7], (ROWS, 1))).numpy()
    side = int(law.sides[3])
    for row in range(ROWS):
        x, first, second = case.x.numpy()[row], int(words[row, 0]), int(words[row, 1])
        delta = state["best"].numpy()[row] - x

        def window(word):
            top, left = ((word >> s) & (2**21 - 1) for s in (43, 22))
            top, left = int(top / 2**21 * (8 - side)), int(left / 2**21 * (8 - side))
            return slice(top, top + side), slice(left, left + side)

        here, there = window(first), window(second)
        pattern = law.kernel(side).T if second & 1 else law.kernel(side)
        union = np.zeros((8, 8), bool)
        union[here] = union[there] = True
        new = np.empty((side, side, 2))
        for c in range(2):
            sign = 1 if (first >> c) & 1 else -1
            part = delta[here][..., c]
            part = pattern * sign + part / (1e-12 + np.linalg.norm(part.ravel(), order))
            both = np.linalg.norm(delta[union][:, c], order)
            if norm == "l2":
                mass = np.sqrt(max(0.25 - (delta**2).sum(), 0) / 2 + both**2)
            else:
                mass = 2 * (max(radius - np.abs(delta).sum(), 0) / 2 + both)
            new[..., c] = part / np.linalg.norm(part.ravel(), order) * mass
        delta[there] = 0
        delta[here] = new
        np.testing.assert_allclose(found[row], cut(norm, x, delta, radius), atol=3e-5)


def test_the_start_in_l1_is_tiles_that_are_brought_into_the_set():
    """Every tile has a mass of one in each channel; the projection leaves what is largest."""
    _, case = case_of((12, 7, 4), 6.0)
    law = Square(L1(6.0))._law(case.x)
    start = law.start(case.x, tf.constant(1e4), case.keys).numpy() - case.x.numpy()
    assert np.abs(start).max() <= 1
    # Without a bound on the ball only the box cuts: rows 1 to 12, a tile of two by two to each step.
    assert not start[:, 0].any() and (start[:, 1:11].reshape(ROWS, 10, -1) != 0).any(2).all()
    bounded = law.start(case.x, case.radius, case.keys).numpy() - case.x.numpy()
    total = np.abs(bounded).sum((1, 2, 3))
    assert (total <= 6.0).all()
    np.testing.assert_allclose(total, 6.0, rtol=1e-5)


@pytest.mark.parametrize("shape", [(8, 8, 1), (5, 9, 3)])
def test_l1_keeps_what_lowers_the_lead_and_stays_in_the_set(shape):
    network, case = case_of(shape, 1.5)
    attack = Square(L1(1.5), queries=60)
    state, step = attack.begin(case), tf.function(lambda s: attack.step(network, case, s))
    before, changed = np.full(ROWS, np.inf), 0
    for _ in range(61):
        state = step(state)
        value, best = state["value"].numpy(), state["best"].numpy()
        assert (value <= before).all()
        far = np.abs(best.astype("float64") - case.x.numpy()).sum((1, 2, 3))
        assert (far <= 1.5).all() and best.min() >= 0 and best.max() <= 1
        changed, before = changed + (value < before).sum(), value
    assert state["done"].numpy().all() and changed > 2 * ROWS
    lasting = ~state["broken"].numpy()
    assert lasting.any() and (state["queries"].numpy()[lasting] == 61).all()
    assert (state["forwards"].numpy()[lasting] == 61).all()


def test_a_model_without_gradient_is_broken():
    weights = np.random.default_rng(0).normal(size=(16, 1)).astype("float32")

    def model(x):
        score = tf.reshape(tf.stop_gradient(x) - 0.5, [-1, 16]) @ weights
        return tf.concat([-score, score], axis=1)

    x = np.full((5, 4, 4, 1), 0.5, "float32")
    x += 0.02 * np.sign(weights).reshape(1, 4, 4, 1)
    found = Square(Linf(0.1), queries=200)(model, x, np.ones(5, int), seed=0).x
    assert (np.argmax(model(found), axis=1) == 0).all()


def test_settings_that_cannot_work():
    for wrong in ({"queries": 0}, {"restarts": 0}, {"initial_share": 1.5}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            Square(Linf(0.1), **wrong)
    _, case = case_of((4, 8, 1), 0.1)
    for threat_model in (L2(0.1), L1(0.1)):
        with pytest.raises(UserError, match="at least 5 by 5"):
            Square(threat_model).begin(case)
    for shape, reason in (((5, 5, 23), "22 channels"), ((25,), r"images \(h, w, c\)")):
        with pytest.raises(UserError, match=reason):
            Square(Linf(0.1)).begin(case._replace(x=tf.zeros([ROWS, *shape])))
