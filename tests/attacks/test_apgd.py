"""APGD: checkpoints by table, linear models by closed form, targets, restarts."""

import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import APGD, PGD
from tfrobust.attacks.apgd_momentum import checkpoint_windows
from tfrobust.attacks.case import Case
from tfrobust.attacks.targets import choose_ranked_target
from tfrobust.errors import UserError
from tfrobust.losses import DLR, CrossEntropy, Margin, TargetedDLR
from tfrobust.losses import targeted_difference_of_logits_ratio as targeted
from tfrobust.ops.random.keys import keys_of
from tfrobust.threat_models import L2, Linf

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("steps", "ends"),
    [
        (100, [22, 41, 57, 70, 80, 87, 93, 99]),
        (10, list(range(2, 11))),
        (20, [4, 7, 9, *range(10, 21)]),
        (50, [11, 21, 30, 38, 45]),
        (1000, [220, 410, 570, 700, 800, 870, 930, 990]),
    ],
)
def test_checkpoints_are_where_the_reference_has_them(steps, ends):
    windows = np.array(checkpoint_windows(steps))
    found = np.flatnonzero(windows) + 1
    assert found.tolist() == ends
    np.testing.assert_array_equal(windows[found - 1], np.diff([0, *ends]))


def binary(weights, offset=0.0):
    """Logits (0, w.x + c); the label is the sign."""

    def model(x):
        score = tf.reshape(x, [tf.shape(x)[0], -1]) @ tf.constant(weights[:, None]) + offset
        return tf.concat([tf.zeros_like(score), score], axis=1)

    return model


W = RNG.normal(size=16).astype("float32")
X = RNG.uniform(0.3, 0.7, size=(40, 4, 4, 1)).astype("float32")
Y = np.ones(40, "int64")  # The attack lowers w.x.


def gains(threat_model, steps):
    # The offset keeps every point right, so that the search runs to its end.
    offset = 2.0 - np.min(X.reshape(40, 16) @ W)
    found = APGD(threat_model, steps=steps)(binary(W, offset), X, Y, seed=0).x.numpy()
    return found, (X - found).reshape(40, 16) @ W


@pytest.mark.parametrize("steps", [1, 5])
def test_linf_reaches_the_optimum_of_a_linear_model_at_once(steps):
    found, _ = gains(Linf(0.1), steps)
    expected = np.clip(X - 0.1 * np.sign(W).reshape(1, 4, 4, 1), 0, 1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(("steps", "share"), [(2, 0.98), (5, 0.998), (10, 0.99999)])
def test_l2_comes_as_close_as_the_card_says(steps, share):
    _, gain = gains(L2(0.1), steps)
    assert (gain >= share * 0.1 * np.linalg.norm(W)).all()
    assert (gain <= (1 + 1e-5) * 0.1 * np.linalg.norm(W)).all()


def network(x, seed=3, classes=5):
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(16, 12)).astype("float32")
    second = rng.normal(size=(12, classes)).astype("float32")
    return tf.nn.relu(tf.reshape(x - 0.5, [tf.shape(x)[0], 16]) @ first) @ second


LABELS = np.argmax(network(X).numpy(), axis=1)


def broken(attack, seed=0):
    found = attack(network, X, LABELS, seed=seed).x.numpy()
    return found, np.argmax(network(found).numpy(), axis=1) != LABELS


@pytest.mark.parametrize("threat_model", [Linf(0.03), L2(0.1)])
@pytest.mark.parametrize("objective", [CrossEntropy(), DLR(), Margin()])
def test_what_is_found_lies_in_the_set_and_more_effort_breaks_more(threat_model, objective):
    found, first = broken(APGD(threat_model, objective, steps=15))
    distance = threat_model.distance(tf.constant(found), tf.constant(X)).numpy()
    assert (distance <= threat_model.radius() * (1 + 1e-6) + 1e-7).all()
    assert found.min() >= 0 and found.max() <= 1
    _, again = broken(APGD(threat_model, objective, steps=15, restarts=3))
    assert 0 < first.mean() < 1 and (again >= first).all()


def test_it_is_at_least_as_strong_as_pgd():
    _, ours = broken(APGD(Linf(0.03), steps=30))
    _, theirs = broken(PGD(Linf(0.03), steps=30, relative_step_size=0.25))
    assert ours.sum() >= theirs.sum()


def case_of(attack, logits, run=0):
    """All images with their run, for looking at a search step by step."""
    x, y = tf.constant(X), tf.constant(LABELS, tf.int32)
    radius = tf.constant(attack.threat_model.radius())
    return Case(x, y, logits, tf.fill([40], run), keys_of(0), radius)


def test_every_class_is_aimed_at_once():
    attack = APGD(Linf(0.03), TargetedDLR(), steps=15, targets=4)
    logits = network(X)
    order = [
        choose_ranked_target(case_of(attack, logits), tf.fill([40], rank)).numpy()
        for rank in range(4)
    ]
    np.testing.assert_array_equal(np.transpose(order), np.argsort(-logits, axis=1)[:, 1:])
    _, all_targets = broken(attack)
    _, one_target = broken(APGD(Linf(0.03), TargetedDLR(), steps=15, targets=1))
    assert (all_targets >= one_target).all()


def test_the_step_size_is_twice_the_radius_halved_some_times_and_the_best_loss_never_falls():
    attack = APGD(Linf(0.1), steps=20)
    case, best = case_of(attack, network(X)), None
    state = attack.begin(case)
    for _ in range(21):
        state = attack.step(network, case, state)
        halvings = np.log2(0.2 / state["step_size"].numpy())
        np.testing.assert_allclose(halvings, np.round(halvings), atol=1e-5)
        assert best is None or (state["best_loss"].numpy() >= best).all()
        best = state["best_loss"].numpy()
    loss = CrossEntropy()(case.y, network(state["best"])).numpy()
    np.testing.assert_allclose(loss, best, rtol=1e-5, atol=1e-6)
    assert halvings.max() >= 2


def test_rows_that_are_done_keep_their_numbers_and_passes_are_counted():
    """The unbreakable model of the card: a gap of 100 and a gradient that is not zero."""

    def unbreakable(x):
        return 100.0 * tf.one_hot(LABELS, 5) + 1e-3 * network(x)

    attack = APGD(Linf(0.03), steps=10)
    case = case_of(attack, network(X))
    state = attack.begin(case)
    for _ in range(13):
        state = attack.step(unbreakable, case, state)
    assert state["done"].numpy().all() and not state["broken"].numpy().any()
    assert set(state["forwards"].numpy()) == set(state["backwards"].numpy()) == {11}
    assert set(state["index"].numpy()) == {10}


def test_targeted_dlr_golden_values():
    """Computed with AutoAttack's own code for z = (3, 2, 5, 1), label 2."""
    z, y = tf.constant([[3.0, 2.0, 5.0, 1.0]]), tf.constant([2])
    expected = {
        0: (-0.571429, [0.285714, -0.081633, -0.122449, -0.081633]),
        1: (-0.857143, [0, 0.163265, -0.040816, -0.122449]),
        3: (-1.142857, [0, -0.163265, 0.040816, 0.122449]),
    }
    for target, (value, slope) in expected.items():
        with tf.GradientTape() as tape:
            tape.watch(z)
            found = targeted(y, tf.constant([target]), z)
        np.testing.assert_allclose(found, [value], atol=1e-6)
        np.testing.assert_allclose(tape.gradient(found, z)[0], slope, atol=1e-6)


def test_three_and_two_classes_are_defined():
    y, target = tf.constant([0]), tf.constant([1])
    np.testing.assert_allclose(targeted(y, target, tf.constant([[4.0, 2.0, 1.0]])), [-2 / 3])
    np.testing.assert_allclose(targeted(y, target, tf.constant([[4.0, 1.0]])), [-3.0])


def test_settings_that_cannot_work_together_are_refused():
    for wrong in ({"objective": TargetedDLR()}, {"targets": 3}):
        with pytest.raises(UserError, match="targets"):
            APGD(Linf(0.1), **wrong)
    assert APGD(Linf(0.1), TargetedDLR(), targets=9, restarts=2).runs(5) == 8
    with pytest.raises(UserError, match="`targets`"):
        PGD(Linf(0.1), TargetedDLR())
