"""Models with one fault each: the checks before the attacks name it, and nothing else."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust import L1, L2, PGD, Linf
from tfrobust.attacks import APGD
from tfrobust.evaluation.checks import check_contract, read_limits
from tfrobust.evaluation.checks.before.outputs import check_precision
from tfrobust.evaluation.checks.check import Limits
from tfrobust.evaluation.checks.probe import Probe
from tfrobust.losses import DLR

NAMES = {f"C{n}" for n in (1, 2, 3, 4, 5, 6, 7, 17, 24, 25, 28, 30, 35, 37, 38)} | {"C18a"}


def findings(model, x, y, classes, threat_model=None, **flags):
    found = check_contract(model, x, y, threat_model or Linf(0.1), classes, **flags)
    told = [finding.id for finding in found]
    assert len(told) == len(set(told)) and all(finding.text for finding in found)
    return {finding.id: finding for finding in found}


def fired(found):
    return {id for id, finding in found.items() if finding.fired}


@pytest.mark.parametrize(
    ("classes", "threat_model"),
    [(2, Linf(0.1)), (3, L2(0.5)), (10, L2(0.5)), (10, L1(1.0))],
    ids=str,
)
def test_a_linear_model_has_no_fault(tiny, classes, threat_model):
    model = tiny.linear(classes)
    # Differences of a linear function are its slope, but where another class takes over.
    exact = read_limits({"C18a": {"low": 0.7, "high": 1.4}})
    y = tiny.labels_of(model)
    found = findings(model, tiny.x, y, classes, threat_model, limits=exact)
    assert fired(found) == set() and set(found) == NAMES
    # 128 examples are not many.
    assert {id for id, f in found.items() if f.level == "info"} == {"C28"}


def test_logits_of_a_hundred_times_the_size_saturate(tiny):
    model = tiny.linear(10, 100)
    found = findings(model, tiny.x, tiny.labels_of(model), 10)
    # Some gaps are so large that the cross-entropy has no slope at all.
    assert fired(found) == {"C17", "C7"} and found["C7"].level == "warning"
    # A suite that climbs nothing but the cross-entropy has nothing to go by.
    alone = findings(model, tiny.x, tiny.labels_of(model), 10, attacks=[PGD(Linf(0.1))])
    assert alone["C7"].level == "severe" and alone["C7"].value > 0.01
    both = [PGD(Linf(0.1)), APGD(Linf(0.1), DLR())]
    assert findings(model, tiny.x, tiny.labels_of(model), 10, attacks=both)["C7"].level == "warning"
    z = model(tiny.x).numpy()
    gap = np.diff(np.sort(z, axis=1), axis=1)[:, -1]
    assert f"{100 * np.mean(gap > 16.6):.1f} %" in found["C17"].text
    assert 0.1 < found["C17"].value < np.mean(gap > 16.6)


def test_large_logits_are_worth_a_remark_where_the_cross_entropy_still_works(tiny):
    # Far ahead, but the slopes of the others are opposite: nothing of the direction is lost.
    def model(x):
        score = 16 + tf.reshape(x, [-1, 16]) @ tf.ones([16, 1])
        return tf.concat([score, -score, -score - 1], axis=1)

    found = findings(model, tiny.x, np.zeros(len(tiny.x), int), 3)
    assert found["C17"].level == "info" and fired(found) == set()


def test_probabilities_are_an_error_with_the_way_out(tiny):
    model = tiny.linear(10)
    found = findings(lambda x: tf.nn.softmax(model(x)), tiny.x, tiny.labels_of(model), 10)
    assert fired(found) == {"C1"} and found["C1"].level == "error"
    assert "softmax" in found["C1"].text and "activation = None" in found["C1"].text
    assert all("Not checked" in found[id].text for id in ("C4", "C7", "C30"))


def test_logarithms_of_probabilities_are_fine(tiny):
    model = tiny.linear(10)
    found = findings(lambda x: tf.nn.log_softmax(model(x)), tiny.x, tiny.labels_of(model), 10)
    assert fired(found) == set() and found["C1"].level == "info"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda x: tf.round(8 * x) / 8, {"C7", "C30"}),
        (tf.stop_gradient, {"C7", "C30"}),
        (lambda x: x + tf.stop_gradient(tf.round(3 * x) / 3 - x), {"C18a", "C30"}),
        (lambda x: tf.sigmoid(500 * (x - 0.5)), {"C18a", "C7"}),
        (lambda x: x + 0.1 * tf.random.normal(tf.shape(x)), {"C5", "C30"}),
        (lambda x: tf.nn.dropout(x, 0.2), {"C5", "C30"}),
    ],
    ids=["round", "stop", "straight-through", "steep", "noise", "dropout"],
)
def test_a_layer_in_front_that_hides_the_gradient(tiny, change, expected):
    model = tiny.linear(10)
    y = tiny.labels_of(lambda x: model(change(x)))
    found = findings(lambda x: model(change(x)), tiny.x, y, 10, Linf(0.3))
    assert fired(found) == expected


@tf.custom_gradient
def flipped(x):
    """The identity, whose gradient has the wrong sign."""
    return tf.identity(x), lambda upstream: -upstream


def test_a_gradient_with_a_flipped_sign_is_named(tiny):
    model = tiny.linear(10)
    y = tiny.labels_of(model)
    found = findings(lambda x: model(flipped(x)), tiny.x, y, 10)
    assert fired(found) == {"C18a"} and found["C18a"].level == "severe"
    assert "negated" in found["C18a"].text and found["C18a"].value > 0.9


def test_gradients_that_no_loss_has_are_severe(tiny):
    model = tiny.linear(10)

    def steep(x):
        return model(tf.sigmoid(2000 * (x - 0.5)))

    found = findings(steep, tiny.x, np.argmax(steep(tiny.x), axis=1), 10)
    assert found["C7"].level == "severe"


def test_a_radius_of_zero_makes_no_differences(tiny):
    model = tiny.linear(10)
    found = findings(model, tiny.x, tiny.labels_of(model), 10, Linf(0.0))
    assert fired(found) == set() and "Not checked" in found["C18a"].text


def test_the_class_alone(tiny):
    model = tiny.linear(10)
    y = tiny.labels_of(model)

    def labels_only(x):
        return tf.one_hot(tf.argmax(model(x), axis=1), 10)

    found = findings(labels_only, tiny.x, y, 10)
    assert fired(found) == {"C7", "C24", "C30"} and "RayS" in found["C24"].text
    # Where that is known, nothing is found that is not.
    found = findings(labels_only, tiny.x, y, 10, has_gradient=False, has_scores=False)
    assert fired(found) == set()
    assert all("Not checked" in found[id].text for id in ("C7", "C17", "C18a", "C24", "C30"))


def test_batch_normalisation_in_training_mode(tiny):
    model, trains = tiny.keras_model(), tiny.keras_model(training=True)
    found = findings(model, tiny.x, np.argmax(model(tiny.x), axis=1), 5)
    assert fired(found) == set()
    found = findings(trains, tiny.x, np.argmax(trains(tiny.x), axis=1), 5)
    assert fired(found) == {"C4"} and found["C4"].level == "error"
    assert "training=False" in found["C4"].text


def test_statistics_of_the_batch_without_any_variable(tiny):
    model = tiny.linear(5)

    def centred(x):
        return model(x - tf.reduce_mean(x, axis=0) + 0.5)

    found = findings(centred, tiny.x, np.argmax(centred(tiny.x), axis=1), 5)
    assert fired(found) == {"C4"} and "other images of its batch" in found["C4"].text
    assert found["C4"].value > 0.1


def test_statistics_that_move_without_being_used(tiny):
    counter, model = tf.Variable(0.0), tiny.linear(5)

    def counts(x):
        counter.assign_add(1.0)
        return model(x) + 0.0 * counter.read_value()

    found = findings(counts, tiny.x, tiny.labels_of(model), 5)
    assert fired(found) == {"C4"} and found["C4"].value == 0.0


def test_numbers_that_are_none(tiny):
    model = tiny.linear(10)
    y = tiny.labels_of(model)
    bright = tiny.x[:, 0, 0, 0] > 0.5

    def holes(x):
        return tf.where(x[:, 0, 0] > 0.5, np.nan, model(x))

    found = findings(holes, tiny.x, y, 10)
    assert fired(found) == {"C1"} and found["C1"].value == pytest.approx(bright.mean())
    np.testing.assert_array_equal(found["C1"].examples, np.flatnonzero(bright)[:20])
    found = findings(lambda x: model(tiny.infinite(x)), tiny.x, y, 10)
    assert fired(found) == {"C7"} and "not finite" in found["C7"].text


def test_constant_logits(tiny):
    y = np.arange(len(tiny.x)) % 10
    found = findings(lambda x: 0.0 * tiny.linear(10)(x), tiny.x, y, 10)
    assert fired(found) == {"C37", "C7", "C24"}
    assert found["C37"].value == pytest.approx(np.mean(y == 0))


@pytest.mark.parametrize(
    ("change", "hint"),
    [(lambda x: 255 * x, "255"), (lambda x: (x - 0.5) / 0.25, "normalised")],
)
def test_pixels_in_other_units(tiny, change, hint):
    model = tiny.linear(10)
    found = findings(model, change(tiny.x), tiny.labels_of(model), 10)
    assert fired(found) == {"C2"} and hint in found["C2"].text


def test_pixels_that_stick_out_by_rounding(tiny):
    model = tiny.linear(10)
    assert fired(findings(model, tiny.x + 3e-8, tiny.labels_of(model), 10)) == set()
    # A pixel of NaN is outside, too.
    x = tiny.x.copy()
    x[3, 0, 0] = np.nan
    assert fired(findings(model, x, tiny.labels_of(model), 10)) == {"C2"}


@pytest.mark.parametrize("threat_model", [Linf(1.0), L2(4.0)], ids=str)
def test_a_radius_that_reaches_everything(tiny, threat_model):
    model = tiny.linear(10)
    found = findings(model, tiny.x, tiny.labels_of(model), 10, threat_model)
    assert fired(found) == {"C2"} and "radius" in found["C2"].text


@pytest.mark.parametrize("wrong", [np.full(128, 10), np.full(128, 0.0), np.eye(128, 10, dtype=int)])
def test_labels_that_are_none(tiny, wrong):
    assert fired(findings(tiny.linear(10), tiny.x, wrong, 10)) == {"C3"}


def test_labels_of_other_images_and_too_few_of_them(tiny):
    model = tiny.linear(10)
    found = findings(model, tiny.x, np.roll(tiny.labels_of(model), 1), 10)
    # Attacks look for zero gradients where the model is right.
    assert "C37" in fired(found) <= {"C37", "C17"}
    found = findings(model, tiny.x[:50], tiny.labels_of(model)[:50], 10)
    assert fired(found) == {"C28"}


@pytest.mark.parametrize("shape", [(5, 9, 1), (7, 7, 4), (1, 1, 3)], ids=str)
def test_shapes(shape):
    random = np.random.default_rng(0)
    x = random.uniform(size=(110, *shape)).astype("float32")
    w = random.normal(size=(int(np.prod(shape)), 3)).astype("float32")

    def model(x):
        return tf.reshape(x - 0.5, [-1, len(w)]) @ w

    assert fired(findings(model, x, np.argmax(model(x), axis=1), 3)) == set()


def functional():
    inputs = keras.Input((4, 4, 1))
    hidden = keras.layers.Dense(8, "relu")(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Dense(4)(hidden))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.inner = functional()

    def call(self, x, training=False):
        return self.inner(x, training=training)


@pytest.mark.parametrize("make", [functional, Subclassed])
def test_kinds_of_keras_models(tiny, make):
    model = make()
    y = np.argmax(model.inner(tiny.x) if make is Subclassed else model(tiny.x), axis=1)
    assert fired(findings(model, tiny.x, y, 4)) == set()


def test_half_precision_is_compared_with_a_copy_in_full(tiny):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = functional()
    finally:
        keras.config.set_dtype_policy("float32")
    found = findings(model, tiny.x, np.argmax(model(tiny.x), axis=1), 4)
    assert found["C25"].value is not None and "half precision" in found["C25"].text
    assert fired(found) <= {"C25", "C24"}
    # A function of the model has no copy: that is said, not passed over.
    probe = Probe(lambda x: model(x), tiny.x, np.zeros(128), None, Linf(0.1), True, True, 128)
    told = check_precision(probe, {"low precision": ["Cast"]}, Limits())
    assert told.level == "info" and "Not checked" in told.text


def test_a_graph_that_is_not_what_runs_eagerly(tiny):
    model = tiny.linear(10)

    def two_faced(x):
        return model(x) * (1.0 if tf.executing_eagerly() else 1.5)

    found = findings(two_faced, tiny.x, tiny.labels_of(model), 10)
    assert fired(found) == {"C6"} and found["C6"].value > 0.1


def test_limits_can_be_changed(tiny):
    model, limits = tiny.linear(10), read_limits({"C28": {"few": 129}, "C36": {"examples": 30}})
    found = findings(model, tiny.x, tiny.labels_of(model), 10, limits=limits)
    assert fired(found) == {"C28"} and "first 30 examples" in found["C37"].text


def test_an_attack_of_radius_zero_that_moves_images_is_an_error(tiny, monkeypatch):
    project = Linf.project
    monkeypatch.setattr(Linf, "project", lambda *given: project(*given) * 0.5)
    model = tiny.linear(10)
    found = findings(model, tiny.x, tiny.labels_of(model), 10, Linf(0.1))
    assert found["C38"].level == "error" and found["C38"].value > 0.9
