"""Every check has one id, one title, one entry of the page and settings that are used and can be changed."""

import ast
import pathlib
import re

import numpy as np
import pytest

import tfrobust
from tfrobust import PGD, Linf
from tfrobust.errors import UserError
from tfrobust.evaluation import checks, evaluate
from tfrobust.evaluation.checks.beside.budget import COST
from tfrobust.evaluation.checks.catalogue.entries import list_checks
from tfrobust.evaluation.checks.catalogue.page import make_page
from tfrobust.evaluation.checks.check import Limits
from tfrobust.evaluation.reports.checklist import ITEMS
from tfrobust.evaluation.reports.report_text import format_report
from tfrobust.evaluation.reports.summary import summarize_evaluation

ROOT = pathlib.Path(__file__).resolve().parents[3]
CHECKS = list_checks()


def test_the_page_is_the_one_that_the_checks_make():
    written = (ROOT / "docs" / "checks.md").read_text()
    assert written == make_page(), (
        "run `python -m tfrobust.evaluation.checks.catalogue.page > docs/checks.md`"
    )
    assert re.findall(r"^### (C\w+): ", written, re.MULTILINE) == [check.id for check in CHECKS]


def test_ids_and_titles_name_one_check_each():
    for names in ([check.id for check in CHECKS], [check.title for check in CHECKS]):
        assert len(names) == len(set(names))
    # A finding is made by its check alone: no other string of the package is an id or a title.
    folder = pathlib.Path(checks.__file__).parent
    texts = [node.value for path in folder.rglob("*.py") for node in literals(path)]
    assert [id for id in (check.id for check in CHECKS) if texts.count(id) != 1] == []
    numbers = sorted(int(check.id[1:].rstrip("ab")) for check in CHECKS)
    assert set(numbers) == set(range(1, max(numbers) + 1))
    for check in CHECKS:
        assert all(text.endswith(".") for text in (check.measures, check.why, check.advice))


def literals(path):
    """The string constants of a file."""
    tree = ast.parse(path.read_text())
    return [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def test_every_setting_is_read_somewhere():
    folder = pathlib.Path(tfrobust.__file__).parent / "evaluation"
    trees = [ast.parse(path.read_text()) for path in folder.rglob("*.py")]
    read = {n.attr for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    assert {name for check in CHECKS for name in check.settings} <= read


def test_the_checklist_asks_for_checks_that_exist():
    asked = {id for item in ITEMS for entry in item.checks for id in entry.split(" or ")}
    assert {id for id in asked if not any(c.id.rstrip("ab") == id for c in CHECKS)} == set()


def test_settings_are_changed_by_the_id_and_the_name():
    limits = checks.read_limits({"C36": {"steps": 7}, "C8": {"share": "1/100"}})
    assert limits[COST].steps == 7 and limits[COST].targets == 3
    assert limits.changes["C8"]["share"] == 0.01
    assert vars(Limits()[COST]) == {n: s.default for n, s in COST.settings.items()}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"C99": {"share": 1}}, "no check 'C99'.*C8"),
        ({"C2": {"share": 1}}, "C2 .pixels and radius. has no setting 'share'. It has: slack"),
        ({"C2": 3}, "must be a dict"),
        (3, "must map ids"),
        ({"C36": {"steps": 2.5}}, "steps"),
        ({"C2": {"slack": -1}}, "slack"),
        ({"C2": {"slack": "much"}}, "slack"),
        ({"C3": {}}, "no check 'C3' with settings"),
    ],
)
def test_what_is_no_setting_is_refused_before_anything_runs(wrong, told):
    with pytest.raises(UserError, match=told):
        evaluate(None, None, None, thresholds=wrong)


def test_a_cheap_suite_gets_its_checks_and_the_report_names_what_was_changed(tiny, tmp_path):
    """A step on 128 images makes some hundred passes, of which a quarter buys nothing."""
    model = tiny.linear(3)
    suite = PGD(Linf(0.05), steps=1, relative_step_size=1.0)
    given = (tiny.x, np.argmax(model(tiny.x), axis=1))
    result = evaluate(model, given, suite, checks="full", thresholds={"C15": {"samples": 50}})
    assert sum(sum(o.passes) for o in result.outcomes) < 1000
    found = {f.id: f for f in result.findings}
    assert {f.id for f in result.findings if f.fired} == set()
    promised = re.search(r"make (C[^.]*) and, as far", make_page()).group(1).split(", ")
    assert len(promised) == 8 and all(found[id].made for id in promised)
    assert found["C36"].value <= found["C36"].threshold == 24_000
    assert "16 of 128" in found["C36"].text and "floor" in found["C36"].text
    text = format_report(summarize_evaluation(result))
    assert "settings of C15, not the default" in text and "samples = 50" in text
