"""The training log read for a collapse: logs written by hand."""

import json

import pytest

from tfrobust.evaluation.checks import check_training_log, read_limits

STEADY = [(0.90, 0.40), (0.95, 0.60), (0.97, 0.70), (0.97, 0.68)]
COLLAPSED = [*STEADY, (0.98, 0.35), (0.985, 0.02)]


def run(folder, accuracies, checkpoint, **more):
    names = ("val_accuracy", "val_robust_accuracy")
    rows = [{"epoch": n, **dict(zip(names, row)), **more} for n, row in enumerate(accuracies)]
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (folder / "report.json").write_text(json.dumps({"checkpoint": {"epoch": checkpoint}}))
    return folder


def test_a_steady_log_passes_and_tells_the_values_of_the_checkpoint(tmp_path):
    (finding,) = check_training_log(run(tmp_path, STEADY, 3, jacobian=12.345))
    assert finding.id == "C21" and finding.level == "passed"
    assert finding.value == pytest.approx(0.02) and finding.threshold == 0.1
    for told in ("epoch 3 of 4", "97.0 %", "70.0 %", "12.3"):
        assert told in finding.text


def test_a_collapse_is_a_warning_for_what_comes_after_it_and_a_remark_before(tmp_path):
    (after,) = check_training_log(run(tmp_path, COLLAPSED, 6))
    assert after.fired and after.value == pytest.approx(0.35)
    assert "epoch 5" in after.text and "2.0 %" in after.text and "best_robust" in after.text
    (before,) = check_training_log(run(tmp_path, COLLAPSED, 3))
    assert before.level == "info" and "epoch 5" in before.text and "70.0 %" in before.text


def test_worse_on_both_is_no_collapse_and_the_threshold_is_the_callers(tmp_path):
    folder = run(tmp_path, [(0.97, 0.70), (0.75, 0.50)], 2)
    assert not check_training_log(folder)[0].fired
    run(tmp_path, COLLAPSED, 6)
    assert check_training_log(folder)[0].fired
    assert not check_training_log(folder, read_limits({"C21": {"fall": 0.7}}))[0].fired


def test_nothing_is_said_without_a_run_or_without_both_accuracies(tmp_path):
    assert check_training_log(None) == check_training_log(tmp_path) == ()
    run(tmp_path, STEADY, 4)
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 0, "val_accuracy": 0.9}\n')
    assert check_training_log(tmp_path) == ()
