import csv
import json
import math

import numpy as np
import pytest

from tfrobust.errors import UserError
from tfrobust.runs import files
from tfrobust.training.callbacks.metrics_log import MetricsLog


def read(folder):
    with open(folder / "metrics.csv", newline="") as file:
        table = list(csv.DictReader(file))
    return table, [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_both_files_hold_the_same_rows(tmp_path):
    log = MetricsLog(tmp_path / "run")
    assert read(tmp_path / "run") == ([], [])
    log.append({"loss": np.float32(0.1), "epoch": 0, "rule": "a, b"})
    log.append({"loss": np.array(1 / 3), "epoch": np.int64(1), "val": None, "rule": "c"})
    table, rows = read(tmp_path / "run")
    assert rows == [
        {"epoch": 0, "loss": float(np.float32(0.1)), "rule": "a, b"},
        {"epoch": 1, "loss": 1 / 3, "val": None, "rule": "c"},
    ]
    assert list(table[0]) == ["epoch", "loss", "rule", "val"]
    assert [row["epoch"] for row in table] == ["0", "1"]
    assert float(table[1]["loss"]) == 1 / 3
    assert [row["val"] for row in table] == ["", ""]


def test_a_resumed_run_equals_one_that_was_not_interrupted(tmp_path):
    def row(epoch):
        return {"epoch": epoch, "loss": 1 / (epoch + 3)}

    whole = MetricsLog(tmp_path / "whole")
    for epoch in range(5):
        whole.append(row(epoch))
    cut = MetricsLog(tmp_path / "cut")
    for epoch in range(4):
        cut.append({**row(epoch), "noise": 1.0} if epoch == 3 else row(epoch))
    cut = MetricsLog(tmp_path / "cut", first_epoch=3)
    assert [r["epoch"] for r in read(tmp_path / "cut")[1]] == [0, 1, 2]
    for epoch in (3, 4):
        cut.append(row(epoch))
    for name in ("metrics.csv", "metrics.jsonl"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_not_finite_values_survive(tmp_path):
    MetricsLog(tmp_path).append({"epoch": 0, "a": float("nan"), "b": float("inf")})
    row = MetricsLog(tmp_path, first_epoch=1).rows[0]
    assert math.isnan(row["a"]) and row["b"] == math.inf


def test_rows_are_in_order(tmp_path):
    log = MetricsLog(tmp_path)
    log.append({"epoch": 3})
    with pytest.raises(ValueError, match="epoch 3 follows 3"):
        log.append({"epoch": 3})
    assert len(read(tmp_path)[1]) == 1


@pytest.mark.parametrize("line", ["{", "[1]", '{"loss": 1}', '{"epoch": "x"}'])
def test_a_file_of_another_kind_is_named_and_left_alone(tmp_path, line):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"epoch": 0}\n' + line + "\n")
    with pytest.raises(UserError, match=r"metrics\.jsonl, line 2: not a row.*Move"):
        MetricsLog(tmp_path, first_epoch=1)
    assert path.read_text() == '{"epoch": 0}\n' + line + "\n"


def test_killed_while_writing(tmp_path, monkeypatch):
    log = MetricsLog(tmp_path)
    log.append({"epoch": 0, "loss": 1.0})
    before = read(tmp_path)
    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(files.os, name, lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                log.append({"epoch": 1 if name == "fsync" else 2})
        assert read(tmp_path) == before
    MetricsLog(tmp_path, first_epoch=1).append({"epoch": 1, "loss": 2.0})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["metrics.csv", "metrics.jsonl"]
    assert len(read(tmp_path)[0]) == 2
