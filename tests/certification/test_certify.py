"""The door `certify`: what it certifies, refuses, saves, resumes and reports."""

import csv
import json

import keras
import numpy as np
import pytest

import tfrobust
from tfrobust.bounds import rules
from tfrobust.certification import CROWN, CROWNIBP, IBP, Smoothing, certify, counts
from tfrobust.certification.counts import bound_probability, find_radius
from tfrobust.certification.suites import CertificateSuite
from tfrobust.errors import Interrupted, UserError
from tfrobust.evaluation import Subject

EPSILON = 0.02
# By the versions of the rules of bounds and of smoothing.
GOLDEN = {(1, 1): [0.024987309350589737, 0.3499898034802449, 0.9890047910706024]}


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(0)
    model = tfrobust.models.digits_cnn(batch_normalization=False)
    data = tfrobust.data.digits()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(data.train.images[:800], data.train.labels[:800], epochs=4, verbose=0)
    return model, (data.test.images[:40], data.test.labels[:40])


@pytest.fixture(scope="module")
def certified(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("certified") / "bounds"
    model, examples = trained
    return certify(model, examples, "bounds", tfrobust.Linf(EPSILON), workdir=folder), folder


def test_what_is_certified_cannot_be_broken(trained, certified):
    model, examples = trained
    found, _ = certified
    attack = tfrobust.PGD(tfrobust.Linf(EPSILON), tfrobust.Margin(), steps=20, step_size=0.004)
    attacked = tfrobust.evaluate(model, examples, attack, checks="none")
    np.testing.assert_array_equal(found.clean, attacked.clean)
    assert not (found.certified & ~attacked.robust).any()
    assert 0.5 < found.certified.mean() <= attacked.robust.mean()


def test_cheap_certificates_go_first_and_the_suite_proves_no_less(trained, certified):
    model, examples = trained
    found, _ = certified
    given = [proof.attempted for proof in found.proofs]
    assert given[0].all()
    for before, after, proof in zip(given, given[1:], found.proofs, strict=False):
        np.testing.assert_array_equal(after, before & (proof.radii < EPSILON))
    alone = [
        certify(model, examples, one(tfrobust.Linf(EPSILON))) for one in (IBP, CROWNIBP, CROWN)
    ]
    flags = [one.certified for one in alone]
    # Each proves what the one before it proves, and CROWN what the suite does.
    assert not (flags[0] & ~flags[1]).any() and not (flags[1] & ~flags[2]).any()
    np.testing.assert_array_equal(flags[2], found.certified)
    assert flags[1].sum() < flags[2].sum()


def test_passes_are_counted(trained):
    """IBP: the images and three for the boxes. Linear bounds: k more, and two for each open number."""
    model, (x, y) = trained
    x, y = x[:4], y[:4]
    threat_model = tfrobust.Linf(0.05)
    right = certify(model, (x, y), IBP(threat_model)).clean
    assert right.any()
    for make, expected in ((IBP, 4), (CROWNIBP, 14)):
        found = certify(model, (x, y), make(threat_model)).proofs[0].passes
        np.testing.assert_array_equal(found, np.where(right, expected, 1))
    crown = certify(model, (x, y), CROWN(threat_model)).proofs[0].passes
    # In front of activations are 4 x 4 x 32, 2 x 2 x 64 and 64 numbers, but for the first, which are exact.
    assert (crown[right] > 27).all() and (crown[right] <= 27 + 2 * (512 + 256 + 64)).all()
    assert ((crown[right] - 27) % 2 == 0).all() and (crown[~right] == 1).all()


def test_radii_by_bisection_bracket_the_verdict(trained):
    model, (x, y) = trained
    x, y = x[:12], y[:12]
    found = certify(model, (x, y), CROWNIBP(tfrobust.Linf(0.01), bisections=4))
    verdicts = {r: certify(model, (x, y), CROWNIBP(tfrobust.Linf(r))) for r in (0.01, 0.005, 0.015)}
    for radius, verdict in verdicts.items():
        np.testing.assert_array_equal(found.radii >= radius, verdict.certified)
    steps = found.radii / 0.01 * 16
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-9)


def test_reports_say_what_was_proven(certified):
    found, folder = certified
    with open(folder / "certified.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["id"]) for row in rows] == found.ids.tolist()
    assert [row["certified"] == "true" for row in rows] == found.certified.tolist()
    assert [float(row["radius"]) for row in rows] == found.radii.tolist()
    content = json.loads((folder / "report.json").read_text())["certification"]
    assert content["certified"]["count"] == found.certified.sum()
    assert (
        content["certified"]["low"]
        < content["certified"]["accuracy"]
        < content["certified"]["high"]
    )
    text = (folder / "report.md").read_text()
    assert f"Certified accuracy >= {100 * found.certified.mean():.2f} %" in text
    assert "no image within it is misclassified" in text


def test_it_goes_on_where_it_was_stopped(trained, certified, tmp_path):
    model, (x, y) = trained
    whole, _ = certified
    calls = []
    for limit in (1, 2, 3, 1000):
        calls.clear()

        def stop(limit=limit):
            calls.append(1)
            return len(calls) > limit

        try:
            found = certify(
                model, (x, y), "bounds", tfrobust.Linf(EPSILON), workdir=tmp_path / "c", stop=stop
            )
        except Interrupted:
            continue
    for one, other in zip(found.proofs, whole.proofs, strict=True):
        for name in ("attempted", "predictions", "radii", "margins", "passes"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    again = certify(model, (x, y), "bounds", tfrobust.Linf(EPSILON), workdir=tmp_path / "c")
    np.testing.assert_array_equal(again.radii, whole.radii)
    with pytest.raises(UserError, match=r"holds another evaluation.*suite|choose another folder"):
        certify(model, (x, y), "ibp", tfrobust.Linf(EPSILON), workdir=tmp_path / "c")
    with pytest.raises(UserError, match="never|already"):
        certify(
            model, (x, y), "bounds", tfrobust.Linf(EPSILON), workdir=tmp_path / "c", resume="never"
        )


def test_requests_that_cannot_work_are_refused(trained, tmp_path):
    model, examples = trained
    linf, l2 = tfrobust.Linf(0.1), tfrobust.L2(0.1)
    for suite, threat_model, words in (
        ("bound", linf, "no suite of certificates 'bound'"),
        ("bounds", None, "needs a threat model"),
        ("bounds", l2, "Linf only"),
        ("smoothing", linf, "L2 only"),
        ([], linf, "different names"),
        ("bounds", tfrobust.Linf(0.0), "radius above 0"),
        ([("a", IBP(linf)), ("b", IBP(tfrobust.Linf(0.2)))], None, "one threat model"),
    ):
        with pytest.raises(UserError, match=words):
            certify(model, examples, suite, threat_model, workdir=tmp_path / "new")
    with pytest.raises(UserError, match="give it alone"):
        CertificateSuite("custom", (("a", Smoothing(l2)), ("b", Smoothing(l2))))
    with pytest.raises(UserError, match="reads the layers of a Keras model"):
        certify(lambda x: model(x), examples, "ibp", linf)
    assert not (tmp_path / "new").exists()


def test_certificates_are_values():
    for one in (
        IBP(tfrobust.Linf("8/255")),
        CROWN(tfrobust.Linf(0.1), bisections=3),
        Smoothing(tfrobust.L2("0.5"), sigma=0.5),
    ):
        config = keras.saving.serialize_keras_object(one)
        assert keras.saving.deserialize_keras_object(json.loads(json.dumps(config))) == one


def test_a_smoothed_classifier_is_another_one(trained):
    model, (x, y) = trained
    certificate = Smoothing(tfrobust.L2(0.2), sigma=0.3, samples=200, selection=50)
    found = certify(Subject.of(model), (x[:5], y[:5]), certificate)
    assert not found.is_certain
    assert "smoothed classifier" in tfrobust.certification.report.headline(found)
    assert found.compute_accuracy(0.0) == found.clean.mean()


@pytest.mark.slow
def test_shards_make_the_whole(trained, certified, tmp_path):
    model, (x, y) = trained
    whole, _ = certified
    examples = tfrobust.evaluation.Examples.of(x, y)
    folders = [tmp_path / "0", tmp_path / "1"]
    for place, folder in enumerate(folders):
        part = examples.shard(place, 2)
        certify(model, part, "bounds", tfrobust.Linf(EPSILON), workdir=folder)
    merged = certify(
        model,
        examples,
        "bounds",
        tfrobust.Linf(EPSILON),
        merge=folders[::-1],
        workdir=tmp_path / "w",
    )
    for one, other in zip(merged.proofs, whole.proofs, strict=True):
        for name in ("attempted", "predictions", "radii", "margins", "passes"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for bad, words in ((folders[:1], "20 examples"), ([tmp_path / "none"], "no certification")):
        with pytest.raises(UserError, match=words):
            certify(model, examples, "bounds", tfrobust.Linf(EPSILON), merge=bad)
    with pytest.raises(UserError, match="folder of a shard"):
        certify(
            model, examples, "bounds", tfrobust.Linf(EPSILON), merge=folders, workdir=folders[0]
        )


def test_the_command_has_the_suites_of_the_room():
    """It names them without TensorFlow."""
    from tfrobust.certification.suites import SUITES
    from tfrobust.commands.certify import SUITE_NAMES

    assert set(SUITE_NAMES) == set(SUITES)


def test_a_table_has_certified_accuracy_at_the_radii_that_were_looked_for(
    certified, trained, tmp_path, capsys
):
    from tfrobust.commands.table import COMMAND

    found, folder = certified
    model, (x, y) = trained
    vote = Smoothing(tfrobust.L2(0.2), sigma=0.3, samples=200, selection=50)
    smoothed = certify(model, (x[:5], y[:5]), vote, workdir=tmp_path / "vote")
    assert COMMAND.main(["table", f"--certified={EPSILON},0.03,0.01", str(folder)]) == 0
    assert COMMAND.main(["table", "--certified=0.2,1/2", str(tmp_path / "vote")]) == 0
    head, _, row, other_head, _, other = capsys.readouterr().out.splitlines()
    assert "| Linf 0.02 | Linf 0.03 | Linf 0.01 |" in head and "| L2 1/2 |" in other_head
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[:4] == [
        "bounds",
        "`IBP`, `CROWNIBP`, `CROWN`",
        "40",
        f"{100 * found.clean.mean():.2f}",
    ]
    shares = [cell.split(" ")[0] for cell in cells[4:7]]
    # What is proven at 0.02 holds at 0.01; nothing larger was asked.
    assert shares == [f"{100 * found.certified.mean():.2f}", "-", shares[0]]
    cells = [cell.strip() for cell in other.split("|")[1:-1]]
    assert cells[1] == "`Smoothing(sigma=0.3, samples=200, alpha=0.001)`"
    shares = [cell.split(" ")[0] for cell in cells[4:6]]
    assert shares == [f"{100 * smoothed.compute_accuracy(r):.2f}" for r in (0.2, 0.5)]
    assert COMMAND.main(["table", "--certified=0.2", str(folder), str(tmp_path / "vote")]) == 2
    assert "different norms" in capsys.readouterr().err


def test_what_earlier_rules_proved_is_not_gone_on_with(tmp_path, monkeypatch):
    """Neither a state by rules of another version, nor one that does not say, nor a shard."""
    model = keras.Sequential(
        [keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    examples = tfrobust.evaluation.Examples.of(np.full((2, 2, 2, 1), 0.5, "float32"), [0, 1])
    bounds, folder = IBP(tfrobust.Linf(0.1)), tmp_path / "c"
    certify(model, examples, bounds, workdir=folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with monkeypatch.context() as patch:
        patch.setattr(IBP, "rules", "bounds 0")
        certify(model, examples, bounds, workdir=tmp_path / "old")
    for merge, work in (((), tmp_path / "old"), ((tmp_path / "old",), tmp_path / "new")):
        with pytest.raises(UserError, match="Differences: rules: 'bounds 0' there, 'bounds 1' now"):
            certify(model, examples, bounds, workdir=work, merge=merge)
    marker = json.loads(before["certification.json"])
    assert marker["proofs_of"].pop("rules") == "bounds 1"
    (folder / "certification.json").write_text(json.dumps(marker))
    with pytest.raises(UserError, match="Differences: rules: None there, 'bounds 1' now"):
        certify(model, examples, bounds, workdir=folder)
    for name in before.keys() - {"certification.json"}:
        assert (folder / name).read_bytes() == before[name]
    with pytest.raises(UserError, match="choose another folder"):
        certify(model, examples, IBP(tfrobust.Linf(0.2)), workdir=tmp_path / "old")


def test_certificates_of_one_kind_share_their_rules():
    linf = tfrobust.Linf(0.1)
    suite = CertificateSuite("custom", (("a", IBP(linf)), ("b", CROWN(linf))))
    assert suite.rules == "bounds 1"
    assert Smoothing(tfrobust.L2(0.1)).rules == "smoothing 1"


def test_a_changed_bound_has_a_new_version():
    """Where one of these numbers changes, raise the `VERSION` beside its rules, then the number here."""
    model = keras.Sequential(
        [
            keras.Input((1, 2, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(3, "relu"),
            keras.layers.Dense(2, "relu"),
            keras.layers.Dense(2),
        ]
    )
    weights = [[[1, -1, 2], [-2, 1, 1]], [0.1, 0.2, -1.5], [[1, -1], [0.5, 2], [-1, 1]], [0.1, 0]]
    weights += [[[1, -1], [0.5, 2]], [0.3, 0]]
    model.set_weights([np.array(part, "float32") for part in weights])
    examples = np.full((1, 1, 2, 1), 0.6, "float32"), np.array([1])
    margins = [
        float(certify(model, examples, one(tfrobust.Linf(0.05))).proofs[0].margins[0])
        for one in (IBP, CROWN)
    ]
    radius = find_radius(bound_probability(np.array([990]), 1000, 0.001), 0.5)[0]
    np.testing.assert_allclose(
        [*margins, radius], GOLDEN[rules.VERSION, counts.VERSION], rtol=1e-10
    )
