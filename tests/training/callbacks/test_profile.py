"""A profile holds the steps that were asked for, however training is cut into fits and executions."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from tfrobust.errors import UserError
from tfrobust.methods import Free, Natural
from tfrobust.threat_models import Linf
from tfrobust.training.callbacks.profile import Profile

X, Y = np.zeros((16, 2, 2, 1), "float32"), np.arange(16) % 3


def make_method(**options):
    layers = [keras.layers.Flatten(), keras.layers.Dense(3)]
    classifier = keras.Sequential([keras.Input((2, 2, 1)), *layers])
    replays = options.pop("replays", None)
    if replays:
        method = Free(classifier, Linf(0.1), batch_shape=(2, 2, 2, 1), replays=replays)
    else:
        method = Natural(classifier)
    method.compile("sgd", **options)
    return method


def fit(method, *callbacks, epochs=1, first=0):
    """Eight steps an epoch."""
    method.fit(X, Y, 2, epochs, 0, list(callbacks), initial_epoch=first)


def list_profiles(folder):
    """The numbers of the steps in each profile, in the order in which they were recorded."""
    found = []
    for path in sorted(folder.glob("plugins/profile/*/*.xplane.pb")):
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
        numbers = []
        for plane in space.planes:
            names = {key: item.name for key, item in plane.event_metadata.items()}
            kinds = {key: item.name for key, item in plane.stat_metadata.items()}
            for event in (e for line in plane.lines for e in line.events):
                if names[event.metadata_id] == "train":
                    stats = {kinds[s.metadata_id]: s.int64_value for s in event.stats}
                    numbers.append(stats["step_num"])
        found.append(sorted(numbers))
    return found


def test_steps_are_counted_over_fits_and_replays(tmp_path):
    method = make_method(replays=2)
    with Profile(tmp_path, (7, 10)) as profile:
        fit(method, profile)
        assert list_profiles(tmp_path) == []
        fit(method, profile, epochs=2, first=1)
    assert list_profiles(tmp_path) == [[7, 8, 9, 10]]
    # Of a run that goes on beyond its steps there is none to make.
    with Profile(tmp_path / "late", (7, 10)) as profile:
        fit(method, profile)
    assert not (tmp_path / "late").exists()


def test_whole_executions_are_profiled(tmp_path):
    with Profile(tmp_path, (4, 6)) as profile:
        fit(make_method(steps_per_execution=3), profile)
    # An execution is marked by the number of its first step.
    assert list_profiles(tmp_path) == [[4]]
    with Profile(tmp_path, (3, 4)) as profile:
        fit(make_method(steps_per_execution=3), profile)
    assert list_profiles(tmp_path) == [[1, 4]]


class Leave(keras.callbacks.Callback):
    """Ends training after the third step, or raises."""

    def __init__(self, error=None):
        super().__init__()
        self.error = error

    def on_train_batch_end(self, batch, logs=None):
        if batch == 2 and self.error:
            raise self.error
        self.model.stop_training = batch == 2


def test_what_ends_early(tmp_path):
    method = make_method()
    with pytest.raises(ZeroDivisionError), Profile(tmp_path, (2, 8)) as profile:
        fit(method, profile, Leave(ZeroDivisionError()))
    assert list_profiles(tmp_path) == []
    # That nothing records any more is shown by the next one, which goes on after the third step.
    with Profile(tmp_path, (2, 8)) as profile:
        fit(method, profile, Leave())
        assert list_profiles(tmp_path) == [[4, 5, 6]]


def test_one_at_a_time(tmp_path):
    tf.profiler.experimental.start(str(tmp_path))
    try:
        with pytest.raises(UserError, match="something else records"):
            with Profile(tmp_path, (1, 1)) as profile:
                fit(make_method(), profile)
    finally:
        tf.profiler.experimental.stop(save=False)
