"""The table of methods."""

import json
import pathlib

import gin
import keras
import numpy as np
import pytest

from tfrobust import Linf
from tfrobust.attacks import APGD
from tfrobust.benchmarks import compare
from tfrobust.benchmarks.kept import keep_run
from tfrobust.comparison.verdicts import Verdicts
from tfrobust.errors import NotFiniteError, UserError
from tfrobust.evaluation import Evaluator, Examples, Subject, custom
from tfrobust.losses import DLR


def refuse(*_):
    raise UserError("there are none")


def report(clean, robust, strongest, seconds):
    counts = {"clean": clean, "robust": robust, "suite": strongest}
    counted = {name: {"right": right, "total": 200} for name, right in counts.items()}
    return {"method": "TRADES", "step_seconds": seconds, "verdicts": refuse, **counted}


def test_a_row_has_means_and_deviations_and_what_was_not_run_says_so():
    runs = [report(190, 160, 150, 0.01), report(194, 164, 150, 0.03), report(192, 162, 150, 0.02)]
    text = compare.format_comparison({"gin/trades.gin": runs, "gin/adv.gin": []})
    head, _, adv, trades, *below = text.splitlines()
    assert adv == "| [adv](gin/adv.gin) | | 0 | not run | not run | not run | not run | not run |"
    assert trades == (
        "| [trades](gin/trades.gin) | TRADES | 3 | 96.0 ± 1.0 | 81.0 ± 1.0 | 75.0 ± 0.0 |  | 20 |"
    )
    assert head.count("|") == trades.count("|") == adv.count("|")
    assert below == ["", "Under AutoAttack:", "", "- trades is not compared: there are none."]


def judged(seed, robust):
    counts = {name: {"right": 1, "total": 4} for name in ("clean", "robust")}
    suite = {"right": robust.count("1"), "total": len(robust)}
    verdicts = Verdicts(np.array([c == "1" for c in robust]), seed, {})
    more = {"suite": suite, "verdicts": lambda: verdicts}
    return {"method": "TRADES", "seed": seed, "step_seconds": 0.01, **counts, **more}


def test_letters_a_column_of_differences_and_sentences():
    results = {
        "gin/adv.gin": [judged(0, "1110" * 20)],
        "gin/trades.gin": [judged(0, "0110" * 20)],
        "gin/trades_mer.gin": [judged(1, "011" * 20)],
        "gin/x.gin": [],
    }
    text = compare.format_comparison(results, ["gin/trades.gin"])
    head, rule, adv, trades, mer, x, *below = text.splitlines()
    assert head.endswith("| minus trades |") and rule.count("---") == 9
    assert "| a | 10 | +25.0 (" in adv and ", P > 0.99 |" in adv
    assert trades.endswith("| b | 10 |  |") and mer.endswith("|  | 10 | not compared |")
    assert x.endswith("| 0" + 6 * " | not run" + " |")
    assert below[:3] == ["", "Under AutoAttack:", ""]
    assert below[3].startswith("- adv is more robust than trades: P > 0.99 (+25.0 points")
    assert "differs from adv in the number of test examples: 60, not 80" in below[4]


def test_a_suite_shares_traces_and_never_exceeds_its_parts(tmp_path, monkeypatch):
    """Two classifiers of one architecture, each judged as by an evaluator of its own."""
    attacks = (
        ("apgd-ce", APGD(Linf(0.05), steps=5)),
        ("apgd-dlr", APGD(Linf(0.05), DLR(), steps=5)),
    )
    monkeypatch.setattr(compare, "suite", lambda name, threat_model: custom(attacks))
    generator = np.random.default_rng(0)
    x = generator.random((20, 2, 2, 1)).astype("float32")
    examples = Examples.of(x, (x.sum((1, 2, 3)) > 2).astype("int64") + 1)

    def classifier(seed):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((2, 2, 1))
        outputs = keras.layers.Dense(3, name="logits")(keras.layers.Flatten(name="flat")(inputs))
        return keras.Model(inputs, outputs, name="linear")

    shared = compare.SharedSuite()
    judged = [shared(classifier(seed), examples, Linf(0.05)) for seed in (0, 1)]
    counts = [counts for counts, _ in judged]
    assert [robust.sum() for _, robust in judged] == [c["apgd-dlr"] for c in counts]
    again = Evaluator(Subject.of(classifier(2)), attacks, slots=compare.SLOTS, reserve=20)
    outcomes = again(examples.x, examples.y, examples.ids)[1]
    assert [outcome.traces for outcome in outcomes] == [0, 0]
    for seed, count in enumerate(counts):
        alone = Evaluator(Subject.of(classifier(seed)), attacks)
        predictions, outcomes, _ = alone(examples.x, examples.y, examples.ids)
        left = [int((predictions == examples.y).sum())]
        for outcome in outcomes:
            left.append(left[-1] - int(outcome.broken.sum()))
        assert list(count) == ["clean", "apgd-ce", "apgd-dlr"]
        assert list(count.values()) == left


def test_a_judged_run_needs_neither_its_classifier_nor_its_data(tmp_path):
    counts = {name: {"right": 3, "total": 4} for name in ("clean", "robust")}
    report = {"method": "TRADES", "seed": 2, "step_seconds": 0.01, **counts}
    (tmp_path / "report.json").write_text(json.dumps(report))
    found = {"threat_model": "Linf(epsilon=0.1)", "right": 2, "total": 3, "robust": "101"}
    (tmp_path / "autoattack.json").write_text(json.dumps(found | {"standing": {"clean": 2}}))

    shared = compare.SharedSuite()
    verdicts = compare.judge_run(tmp_path, refuse, shared, 3)["verdicts"]()
    assert verdicts.robust.tolist() == [True, False, True] and verdicts.seed == 2
    # All four examples, or fewer, are another question.
    for most, asked in ((None, 4), (2, 2), (9, 4)):
        told = rf"judged on 3 test examples, not on {asked}, .* Give --examples=3"
        with pytest.raises(UserError, match=told):
            compare.judge_run(tmp_path, refuse, shared, most)


@pytest.fixture
def runs(tmp_path):
    """Two methods, two seeds, judged on four images."""
    for place, (name, robust) in enumerate({"adv": "1010", "trades": "1110"}.items()):
        for seed in (0, 1):
            folder = tmp_path / "runs" / name / f"seed_{seed}"
            folder.mkdir(parents=True)
            counts = {n: {"right": 3 + seed, "total": 9} for n in ("clean", "robust")}
            report = {"method": name.upper(), "seed": seed, "step_seconds": 0.01 * (1 + place)}
            (folder / "report.json").write_text(json.dumps(report | counts))
            found = {"threat_model": "Linf(epsilon=0.1)", "right": robust.count("1"), "total": 4}
            found |= {"robust": robust, "standing": {"clean": 3}}
            (folder / "autoattack.json").write_text(json.dumps(found))
            start = {"command": "/a/machine/python", "platform": "Linux", "commit": "abc"}
            data = {"name": "digits", "fingerprint": {"test": "xyz"}}
            run = {"seed": seed, "data": data, "starts": [start | {"versions": {"keras": "3"}}]}
            (folder / "run.json").write_text(json.dumps(run))
            (folder / "export").mkdir()
    return tmp_path / "runs"


def test_what_is_kept_of_runs_makes_the_same_table(runs, tmp_path, capsys):
    from tfrobust.commands.compare import COMMAND

    files = ["--gin_file=gin/adv.gin", "--gin_file=gin/trades.gin", "--beside=gin/adv.gin"]
    asked, kept = ["compare", "--norun", "--examples=4", "--seeds=0,1", *files], tmp_path / "kept"
    assert COMMAND.main([*asked, f"--workdir={runs}", f"--keep={kept}"]) == 0
    table = capsys.readouterr().out
    assert "TRADES | 2 | 38.9" in table and "trades is more robust than adv" in table
    assert COMMAND.main([*asked, f"--workdir={kept}"]) == 0
    assert capsys.readouterr().out == table
    names = {path.name for path in kept.rglob("*") if path.is_file()}
    assert names == {"run.json", "report.json", "autoattack.json"}
    contents = {path: path.read_text() for path in kept.rglob("*.json")}
    assert "machine" not in "".join(contents.values())
    # Once more changes nothing.
    keep_run(runs / "adv" / "seed_0", kept / "adv" / "seed_0", "autoattack")
    assert {path: path.read_text() for path in kept.rglob("*.json")} == contents


def test_nothing_is_kept_over_a_run(runs, tmp_path, capsys):
    from tfrobust.commands.compare import COMMAND

    before = sorted(runs.rglob("*"))
    asked = ["compare", "--norun", "--gin_file=gin/adv.gin", "--examples=4", "--seeds=1"]
    assert COMMAND.main([*asked, f"--workdir={tmp_path / 'other'}", f"--keep={runs}"]) == 2
    assert "is not for what is kept of a run: it has export" in capsys.readouterr().err
    assert COMMAND.main([*asked, f"--workdir={runs}", f"--keep={runs}/../runs"]) == 2
    assert "is the folder of the runs" in capsys.readouterr().err
    assert sorted(runs.rglob("*")) == before


def test_what_is_compared_by_default_shares_data_and_radius():
    """No pictures of one's own, no MNIST, no other radius."""
    from tfrobust.commands.compare import list_digits_files
    from tfrobust.commands.start.command_line import ROOT
    from tfrobust.config.configuration import Configuration

    names = {pathlib.Path(name).stem for name in list_digits_files()}
    assert {"natural", "natural_squared", "rat_awp", "trades_mer", "trades_mixup"} <= names
    assert not names & {
        "ibp",
        "crown_ibp",
        "gaussian_noise",
        "smooth_adv",
        "your_images",
        "mnist_ibp",
    }
    for name in list_digits_files():
        Configuration([name], root=ROOT)
        assert gin.query_parameter("EPSILON/gin.macro.value") == 0.15, name


@pytest.mark.slow
def test_a_run_that_diverges_keeps_none_of_the_others_waiting(tmp_path, monkeypatch, capsys):
    from tfrobust.commands.compare import COMMAND
    from tfrobust.config.configuration import Configuration

    def train(workdir, configuration):
        if "adv" in str(workdir) and "seed_1" in str(workdir):
            raise NotFiniteError("The loss became NaN.")

    monkeypatch.setattr(Configuration, "bind", lambda self, function: train)
    monkeypatch.setattr(
        compare, "judge_run", lambda folder, *_: judged(int(str(folder)[-1]), "1101")
    )
    words = ["--gin_file=gin/adv.gin", "--gin_file=gin/trades.gin", "--seeds=0,1"]
    assert COMMAND.main(["compare", *words, f"--workdir={tmp_path}"]) == 3
    told = capsys.readouterr()
    assert "| TRADES | 1 |" in told.out and "| TRADES | 2 |" in told.out
    assert "Diverged, and not in the table: gin/adv.gin, seed 1." in told.err
