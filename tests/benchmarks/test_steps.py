"""The counts of passes and the arithmetic of the tables; times are measured, not tested."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust import PGD, Gaussian, Linf, ToClean, UserError
from tfrobust.benchmarks import benchmark_table as table
from tfrobust.benchmarks import calls as calls_room
from tfrobust.benchmarks import passes
from tfrobust.benchmarks import steps as benchmark
from tfrobust.benchmarks.measuring import costs
from tfrobust.benchmarks.measuring.costs import Cost
from tfrobust.models.batch_normalization import BatchNormalization

KEYS = [(kind, name) for name in passes.PASSES for kind in ("ours", "Keras's")]


def classifier():
    inputs = keras.Input((4, 4, 1))
    x = BatchNormalization()(keras.layers.Conv2D(3, 3, use_bias=False)(inputs))
    return keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(x)))


@pytest.fixture(scope="module")
def batch():
    return tf.random.stateless_uniform((4, 4, 4, 1), (0, 1)), tf.constant([0, 1, 2, 3])


class Counting(keras.layers.Layer):
    """The identity; counts how often it runs forward in each mode, and backward."""

    # Of the class, so that a clone (a helper) counts with it.
    runs = {"inference": 0, "training": 0, "backward": 0}

    def _count(self, x, what):
        def count(value):
            self.runs[what] += 1
            return value

        y = tf.py_function(count, [x], x.dtype)
        return tf.ensure_shape(y, x.shape)

    def call(self, x, training=False):
        @tf.custom_gradient
        def counted(x):
            y = self._count(x, "training" if training else "inference")
            return y, lambda upstream: self._count(upstream, "backward")

        return counted(x)


@pytest.mark.parametrize("name", benchmark.METHODS)
def test_steps_are_made_of_the_passes_that_the_table_counts(name, batch):
    counting = Counting()
    inputs = keras.Input((4, 4, 1))
    h = keras.layers.Conv2D(3, 3)(inputs)
    outputs = keras.layers.Dense(10)(keras.layers.Flatten()(counting(h)))
    subject = benchmark.METHODS[name]
    step = calls_room.RepeatedStep(subject, keras.Model(inputs, outputs), *batch)
    for _ in range(2):
        counting.runs.update(dict.fromkeys(counting.runs, 0))
        step()
    assert counting.runs == {
        "inference": subject.forward + subject.to_input + subject.in_inference_mode,
        "training": subject.training_forward + subject.to_weights - subject.in_inference_mode,
        "backward": subject.to_input + subject.to_weights + subject.jacobians,
    }
    assert step.traces == 1


def test_a_trace_too_many_is_seen(batch):
    step = calls_room.RepeatedStep(benchmark.METHODS["Natural"], classifier(), *batch)
    step()
    x, y = batch
    step._batches = iter(tf.data.Dataset.from_tensors((x[:3], y[:3])).repeat())
    step()
    assert step.traces == 2


def test_the_papers_ratios_agree_with_the_counts():
    subjects = benchmark.METHODS
    for name, subject in subjects.items():
        of_one, of_ten = subject.papers
        if of_one is not None:
            assert of_ten == pytest.approx(of_one / subjects["ADV-10"].papers[0], abs=0.006), name
    assert subjects["ADV-10"].papers[0] == pytest.approx(11 / 2, rel=0.01)


def test_passes_are_forward_and_gradients(batch):
    x, y = batch
    model = classifier()
    calls = passes.make_passes(model, x, y)
    assert tuple(calls) == passes.PASSES
    np.testing.assert_allclose(calls["forward"](), model(x, training=False), atol=1e-6)
    label = tf.one_hot(y, 10)
    # The dense layer's bias sees softmax - label, the mean of it over the batch.
    expected = tf.reduce_mean(tf.nn.softmax(model(x, training=True)) - label, axis=0)
    np.testing.assert_allclose(calls["to the weights"]()[-1], expected, atol=1e-6)
    assert calls["to the input"]().shape == x.shape
    moving = model.layers[2].moving_mean.numpy()
    calls["to the input"]()
    np.testing.assert_array_equal(model.layers[2].moving_mean.numpy(), moving)
    calls["training forward"]()
    assert np.any(model.layers[2].moving_mean.numpy() != moving)


def test_both_layers_compute_the_same():
    calls = passes.make_normalization_passes((8, 3, 3, 2))
    assert list(calls) == KEYS
    for name in passes.PASSES:
        ours, stock = calls["ours", name](), calls["Keras's", name]()
        # Keras's epsilon is 1e-3, ours 1e-5.
        tf.nest.map_structure(
            functools.partial(np.testing.assert_allclose, atol=5e-3, rtol=5e-3), ours, stock
        )
    assert passes.find_normalized_shapes(classifier(), 7) == [(7, 2, 2, 3)]


def test_the_update_moves_nothing_without_gradients():
    model = classifier()
    before = [v.numpy() for v in model.trainable_variables]
    calls_room.make_update(model)()
    for old, new in zip(before, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_calls_run_as_often_as_they_are_counted():
    ran = []
    named = {name: functools.partial(ran.append, name) for name in passes.PASSES}
    subject = benchmark.MeasuredMethod(None, forward=1, to_input=3, to_weights=2)
    calls = calls_room.list_calls({"m": subject}, named, {"m": lambda: ran.append("step")})
    assert list(calls) == [("passes", "m"), ("step", "m")]
    measured = costs.measure_calls(calls, 2)
    once = ["forward"] + 3 * ["to the input"] + 2 * ["to the weights"]
    # A round that does not count, one forth, one back.
    assert ran == [*once, "step", *once, "step", "step", *once]
    assert [len(values) for values in measured.values()] == [2, 2]


def test_memory_of_a_call_is_its_tensors(monkeypatch):
    # The tests run without oneDNN, and TensorFlow counts a CPU's tensors only with it.
    held = {"peak": 5, "current": 3}
    experimental = tf.config.experimental
    assert costs.measure_calls({"nothing": lambda: None}, 1)["nothing"][0].memory is None
    monkeypatch.setattr(experimental, "reset_memory_stats", lambda _: held.update(peak=3))
    monkeypatch.setattr(experimental, "get_memory_info", lambda _: held)
    calls = {"large": lambda: held.update(peak=9), "nothing": lambda: None}
    assert [c[0].memory for c in costs.measure_calls(calls, 1).values()] == [6, None]


def test_ratios_are_medians_of_ratios():
    calls = [Cost(2.0, 1.0), Cost(30.0, 4.0), Cost(8.0, 9.0)]
    units = [Cost(1.0, 1.0), Cost(10.0, 2.0), Cost(2.0, 3.0)]
    assert costs.compute_ratios(calls, units) == (3.0, 2.0)
    assert costs.take_median([Cost(1.0, 5.0, 7), Cost(9.0, 2.0, 8), Cost(3.0, 4.0, 6)]) == (
        3.0,
        4.0,
        8,
    )
    assert costs.take_median([Cost(1.0, 1.0, None)]).memory is None
    assert costs.add_costs([Cost(1.0, 2.0, 3)], [Cost(10.0, 20.0, 2)]) == [(11.0, 22.0, 3)]


def test_table_of_steps():
    subjects = {
        "ADV-1": benchmark.MeasuredMethod(None, 0, 1, 1, (1.0, 0.18)),
        "X": benchmark.MeasuredMethod(None, 1, 10, 2, (8.0, None)),
    }
    measured = {
        "update": [Cost(0.5, 0.5)],
        ("passes", "ADV-1"): [Cost(1.5, 3.0, 0)],
        ("step", "ADV-1"): [Cost(2.0, 3.3, 3 * 2**20)],
        ("passes", "X"): [Cost(8.0, 10.0, 0)],
        ("step", "X"): [Cost(10.0, 11.0)],
    }
    first, second = table.format_step_rows(subjects, measured, {"ADV-1": 1, "X": 2})
    assert first == (
        *("ADV-1", "1I + 1W", "2000", "1500", "1.333", "1.100", "1.000"),
        *("1.00 (1.00)", "- (0.18)", "3", "1"),
    )
    assert second == (
        *("X", "1F + 10I + 2W", "10000", "8000", "1.250", "1.100", "1.176"),
        *("5.00 (8.00)", "-", "-", "2"),
    )
    lines = table.format_table(table.STEP_HEAD, [first, second])
    assert len({len(line) for line in lines}) == 1


def test_table_of_passes():
    measured = {key: [Cost(0.25, 0.2, 2**21)] for key in KEYS}
    measured["ours", "forward"] = [Cost(0.5, 0.1, 2**21)]
    rows = table.format_pass_rows(measured, passes.PASSES)
    assert rows[0] == ("forward", "500", "250", "2.000", "0.500", "2")
    assert rows[1][3:5] == ("1.000", "1.000")


def test_unknown_methods_are_named():
    assert list(benchmark.choose_methods([])) == list(benchmark.METHODS)
    assert list(benchmark.choose_methods(["FAIT", "ADV-1"])) == ["FAIT", "ADV-1"]
    with pytest.raises(UserError, match="'FIAT'.*TRADES-MER"):
        benchmark.choose_methods(["FIAT"])


def test_trades_climbs_as_its_card_says():
    attack = benchmark.METHODS["TRADES-10"].make(classifier()).attack
    assert attack == PGD(Linf("8/255"), ToClean(), 10, "2/255", start=Gaussian(0.001))
