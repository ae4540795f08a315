"""The named attacks of the PGD family: what they are, and closed forms on linear models."""

import numpy as np
import pytest
import tensorflow as tf

from tfrobust.attacks import PGD, Adam, Clean, Uniform
from tfrobust.attacks.adam_pgd import adam_pgd
from tfrobust.attacks.carlini_wagner import cw_20
from tfrobust.attacks.fgsm import fgsm, fgsm_rs
from tfrobust.attacks.multi_targeted import multi_targeted
from tfrobust.attacks.random_targeted import random_targeted
from tfrobust.attacks.untargeted_margin import untargeted_margin
from tfrobust.errors import UserError
from tfrobust.losses import CrossEntropy, Margin, ToClean
from tfrobust.losses.logit_objectives import LogitDifference
from tfrobust.losses.margin import logit_difference
from tfrobust.threat_models import Linf

# A rate of 0.1 is two radii.
EPS = 0.05
RNG = np.random.default_rng(1)
X = RNG.uniform(0.0, 1.0, size=(200, 3, 3, 1)).astype("float32")
MATRIX = RNG.normal(size=(9, 10)).astype("float32")
SEEDS = np.stack([np.arange(200), np.full(200, 5)], axis=1).astype("int32")


def linear(x):
    return tf.reshape(x, [-1, 9]) @ MATRIX


LOGITS = linear(X).numpy()
Y = LOGITS.argmax(axis=1).astype("int32")


def flat(x):
    return np.reshape(x, (len(x), -1))


def best_differences(eps=EPS):
    """For every class t the largest z_t - z_y in ball and box, (200, 10); 0 for the label."""
    slopes = MATRIX.T[None] - MATRIX.T[Y][:, None]
    room = np.where(slopes > 0, 1.0 - flat(X)[:, None], flat(X)[:, None])
    gain = (np.abs(slopes) * np.minimum(room, eps)).sum(axis=2)
    return LOGITS - LOGITS[np.arange(200), Y][:, None] + gain


def broken(attack, model=linear):
    found = attack(model, X, Y, seed=SEEDS).x
    return np.argmax(model(found), axis=1) != Y


def test_what_they_are():
    linf = Linf("8/255")
    assert fgsm(linf) == PGD(linf, steps=1, relative_step_size=1.0, start=Clean())
    assert fgsm_rs(linf, ToClean()) == PGD(linf, ToClean(), steps=1, relative_step_size=1.25)
    schedule = Adam(milestones=(100, 150), factors=(0.1, 0.01))
    options = {"steps": 200, "step_size": 0.1, "restarts": 20, "selection": "any"}
    assert adam_pgd(linf) == PGD(linf, CrossEntropy(), stepper=schedule, **options)
    assert untargeted_margin(linf) == PGD(linf, Margin(), stepper=schedule, **options)
    options = {**options, "targets": "all"}
    assert multi_targeted(linf) == PGD(linf, LogitDifference(), stepper=Adam(), **options)
    assert random_targeted(linf).targets == "random" and random_targeted(linf).success == "target"
    assert random_targeted(linf).stepper == schedule
    assert cw_20(linf) == PGD(
        linf, Margin(50.0), steps=20, step_size=0.003, start=Uniform(clip=False), selection="last"
    )


def test_break_points_are_scaled_and_the_first_step_is_a_whole_one():
    for steps, milestones in ((1, (1, 1)), (3, (2, 3)), (50, (25, 38)), (100, (50, 75))):
        assert adam_pgd(Linf(0.1), steps=steps).stepper.milestones == milestones
    assert adam_pgd(Linf(0.1), decay=False).stepper == Adam()
    with pytest.raises(UserError, match="`steps`"):
        adam_pgd(Linf(0.1), steps=0)


def test_logit_difference():
    z = tf.constant([[3.0, 2.0, 5.0, 1.0]])
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = logit_difference(tf.constant([2]), tf.constant([1]), z)
    np.testing.assert_array_equal(value, [-3.0])
    np.testing.assert_array_equal(tape.gradient(value, z), [[0, 1, -1, 0]])
    assert LogitDifference().needs_target


def test_fgsm_is_pgd_with_one_step_of_the_radius_and_nothing_at_radius_zero():
    """Card A1: with a radius of zero the images come back bit for bit."""
    found = fgsm(Linf(0.0))(linear, X, Y, seed=0).x
    np.testing.assert_array_equal(found, X)
    with pytest.raises(UserError, match="never move"):
        fgsm(Linf(EPS), ToClean())


def test_fgsm_from_a_random_start_forgets_it_with_two_radii_and_stays_in_the_ball():
    """Card A2; the distribution of the ordinary one is in the tests of linear models."""
    far = fgsm_rs(Linf(EPS), Margin(), relative_step_size=2.0)

    def binary(x):
        return linear(x)[:, :2]

    y = np.argmax(binary(X), axis=1)
    # A relative rounding of the projection's two sums is all that differs.
    found = [far(binary, X, y, seed=s).x for s in (1, 2)]
    np.testing.assert_allclose(*found, atol=1e-7)
    np.testing.assert_allclose(
        found[0], fgsm(Linf(EPS), Margin())(binary, X, y, seed=0).x, atol=1e-7
    )
    near = fgsm_rs(Linf(EPS))(binary, X, y, seed=3).x
    assert np.abs(near - X).max() <= EPS + 1e-7


def test_one_step_for_every_class_is_exact_on_a_linear_model():
    """Card A8: broken exactly where some class can be reached; zoo Z2."""
    attack = multi_targeted(Linf(EPS), steps=1, restarts=1)
    best = best_differences()
    best[np.arange(200), Y] = -np.inf
    truth = best.max(axis=1) > 0
    assert (np.abs(best.max(axis=1)) > 1e-4).all()
    np.testing.assert_array_equal(broken(attack), truth)
    assert 0 < truth.sum() < 200
    one = [broken(multi_targeted(Linf(EPS), steps=1, restarts=1, targets=n)) for n in (1, 9)]
    assert (one[0] <= one[1]).all() and one[0].sum() < one[1].sum()
    np.testing.assert_array_equal(one[1], truth)


def test_one_step_of_the_margin_misses_what_its_runner_up_hides():
    """The runner-up is first at the start, the other class is the one that can be reached."""
    start = np.float32(0.5)
    # At x = 1/2: z = (0, -0.1, -0.2). Class 1 does not move; class 2 rises by 0.25.
    slopes = np.array([[0.0, 0.0, 5.0]], "float32")

    def model(x):
        return (tf.reshape(x, [-1, 1]) - start) @ slopes + tf.constant([0.0, -0.1, -0.2])

    x = np.full((1, 1, 1, 1), start)
    assert np.argmax(model(fgsm(Linf(EPS), Margin())(model, x, [0], seed=0).x)) == 0
    attack = multi_targeted(Linf(EPS), steps=1, restarts=1)
    assert np.argmax(model(attack(model, x, [0], seed=0).x)) == 2


def test_the_margin_attack_reaches_the_best_target_where_the_runner_up_stays():
    """Card A7, with two classes, where there is one other: the optimum, whose sign is success."""

    def binary(x):
        return linear(x)[:, :2]

    y = np.argmax(binary(X), axis=1)
    slope = (MATRIX[:, 1] - MATRIX[:, 0]) * np.where(y == 0, 1.0, -1.0)[:, None]
    room = np.where(slope > 0, 1.0 - flat(X), flat(X))
    z = binary(X).numpy()
    best = np.where(y == 0, 1, -1) * (z[:, 1] - z[:, 0])
    best += (np.abs(slope) * np.minimum(room, EPS)).sum(axis=1)
    found = untargeted_margin(Linf(EPS), steps=12, restarts=1)(binary, X, y, seed=0).x
    margins = Margin()(tf.constant(y, tf.int32), binary(found)).numpy()
    np.testing.assert_array_equal(margins > 0, np.argmax(binary(found), axis=1) != y)
    np.testing.assert_array_equal(margins > 0, best > 0)
    # What is broken is the first such iterate; what is not is the optimum.
    np.testing.assert_allclose(margins[best <= 0], best[best <= 0], atol=1e-5)


def test_a_rate_of_two_radii_reaches_the_optimum_of_a_linear_model_at_once():
    """Card A6: and every run begins with a new Adam, so that a second one does the same."""

    def binary(x):
        return tf.concat([linear(x)[:, :1] + 9.0, linear(x)[:, 1:2]], axis=1)

    y = np.zeros(200, "int64")
    expected = np.clip(flat(X) + EPS * np.sign(MATRIX[:, 1] - MATRIX[:, 0]), 0, 1)
    for restarts in (1, 3):
        attack = adam_pgd(Linf(EPS), Margin(), steps=1, restarts=restarts, step_size=0.2)
        found = attack(binary, X, y, seed=0).x
        np.testing.assert_allclose(flat(found), expected, atol=1e-6)


def test_cw_is_pgd_on_the_margin_until_it_exceeds_50():
    margin = PGD(Linf(0.31), Margin(), steps=20, step_size=0.03, start=Uniform(clip=False))
    cw = cw_20(Linf(0.31), step_size=0.03)
    np.testing.assert_array_equal(cw(linear, X, Y, seed=2).x, margin(linear, X, Y, seed=2).x)

    def steep(x):
        return 200.0 * linear(x)

    found = cw(steep, X, Y, seed=2).x
    value = Margin()(tf.constant(Y), steep(found)).numpy()
    further = cw_20(Linf(0.31), steps=40, step_size=0.03)(steep, X, Y, seed=2).x.numpy()
    stopped = value > 50.0
    assert 0 < stopped.sum() < 200
    np.testing.assert_array_equal(further[stopped], found.numpy()[stopped])
    assert (Margin()(tf.constant(Y), steep(margin(steep, X, Y, seed=2).x)).numpy() > value)[
        stopped
    ].any()


def test_any_mistake_is_easier_than_the_random_class():
    """Card A9: what reaches its class is misclassified, and more is misclassified than that."""
    wrong = broken(random_targeted(Linf(0.2), 20, 1, success="wrong"))
    target = random_targeted(Linf(0.2), 20, 1)
    assert (wrong >= broken(target)).all() and wrong.sum() > broken(target).sum() > 0
