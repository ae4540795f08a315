"""Certificates beside attacks: one report, contradictions, examples that need no attack."""

import csv
import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest

import tfrobust
from tfrobust.certification import Smoothing, certify
from tfrobust.errors import UserError
from tfrobust.evaluation.epsilon_curve import EpsilonCurve
from tfrobust.plots import report_figures
from tfrobust.plots.bounds import find_steps
from tfrobust.runs.reports.identity import Identity

EPSILON = 0.02


@pytest.fixture(scope="module")
def setting():
    keras.utils.set_random_seed(0)
    model = tfrobust.models.digits_cnn(batch_normalization=False)
    data = tfrobust.data.digits()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(data.train.images[:800], data.train.labels[:800], epochs=4, verbose=0)
    attack = tfrobust.PGD(tfrobust.Linf(EPSILON), tfrobust.Margin(), steps=5, step_size=0.01)
    return model, (data.test.images[:30], data.test.labels[:30]), attack


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("c") / "bounds"


@pytest.fixture(scope="module")
def proven(setting, folder):
    model, examples, _ = setting
    return certify(model, examples, "bounds", tfrobust.Linf(EPSILON), workdir=folder)


def test_the_report_has_both_sides(setting, proven, folder, tmp_path):
    model, examples, attack = setting
    found = tfrobust.evaluate(
        model, examples, attack, checks="contract", certified=folder, workdir=tmp_path / "e"
    )
    np.testing.assert_array_equal(found.certified, proven.certified)
    np.testing.assert_array_equal(found.certified_radii, np.where(proven.clean, proven.radii, 0))
    assert not (found.certified & ~found.robust).any()
    assert not list((tmp_path / "e").glob("contradictions*"))
    ours = tfrobust.evaluation.read_report(tmp_path / "e")["tfrobust"]
    assert ours["certified"]["right"] == proven.certified.sum() <= ours["robust"]["right"]
    assert ours["certified"]["seconds"] > 0.0
    assert ours["certified"]["asked"] == 30 and ours["certified"]["spared"] == 0
    with open(tmp_path / "e" / "examples.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["certified_radius"]) for row in rows] == found.certified_radii.tolist()
    text = (tmp_path / "e" / "report.md").read_text()
    share = 100 * proven.certified.mean()
    assert f"({share:.2f} %) of all it is proven" in text and "certified, at least" in text
    assert f"between {share:.2f} %, which is certified (IBP, CROWNIBP, CROWN), and" in text
    assert ours["certified"]["method"] == proven.method == "IBP, CROWNIBP, CROWN"
    (row,) = (item for item in ours["checklist"] if item["item"] == "a proof as a lower bound")
    assert row["state"] == "answered"
    page = tfrobust.evaluation.write_page(tmp_path / "e").read_text()
    assert "certified, at least" in page


@pytest.mark.slow
def test_certified_accuracy_is_never_above_the_attacked_one(setting, tmp_path):
    model, (x, y), _ = setting
    proven = certify(model, (x, y), "radii", tfrobust.Linf(EPSILON))
    steps = find_steps(proven.clean, proven.radii)
    assert len(steps[0]) > 3
    for radius, share in zip(*steps, strict=True):
        assert share == proven.compute_accuracy(radius)
    curve = EpsilonCurve(steps=5)(model, x, y, tfrobust.Linf(EPSILON))
    assert curve["examples"] == 30
    reached = [(e, a) for e, a in zip(curve["epsilon"], curve["accuracy"]) if 0 < e <= steps[0][-1]]
    assert len(reached) > 3
    assert all(proven.compute_accuracy(e) <= a for e, a in reached)
    report = Drawable({**curve, "examples": 20}, proven)
    axes = report_figures.draw_accuracy_by_epsilon(report).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    assert lines["attacked"].get_ydata().tolist() == curve["accuracy"]
    radii, shares = find_steps(proven.clean[:20], proven.radii[:20])
    assert lines["certified"].get_xdata().tolist() == [0.0, *radii]
    assert lines["certified"].get_ydata().tolist() == [shares[0], *shares]
    assert lines["certified"].get_drawstyle() == "steps-pre"


class Drawable:
    """What the picture of a report reads."""

    def __init__(self, curve, proven):
        self.ours = {"curves": {"epsilon": curve}, "norm": "Linf", "radius": EPSILON}
        self.ours |= {"epsilon": EPSILON, "num_classes": 10}
        self.proven = lambda: (proven.clean, proven.radii)


def test_without_certificates_nothing_is_said(setting, tmp_path):
    model, examples, attack = setting
    found = tfrobust.evaluate(model, examples, attack, checks="contract", workdir=tmp_path / "e")
    assert found.certified is None
    ours = tfrobust.evaluation.read_report(tmp_path / "e")["tfrobust"]
    assert ours["certified"] is None
    (row,) = (item for item in ours["checklist"] if item["item"] == "a proof as a lower bound")
    assert row["state"] == "not answered"
    assert "C43" not in {finding["id"] for finding in ours["findings"]}


def test_certified_examples_need_no_attack(setting, proven, folder):
    model, examples, attack = setting
    whole = tfrobust.evaluate(model, examples, attack, checks="none", certified=folder)
    spared = tfrobust.evaluate(
        model, examples, attack, checks="none", certified=folder, skip_certified=True
    )
    np.testing.assert_array_equal(spared.robust, whole.robust)
    np.testing.assert_array_equal(spared.spared, whole.certified)
    (all_of_them,), (the_rest,) = whole.outcomes, spared.outcomes
    np.testing.assert_array_equal(the_rest.attempted, all_of_them.attempted & ~whole.certified)
    assert the_rest.forwards[whole.certified].sum() == 0


@pytest.mark.parametrize("chunk", ["auto", 8])
def test_a_contradiction_is_an_error_whose_images_are_kept(setting, proven, chunk, tmp_path):
    """Of every certified example that is broken, in whatever chunk, whether images are kept or not."""
    model, examples, _ = setting
    # As if a wrong certificate said so of every example that is right.
    wrong = tuple(dataclasses.replace(proof, radii=np.full(30, 0.5)) for proof in proven.proofs)
    attack = tfrobust.PGD(tfrobust.Linf(0.3), tfrobust.Margin(), steps=10, step_size=0.1)
    found = tfrobust.evaluate(
        model,
        examples,
        attack,
        checks="contract",
        certified=dataclasses.replace(proven, proofs=wrong),
        workdir=tmp_path,
        chunk=chunk,
    )
    (finding,) = (f for f in found.findings if f.id == "C43")
    broken = np.flatnonzero(found.clean & ~found.standing)
    assert finding.level == "error" and finding.value == len(broken) > 0
    assert set(finding.examples) <= set(broken.tolist())
    assert "not trustworthy: C43" in tfrobust.evaluation.headline(found)
    files, ids, images = sorted(tmp_path.glob("contradictions*.npz")), [], []
    for path in files:
        with np.load(path) as kept:
            ids, images = [*ids, *kept["ids"]], [*images, *kept["images"]]
    images = np.array(images)
    np.testing.assert_array_equal(ids, found.ids[broken])
    assert (np.argmax(model(images), axis=1) != examples[1][broken]).all()
    assert np.abs(images - examples[0][broken]).max() <= 0.3 + 1e-6
    assert (len(files) > 1) == (chunk == 8)


def test_certificates_of_other_images_or_labels_are_refused(setting, proven, folder):
    """Ids of arrays count from 0, whatever the arrays are."""
    model, (x, y), attack = setting
    other, labels = x[::-1].copy(), y.copy()
    labels[7] = (labels[7] + 1) % 10
    for certified, images, names, words in (
        (proven, other, y, r"is example 0, and \d+ of 30"),
        (folder, other, y, r"is example 0, and \d+ of 30"),
        (folder, x, labels, "is example 7, and 1 of 30"),
    ):
        with pytest.raises(UserError, match=words):
            tfrobust.evaluate(model, (images, names), attack, checks="none", certified=certified)
    found = tfrobust.evaluate(model, (x[:12], y[:12]), attack, checks="none", certified=folder)
    np.testing.assert_array_equal(found.certified, proven.certified[:12])


@pytest.mark.parametrize("rules", ["bounds 0", "bounds 0, mine 3", None])
def test_certificates_by_earlier_rules_are_refused(setting, proven, folder, rules, tmp_path):
    """A later version may have found that they did not hold."""
    model, examples, attack = setting
    earlier = shutil.copytree(folder, tmp_path / "earlier")
    marker = json.loads((earlier / "certification.json").read_text())
    del marker["proofs_of"]["rules"]
    marker["proofs_of"] |= {"rules": rules} if rules else {}
    (earlier / "certification.json").write_text(json.dumps(marker))
    with pytest.raises(UserError, match="which are 'bounds 1' now. Certify again"):
        tfrobust.evaluate(model, examples, attack, checks="none", certified=earlier)


def test_what_is_certified_and_wrong_as_it_is_contradicts_too(setting):
    """Two classifiers of the same weights, which are all that earlier versions noted."""
    _, (x, y), _ = setting
    models = []
    for scale in (1.0, -1.0):
        layers = [keras.layers.Rescaling(scale), keras.layers.Flatten(), keras.layers.Dense(2)]
        models.append(keras.Sequential([keras.Input((8, 8, 1)), *layers]))
        models[-1].set_weights([np.tile([[1.0, -1.0]], (64, 1)), np.zeros(2)])
    labels = np.zeros(30, int)
    proven = certify(models[0], (x, labels), "ibp", tfrobust.Linf(0.001))
    proven = dataclasses.replace(proven, identity=Identity(proven.identity.weights))
    attack = tfrobust.PGD(tfrobust.Linf(0.001), steps=1)
    found = tfrobust.evaluate(
        models[1], (x, labels), attack, checks="contract", certified=proven, force=True
    )
    (finding,) = (f for f in found.findings if f.id == "C43")
    assert proven.certified.all() and finding.level == "error" and finding.value == 30
    assert "broken by the clean image alone" in finding.text


def test_certificates_of_something_else_are_refused(setting, proven, folder, tmp_path):
    model, (x, y), attack = setting
    other = keras.models.clone_model(model)
    smooth = certify(model, (x[:2], y[:2]), Smoothing(tfrobust.L2(0.1), samples=50, selection=10))
    small = tfrobust.PGD(tfrobust.L2(0.1), steps=1)
    moved = tfrobust.evaluation.Examples.of(x, y, ids=np.arange(100, 130))
    for arguments, words in (
        ((other, (x, y), attack, folder), "of another classifier"),
        ((model, (x, y), small, folder), "for Linf, the attacks for L2"),
        ((model, (x, y), attack, tmp_path), "no finished certification"),
        ((model, (x, y), small, smooth), "certifies the smoothed classifier"),
        ((model, moved, attack, folder), "None of the 30 examples"),
    ):
        *rest, certified = arguments
        with pytest.raises(UserError, match=words):
            tfrobust.evaluate(*rest, checks="none", certified=certified)
    with pytest.raises(UserError, match="needs certificates"):
        tfrobust.evaluate(model, (x, y), attack, checks="none", skip_certified=True)
