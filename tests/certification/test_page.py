"""The page of a certification: whole, self-contained, with the report's numbers, and only text in it."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
import scipy.stats

import tfrobust
from tests.html_pages import Reader, leaves
from tfrobust.certification import CROWN, CROWNIBP, IBP, Smoothing, certify, write_page
from tfrobust.certification.report import write_reports
from tfrobust.errors import UserError
from tfrobust.plots.report_figures import draw_certified_accuracy
from tfrobust.runs.reports.certification_report import read_certification

HOSTILE = "<script>alert(1)</script> & <img src=x> `code` {{ 7 * 7 }}"


def read_page(folder):
    text = (folder / "report.html").read_text()
    reader = Reader(text)
    assert reader.open == []
    return text, " ".join("".join(reader.text).split()), reader


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    """A linear classifier of which the exact radii are known: |x - 1/2|, with every fourth label wrong."""
    model = keras.Sequential(
        [keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)], name="linear"
    )
    model.set_weights([np.array([[1, -1]] * 4, "float32"), np.array([-2, 2], "float32")])
    values = np.array([0.55, 0.35, 0.8, 0.75, 0.7, 0.4, 0.1, 0.6], np.float32)
    labels = np.where(values > 0.5, 0, 1)
    labels[3::4] = 1 - labels[3::4]
    x = np.repeat(values, 4).reshape(8, 2, 2, 1)
    folder = tmp_path_factory.mktemp("c") / "c"
    found = certify(model, (x, labels), IBP(tfrobust.Linf("0.15"), bisections=5), workdir=folder)
    return found, folder


def test_the_page_has_the_numbers_and_needs_nothing_else(certified):
    found, folder = certified
    text, told, reader = read_page(folder)
    assert text.startswith("<!DOCTYPE html>") and "script" not in reader.tags
    assert all(reference.startswith("#") for reference in reader.references)
    assert text.count("http") == text.count('="http://www.w3.org/')
    assert reader.tags.count("svg") == 1
    # Three of the six that are right are farther than 0.15 from the boundary, and one is on the border.
    assert found.clean.sum() == 6 and found.certified.sum() == 3
    for part in (
        "(Keras model linear) was shown 8 images of arrays, and recognises 6 (75.00 %) of them as they are.",
        "changing the image by up to 0.15 of the range from black to white in every pixel could lead to",
        "For 3 (37.50 %) of all it is proven that it cannot",
        "certified accuracy, lower bound ≥ 37.50 %",
        "Linf 0.15; custom: 3 of 8 examples are certified.",
        "Radii were looked for up to 0.3; beyond, nothing was asked.",
        "ibp: Interval bounds: the least and the largest value",
        "What limits it",
        found.identity.weights,
    ):
        assert part in told, part
    low, high = (
        100 * json.loads((folder / "report.json").read_text())["certification"]["certified"][k]
        for k in ("low", "high")
    )
    assert f"95 % interval {low:.2f} to {high:.2f} %" in told


def test_a_certification_of_an_earlier_version_gets_a_page_too(certified, tmp_path):
    folder = shutil.copytree(certified[1], tmp_path / "c")
    content = json.loads((folder / "report.json").read_text())
    identity = content["certification"].pop("identity")
    content["certification"]["model_hash"] = identity["weights"]
    (folder / "report.json").write_text(json.dumps(content))
    write_page(folder)
    assert identity["weights"] in read_page(folder)[1]


def test_the_chart_has_the_share_that_is_proven_at_each_radius(certified):
    found, folder = certified
    report = read_certification(folder)
    (axes,) = draw_certified_accuracy(report.content, report.clean, report.radii).axes
    lines = {line.get_label(): line for line in axes.lines}
    radii, shares = lines["certified"].get_data()
    assert lines["certified"].get_drawstyle() == "steps-pre" and len(radii) > 4
    for radius, share in zip(radii[1:], shares[1:], strict=True):
        assert share == found.compute_accuracy(radius)
    assert radii[-1] == found.radii.max() < axes.get_xlim()[1]


def test_where_nothing_is_proven_there_is_no_chart(certified, tmp_path):
    found, _ = certified
    proofs = tuple(dataclasses.replace(p, radii=np.zeros(8)) for p in found.proofs)
    write_reports(dataclasses.replace(found, proofs=proofs), tmp_path)
    _, told, reader = read_page(tmp_path)
    assert "svg" not in reader.tags
    assert "For none of them was it proven" in told and "Nothing is proven at any radius" in told


def test_a_smoothed_classifier_is_told_from_its_network(certified, tmp_path):
    found, _ = certified
    certificate = Smoothing(tfrobust.L2(0.2), sigma=0.5, samples=1000, alpha=0.01)
    (proof,) = found.proofs
    predictions = np.where(np.arange(8) < 2, -1, found.labels)
    radii = np.where(np.arange(8) < 2, 0.0, 0.3)
    proof = dataclasses.replace(
        proof, name="smoothing", certificate=certificate, predictions=predictions, radii=radii
    )
    write_reports(
        dataclasses.replace(found, proofs=(proof,), threat_model=certificate.threat_model), tmp_path
    )
    _, told, _ = read_page(tmp_path)
    for part in (
        "Of 8 images of arrays, it recognises 6 (75.00 %) in this way, and abstains on 2.",
        "For 6 (75.00 %) of all it is proven, up to a small probability of an error",
        "clean accuracy 75.00 % of the smoothed classifier",
        "may be wrong with probability 0.01: of 10,000 examples up to 100 on average.",
        "Nothing is proven of the network alone",
        "added to 100 copies of an image",
        "Beyond the last step nothing is proven.",
    ):
        assert part in told, part
    assert "--certified" not in told


@pytest.mark.parametrize("early_stop", ["none", "sequential"])
def test_the_largest_radius_that_votes_can_prove(early_stop):
    """All n agree: p^n = alpha, so p = alpha^(1/n)."""
    one = Smoothing(tfrobust.L2(0.2), sigma=0.5, samples=1000, alpha=0.01, early_stop=early_stop)
    alpha = 0.01 / len(one.looks)
    furthest = 0.5 * scipy.stats.norm.ppf(alpha ** (1 / 1000))
    assert f"No more than the radius {furthest:.4g} can" in " ".join(one.list_limits())
    assert ("with 4 looks" in one.explain()) == (early_stop == "sequential")


def test_every_certificate_says_how_it_proves_and_what_limits_it():
    linf = tfrobust.Linf(0.1)
    every = [
        IBP(linf),
        CROWNIBP(linf),
        CROWN(linf),
        CROWN(linf, bisections=3),
        Smoothing(tfrobust.L2(1.0)),
    ]
    ways = [one.explain() for one in every]
    assert len(set(ways)) == len(every) and all(way.endswith(".") for way in ways)
    assert "up to 0.2, by halving the interval in which it lies 3 times." in ways[3]
    assert all(one.list_limits() for one in every)


def put(content, path, value):
    for key in path[:-1]:
        content = content[key]
    content[path[-1]] = value


def get(content, path):
    for key in path:
        content = content[key]
    return content


def check_text_only(folder):
    text, told, reader = read_page(folder)
    assert "<script" not in text and not {"script", "img"} & set(reader.tags)
    assert "{{ 7 * 7 }}" in told and "49" not in told.partition("{{")[0]


def test_no_text_of_a_report_is_markup(certified, tmp_path, monkeypatch):
    folder = shutil.copytree(certified[1], tmp_path / "c")
    content = json.loads((folder / "report.json").read_text())
    changed = json.loads(json.dumps(content))
    for path in leaves(content):
        value = get(content, path)
        if isinstance(value, str):
            put(changed, path, value + HOSTILE)
    (folder / "report.json").write_text(json.dumps(changed))
    write_page(folder)
    check_text_only(folder)
    # Any other value that somebody changed is refused, or text. Drawing is slow, and done above.
    monkeypatch.setattr("tfrobust.plots.report_figures.draw_certified_accuracy", lambda *_: None)
    refused = 0
    for path in leaves(content):
        changed = json.loads(json.dumps(content))
        put(changed, path, HOSTILE)
        (folder / "report.json").write_text(json.dumps(changed))
        try:
            write_page(folder)
        except UserError:
            refused += 1
            continue
        text, _, reader = read_page(folder)
        assert "<script" not in text and not {"script", "img"} & set(reader.tags), path
    assert 10 < refused < len(list(leaves(content)))


def test_the_page_is_made_again_of_the_same_bytes_or_refused(certified, tmp_path):
    folder = shutil.copytree(certified[1], tmp_path / "c")
    before = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    assert write_page(folder).read_bytes() == before
    content = json.loads((folder / "report.json").read_text())
    # As earlier versions wrote it.
    del content["certification"]["certificates"][0]["how"]
    (folder / "report.json").write_text(json.dumps(content))
    with pytest.raises(
        UserError, match="this version's certifications do not write .'how'.*new folder"
    ):
        write_page(folder)
    assert (folder / "report.html").read_bytes() == before
    with pytest.raises(UserError, match="no finished certification"):
        write_page(tmp_path)
