"""What few seeds cannot show is said before anything is trained, by both commands that train several runs."""

import importlib
import json
import pathlib

import pytest
import scipy.stats

from tfrobust.comparison.text import describe_seeds

COUNTS = {"right": 1, "total": 2, "interval": [0.1, 0.9]}
REPORT = {
    "method": "ADV",
    "data": "digits",
    "threat_model": "",
    "gin_files": [],
    "gin_bindings": [],
}
SHARED = {"gin_file": "gin/trades.gin", "gin_bindings": [], "swept": ["BETA"], "scale": None}
SHARED |= {"suite": None, "examples": None}
REPORT |= {"clean": COUNTS, "robust": COUNTS, "training_seconds": 90.0, "seed": 0}


def leave_run(folder: pathlib.Path):
    """What tells the commands that a run has ended."""
    (folder / "export").mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(REPORT))
    for name in ("report.md", "export/export.json", "test_examples.csv"):
        (folder / name).write_text("")


def call(command, *words):
    return importlib.import_module(f"tfrobust.commands.{command}").COMMAND.main([command, *words])


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        ("0", "one seed"),
        *(pytest.param(*s, marks=pytest.mark.slow) for s in (("0,1", "Two seeds"), ("0,1,2", ""))),
    ],
)
def test_too_few_seeds_are_told_before_the_first_run(seeds, words, tmp_path, capsys):
    numbers = seeds.split(",")
    for seed in numbers:
        for name in ("trades", "adv"):
            leave_run(tmp_path / "compare" / name / f"seed_{seed}")
        for beta in (1, 6):
            leave_run(tmp_path / "sweep" / f"BETA={beta},seed={seed}")
    (tmp_path / "sweep" / "sweep.json").write_text(json.dumps({"sweep": SHARED, "points": []}))
    both = "--gin_file=gin/trades.gin", "--gin_file=gin/adv.gin"
    more = f"--seeds={seeds}", "--dry_run"
    assert call("compare", *both, *more, f"--workdir={tmp_path / 'compare'}") == 0
    compared = capsys.readouterr().out.splitlines()
    grid = "--grid=BETA = 1, 6"
    assert call("sweep", both[0], grid, *more, f"--workdir={tmp_path / 'sweep'}") == 0
    swept = capsys.readouterr().out.splitlines()
    for told in (compared, swept):
        assert told[0].startswith(f"{2 * len(numbers)} runs, of which 0 are not complete, in ")
        assert told[1:] == describe_seeds(2, len(numbers))
        assert len(told) == (2 if words else 1) and words in told[-1]
    assert json.loads((tmp_path / "sweep" / "sweep.json").read_text())["points"] == []


def test_the_quantiles_that_are_told():
    (told,) = describe_seeds(2, 2)
    for seeds, number in ((2, "12.7"), (3, "4.3")):
        assert f"{scipy.stats.t.ppf(0.975, seeds - 1):.1f}" == number and number in told
