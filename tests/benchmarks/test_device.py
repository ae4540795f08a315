"""The table of a device; times are measured, not tested."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.benchmarks import device
from tfrobust.benchmarks.calls import RepeatedStep
from tfrobust.benchmarks.measuring.costs import Cost
from tfrobust.benchmarks.steps import METHODS


def test_a_row_by_hand():
    costs = [Cost(0.5, 9.0, 2**20), Cost(0.25, 9.0, 3 * 2**20), Cost(2.0, 9.0, 2**20)]
    row = device.format_row("ADV-10", METHODS["ADV-10"], costs, 128, 1)
    assert row == ("ADV-10", "10I + 1W", "500", "256", "512", "3", "1")
    assert len(row) == len(device.HEAD)


@pytest.mark.slow
def test_steps_are_measured_one_after_the_other_and_one_too_large_stops_nothing(monkeypatch):
    classifier = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    x, y = np.zeros((4, 4, 4, 1), "float32"), np.zeros(4, "int32")
    chosen = {name: METHODS[name] for name in ("Natural", "ADV-1", "FAT")}

    class Step(RepeatedStep):
        def __init__(self, subject, *arguments):
            if subject is METHODS["ADV-1"]:
                raise tf.errors.ResourceExhaustedError(None, None, "OOM")
            super().__init__(subject, *arguments)

    monkeypatch.setattr(device, "RepeatedStep", Step)
    rows = device.measure_device(chosen, classifier, x, y, 2)
    assert [row[0] for row in rows] == list(chosen)
    assert rows[1][2] == "out of memory"
    assert [rows[0][-1], rows[2][-1]] == ["1", "1"]
    assert all(len(row) == len(device.HEAD) for row in rows)


def test_the_device_is_named(monkeypatch):
    assert f"TensorFlow {tf.__version__}" in device.describe_device()
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["a", "b"])
    details = {"device_name": "Card 9", "compute_capability": (9, 0)}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    assert device.describe_device().startswith("Card 9, compute capability 9.0, 1 of 2; ")
