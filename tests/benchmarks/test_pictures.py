"""The table of how fast pictures are read has a row for each pipeline, and refuses what it cannot compare."""

import re

import numpy as np
import pytest
from PIL import Image

from tests.data.synthetic import make_pictures
from tfrobust.benchmarks import pictures
from tfrobust.errors import UserError


def test_every_pipeline_is_measured_on_the_same_pictures(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(pictures, "BATCHES", 3)
    make_pictures(tmp_path, 2, 40, 20, 30)
    pictures.measure_pictures(str(tmp_path), 16, 4, repeats=1)
    out = capsys.readouterr().out
    # A fifth is the test split, a tenth of the others validation.
    assert out.startswith(f"29 files of {tmp_path}, 16 pixels, batches of 4")
    rows = [line.split() for line in out.splitlines() if re.match(r"\| (tf|tfrobust)|^(tf)", line)]
    assert len(rows) == 3
    antialiased = next(row for row in rows if "antialiased" in row and "not" not in row)
    assert [word for word in antialiased if word in ("1.00",)] == ["1.00", "1.00"]


def test_other_files_are_named(tmp_path):
    make_pictures(tmp_path, 2, 40, 20, 30)
    for number in range(40):
        Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "0001" / f"x{number}.png")
    with pytest.raises(UserError, match=r"x\d+\.png is no JPEG file"):
        pictures.measure_pictures(str(tmp_path), 16, 4, repeats=1)
