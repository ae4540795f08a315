"""Bars have the heights of the numbers in the reports."""

import json

import pytest

from tfrobust.errors import UserError
from tfrobust.plots import plot_accuracies


def write(folder, clean, robust, threat_model="Linf(epsilon=0.15)"):
    folder.mkdir(parents=True)
    counts = {
        name: value and {"accuracy": value, "interval": [value - 0.05, value + 0.03]}
        for name, value in (("clean", clean), ("robust", robust))
    }
    report = {"schema": 1, "threat_model": threat_model, **counts}
    (folder / "report.json").write_text(json.dumps({"tfrobust": report}))
    return folder


def test_bars_have_the_heights_of_the_reports(tmp_path):
    one = write(tmp_path / "trades" / "evaluation" / "autoattack", 0.9, 0.8)
    other = write(tmp_path / "natural", 0.95, 0.05)
    axes = plot_accuracies([one, other]).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["trades", "natural"]
    clean, robust = (bars for bars in axes.containers if hasattr(bars, "patches"))
    assert [bar.get_height() for bar in clean.patches] == [0.9, 0.95]
    assert [bar.get_height() for bar in robust.patches] == [0.8, 0.05]
    (ends,) = (lines for lines in robust.errorbar.lines[2])
    assert ends.get_segments()[0][:, 1] == pytest.approx([0.75, 0.83])
    assert axes.get_xlabel() == "Linf 0.15"


def test_runs_of_one_name_are_told_apart(tmp_path):
    folders = [write(tmp_path / name / "seed_0", 0.9, 0.5) for name in ("adv", "trades")]
    labels = plot_accuracies(folders).axes[0].get_xticklabels()
    assert [label.get_text() for label in labels] == ["adv/seed_0", "trades/seed_0"]


def test_what_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(UserError, match="one or more evaluations"):
        plot_accuracies([])
    with pytest.raises(UserError, match="has no attacks"):
        plot_accuracies([write(tmp_path / "a", 0.9, None)])
    others = [write(tmp_path / "b", 0.9, 0.5), write(tmp_path / "c", 0.9, 0.5, "L2(epsilon=0.5)")]
    with pytest.raises(UserError, match="different threat models"):
        plot_accuracies(others)
