"""Streams change nothing: the flags, steps and images of one stream, also after an interruption."""

import threading
import time
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust import Linf
from tfrobust.attacks import APGD, FAB, Square
from tfrobust.errors import Interrupted, UserError
from tfrobust.evaluation import Evaluator, Subject, forget_traces
from tfrobust.evaluation.compiled.single_thread import SingleThreadFunction
from tfrobust.evaluation.engine.journal import Journal
from tfrobust.evaluation.engine.scheduling import slots as slots_module
from tfrobust.evaluation.engine.scheduling.pace import Pace
from tfrobust.evaluation.engine.scheduling.program import Program
from tfrobust.evaluation.engine.scheduling.slots import Slots
from tfrobust.losses import TargetedDLR
from tfrobust.models import BatchNormalization

TM = Linf(0.04)
ATTACKS = (
    ("apgd-t", APGD(TM, TargetedDLR(), steps=5, targets=3)),
    ("fab", FAB(TM, steps=3)),
    ("square", Square(TM, queries=20)),
)
RNG = np.random.default_rng(0)
X = RNG.random((40, 4, 4, 1)).astype("float32")
IDS = np.arange(40)


class Sums(keras.layers.Layer):
    """A dense layer whose rounding does not depend on the size of the batch."""

    def __init__(self, units):
        super().__init__()
        self.units = units

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], self.units))

    def call(self, x):
        return tf.reduce_sum(x[:, :, None] * self.kernel, axis=1)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Flatten(), Sums(8), keras.layers.ReLU(), Sums(4)]
    return keras.Sequential([keras.Input((4, 4, 1)), *layers])


@pytest.fixture(scope="module")
def labels(model):
    return model.predict(X, verbose=0).argmax(axis=1)


@pytest.fixture(scope="module")
def one(model, labels):
    return Evaluator(Subject.of(model), ATTACKS, streams=1, slots=24)(X, labels, IDS)


def assert_same(result, expected):
    np.testing.assert_array_equal(result[0], expected[0])
    for outcome, other in zip(result[1], expected[1], strict=True):
        for name in ("broken", "run", "step", "rejected", "unanswered"):
            np.testing.assert_array_equal(getattr(outcome, name), getattr(other, name))
        held = ~other.broken
        np.testing.assert_array_equal(outcome.forwards[held], other.forwards[held])
        for name, values in outcome.measures.items():
            np.testing.assert_array_equal(values[held], other.measures[name][held])
    np.testing.assert_array_equal(result[2], expected[2])


@pytest.mark.parametrize("streams", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_streams_find_what_one_finds_to_the_last_bit(model, labels, one, streams):
    evaluator = Evaluator(Subject.of(model), ATTACKS, streams=streams, slots=24)
    result = evaluator(X, labels, IDS)
    assert_same(result, one)
    broken = [outcome.broken.sum() for outcome in result[1]]
    assert broken[0] > 0 and sum(broken) < 40
    assert [outcome.streams for outcome in result[1]] == [streams] * 3
    assert all(outcome.slots % streams == 0 for outcome in result[1])
    assert all(outcome.slots <= 24 for outcome in result[1])
    # One trace, however many streams.
    assert all(outcome.traces <= 1 for outcome in result[1])


def test_later_attacks_are_traced_beside_the_ones_before(model, labels, monkeypatch):
    """Each in the other thread, before the first step of the first attack is over."""
    prepare, tick = Program.prepare, Slots.tick
    prepared: dict[str, int] = {}
    ended = threading.Event()

    def note(self, *examples):
        prepare(self, *examples)
        prepared[type(self.attack).__name__] = threading.get_ident()
        if len(prepared) == 2:
            ended.set()

    def wait(self):
        assert ended.wait(60)
        return tick(self)

    monkeypatch.setattr(Program, "prepare", note)
    monkeypatch.setattr(Slots, "tick", wait)
    forget_traces()
    evaluator = Evaluator(Subject.of(model), ATTACKS, streams=2, slots=24)
    result = evaluator(X, labels, IDS)
    assert list(prepared) == ["FAB", "Square"]
    assert threading.get_ident() not in prepared.values()
    # They are told with their attack, once, and by later ones not at all.
    assert [outcome.traces for outcome in result[1]] == [1, 1, 1]
    assert [outcome.traces for outcome in evaluator(X, labels, IDS)[1]] == [0, 0, 0]


def test_an_error_of_a_trace_comes_when_its_turn_does(model, labels, monkeypatch):
    def fail(self, *examples):
        raise RuntimeError("traced ahead")

    monkeypatch.setattr(Program, "prepare", fail)
    forget_traces()
    ended: list[str] = []
    bar = types.SimpleNamespace(
        begin=lambda *a: None, show=lambda *a: None, end=lambda name, text: ended.append(name)
    )
    evaluator = Evaluator(Subject.of(model), ATTACKS, streams=2, slots=24)
    with pytest.raises(RuntimeError, match="traced ahead"):
        evaluator(X, labels, IDS, bar=bar)
    assert ended == ["apgd-t"]


def test_several_streams_are_at_work_at_once(model, labels, monkeypatch):
    """Each waits in its first step until the other is there; alone it would wait for ever."""
    met, tick = threading.Barrier(2, timeout=60), Slots.tick
    workers = set()

    def wait(self):
        if threading.get_ident() not in workers:
            workers.add(threading.get_ident())
            met.wait()
        return tick(self)

    monkeypatch.setattr(Slots, "tick", wait)
    Evaluator(Subject.of(model), ATTACKS[:1], streams=2, slots=24)(X, labels, IDS)
    assert len(workers) == 2


@pytest.mark.parametrize(
    ("before", "after"), [pytest.param(2, 1, marks=pytest.mark.slow), (1, 2), (2, 3)]
)
def test_what_is_stopped_goes_on_with_another_number_of_streams(
    model, labels, one, tmp_path, monkeypatch, before, after
):
    monkeypatch.setattr(slots_module, "LOOK", 1e-9)
    looks = []

    def stop():
        looks.append(0)
        return len(looks) == 7

    def run(streams, **options):
        journal = Journal(tmp_path / "state", {"model": "one"}, IDS, seconds=0.0)
        evaluator = Evaluator(Subject.of(model), ATTACKS, streams=streams, slots=24)
        return evaluator(X, labels, IDS, journal, **options)

    with pytest.raises(Interrupted):
        run(before, stop=stop)
    assert_same(run(after), one)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_error_in_one_stream_ends_all(model, labels, monkeypatch, error):
    ticks, tick = [], Slots.tick

    def fail(self):
        ticks.append(self)
        if len(ticks) == 3:
            raise error("here")
        if len(ticks) > 3:
            # Time in which the other one hears of it, on a machine that does other work too.
            time.sleep(1.0)
        return tick(self)

    monkeypatch.setattr(slots_module, "LOOK", 1e-9)
    monkeypatch.setattr(Slots, "tick", fail)
    threads = threading.active_count()
    with pytest.raises(error, match="here"):
        Evaluator(Subject.of(model), ATTACKS, streams=2, slots=8)(X, labels, IDS)
    # The other one made no more than the step in which it was.
    assert len(ticks) <= 5 and threading.active_count() == threads


def test_only_what_reads_its_weights_alone_is_shared(model, labels):
    with pytest.raises(UserError, match="Several streams need a Keras model"):
        Evaluator(Subject.of(lambda x: model(x)), ATTACKS, streams=2)(X, labels, IDS)
    with pytest.raises(UserError, match="`streams` must be 'auto'"):
        Evaluator(Subject.of(model), ATTACKS, streams=0)


def test_a_single_thread_computes_the_same_bits_with_a_convolution():
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(8, 3), BatchNormalization()]
    )
    x = RNG.random((64, 8, 8, 3)).astype("float32")
    weights = [tf.convert_to_tensor(v.value) for v in network.variables]

    def forward(weights, x):
        with keras.StatelessScope(state_mapping=list(zip(network.variables, weights, strict=True))):
            return {"logits": network(x, training=False)}

    alone = SingleThreadFunction(forward)
    whole = tf.function(forward, autograph=False)
    np.testing.assert_array_equal(alone(weights, x)["logits"], whole(weights, x)["logits"])
    assert alone.experimental_get_tracing_count() == 1
    with pytest.raises(UserError, match="cannot read variables"):
        SingleThreadFunction(lambda x: network(x))(x)


def test_rows_are_the_fewest_of_those_that_are_over_about_soonest():
    # A pass costs 5 and 0.1 a row: as few passes as there can be.
    assert Pace(2, (10, 200), (6.0, 25.0)).choose_rows(400, 200) == 200
    # A pass costs 2 and 0.1 a row: twice as many passes cost a tenth more at most.
    assert Pace(2, (10, 200), (3.0, 22.0)).choose_rows(400, 200) == 100
    # A pass costs nothing but its rows: as few as there may be, if hardly any are idle in the end.
    free = Pace(2, (10, 200), (1.0, 20.0))
    assert free.choose_rows(400, 200) == 34 and free.choose_rows(66, 200) == 33
    # Fewer examples get the rows of all, unless idle rows cost more than a trace.
    assert free.plan_rows(300, 400, 200, passes=0.0) == free.choose_rows(400, 200)
    assert free.plan_rows(300, 400, 200, passes=100.0) == free.choose_rows(300, 200)


def test_an_attack_that_is_given_no_example_has_rows_too():
    """After one that broke all of them."""
    pace = Pace(2, (64, 256), (0.002, 0.005))
    assert pace.choose_rows(0, 256) == 1
    assert pace.plan_rows(0, 3000, 256, 100.0) == pace.choose_rows(3000, 256)
