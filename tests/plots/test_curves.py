"""Learning curves show the numbers of `metrics.jsonl`."""

import json

import pytest

from tfrobust.errors import UserError
from tfrobust.plots import plot_curves


def test_lines_are_the_runs_numbers(tmp_path):
    rows = [
        {"epoch": 0, "loss": 2.0, "val_accuracy": 0.5, "val_robust_accuracy": 0.1},
        {"epoch": 1, "loss": 1.0, "val_accuracy": 0.75, "val_robust_accuracy": 0.25},
    ]
    for name, keep in (("robust", 4), ("natural", 3)):
        (tmp_path / name).mkdir()
        lines = [json.dumps(dict(list(row.items())[:keep])) for row in rows]
        (tmp_path / name / "metrics.jsonl").write_text("\n".join(lines))
    loss, clean, robust = plot_curves([tmp_path / "robust", tmp_path / "natural"]).axes
    assert [line.get_ydata().tolist() for line in loss.lines] == [[2.0, 1.0]] * 2
    assert clean.lines[1].get_xydata().tolist() == [[1, 0.5], [2, 0.75]]
    names = [text.get_text() for text in loss.get_legend().get_texts()]
    assert names == ["robust", "natural"]
    # A run without an evaluation attack has no robust accuracy: no line, rather than zeros.
    assert [line.get_ydata().tolist() for line in robust.lines] == [[0.1, 0.25]]


def test_a_folder_without_metrics_is_named(tmp_path):
    with pytest.raises(UserError, match="metrics.jsonl"):
        plot_curves([tmp_path])
    with pytest.raises(UserError, match="folders"):
        plot_curves([])
