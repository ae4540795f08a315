"""The page of an evaluation: whole, self-contained, with the report's numbers; and its pictures."""

import dataclasses
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from tests.html_pages import Reader, leaves
from tfrobust.errors import UserError
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.evaluation.reports.evaluation import write_reports
from tfrobust.evaluation.reports.page import write_page
from tfrobust.evaluation.reports.page_files import ReportFiles
from tfrobust.evaluation.reports.report_text import format_report
from tfrobust.plots.pixels import amplify, encode_png, find_factor
from tfrobust.plots.report_figures import (
    draw_accuracy_by_epsilon,
    draw_accuracy_by_step,
    draw_distances,
)

CURVE = {"epsilon": [0.1, 0.0], "accuracy": [0.1, 0.8]}


def page(folder):
    text = write_page(folder).read_text()
    reader = Reader(text)
    assert reader.open == []
    return text, reader


@pytest.fixture
def folder(ten_examples, tmp_path):
    clean = np.full((10, 3, 4, 1), 0.5, np.float32)
    write_reports(ten_examples, clean, tmp_path, curve=CURVE)
    return tmp_path


def test_the_page_is_well_formed_and_needs_nothing_else(folder):
    text, reader = page(folder)
    assert text.startswith("<!DOCTYPE html>")
    assert "script" not in reader.tags and "link" not in reader.tags
    assert reader.references
    for reference in reader.references:
        assert reference.startswith(("#", "data:image/png;base64,"))
        assert not reference.startswith("#") or reference[1:] in reader.ids
    assert "@import" not in text and text.count("url(") == text.count("url(#")
    # Names of one picture do not meet those of another.
    assert len(set(reader.ids)) == len(reader.ids)
    # Namespaces are the only addresses, and nobody goes there.
    assert text.count("http") == text.count('="http://www.w3.org/')
    assert reader.tags.count("svg") == 4
    assert reader.tags.count("img") == 5 * 3
    assert "#010203" not in text and "#040506" not in text


def test_the_page_has_the_numbers(folder):
    _, reader = page(folder)
    text = " ".join("".join(reader.text).split())
    for told in ("30.00 %", "10.78 to 60.32 %", "clean accuracy 80.00 %", "0f3a9c77d1e2", "8/255"):
        assert told in text
    assert "robust accuracy, upper bound" in text
    assert "not trustworthy" not in text
    assert "3 of 10 examples are robust" in text
    assert "image 103: 0 (apgd-t)" in text


def test_text_and_page_say_how_random_models_and_lost_logits_were_counted(ten_examples, tmp_path):
    first, *others = ten_examples.outcomes
    lost = dataclasses.replace(first, unanswered=np.arange(10) == 7)
    evaluation = dataclasses.replace(ten_examples, outcomes=(lost, *others), votes=20)
    clean = np.full((10, 3, 4, 1), 0.5, np.float32)
    text = write_reports(evaluation, clean, tmp_path)
    text_of_page = "".join(page(tmp_path)[1].text)
    for told in (text, text_of_page):
        told = " ".join(told.split())
        assert "judged by a vote of 20 passes" in told
        assert "For 1 of 10 examples, which no attack broke, the model gives NaN" in told
        assert "They count as broken" in told
        # 6 and 5 are robust; 7 would be.
        assert "without finite logits in the ball, counted as broken" in told
        assert "2 / 10" in told and "1 / 10" in told


def test_findings_are_told_and_words_are_safe(ten_examples, tmp_path):
    findings = (
        Finding("C8", "black <box>", "severe", 1, 0, "Look & see `x < y`.", (104,), "Do `z & w`."),
        Finding("C9", "steps", "passed", None, None, "Fine."),
    )
    evaluation = dataclasses.replace(
        ten_examples, findings=findings, model="<script>&", suite="pgd_20"
    )
    write_reports(evaluation, np.zeros((10, 3, 4, 1)), tmp_path)
    text, reader = page(tmp_path)
    assert "script" not in reader.tags and "&lt;script&gt;&amp;" in text
    assert "<code>x &lt; y</code>" in text
    assert "What to do:</em> Do <code>z &amp; w</code>." in text
    assert (
        text.index("<h2>Accuracy</h2>") < text.index("What to look at") < text.index("<h2>Attacks")
    )
    told = "".join(reader.text)
    assert "not trustworthy: C8" in told and "1 check passed" in told
    assert "accuracy under pgd_20, no estimate of robust accuracy" in told


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_images_of_any_kind(ten_examples, tmp_path, channels):
    found = np.repeat(ten_examples.adversarial, channels, axis=-1)
    evaluation = dataclasses.replace(ten_examples, adversarial=found)
    write_reports(evaluation, np.full((10, 3, 4, channels), 0.5, np.float32), tmp_path)
    _, reader = page(tmp_path)
    assert reader.tags.count("img") == 15


def test_without_attacks_there_is_a_page(ten_examples, tmp_path):
    evaluation = dataclasses.replace(ten_examples, outcomes=(), adversarial=None)
    write_reports(evaluation, np.zeros((10, 3, 4, 1)), tmp_path)
    _, reader = page(tmp_path)
    assert "clean accuracy, nothing attacked" in "".join(reader.text)
    assert "svg" not in reader.tags


def test_pictures_show_the_reports_numbers(folder):
    report = ReportFiles.read(folder)
    curve = draw_accuracy_by_epsilon(report).axes[0].lines[0]
    assert curve.get_xydata().tolist() == [[0.0, 0.8], [0.1, 0.1]]
    lines = {line.get_label(): line for line in draw_accuracy_by_step(report).axes[0].lines}
    assert lines["apgd-ce"].get_xydata().tolist() == [[0, 0.7], [4, 0.5], [10, 0.5]]
    # What counts queries has a picture of its own.
    assert "square" not in lines
    bars = draw_distances(report).axes[0].patches
    assert sum(bar.get_height() for bar in bars) == 4


def test_the_radius_stands_beside_its_line(folder):
    """Also where the line is near the right edge; and nothing is told by its colour alone."""
    for factor in (1.0, 2.0):
        report = ReportFiles.read(folder)
        report.ours["radius"] *= factor
        for draw in (draw_accuracy_by_epsilon, draw_distances):
            figure = draw(report)
            figure.canvas.draw()
            (axes,), place = figure.axes, report.ours["radius"]
            (label,) = (t for t in axes.texts if t.get_text() == report.ours["epsilon"])
            box, x = label.get_window_extent(), axes.transData.transform((place, 0))[0]
            assert box.x0 > x + 1 or box.x1 < x - 1
            assert 0 <= box.x0 and box.x1 <= figure.bbox.x1


def test_certified_and_attacked_differ_by_their_lines(folder):
    report = ReportFiles.read(folder)
    assert draw_accuracy_by_epsilon(report).axes[0].lines[0].get_linestyle() == "-"
    object.__setattr__(report, "proven", lambda: (np.ones(4, bool), np.array([0.01, 0.02, 0, 0])))
    attacked, certified, *_ = draw_accuracy_by_epsilon(report).axes[0].lines
    assert (attacked.get_label(), certified.get_label()) == ("attacked", "certified")
    assert attacked.get_linestyle() == ":" and certified.get_linestyle() == "-"


def test_each_cell_names_its_column(folder):
    """In a narrow window a row is a card: its cells stand below each other."""
    text, _ = page(folder)
    tables = re.findall(r"<table>(.*?)</table>", text, re.S)
    assert len(tables) >= 3
    for table in tables:
        heads = re.findall(r"<th[^>]*>(.*?)</th>", table, re.S)
        cells = re.findall(r'<td data-title="([^"]*)"', table)
        assert cells == heads * (len(cells) // len(heads)) and len(cells) == table.count("<td")


def test_the_same_files_give_the_same_page(folder):
    first = write_page(folder).read_bytes()
    assert write_page(folder).read_bytes() == first


def test_differences_are_amplified_to_the_whole_range():
    delta = np.array([[[0.1], [-0.05], [0.0]]])
    assert find_factor(delta) == pytest.approx(5.0)
    np.testing.assert_allclose(amplify(delta)[0, :, 0], [1.0, 0.25, 0.5])
    np.testing.assert_array_equal(amplify(0 * delta), np.full((1, 3, 1), 0.5))


def test_png_holds_the_pixels():
    image = np.array([[[0.0, 0.5, 1.0], [1.0, 0.2, np.nan]]])
    back = np.asarray(Image.open(io.BytesIO(encode_png(image))))
    np.testing.assert_array_equal(back, [[[0, 128, 255], [255, 51, 0]]])
    assert np.asarray(Image.open(io.BytesIO(encode_png(image[..., :1])))).shape == (1, 2)


def test_folders_without_reports_and_newer_ones_are_refused(folder):
    with pytest.raises(UserError, match="cannot be read"):
        write_page(folder / "absent")
    content = json.loads((folder / "report.json").read_text())
    content["tfrobust"]["schema"] = 2
    (folder / "report.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="Install a newer"):
        write_page(folder)
    content["tfrobust"]["schema"] = 1
    (folder / "report.json").write_text(json.dumps(content))
    (folder / "examples.csv").unlink()
    with pytest.raises(UserError, match="no examples.csv"):
        write_page(folder)


HOSTILE = "<script>alert(1)</script>\n# A heading\n- item | cell | `code` ![x](http://a/b) &lt; "


def with_value(content, path, change):
    content = json.loads(json.dumps(content))
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = change(place[path[-1]])
    return content


def check_html(folder):
    text = write_page(folder).read_text()
    assert "<script" not in text and "http://a/b)" not in "".join(Reader(text).references)
    assert "script" not in Reader(text).tags and "img" not in Reader(text).tags


def check_markdown(text, plain_text):
    for bad in ("<script", "\n# A heading", "\n- item", "![x]("):
        assert bad not in text
    # As many lines, headings and cells as without.
    for sign in ("\n", "\n#", "\n- "):
        assert text.count(sign) == plain_text.count(sign), sign
    for ours, theirs in zip(text.splitlines(), plain_text.splitlines(), strict=True):
        assert len(re.findall(r"(?<!\\)\|", ours)) == len(re.findall(r"(?<!\\)\|", theirs)), ours


def test_no_text_of_a_report_is_markup(ten_examples, tmp_path):
    findings = [
        Finding(id, "title", level, 1.0, 2.0, "text with `code` in it", (3,), "advice with `code`")
        for id, level in (("C1", "severe"), ("C2", "warning"), ("C3", "info"), ("C4", "passed"))
    ]
    evaluation = dataclasses.replace(ten_examples, findings=tuple(findings))
    clean = np.full((10, 3, 4, 1), 0.5, np.float32)
    write_reports(evaluation, clean, tmp_path, curve=CURVE)
    (tmp_path / "samples.npz").unlink()
    content = json.loads((tmp_path / "report.json").read_text())
    plain_text = format_report(content)
    # Words that say which part is written are looked at one by one below.
    kept = {"level", "schema"}
    changed = content
    for path in leaves(content["tfrobust"], ("tfrobust",)):
        value = content
        for key in path:
            value = value[key]
        if isinstance(value, str) and path[-1] not in kept:
            changed = with_value(changed, path, lambda text: text + HOSTILE)
    check_markdown(format_report(changed), plain_text)
    (tmp_path / "report.json").write_text(json.dumps(changed))
    check_html(tmp_path)


@pytest.mark.slow
def test_any_value_of_a_report_that_somebody_changed_is_refused_or_only_text(
    ten_examples, tmp_path
):
    clean = np.full((10, 3, 4, 1), 0.5, np.float32)
    finding = Finding("C1", "title", "severe", 1.0, 2.0, "text", (3,))
    evaluation = dataclasses.replace(ten_examples, findings=(finding,))
    write_reports(evaluation, clean, tmp_path)
    (tmp_path / "samples.npz").unlink()
    content = json.loads((tmp_path / "report.json").read_text())
    with pytest.MonkeyPatch.context() as patch:
        # Drawing is slow, and has no text but names and numbers.
        patch.setattr("tfrobust.evaluation.reports.page_template._charts", lambda report: ())
        for path in leaves(content["tfrobust"], ("tfrobust",)):
            changed = with_value(content, path, lambda _: HOSTILE)
            (tmp_path / "report.json").write_text(json.dumps(changed))
            try:
                check_html(tmp_path)
            except UserError:
                pass
            try:
                text = format_report(changed)
            except (TypeError, ValueError, LookupError):
                continue
            assert "<script" not in text and "\n# A heading" not in text, path


def test_a_caption_names_the_class_that_the_attack_produced(ten_examples, tmp_path):
    clean = np.full((10, 3, 4, 1), 0.5, np.float32)

    def answer_two(x):
        return np.eye(3)[np.full(len(x), 2)]

    write_reports(ten_examples, clean, tmp_path, model=answer_two)
    text = (tmp_path / "report.html").read_text()
    assert "image 103: 0 is taken for 2 (apgd-t); change x " in text
    assert text.count("is taken for 2") == 5
    assert "It still recognises 3 (30.00 %)" in text
