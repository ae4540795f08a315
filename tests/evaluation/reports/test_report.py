"""Reports: numbers that a reader can redo, files that come back as they were, words that are earned."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from tfrobust import APGD, FAB, PGD, Linf, RayS
from tfrobust.errors import UserError
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.evaluation.reports.evaluation import write_reports
from tfrobust.evaluation.reports.headline import explain, headline
from tfrobust.evaluation.reports.report_files import read_report
from tfrobust.evaluation.reports.summary import plain, summarize_evaluation
from tfrobust.ops.uncertainty.interval import binomial_interval

SEVERE = Finding(
    "C8",
    "black box",
    "severe",
    0.1,
    0.002,
    "Square finds more: gradients lie.",
    (104,),
    "Look at C7.",
)
ERROR = Finding("C26", "validity", "error", 1, 0, "One image lies outside: look at it.")
WARNING = Finding("C12", "steps", "warning", 0.9, 0.5, "More steps find more: raise `steps`.")
PASSED = Finding("C9", "one step", "passed", 0.0, 0.005, "Nothing that one step breaks stands.")
CURVE = {"epsilon": [0.0, 0.1], "accuracy": np.array([0.8, 0.1], np.float32)}


def images(evaluation):
    return np.zeros((len(evaluation.ids), 3, 4, 1), np.float32)


def ours(evaluation, **more):
    return summarize_evaluation(evaluation, **more)["tfrobust"]


def test_accuracies_by_hand(ten_examples):
    report = ours(ten_examples)
    assert (report["clean"]["right"], report["clean"]["accuracy"]) == (8, 0.8)
    assert (report["robust"]["right"], report["robust"]["accuracy"]) == (3, 0.3)
    np.testing.assert_allclose(report["robust"]["interval"], [0.1078, 0.6032], atol=1e-4)
    first, second, third = report["attacks"]
    assert [a["attempted"] for a in report["attacks"]] == [8, 5, 4]
    assert [a["broken"] for a in report["attacks"]] == [3, 1, 1]
    assert [a["cumulative"]["accuracy"] for a in report["attacks"]] == [0.5, 0.4, 0.3]
    # Only the first attack was given all.
    assert first["marginal"]["accuracy"] == 0.5
    assert second["marginal"] is third["marginal"] is None
    assert [a["rejected"] for a in report["attacks"]] == [0, 0, 1]


def test_accuracy_of_each_alone_where_each_got_all(ten_examples):
    outcomes = [dataclasses.replace(o, attempted=ten_examples.clean) for o in ten_examples.outcomes]
    # Square breaks 0 as well: its own accuracy falls, who was first does not change.
    square = dataclasses.replace(outcomes[2], broken=outcomes[2].broken | (np.arange(10) == 0))
    report = ours(
        dataclasses.replace(ten_examples, individual=True, outcomes=(*outcomes[:2], square))
    )
    assert [a["marginal"]["accuracy"] for a in report["attacks"]] == [0.5, 0.7, 0.6]
    assert [a["cumulative"]["accuracy"] for a in report["attacks"]] == [0.5, 0.4, 0.3]
    assert [a["broken"] for a in report["attacks"]] == [3, 1, 2]
    assert [a["first_broken"] for a in report["attacks"]] == [3, 1, 1]


def test_costs_by_hand(ten_examples):
    report = ours(ten_examples)
    first, second, third = (a["passes"] for a in report["attacks"])
    assert first["needed"] == [66 / 8, 66 / 8]
    assert first["needed_where_not_broken"] == first["theory_where_not_broken"] == [11, 11]
    assert second["needed_where_not_broken"] == second["theory_where_not_broken"] == [22, 22]
    # It asked less than it was allowed to.
    assert third["needed_where_not_broken"] == [40, 0]
    assert third["theory_where_not_broken"] == [51, 0]
    assert [a["padding"] for a in report["attacks"]] == pytest.approx(
        [1 - 132 / 160, 0, 1 - 127 / 150]
    )
    assert report["attacks"][1]["examples_per_second"] == 5 / 4
    costs = report["costs"]
    assert costs["needed"] == [66 + 102 + 127, 66 + 102]
    assert costs["autoattack_equivalents"] == pytest.approx(463 / 9762 / 3)
    assert costs["padding"] == pytest.approx(1 - 463 / (332 + 182))
    assert (costs["attack_seconds"], costs["traces"], costs["examples_per_second"]) == (7.0, 3, 1.0)


def test_curves_by_hand(ten_examples):
    curves = ours(ten_examples, curve=CURVE)["curves"]
    assert curves["step"]["apgd-ce"] == {"step": [0, 4, 10], "accuracy": [0.7, 0.5, 0.5]}
    assert curves["run"]["apgd-t"] == {"run": [0, 2], "accuracy": [0.5, 0.4]}
    assert curves["query"] == {"square": {"query": [0, 7, 51], "accuracy": [0.4, 0.3, 0.3]}}
    assert curves["epsilon"]["accuracy"] == pytest.approx([0.8, 0.1])


def test_there_is_no_curve_where_only_the_last_iterate_was_judged(ten_examples):
    for selection, known in (("last", False), ("best", False), ("any", True)):
        attack = PGD(Linf("8/255"), steps=10, selection=selection)
        judged = dataclasses.replace(ten_examples.outcomes[0], attack=attack)
        curves = ours(dataclasses.replace(ten_examples, outcomes=(judged,)))["curves"]
        assert ("apgd-ce" in curves["step"]) == known


@pytest.mark.parametrize("curve", [{}, {"epsilon": [0.1], "accuracy": []}, [1, 2]])
def test_what_is_no_curve_is_refused(ten_examples, curve):
    with pytest.raises(UserError, match="as many radii"):
        summarize_evaluation(ten_examples, curve)


def test_distances_by_hand(ten_examples):
    distance = ours(ten_examples)["attacks"][1]["distance"]
    assert (distance["measured"], distance["missing"]) == (4, 1)
    assert distance["mean"] == pytest.approx(0.04)
    assert distance["quantiles"][2] == pytest.approx(0.04)
    # Not all were measured: no average distance to the boundary.
    assert distance["adbd"] is None


@pytest.mark.parametrize(
    ("attack", "known"),
    [
        (RayS(Linf("8/255")), True),
        (RayS(Linf("8/255"), stop_at_success=True), False),
        (RayS(Linf(0.0), stop_at_success=True), True),
        (FAB(Linf("8/255"), targets=2), False),
        (FAB(Linf("8/255"), targets=2, minimal=True), True),
        # At a radius of 0 nothing is a success, and every run goes to its end.
        (FAB(Linf(0.0), targets=2), True),
        (APGD(Linf("8/255")), False),
    ],
    ids=repr,
)
def test_only_what_looks_for_the_boundary_tells_the_distance_to_it(ten_examples, attack, known):
    complete = dataclasses.replace(
        ten_examples.outcomes[1], attempted=ten_examples.clean, attack=attack
    )
    alone = dataclasses.replace(ten_examples, outcomes=(complete,))
    # Wrong when clean is a distance of 0: (0.02 + 0.04 + 0.06 + 0.04 + 0 + 0) / 6.
    expected = pytest.approx(0.16 / 6) if known else None
    assert ours(alone)["attacks"][0]["distance"]["adbd"] == expected


def test_robustbench_has_its_keys(ten_examples):
    report = summarize_evaluation(ten_examples)
    assert {
        name: report[name] for name in report if name != "tfrobust" and report[name] is not None
    } == {
        "name": "a network",
        "dataset": "digits",
        "eps": "8/255",
        "clean_acc": "80.00",
        "reported": "30.00",
        "autoattack_acc": "30.00",
        "unreliable": False,
    }
    assert {
        "link",
        "authors",
        "additional_data",
        "number_forward_passes",
        "venue",
        "architecture",
    } < set(report)
    # The name of a number belongs to one suite.
    other = summarize_evaluation(dataclasses.replace(ten_examples, suite="autoattack_rand"))
    assert (other["autoattack_acc"], other["reported"]) == (None, "30.00")


def test_headlines_say_what_was_earned(ten_examples):
    text = "robust accuracy <= 30.00 % (upper bound by autoattack_standard; union of 3 attacks, 10 examples, "
    assert headline(ten_examples) == text + "95 % interval 10.78 to 60.32 %)"
    short = dataclasses.replace(ten_examples, suite="custom", outcomes=ten_examples.outcomes[:1])
    assert headline(short).startswith(
        "accuracy under apgd-ce: 50.00 % (an upper bound of robust accuracy"
    )
    many = dataclasses.replace(ten_examples, suite="custom", outcomes=ten_examples.outcomes * 2)
    assert headline(many).startswith(
        "robust accuracy <= 30.00 % (upper bound by custom; union of 6"
    )
    none = dataclasses.replace(ten_examples, outcomes=())
    assert headline(none).startswith("clean accuracy 80.00 %")
    doubtful = dataclasses.replace(ten_examples, findings=(PASSED, SEVERE, WARNING, ERROR))
    assert headline(doubtful) == f"not trustworthy: C8, C26; {headline(ten_examples)}"


def test_the_first_lines_say_what_is_not_trustworthy(ten_examples, tmp_path):
    evaluation = dataclasses.replace(ten_examples, findings=(PASSED, WARNING, SEVERE, ERROR))
    text = write_reports(evaluation, images(evaluation), tmp_path)
    assert (tmp_path / "report.md").read_text() == text
    lines = [line for line in text.splitlines() if line]
    assert lines[0] == "# Not trustworthy: C8, C26; robust accuracy <= 30.00 %"
    assert lines[1].endswith("The checks C26, C8 say why this cannot be relied on.")
    # The numbers, then what fired, the worst first, each with what to do.
    place = lines.index("## What to look at")
    assert any("| 3 / 10 |" in line for line in lines[2:place])
    assert lines[place + 1] == f"- **C26, validity**: {ERROR.text}"
    assert lines[place + 2] == f"- **C8, black box**: {SEVERE.text} *What to do:* Look at C7."
    assert lines[place + 3] == f"- C12, steps (warning): {WARNING.text}"
    assert place < lines.index("## Attacks")
    assert "| apgd-ce | 8 | 3 | 50.00 % | 50.00 % | 2.0 | 11 + 11 | 11 + 11 | 0.75 |" in text
    assert "| C9 | one step | passed | 0 | 0.005 |" in text
    assert "| 104 |" in text
    assert "do not confirm" not in text and "square 1" in text
    report = read_report(tmp_path)
    assert [f.get("advice") for f in report["tfrobust"]["findings"]] == [
        None,
        "Look at C7.",
        None,
        None,
    ]
    assert report["unreliable"] and not report["tfrobust"]["trustworthy"]
    sound = write_reports(ten_examples, images(ten_examples), tmp_path)
    assert sound.startswith("# Robust accuracy <= 30.00 %\n") and "trustworthy" not in sound


def test_the_checklist_is_answered_by_checks_and_statements(ten_examples):
    findings = (
        PASSED,
        WARNING,
        Finding("C16", "losses", "passed", 0, 5, "They agree."),
        Finding("C27", "sums", "passed", None, None, "They add up."),
        Finding("C2", "range", "passed", None, None, "Fine."),
        Finding("C18a", "differences", "passed", 1, 0.9, "Fine."),
        Finding("C34", "adaptive", "info", None, None, "None was reported."),
        Finding("C28", "size", "warning", 10, 100, "Too few."),
    )
    rows = ours(dataclasses.replace(ten_examples, findings=findings))["checklist"]
    states = {row["item"].split(":")[0].split(",")[0]: row["state"] for row in rows}
    assert states["a precise threat model"] == "answered"
    assert states["many steps beat one"] == "answered"
    assert states["more steps or restarts change nothing"] == "in doubt"
    assert states["several attacks"] == states["targeted and untargeted attacks"] == "answered"
    assert states["clean accuracy"] == states["gradients are there"] == "partly"
    assert states["an adaptive attack"] == "partly"
    assert states["random noise"] == states["a proof as a lower bound"] == "not answered"
    gradients = next(row for row in rows if "C18" in row["checks"])
    assert gradients["made"] == ["C18a"]
    untargeted = dataclasses.replace(ten_examples, outcomes=ten_examples.outcomes[:1])
    rows = {row["item"]: row["state"] for row in ours(untargeted)["checklist"]}
    assert rows["targeted and untargeted attacks"] == "not answered"


def test_a_check_that_was_not_made_answers_nothing_and_no_finding_hides_another(ten_examples):
    findings = (
        Finding("C15", "noise", "info", None, None, "Not checked: no time."),
        Finding("C9", "one step", "warning", 1, 0.5, "One step is better."),
        Finding("C9", "one step again", "passed", 0, 0.5, "Here it is not."),
    )
    rows = ours(dataclasses.replace(ten_examples, findings=findings))["checklist"]
    noise = next(row for row in rows if row["item"] == "random noise")
    assert noise["state"] == "not answered" and noise["made"] == []
    steps = next(row for row in rows if row["item"] == "many steps beat one")
    assert steps["state"] == "in doubt" and steps["made"] == steps["fired"] == ["C9"]


def test_what_is_read_is_what_was_written(ten_examples, tmp_path):
    evaluation = dataclasses.replace(
        ten_examples,
        findings=(
            WARNING,
            Finding("C1", "logits", "passed", float("nan"), np.float32(0.5), "Fine."),
        ),
    )
    write_reports(evaluation, images(evaluation), tmp_path, curve=CURVE)
    expected = summarize_evaluation(evaluation, CURVE)
    assert read_report(tmp_path) == read_report(tmp_path / "report.json") == expected
    json.dumps(expected, allow_nan=False)
    assert expected["tfrobust"]["findings"][1]["value"] is None


def test_values_become_plain():
    values = {1: (np.float32(0.5), np.nan, np.arange(2)), "x": {"y": np.bool_(True), "z": np.inf}}
    assert plain(values) == {"1": [0.5, None, [0, 1]], "x": {"y": True, "z": None}}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}", "is not a report"),
        ("[1]", "is not a report"),
        ("no json", "is not a report"),
        ('{"tfrobust": {"schema": "1"}}', "schema is '1'"),
        ('{"tfrobust": {"schema": 2}}', "schema 2, this version reads up to 1. Install a newer"),
    ],
)
def test_other_files_are_refused(tmp_path, text, told):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(UserError, match=told):
        read_report(tmp_path)
    with pytest.raises(UserError, match="cannot be read"):
        read_report(tmp_path / "absent.json")


def test_a_row_for_each_example(ten_examples, tmp_path):
    write_reports(ten_examples, images(ten_examples), tmp_path)
    with open(tmp_path / "examples.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10
    assert list(rows[3].values()) == "103 0 0 true apgd-t 1 2 0.02".split() + [
        "",
        "25",
        "25",
        "false",
        "",
    ]
    assert list(rows[4].values()) == "104 1 1 true square 0 6 0.04 7 40 33 false".split() + [""]
    assert list(rows[5].values()) == "105 2 2 true".split() + [
        "",
        "",
        "",
        "",
        "51",
        "73",
        "33",
        "false",
        "",
    ]
    assert list(rows[9].values()) == "109 0 1 false".split() + [""] * 5 + ["0", "0", "false", ""]


def test_images_on_request_and_samples_always(ten_examples, tmp_path):
    x = np.full((10, 3, 4, 1), 0.5, np.float32)
    write_reports(ten_examples, x, tmp_path)
    assert not (tmp_path / "adversarial.npz").exists()
    write_reports(ten_examples, x, tmp_path, keep_images=True)
    for name in ("adversarial.npz", "samples.npz"):
        with np.load(tmp_path / name) as arrays:
            np.testing.assert_array_equal(arrays["images"], ten_examples.adversarial[:5])
            assert arrays["images"].dtype == np.float32
            assert arrays["ids"].tolist() == [100, 101, 102, 103, 104]
            assert arrays["labels"].tolist() == [0, 1, 2, 0, 1]
            assert arrays["attacks"].tolist() == ["apgd-ce"] * 3 + ["apgd-t", "square"]
            assert name == "adversarial.npz" or (arrays["clean"] == 0.5).all()
    forgotten = dataclasses.replace(ten_examples, adversarial=None)
    with pytest.raises(UserError, match="keep_images"):
        write_reports(forgotten, x, tmp_path, keep_images=True)
    # No samples of another evaluation stay behind.
    write_reports(forgotten, x, tmp_path)
    assert not (tmp_path / "samples.npz").exists()


def odd(evaluation, case):
    """An evaluation of a kind that formulas forget."""
    outcomes, wrong = evaluation.outcomes, (evaluation.labels + 1) % 3
    none = np.zeros(10, bool)

    def left_alone(outcome, **more):
        nowhere = np.full(10, -1)
        nothing = {"broken": none, "rejected": none, "run": nowhere, "step": nowhere}
        return dataclasses.replace(outcome, **nothing, **more)

    if case == "nothing broken":
        return dataclasses.replace(evaluation, outcomes=tuple(map(left_alone, outcomes)))
    if case == "all wrong when clean":
        nothing = np.zeros(10, int)
        idle = {"attempted": none, "forwards": nothing, "backwards": nothing, "passes": (0, 0)}
        idle |= {"seconds": 0.0, "busy": 1.0}
        outcomes = tuple(left_alone(outcome, **idle) for outcome in outcomes)
        return dataclasses.replace(evaluation, outcomes=outcomes, predictions=wrong)
    if case == "no attacks":
        return dataclasses.replace(evaluation, outcomes=(), adversarial=None)
    if case == "no distances":
        nan = {"distance": np.full(10, np.nan), "queries": np.full(10, np.nan)}
        outcomes = tuple(dataclasses.replace(outcome, measures=nan) for outcome in outcomes)
        return dataclasses.replace(evaluation, outcomes=outcomes)
    by_example = [f.name for f in dataclasses.fields(outcomes[0])]
    cut = [
        dataclasses.replace(
            o,
            measures={n: v[:1] for n, v in o.measures.items()},
            **{n: getattr(o, n)[:1] for n in by_example if isinstance(getattr(o, n), np.ndarray)},
        )
        for o in outcomes
    ]
    names = ("ids", "labels", "predictions", "adversarial")
    one = {name: getattr(evaluation, name)[:1] for name in names}
    return dataclasses.replace(evaluation, outcomes=tuple(cut), **one)


@pytest.mark.parametrize(
    ("case", "right", "total"),
    [
        ("nothing broken", 8, 10),
        ("all wrong when clean", 0, 10),
        ("no attacks", None, 10),
        ("no distances", 3, 10),
        ("one example", 0, 1),
    ],
)
def test_odd_cases(ten_examples, tmp_path, case, right, total):
    evaluation = odd(ten_examples, case)
    text = write_reports(evaluation, images(evaluation), tmp_path)
    report = read_report(tmp_path)
    json.dumps(report, allow_nan=False)
    robust = report["tfrobust"]["robust"]
    if right is None:
        assert robust is None and report["reported"] is None and "No attack was run" in text
    else:
        assert robust["right"] == right and robust["total"] == total
        assert robust["interval"] == list(binomial_interval(right, total))
    assert "nan" not in text.lower().replace("finance", "") and text.count("\n") > 20
    if right == 0:
        assert report["tfrobust"]["costs"]["autoattack_equivalents"] is None


def test_a_note_has_its_checks_name_and_numbers_stay_numbers(ten_examples, tmp_path):
    note = Finding("C28", "number of examples", "info", 10, 1000, "There are 10.")
    evaluation = dataclasses.replace(ten_examples, findings=(note,))
    text = write_reports(evaluation, images(evaluation), tmp_path)
    assert "\n- C28, number of examples (info): There are 10.\n" in text
    assert "- seconds: 10.0, in attacks 7.0" in text and "\\." not in text


def test_three_sentences_say_what_was_attacked_how_strongly_and_what_survived(ten_examples):
    what, how, survived = explain(summarize_evaluation(ten_examples)["tfrobust"])
    right = int(ten_examples.robust.sum())
    assert "(a network) was shown 10 images of the test split of digits, in 3 classes" in what
    assert f"{int(ten_examples.clean.sum())} (80.00 %)" in what
    assert how.startswith(f"{len(ten_examples.outcomes)} attacks") and "8/255 of the range" in how
    assert survived.startswith(f"It still recognises {right} (30.00 %)")
    assert "only lower" in survived
    none = dataclasses.replace(ten_examples, outcomes=())
    assert "no attack was run" in explain(summarize_evaluation(none)["tfrobust"])[1]
    one = dataclasses.replace(ten_examples, outcomes=ten_examples.outcomes[:1], suite="fgsm")
    _, how, survived = explain(summarize_evaluation(one)["tfrobust"])
    assert how.startswith("One attack") and "no estimate" in survived
