"""Which rows differ: letters, sentences, and what could not be compared, from verdicts written by hand."""

import functools
import json

import numpy as np
import pytest

from tfrobust.comparison.compare import compare_methods, judge_method
from tfrobust.comparison.pairs import JudgedMethod
from tfrobust.comparison.text import (
    describe_letters,
    format_difference,
    list_sentences,
)
from tfrobust.comparison.verdicts import (
    Verdicts,
    read_counted,
    read_evaluation,
    read_test,
    write_test,
)
from tfrobust.errors import UserError

LINF = {"threat model": "Linf 0.3", "suite": "pgd_20"}


def method(name, *flags, seeds=None, **asked):
    """A method of runs whose verdicts are texts of 0 and 1."""
    seeds = range(len(flags)) if seeds is None else seeds
    asked = {**LINF, **{key.replace("_", " "): value for key, value in asked.items()}}
    runs = [
        Verdicts(np.array([c == "1" for c in text]), seed, asked)
        for seed, text in zip(seeds, flags, strict=True)
    ]
    return JudgedMethod(name, tuple(runs))


def test_differences_are_paired_by_image_and_seed():
    """Seeds in another order; one that only one has does not count."""
    first = method("A", "1110" * 50, "1100" * 50, "1111" * 50)
    second = method("B", "0100" * 50, "0100" * 50, seeds=(1, 0))
    (pair,) = compare_methods([second, first]).pairs
    assert (pair.first, pair.second, pair.seeds, pair.examples) == ("A", "B", 2, 200)
    # d = (1, 0, 1, 0) and (1, 0, 0, 0) on every four images: means 1/2 and 1/4 over images.
    assert pair.difference == 37.5
    # Around it Student's t of one degree of freedom, with a standard error of 1/8; its quantile is 12.7. No
    # difference is beyond 100 points.
    np.testing.assert_allclose(pair.interval, [-100, 100])
    np.testing.assert_allclose(pair.probability, 0.5 + np.arctan(3.0) / np.pi, atol=0.02)
    # 100 images that only the first withstands, then 50.
    np.testing.assert_allclose(pair.p_values, [2.0**-99, 2.0**-49])


def test_two_runs_of_one_seed_are_not_two_seeds():
    runs = [Verdicts(np.array([True, one]), 3, LINF) for one in (True, False)]
    judged = judge_method("A", [lambda: runs[0], lambda: runs[1]])
    assert judged.runs == (runs[0],)
    assert judged.lacking == ("there are two runs of seed 3, of which the first one counts",)


def test_one_run_each_has_the_interval_of_the_dirichlet():
    (pair,) = compare_methods([method("A", "1110" * 50), method("B", "0100" * 50)]).pairs
    deviation = 100 * np.sqrt((101 + 1 - 100**2 / 203) / (203 * 204))
    assert pair.difference == 50.0 and pair.probability == 1.0
    ends = np.array([-1.96, 1.96]) * deviation + 100 * 100 / 203
    np.testing.assert_allclose(pair.interval, ends, atol=0.4)


def test_a_pair_that_is_turned_says_the_same():
    found = compare_methods([method("A", "0100" * 10), method("B", "1100" * 10)])
    pair, turned = found.find_pair(1, 0), found.find_pair(0, 1)
    assert pair.first == "B" and turned.first == "A" and turned.turn() == pair
    assert turned.difference == -25.0 and turned.interval == tuple(-e for e in pair.interval[::-1])
    assert format_difference(turned).startswith("-25.0 (") and ", P < 0.01" in format_difference(
        turned
    )


def test_sentences_of_a_small_table():
    rows = [
        method("A", "1" * 30 + "0" * 10),
        method("B", "1" * 21 + "0" * 19),
        method("C", "10" * 20),
    ]
    found = compare_methods(rows)
    sentences, (letters,) = list_sentences(found), describe_letters([found])
    assert [s.split(":")[0] for s in sentences] == [
        "A is more robust than B",
        "A is more robust than C",
        "B is more robust than C",
    ]
    assert sentences[0].startswith(
        "A is more robust than B: P > 0.99 (+22.5 points, 95 % interval +"
    )
    assert "McNemar's exact test p = 0.0039)" in sentences[0]
    assert "one run each" in letters and "(40)" in letters


def test_a_large_table_has_the_best_row_beside_the_others():
    """Not twenty-eight sentences: what is sure is one, and letters speak for the rest."""
    rows = [
        method(f"m{n}", "1" * (190 - n) + "0" * (10 + n)) for n in (0, 1, 2, 3, 60, 80, 100, 150)
    ]
    found = compare_methods(rows)
    sentences = list_sentences(found)
    assert [s.split(":")[0] for s in sentences[:3]] == [
        f"m0 is more robust than m{n}" for n in (1, 2, 3)
    ]
    assert sentences[3] == "m0 is more robust than each of m60, m80, m100, m150: P > 0.99."
    assert len(sentences) == 4
    assert len(found.pairs) == 28 and found.letters == ("a", "a", "a", "a", "b", "c", "d", "e")


def test_several_seeds_say_what_is_in_their_interval():
    flags = ["1" * 30 + "0" * 10, "1" * 31 + "0" * 9, "1" * 29 + "0" * 11]
    rows = [method("A", *flags), method("B", *(f[::-1] for f in flags))]
    found = compare_methods(rows)
    (sentence,), (uncertainty,) = list_sentences(found), describe_letters([found])
    assert "McNemar's exact test by seed p = 1, 1, 1)" in sentence
    assert "test images (40), each" in uncertainty and "over training seeds (3)" in uncertainty
    rows = [method("A", *flags[:2]), method("B", *flags[1:], seeds=(1, 2))]
    others = compare_methods(rows)
    # The sentence of several columns.
    assert "Two seeds seldom" not in describe_letters([found, others])[0]
    assert "training seeds (1 to 3)" in describe_letters([found, others])[0]
    assert "Where two rows have one seed in common" in describe_letters([found, others])[0]
    assert "one run each" in describe_letters([others])[0]
    rows = [method("A", *flags[:2]), method("B", *flags[:2])]
    assert "Two seeds seldom" in describe_letters([compare_methods(rows)])[0]


def test_p_values_below_a_thousandth():
    flags = "1" * 40, "0" * 40
    (pair,) = compare_methods([method("A", flags[0]), method("B", flags[1])]).pairs
    assert "p < 0.001)" in str(pair)
    (pair,) = compare_methods([method("A", *flags), method("B", flags[1], flags[1])]).pairs
    assert "p = < 0.001, 1)" in str(pair)


def test_what_was_judged_otherwise_is_compared_among_itself_with_letters_of_its_own():
    rows = [
        method("A", "1100" * 9),
        method("B", "1000" * 9, threat_model="L2 0.5"),
        method("C", "0000" * 9),
        method("D", "1110" * 9, threat_model="L2 0.5"),
        method("E", "1110" * 9, suite="autoattack"),
        method("F", "1110" * 8),
        JudgedMethod("G"),
    ]
    found = compare_methods(rows)
    assert found.letters == ("a", "d", "b", "c", "", "", "")
    assert [(p.first, p.second) for p in found.pairs] == [("A", "C"), ("D", "B")]
    assert found.remarks == (
        "B, D are compared among themselves only: they differ from A in the threat model: L2 0.5, not "
        "Linf 0.3.",
        "E is not compared with any row: it differs from A in the suite: autoattack, not pgd_20.",
        "F is not compared with any row: it differs from A in the number of test examples: 32, not "
        "36.",
    )


def test_seeds_that_cannot_be_paired():
    rows = [method("A", "1100", "1100", seeds=(0, 1)), method("B", "1100", "1000", seeds=(2, 3))]
    found = compare_methods(rows)
    assert found.pairs == () and found.letters == ("a", "a")
    assert found.remarks == ("A and B are not compared: they have no seed in common.",)
    # One run each is about these two classifiers, whatever their seeds.
    assert compare_methods([method("A", "11"), method("B", "10", seeds=(5,))]).pairs[0].seeds == 1
    # A seed that was judged otherwise.
    whole = method("A", "1100", "110")
    found = compare_methods([whole, method("B", "1000")])
    assert len(found.pairs) == 1
    assert found.remarks == (
        "Seed 1 of A is not compared: it differs from the first run in the number of test examples.",
    )


def test_one_row_among_rows_that_were_not_run():
    alone = compare_methods([method("A", "10"), JudgedMethod("B")])
    assert alone.remarks == ("A is not compared: no other row has a verdict on each example.",)
    assert compare_methods([method("A", "10")]).remarks == ()
    assert list_sentences(compare_methods([])) == []


def write_run(folder, robust, threat_model="Linf(epsilon='0.3')", attack=None, data="digits"):
    folder.mkdir(parents=True)
    flags = np.array([c == "1" for c in robust])
    report = {"threat_model": threat_model, "seed": 0}
    report["test_attack"] = attack or f"PGD(threat_model={threat_model}, steps=20)"
    report["robust"] = {"right": int(flags.sum()), "total": len(flags)}
    (folder / "report.json").write_text(json.dumps(report))
    record = {"seed": 0, "starts": [], "data": {"name": data, "fingerprint": {"test": "ab"}}}
    (folder / "run.json").write_text(json.dumps(record))
    write_test(folder / "test_examples.csv", np.arange(len(flags)), flags, flags)


def test_a_test_is_read_back(tmp_path):
    write_run(tmp_path / "a", "1101")
    write_run(tmp_path / "b", "1000", threat_model="Linf(epsilon=0.3)")
    write_run(tmp_path / "c", "1000", threat_model="Linf(epsilon='3/10')", data="mnist")
    write_run(tmp_path / "d", "1000", threat_model="L2(epsilon='3/10')")
    a, b, c, d = (read_test(tmp_path / name) for name in "abcd")
    assert a.robust.tolist() == [True, True, False, True] and a.seed == 0
    # A radius is what it is, however it was written.
    assert a.find_difference(b) is None
    assert a.find_difference(c) == "data" and a.find_difference(d) == "threat model"
    write_run(tmp_path / "e", "1000", attack="PGD(threat_model=Linf(epsilon='0.3'), steps=10)")
    assert a.find_difference(read_test(tmp_path / "e")) == "attack"


def write_evaluation(folder, breakers, unanswered=(), attacks=("pgd", "fab"), total=None, **more):
    folder.mkdir(parents=True)
    rows = [
        f"{i},0,{'' if b == '-' else 0},{'false' if b == '-' else 'true'},{b.strip('-')},"
        f"{'true' if i in unanswered else 'false'}"
        for i, b in enumerate(breakers)
    ]
    head = "id,label,prediction,clean_right,broken_by,unanswered"
    (folder / "examples.csv").write_text("\n".join([head, *rows]) + "\n")
    right = [i for i, b in enumerate(breakers) if not b and i not in unanswered]
    ours = {"schema": 1, "suite": "s", "norm": "Linf", "radius": 0.3, "data": "mnist test"}
    ours["robust"] = {"right": len(right), "total": total or len(breakers)}
    first = [b not in ("-", attacks[0]) for b in breakers]
    ours["attacks"] = [
        {"name": name, "marginal": {"right": sum(first), "total": len(breakers)}}
        for name in attacks
    ]
    (folder / "report.json").write_text(json.dumps({"tfrobust": {**ours, **more}}))


def test_an_evaluation_is_read_example_by_example(tmp_path):
    write_evaluation(tmp_path / "a", ["", "-", "pgd", "fab", ""], unanswered=(4,))
    found = read_evaluation(tmp_path / "a", seed=3)
    assert found.robust.tolist() == [True, False, False, False, False] and found.seed == 3
    assert found.asked["data"] == "mnist" and found.asked["threat model"] == "Linf 0.3"
    # The first attack was given every example; what others did alone is not kept.
    assert read_evaluation(tmp_path / "a", attack="pgd").robust.tolist() == [1, 0, 0, 1, 1]
    with pytest.raises(UserError, match="hides what fab alone did"):
        read_evaluation(tmp_path / "a", attack="fab")
    write_evaluation(tmp_path / "b", ["", "", ""])
    assert found.find_difference(read_evaluation(tmp_path / "b")) == "test examples"


def test_the_verdict_of_bin_compare(tmp_path):
    write_run(tmp_path / "run", "1101")
    path = tmp_path / "run" / "autoattack.json"
    counted = {"threat_model": "Linf(epsilon=0.3)", "right": 1, "total": 3, "robust": "100"}
    path.write_text(json.dumps(counted))
    found = read_counted(path, "autoattack_standard", seed=2)
    assert found.robust.tolist() == [True, False, False]
    assert found.asked == {
        "suite": "autoattack_standard",
        "threat model": "Linf 0.3",
        "data": "digits",
        "test split": "ab",
    }


def test_what_cannot_be_read_is_said_once_for_each_reason(tmp_path):
    for name in ("a", "b"):
        write_run(tmp_path / name, "1101")
        (tmp_path / name / "test_examples.csv").unlink()
    write_run(tmp_path / "c", "1101")
    (tmp_path / "c" / "test_examples.csv").write_text("id,clean_right,robust\n0,true,true\n")
    write_evaluation(tmp_path / "d", [""], robust=None)
    write_evaluation(tmp_path / "e", ["", ""], total=3)
    write_evaluation(tmp_path / "f", [""])
    (tmp_path / "f" / "examples.csv").unlink()
    (tmp_path / "g.json").write_text(json.dumps({"right": 1, "total": 3}))
    readers = {name: functools.partial(read_test, tmp_path / name) for name in "abc"}
    readers |= {name: functools.partial(read_evaluation, tmp_path / name) for name in "def"}
    readers["g"] = functools.partial(read_counted, tmp_path / "g.json", "autoattack")
    found = compare_methods([judge_method(name, [read]) for name, read in readers.items()])
    assert found.letters == ("",) * 7
    expected = [
        ("a, b are not compared: ", "no test_examples.csv"),
        ("c is not compared: ", "test_examples.csv has 1 robust examples of 1, its report 3 of 4"),
        ("d is not compared: ", "the evaluation has no attacks"),
        ("e is not compared: ", "examples.csv has 2 robust examples of 2, its report 2 of 3"),
        ("f is not compared: ", "no examples.csv"),
        ("g is not compared: ", "remove it, and tfrobust compare"),
    ]
    assert len(found.remarks) == len(expected)
    for told, (begin, part) in zip(found.remarks, expected, strict=True):
        assert told.startswith(begin) and part in told
    half = judge_method("A", [readers["a"], lambda: method("x", "10").runs[0]])
    some = compare_methods([half, JudgedMethod("B")])
    assert some.remarks[0].startswith("some runs of A are not compared: ")


@pytest.mark.parametrize("count", [6, 7])
def test_many_rows_that_lack_the_same_are_counted(count):
    def read():
        raise UserError("there is no examples.csv")

    names = [f"row {number}" for number in range(count)]
    found = compare_methods([judge_method(name, [read]) for name in names] + [method("A", "1")])
    told = ", ".join(names) if count == 6 else "7 of 8 rows"
    assert found.remarks[0] == f"{told} are not compared: there is no examples.csv."
