"""Arrays are computed once for the same settings, and anew for others."""

import numpy as np
import pytest

from tfrobust.figures.kept import load_or_compute


def test_what_was_computed_is_read_again(tmp_path):
    calls = []

    def compute():
        calls.append(1)
        return {"a": np.arange(3)}

    for settings, made in (({"seed": 0}, 1), ({"seed": 0}, 1), ({"seed": 1}, 2)):
        arrays, _ = load_or_compute(tmp_path / "deep" / "x.npz", settings, compute)
        np.testing.assert_array_equal(arrays["a"], [0, 1, 2])
        assert list(arrays) == ["a"] and len(calls) == made


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text"])
def test_a_damaged_file_is_made_anew(tmp_path, content):
    (tmp_path / "x.npz").write_bytes(content)
    _, was_there = load_or_compute(tmp_path / "x.npz", {}, lambda: {"a": np.zeros(1)})
    assert not was_there
    assert load_or_compute(tmp_path / "x.npz", {}, dict)[1]
