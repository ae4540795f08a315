"""A signal stops an evaluation wherever it is, and what was saved is gone on with, or its loss told."""

import io
import os
import signal
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from tfrobust import PGD, Linf
from tfrobust.errors import Interrupted
from tfrobust.evaluation import Bar, evaluate
from tfrobust.runs.signals import AskedToStop, StopRequest

X = np.random.default_rng(0).random((12, 4, 4, 1), np.float32)
Y = (X.mean((1, 2, 3)) > 0.5).astype(int)
ATTACK = PGD(Linf(0.01), steps=2, step_size=0.01)


def model(x):
    mean = tf.reduce_mean(x, axis=(1, 2, 3))
    return tf.stack([0.5 - mean, mean - 0.5], axis=1) * 20.0


def evaluated(folder, stop=lambda: False, bar=None, checks="full"):
    return evaluate(model, (X, Y), ATTACK, workdir=folder, stop=stop, bar=bar, checks=checks)


@pytest.mark.parametrize("phase", ["check_contract", "check_behaviour", "check_suite"])
def test_sigterm_ends_the_checks_within_seconds(tmp_path, monkeypatch, phase):
    def stuck(*_, **__):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    began = time.monotonic()
    with monkeypatch.context() as patched:
        # The package has a function of that name.
        module = sys.modules["tfrobust.evaluation.evaluate"]
        for name in ("check_contract", "check_behaviour", "check_suite"):
            check = stuck if name == phase else lambda *_, **__: ()
            patched.setattr(module, name, check)
        with StopRequest() as stop, pytest.raises(Interrupted):
            evaluated(tmp_path / "out", stop)
    assert time.monotonic() - began < 30
    saved = phase != "check_contract"
    assert (tmp_path / "out" / "state").is_dir() == saved
    assert not (tmp_path / "out" / "report.json").exists()
    # The same request goes on.
    again, whole = evaluated(tmp_path / "out", checks="none"), evaluated(None, checks="none")
    np.testing.assert_array_equal(again.robust, whole.robust)


def test_a_function_that_asks_to_stop_is_asked_between_the_checks():
    asked = AskedToStop(lambda: True)
    with pytest.raises(Interrupted), asked.at_once():
        pass
    with AskedToStop(lambda: False).at_once():
        pass


def test_a_damaged_state_is_told_and_the_evaluation_begins_again(tmp_path):
    whole = evaluated(tmp_path, checks="none")
    (arrays,) = tmp_path.glob("state/step-*/arrays.npz")
    arrays.write_bytes(arrays.read_bytes()[:-50])
    told = io.StringIO()
    again = evaluated(tmp_path, checks="none", bar=Bar(told))
    assert "Skipped a saved state" in told.getvalue() and "arrays.npz" in told.getvalue()
    assert "starts again" in told.getvalue()
    np.testing.assert_array_equal(again.robust, whole.robust)
