"""Every figure by its command: a picture, numbers that a second route gives too, nothing computed twice."""

import csv
import importlib
import json
import shutil

import keras
import numpy as np
import pytest

from tfrobust.commands.plot import COMMAND
from tfrobust.evaluation import epsilon_curve, load_examples
from tfrobust.figures import of_reports
from tfrobust.figures.catalogue import FIGURES, find_figure
from tfrobust.models import digits_cnn
from tfrobust.ops.uncertainty.interval import binomial_interval
from tfrobust.sweeps.grid import Point


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("model") / "small.keras"
    digits_cnn().save(path)
    return path


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def plot(name, output, *arguments):
    assert COMMAND.main(["plot", name, f"--output={output}", *map(str, arguments)]) == 0
    assert output.stat().st_size > 2000
    return read(output.with_suffix(".csv"))


OF_MODELS = [name for name, entry in FIGURES.items() if entry.needs_models]
SETTING = {"data": "digits", "epsilon": 0.1, "points": 3, "examples": 4}


# The surface goes the way of the landscape; the others are drawn by CI.
DEAR = {name for name in OF_MODELS if name != "loss_landscape"}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in DEAR else n for n in OF_MODELS]
)
def test_figures_of_models(name, model, tmp_path, capsys):
    output = tmp_path / "new" / f"{name}.png"
    examples, network = load_examples("digits").first(4), keras.models.load_model(model)
    setting = SETTING | ({} if "examples" in FIGURES[name].flags else {"example": examples.ids[0]})
    flags = [f"--{f}={value}" for f, value in setting.items() if f in FIGURES[name].flags]
    rows = plot(name, output, *flags, model)
    assert "drawn from" not in capsys.readouterr().out
    if "loss" in rows[0]:
        assert len(rows) == 9
        logits = np.asarray(network(examples.x[:1] if name != "weight_landscape" else examples.x))
        losses = (
            np.log(np.exp(logits).sum(1))
            - logits[np.arange(len(logits)), examples.y[: len(logits)]]
        )
        middle = next(
            r for r in rows if {v for k, v in r.items() if k not in ("model", "loss")} == {"0.0"}
        )
        assert float(middle["loss"]) == pytest.approx(losses.mean(), rel=1e-5)
    else:
        assert [int(row["id"]) for row in rows] == examples.ids.tolist()
    former = output.with_suffix(".npz").stat().st_mtime_ns
    assert plot(name, output, *flags, model) == rows
    assert "drawn from" in capsys.readouterr().out
    assert output.with_suffix(".npz").stat().st_mtime_ns == former


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A run, two evaluations and a sweep as their commands leave them."""
    root = tmp_path_factory.mktemp("files")
    (root / "run").mkdir()
    rows = [
        {
            "epoch": i,
            "loss": 2.0 - i,
            "val_accuracy": 0.9,
            "val_robust_accuracy": 0.5 - 0.3 * i,
            "jacobian_norm": 5.0 + i,
            "divergence_one_piece": 0.3,
            "divergence_two_pieces": 0.2,
        }
        for i in range(2)
    ]
    (root / "run" / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, robust in (("one", 0.5), ("two", 0.6)):
        folder = root / name / "evaluation" / "autoattack_standard"
        folder.mkdir(parents=True)
        counts = {
            n: {"accuracy": a, "interval": [a, a]} for n, a in (("clean", 0.9), ("robust", robust))
        }
        curve = {"epsilon": {"epsilon": [0.0, 0.1], "accuracy": [0.9, robust], "examples": 10}}
        report = {
            "schema": 1,
            "norm": "Linf",
            "radius": 0.1,
            "suite": "autoattack_standard",
            "threat_model": "Linf(0.1)",
            "curves": curve,
        }
        (folder / "report.json").write_text(json.dumps({"tfrobust": {**report, **counts}}))
    for beta, right in ((1, 5), (6, 7)):
        folder = root / "sweep" / f"BETA={beta}"
        folder.mkdir(parents=True)
        found = {"clean": {"right": 9, "total": 10, "interval": [0, 1]}}
        found["robust"] = {"right": right, "total": 10, "interval": [0, 1]}
        about = {"method": "TRADES", "data": "digits", "threat_model": "Linf(0.1)", "gin_files": []}
        (folder / "report.json").write_text(json.dumps({**found, **about, "training_seconds": 1.0}))
    points = [{"values": [["BETA", str(beta)]], "seed": None} for beta in (1, 6)]
    (root / "sweep" / "sweep.json").write_text(
        json.dumps({"sweep": {"suite": None}, "points": points})
    )
    return root


@pytest.mark.parametrize(
    ("name", "paths", "column", "values"),
    [
        ("curves", ["run"], "loss", ["2.0", "1.0"]),
        ("epochs", ["run"], "jacobian_norm", ["5.0", "6.0"]),
        ("divergences", ["run"], "divergence_two_pieces", ["0.2", "0.2"]),
        ("accuracies", ["one", "two"], "accuracy", ["0.9", "0.5", "0.9", "0.6"]),
        ("epsilon", ["one", "two"], "accuracy", ["0.9", "0.5", "0.9", "0.6"]),
        ("epsilon", ["one"], "low", [str(binomial_interval(n, 10)[0]) for n in (9, 5)]),
        ("rows", ["one", "two"], "robust", ["0.5", "0.6"]),
        ("trade_off", ["sweep"], "robust", ["0.5", "0.7"]),
        ("sensitivity", ["sweep"], "mean", ["0.9", "0.5", "0.9", "0.7"]),
    ],
)
def test_figures_of_reports(name, paths, column, values, files, tmp_path):
    folders = [files / path for path in paths]
    if FIGURES[name].paths.startswith("evaluations"):
        folders = [folder / "evaluation" / "autoattack_standard" for folder in folders]
    rows = plot(name, tmp_path / f"{name}.svg", *folders)
    assert [row[column] for row in rows] == values


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """An evaluation with certificates, its curve on the first two of three images; a certification."""
    root = tmp_path_factory.mktemp("both")
    for name in ("evaluation", "certification"):
        (root / name).mkdir()
    ours = {"schema": 1, "norm": "Linf", "radius": 0.1, "certified": {"right": 1}}
    curve = {"epsilon": [0.0, 0.1], "accuracy": [1.0, 0.5], "examples": 2}
    ours |= {"curves": {"epsilon": curve}, "robust": {"accuracy": 0.4}, "clean": {"accuracy": 0.9}}
    (root / "evaluation" / "report.json").write_text(json.dumps({"tfrobust": ours}))
    (root / "evaluation" / "examples.csv").write_text(
        "id,clean_right,certified_radius\n0,true,0.1\n1,true,0.05\n2,false,\n"
    )
    found = {"schema": 1, "norm": "Linf"}
    (root / "certification" / "report.json").write_text(json.dumps({"certification": found}))
    (root / "certification" / "certified.csv").write_text(
        "id,label,prediction,radius\n0,3,3,0.1\n1,4,4,0.05\n2,5,4,0.2\n3,1,1,0.1\n"
    )
    return root


def test_both_bounds_are_of_the_same_images(both, tmp_path):
    rows = plot("bounds", tmp_path / "bounds.svg", both / "evaluation", both / "certification")
    seen = [(r["path"], r["measure"], float(r["radius"]), float(r["accuracy"])) for r in rows]
    assert seen == [
        ("evaluation", "certified", 0.05, 1.0),
        ("evaluation", "certified", 0.1, 0.5),
        ("evaluation", "attacked", 0.0, 1.0),
        ("evaluation", "attacked", 0.1, 0.5),
        ("certification", "certified", 0.05, 0.75),
        ("certification", "certified", 0.1, 0.5),
    ]


FLAGS = {"data": "digits", "data_dir": ".", "norm": "L2", "epsilon": "0.1", "example": 1}
FLAGS |= {"examples": 2, "points": 3, "extent": 2.0, "seed": 1, "trust": "true"}


def test_what_makes_no_difference_to_a_figure_is_refused(tmp_path, capsys):
    own = set(COMMAND.make_flags()) - {"output", "verbosity", "help", "helpfull", "helpshort"}
    known = {flag for entry in FIGURES.values() for flag in entry.flags}
    assert known == set(FLAGS) and known <= own
    for name, entry in FIGURES.items():
        for flag in known - set(entry.flags):
            assert COMMAND.main(["plot", name, f"--{flag}={FLAGS[flag]}", str(tmp_path)]) == 2
            assert f"{name} has no use for --{flag}. Its flags:" in capsys.readouterr().err
        # Of two lines that look alike one would hide the other.
        assert COMMAND.main(["plot", name, str(tmp_path), f"{tmp_path}/."]) == 2
        assert "given twice" in capsys.readouterr().err or entry.paths.startswith("one ")


def test_the_curve_over_the_radius_is_of_the_attack_that_its_figure_names(monkeypatch):
    class Seen(Exception):
        pass

    def make(threat_model, objective, **settings):
        raise Seen(f"APGD-{type(objective).__name__}")

    monkeypatch.setattr(epsilon_curve, "APGD", make)
    with pytest.raises(Seen, match=f"^{of_reports._CURVE}$"):
        epsilon_curve.EpsilonCurve()(lambda x: x[:, 0, 0], np.zeros((1, 1, 1, 2)), [0], None)


def test_a_run_stands_for_its_only_evaluation(files, tmp_path, capsys):
    for run in ("one", "two"):
        (files / run / "run.json").write_text(json.dumps({"seed": 0, "starts": []}))
    folders = [files / run / "evaluation" / "autoattack_standard" for run in ("one", "two")]
    for name in ("accuracies", "epsilon", "bounds", "rows"):
        rows = plot(name, tmp_path / f"{name}.svg", *folders)
        assert plot(name, tmp_path / f"{name}.svg", files / "one", files / "two") == rows
        assert {next(iter(row.values())) for row in rows} == {"one", "two"}
    (files / "none").mkdir()
    for name in ("accuracies", "epsilon", "bounds", "rows"):
        assert COMMAND.main(["plot", name, str(files / "none")]) == 2
        assert "no evaluation in" in capsys.readouterr().err
    (files / "none" / "run.json").write_text(json.dumps({"seed": 0, "starts": []}))
    assert COMMAND.main(["plot", "accuracies", str(files / "none")]) == 2
    assert "has no evaluation: tfrobust evaluate --model=" in capsys.readouterr().err


def test_a_sweep_has_a_line_for_each_value_of_its_other_names(files, tmp_path, capsys):
    folder = tmp_path / "two"
    folder.mkdir()
    points = []
    # The last value was asked for later.
    for rate, beta in (("0.1", "1"), ("0.1", "10"), ("0.2", "1"), ("0.2", "10"), ("0.1", "3")):
        point = [["BETA", beta], ["optimizer.rate", rate]]
        run = folder / Point(tuple(map(tuple, point)), None).name
        shutil.copytree(files / "sweep" / "BETA=1", run)
        points.append({"values": point, "seed": None})
    (folder / "sweep.json").write_text(json.dumps({"sweep": {"suite": None}, "points": points}))
    rows = plot("trade_off", tmp_path / "trade_off.svg", folder)
    lines = {row["sweep"]: [r["value"] for r in rows if r["sweep"] == row["sweep"]] for row in rows}
    first, second = "two, rate 0.1, over BETA", "two, rate 0.2, over BETA"
    assert lines == {first: ["1", "3", "10"], second: ["1", "10"]}
    assert {row["swept"] for row in rows} == {"BETA"}
    plot("sensitivity", tmp_path / "sensitivity.svg", folder)
    (folder / "sweep.json").write_text(
        json.dumps(
            {"sweep": {"suite": None}, "points": [{"values": [["BETA", "7"]], "seed": None}]}
        )
    )
    assert COMMAND.main(["plot", "trade_off", str(files / "sweep"), str(folder)]) == 2
    assert "No run of the sweep" in capsys.readouterr().err


def test_every_figure_says_what_it_shows():
    for name, entry in FIGURES.items():
        assert find_figure(name).__doc__ and entry.told
        assert entry.module in ("of_models", "of_reports", "of_bounds", "of_rows")
        importlib.import_module(f"tfrobust.figures.{entry.module}")
