"""The rows of a table as points: means over seeds and their deviations, or one run and its interval."""

import csv
import json

import pytest

from tfrobust.commands.plot import COMMAND
from tfrobust.errors import UserError
from tfrobust.figures.of_rows import draw_rows
from tfrobust.figures.request import Request
from tfrobust.ops.uncertainty.interval import binomial_interval


def write_run(
    folder,
    gin,
    seed,
    clean,
    robust,
    threat_model="Linf(epsilon='8/255')",
    tests=None,
    attack="PGD(steps=20)",
):
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"seed": seed, "starts": []}))
    about = {
        "gin_files": [gin],
        "seed": seed,
        "method": "",
        "data": "",
        "threat_model": threat_model,
        "test_attack": attack,
    }
    counts = {"right": clean, "total": 100, "interval": [0, 1]}
    tested = counts if tests is None else counts | {"right": tests}
    report = {**about, "training_seconds": 1.0, "clean": counts, "robust": tested}
    (folder / "report.json").write_text(json.dumps(report))
    if robust is not None:
        (folder / "autoattack.json").write_text(json.dumps({"right": robust, "total": 100}))


def draw(root, *paths):
    drawn = draw_rows(Request(tuple(str(root / p) for p in paths), root / "rows.png"))
    return drawn.figure, {row[0]: row[1:] for row in drawn.rows}


@pytest.fixture
def table(tmp_path):
    for seed, robust in enumerate((30, 40, 50)):
        write_run(tmp_path / "all" / f"trades_{seed}", "gin/trades.gin", seed, 80, robust)
    write_run(tmp_path / "all" / "adv", "gin/adv.gin", 0, 90, 20)
    return tmp_path


def test_a_row_is_the_mean_over_seeds_or_one_run_with_its_interval(table):
    figure, rows = draw(table, "all")
    assert rows["trades"] == pytest.approx((0.8, 0.8, 0.8, 0.3, 0.4, 0.5))
    low, high = binomial_interval(20, 100)
    assert rows["adv"][3:] == pytest.approx((low, 0.2, high))
    axes = figure.axes[0]
    told = "(bars: 95 % intervals, of one run, or one standard deviation over seeds)"
    assert " ".join(axes.get_xlabel().split()) == f"clean accuracy {told}"
    assert axes.get_ylabel() == "robust accuracy\n(autoattack_standard, Linf 8/255)"


def test_rows_of_one_name_in_two_folders_stay_apart(table):
    write_run(table / "more" / "a", "gin/paper/mnist_cnn_small/adv.gin", 0, 70, 10)
    write_run(table / "more" / "b", "gin/paper/mnist_cnn_large/adv.gin", 0, 60, 10)
    _, rows = draw(table, "all", "more")
    assert sorted(rows) == ["adv", "mnist_cnn_large/adv", "mnist_cnn_small/adv", "trades"]
    _, rows = draw(table, "all/adv", "more/a")
    assert sorted(rows) == ["a", "adv"]


def test_what_cannot_stand_in_one_figure_is_said(table):
    write_run(table / "other", "gin/other.gin", 0, 70, 10, "Linf(epsilon=0.1)")
    with pytest.raises(UserError, match="different threat models .*: Linf 0.1, Linf 8/255"):
        draw(table, "all", "other")
    write_run(table / "all" / "left", "gin/left.gin", 0, 70, None)
    with pytest.raises(UserError, match="1 of 5 runs have no evaluation, the first is .*left"):
        draw(table, "all")


def test_runs_that_were_never_evaluated_stand_by_their_test_attack(tmp_path):
    for seed, clean in enumerate((70, 80)):
        write_run(
            tmp_path / "all" / f"adv_{seed}", "gin/adv.gin", seed, clean, None, tests=(20, 40)[seed]
        )
    figure, rows = draw(tmp_path, "all")
    deviation = 0.1 * 2**0.5
    assert rows["all"][3:] == pytest.approx((0.3 - deviation, 0.3, 0.3 + deviation))
    assert figure.axes[0].get_ylabel() == "robust accuracy\n(test attack, Linf 8/255)"
    write_run(
        tmp_path / "all" / "other", "gin/other.gin", 0, 70, None, tests=30, attack="PGD(steps=7)"
    )
    with pytest.raises(
        UserError, match=r"different test attacks .*: PGD\(steps=20\), PGD\(steps=7\)"
    ):
        draw(tmp_path, "all")


def test_numbers_stand_beside_the_picture(table):
    output = table / "rows.svg"
    assert COMMAND.main(["plot", "rows", f"--output={output}", str(table / "all")]) == 0
    with open(output.with_suffix(".csv"), newline="") as file:
        assert [row["row"] for row in csv.DictReader(file)] == ["adv", "trades"]
