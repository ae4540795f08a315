"""The table of one change at a time says what was changed, and what validation chose by."""

import json

import numpy as np
import pytest

from tfrobust.commands.parts.rows import format_bounds, format_change, format_row
from tfrobust.commands.table import COMMAND
from tfrobust.comparison.verdicts import write_test
from tfrobust.errors import UserError


def write(folder, **more):
    counts = {"right": 99, "total": 100, "interval": [0.9, 0.999]}
    report = {"method": "ADV", "data": "mnist", "threat_model": "Linf(epsilon=0.3)", "seed": 0}
    report |= {
        "clean": counts,
        "robust": counts,
        "training_seconds": 7.0,
        "gin_files": ["gin/adv.gin"],
    }
    (folder / "report.json").write_text(json.dumps({**report, **more}))


def test_changes_and_the_numbers_of_the_epoch_that_was_chosen(tmp_path):
    write(tmp_path, gin_bindings=["EPOCHS=3", "SEED = 1"], checkpoint={"epoch": 2})
    rows = [
        {"epoch": i, "val_accuracy": v, "val_robust_accuracy": v / 2}
        for i, v in enumerate((0.5, 0.75))
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    cells = [cell.strip() for cell in format_change(tmp_path).split("|")]
    assert cells[1] == "[adv](gin/adv.gin)" and cells[2] == "`EPOCHS = 3`<br>`SEED = 1`"
    assert cells[3:7] == ["75.00", "37.50", "99.00", "99.00"]


def test_an_earlier_run_has_its_changes_in_its_command(tmp_path):
    write(tmp_path, gin_files=["gin/adv.gin", "gin/parts/scale_small.gin"])
    command = "python bin/train.py --gin_file=gin/adv.gin '--gin_bindings=EPOCHS = 3'"
    (tmp_path / "run.json").write_text(json.dumps({"starts": [{"command": command}]}))
    cells = [cell.strip() for cell in format_change(tmp_path).split("|")]
    assert cells[2:5] == ["`EPOCHS = 3`", "-", "-"]
    both = "[adv](gin/adv.gin) + [scale_small](gin/parts/scale_small.gin)"
    assert cells[1] == both and both in format_row(tmp_path)


def write_evaluation(folder, **more):
    def count(right):
        return {"right": right, "total": 200, "accuracy": right / 200, "interval": [0.5, 0.9]}

    ours = {"schema": 1, "norm": "Linf", "epsilon": "8/255", "clean": count(180)}
    ours |= {"robust": count(150), "certified": {**count(125), "seconds": 2.04}}
    ours |= {"costs": {"attack_seconds": 31.5}, **more}
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps({"tfrobust": ours}))


def test_both_bounds_and_the_seconds_of_both(tmp_path, capsys):
    folder = tmp_path / "ibp" / "evaluation" / "autoattack"
    write_evaluation(folder)
    assert COMMAND.main(["table", "--bounds", str(folder)]) == 0
    *_, row = capsys.readouterr().out.splitlines()
    assert row == format_bounds(folder)
    cells = [cell.strip() for cell in row.split("|")][1:-1]
    interval = "50.0 to 90.0"
    assert cells[:3] == ["ibp", "Linf 8/255", "90.00"]
    assert cells[3:] == ["62.50", interval, "75.00", interval, "", "2.0 s", "31.5 s"]


def test_runs_are_compared_in_pairs_under_their_test(tmp_path, capsys):
    more = ["EPOCHS=3"]
    runs = {"a": (more, 99), "b": ([], 60), "c": (more, 97), "d": ([], 0)}
    for name, (bindings, right) in runs.items():
        (tmp_path / name).mkdir()
        counts = {"right": right, "total": 100, "interval": [0.1, 0.999]}
        write(tmp_path / name, gin_bindings=bindings, robust=counts, test_attack="PGD")
        flags = np.arange(100) < right
        if right:
            write_test(tmp_path / name / "test_examples.csv", np.arange(100), flags, flags)
    folders = [str(tmp_path / name) for name in runs]
    for flag in ([], ["--changes"]):
        assert COMMAND.main(["table", *flag, *folders]) == 0
        text = capsys.readouterr().out
        rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| [")]
        letters = {row[-4]: row[-2] for row in rows}
        assert letters == {"99.00": "a", "60.00": "b", "97.00": "a", "0.00": ""}
        assert "Under the test attack:" in text
        # Two rows of one name are told apart by their folders.
        assert f"adv, EPOCHS = 3 in {folders[0]} is more robust than adv, EPOCHS = 3" in text
        assert f"adv in {folders[3]} is not compared: there is no test_examples.csv" in text


def test_rows_of_one_gin_file_are_told_apart(tmp_path, capsys):
    """By lines of gin that not all have, two of the same lines by their folders; a file alone by its name."""
    shared = ["EPOCHS = 3"]
    lines = {"a": ["BETA=1"], "b": ["BETA = 6"], "c": ["BETA = 6", "SEED = 1"], "d": [], "e": []}
    for name, more in lines.items():
        (tmp_path / name).mkdir()
        write(tmp_path / name, gin_bindings=[*shared, *more])
    (tmp_path / "f").mkdir()
    write(tmp_path / "f", gin_bindings=shared, gin_files=["gin/free.gin"])
    again = f"{tmp_path}/./a/"
    assert COMMAND.main(["table", *(str(tmp_path / name) for name in "abcdef"), again]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| [")]
    assert len(rows) == 6
    told = {row.split(" | ")[0].removeprefix("| ") for row in rows}
    adv = "[adv](gin/adv.gin)"
    assert told == {
        f"{adv}<br>`BETA = 1`",
        f"{adv}<br>`BETA = 6`",
        f"{adv}<br>`BETA = 6`<br>`SEED = 1`",
        f"{adv}<br>`{tmp_path / 'd'}`",
        f"{adv}<br>`{tmp_path / 'e'}`",
        "[free](gin/free.gin)",
    }


def test_one_bound_alone_is_refused(tmp_path):
    for missing, word in (("certified", "certificates"), ("robust", "attacks")):
        write_evaluation(tmp_path / missing, **{missing: None})
        with pytest.raises(UserError, match=f"has no {word}"):
            format_bounds(tmp_path / missing)
