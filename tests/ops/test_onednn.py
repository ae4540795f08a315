"""Whether TensorFlow leaves oneDNN off by itself."""

import pytest

from tfrobust.ops import onednn


@pytest.mark.parametrize(
    ("computes", "asked", "gpus", "left_off"),
    [
        (False, None, [], True),
        (True, None, [], False),
        (False, "0", [], False),
        (False, None, ["GPU:0"], False),
    ],
)
def test_it_is_left_off_where_nobody_asked(computes, asked, gpus, left_off, monkeypatch):
    monkeypatch.setattr(onednn, "onednn_is_on", lambda: computes)
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda *kind: gpus)
    monkeypatch.delenv(onednn.VARIABLE, raising=False)
    if asked is not None:
        monkeypatch.setenv(onednn.VARIABLE, asked)
    assert onednn.is_left_off() == left_off
