"""What the attacks of an evaluation say about each other: outcomes written by hand, counted by hand."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfrobust import PGD, Linf
from tfrobust.attacks import APGD
from tfrobust.attacks.noise import RandomNoise
from tfrobust.attacks.rays import RayS
from tfrobust.attacks.square import Square
from tfrobust.attacks.transfer import Transfer
from tfrobust.evaluation import Evaluation, Outcome, evaluate
from tfrobust.evaluation.checks import check_suite, read_limits
from tfrobust.losses import DLR, TargetedDLR

COUNT = 1000
TM = Linf(0.1)
APGD_CE = APGD(TM)
TRANSFER = Transfer(PGD(TM), (lambda x: x,))


def outcome(name, attack, attempted, broken, rejected=(), distance=None):
    mask = np.zeros(COUNT, bool)
    chosen = [mask.copy() for _ in range(3)]
    for which, places in zip(chosen, (attempted, broken, rejected)):
        which[list(places)] = True
    zeros = np.zeros(COUNT, int)
    measures = {} if distance is None else {"distance": distance}
    return Outcome(
        name, attack, *chosen, zeros, zeros, zeros, zeros, measures, (0, 0), 1.0, 1, 0.0, 0.0
    )


def evaluation(*attacks, individual=False, wrong=10, **changes):
    """Of pairs of an attack and the places that it breaks; the first `wrong` are clean errors."""
    labels = np.zeros(COUNT, int)
    predictions = labels.copy()
    predictions[:wrong] = 1
    standing, outcomes = set(range(wrong, COUNT)), []
    for number, (attack, broken, *rest) in enumerate(attacks):
        broken = set(broken) & standing
        outcomes.append(outcome(f"attack-{number}", attack, standing, broken, *rest))
        standing = standing if individual else standing - broken
    given = ("model", "data", "custom", TM, 10, 0, individual, 5 * np.arange(COUNT), labels)
    return dataclasses.replace(Evaluation(*given, predictions, tuple(outcomes)), **changes)


def findings(*arguments, thresholds=None, model=None, **more):
    found = check_suite(evaluation(*arguments, **more), read_limits(thresholds), model=model)
    return {finding.id: finding for finding in found}


def fired(found):
    return {id for id, finding in found.items() if finding.fired}


WHITE = ((APGD_CE, range(10, 200)), (APGD(TM, TargetedDLR(), targets=9), range(200, 210)))


def test_an_ordinary_suite_raises_nothing():
    found = findings(*WHITE, (Square(TM), [300, 301]))
    assert fired(found) == set()
    assert found["C8"].value == pytest.approx(0.002) and found["C8"].examples == (1500, 1505)
    assert "190 broken" not in found["C27"].text and "202 broken, 788 robust" in found["C27"].text
    assert "78.8 %" in found["C40"].text and found["C40"].value == pytest.approx(0.0506, abs=1e-3)
    assert found["C39"].value == pytest.approx(0.01)


def test_black_boxes_that_find_what_gradients_leave():
    found = findings(*WHITE, (Square(TM), [300, 301, 302]))
    assert fired(found) == {"C8"} and "smooth stand-in" in found["C8"].text
    assert found["C8"].value == pytest.approx(0.003) and found["C8"].threshold == 0.002
    # Against a single run more is forgiven; noise counts as well.
    few, many = range(300, 320), range(300, 321)
    assert fired(findings(WHITE[0], (RandomNoise(TM), few))) == set()
    assert fired(findings(WHITE[0], (RandomNoise(TM), many))) == {"C8"}
    # Two examples are no pattern, however few there are in all.
    assert (
        fired(
            findings(
                *WHITE,
                (Square(TM), [300, 301]),
                thresholds={"C8": {"square_share": 0.001, "share": 0.001}},
            )
        )
        == set()
    )
    # More than a few points are no chance.
    few, many = (findings(*WHITE, (Square(TM), range(300, end))) for end in (330, 331))
    assert few["C8"].level == "warning" and many["C8"].level == "severe"
    found = findings((Square(TM), range(300, 321)))
    assert "Not checked" in found["C8"].text and "Not checked" in findings(*WHITE)["C8"].text


def test_what_a_black_box_breaks_before_any_gradient_attack_says_nothing():
    found = findings((Square(TM), range(300, 400)), *WHITE)
    assert fired(found) == set() and found["C8"].value == 0.0


def test_transfer_and_hard_labels_beside_gradients():
    assert fired(findings(*WHITE, (TRANSFER, range(300, 400)))) == {"C8", "C19"}
    # Each on all examples: what counts is whose robust accuracy is lower.
    together = (*WHITE, (TRANSFER, range(100, 215)))
    found = findings(*together, individual=True)
    assert not found["C19"].fired and found["C19"].value == pytest.approx(
        (990 - 200 - (990 - 115)) / 990
    )
    found = findings(*WHITE, (TRANSFER, range(10, 300)), individual=True)
    assert found["C19"].level == "severe" and len(found["C19"].examples) == 20
    distance = np.full(COUNT, np.nan)
    distance[300:304] = 0.02, 0.04, 0.06, 0.3
    found = findings(*WHITE, (RayS(TM), range(300, 303), (), distance))
    assert fired(found) == {"C8", "C20"} and "0.05, over the 4" in found["C20"].text
    assert "0.05 (4 examples)" in found["C41"].text and "C41" not in findings(*WHITE)
    assert found["C19"].level == "info" and "surrogate" in found["C19"].text


@pytest.mark.parametrize(("extra", "level"), [(40, "passed"), (51, "info"), (151, "warning")])
def test_one_loss_and_the_others(extra, level):
    found = findings((APGD_CE, range(10, 100)), (APGD(TM, DLR()), range(300, 300 + extra)))
    assert found["C39"].level == level and found["C39"].value == pytest.approx(extra / 1000)
    assert findings((APGD_CE, range(10, 100)))["C39"].text.startswith("Not checked")


def test_what_did_not_stand_the_second_look():
    found = findings((APGD_CE, range(10, 20), [30, 31]))
    assert fired(found) == {"C26"} and found["C26"].level == "error"
    assert found["C26"].examples == (150, 155) and "attack-0" in found["C26"].text


def test_counts_that_do_not_hold_together():
    sound = evaluation(*WHITE)
    first, second = sound.outcomes
    for broken in (
        dataclasses.replace(second, attempted=first.attempted),
        dataclasses.replace(second, broken=np.ones(COUNT, bool)),
        dataclasses.replace(second, broken=second.broken, rejected=second.broken),
    ):
        found = check_suite(dataclasses.replace(sound, outcomes=(first, broken)))
        assert {f.id for f in found if f.level == "error"} >= {"C27"}
    assert fired({f.id: f for f in check_suite(sound)}) == set()


def test_a_model_that_answers_anew_each_time():
    images = np.zeros((COUNT, 2, 2, 1), np.float32)
    images[:400] = 1.0
    counter = tf.Variable(0)

    def model(x):
        """Right about dark images; about bright ones in every second pass over all of them."""
        counter.assign_add(1)
        sign = tf.where((counter - 1) // 4 % 2 == 0, 1.0, -1.0)
        score = 1.0 - x[:, 0, 0] * (1.0 - sign)
        return tf.concat([score, tf.zeros_like(score)], axis=1)

    found = findings(WHITE[0], adversarial=images, model=model)
    # Four batches make a pass; half of the passes are wrong about 400 of the images.
    assert fired(found) == {"C22"} and found["C22"].value == pytest.approx(0.8 - 0.6)
    assert "80.0 %" in found["C22"].text and "60.0 %" in found["C22"].text
    found = findings(
        WHITE[0],
        adversarial=images,
        model=lambda x: tf.one_hot(tf.zeros(tf.shape(x)[0], tf.int32), 2),
    )
    assert found["C22"].level == "passed"


def test_an_adaptive_attack_is_asked_for():
    given = evaluation(WHITE[0])
    found = {f.id: f for f in check_suite(given)}
    assert found["C34"].level == "info" and fired(found) == set()
    found = {f.id: f for f in check_suite(given, statement="Plain training; nothing else.")}
    assert found["C34"].level == "passed"


def test_a_hidden_gradient_is_found_by_a_whole_evaluation(tiny):
    """Rounding with a gradient of its own: Square finds what APGD cannot climb."""
    inner = tiny.linear(3)

    @tf.custom_gradient
    def rounded(x):
        # A slope that points away.
        return tf.round(12 * x) / 12, lambda upstream: -upstream

    def model(x):
        return inner(rounded(x))

    y = np.argmax(model(tiny.x), axis=1)
    attacks = [("apgd", APGD(TM, steps=10)), ("square", Square(TM, queries=200))]
    honest = [evaluate(f, (tiny.x, y), attacks, checks="none") for f in (model, inner)]
    hidden, plain = ({f.id: f for f in check_suite(found)} for found in honest)
    assert fired(hidden) == {"C8"} and fired(plain) == set()
