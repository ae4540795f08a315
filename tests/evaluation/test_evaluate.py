"""`evaluate` from a classifier to its reports, and what it refuses before anything is attacked."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfrobust
from tfrobust import PGD, Linf
from tfrobust.attacks import APGD
from tfrobust.errors import UserError
from tfrobust.evaluation import Examples, Subject, custom, read_report
from tfrobust.evaluation.epsilon_curve import EpsilonCurve

ATTACKS = custom(
    {
        "pgd": PGD(Linf(0.02), steps=4, selection="any"),
        "apgd": APGD(Linf(0.02), steps=5),
    }
)


@pytest.fixture(scope="module")
def whole(small, tmp_path_factory):
    """An evaluation with its checks of the contract, and the folder of its reports."""
    network, images, labels = small
    folder = tmp_path_factory.mktemp("evaluation")
    result = tfrobust.evaluate(
        network, (images, labels), ATTACKS, workdir=folder, checks="contract", keep_images=True
    )
    return result, folder


def test_the_reports_say_what_was_found(whole):
    result, folder = whole
    assert 0 < result.robust.sum() < result.clean.sum() == 54
    assert result.suite == "custom" and result.suite_hash == ATTACKS.hash
    names = {path.name for path in folder.iterdir()}
    assert {"report.json", "report.md", "examples.csv", "samples.npz", "adversarial.npz"} <= names
    ours = read_report(folder)["tfrobust"]
    assert ours["seed"] == 0 and len(ours["attacks"]) == 2
    assert f"{100 * result.robust.mean():.2f} %" in (folder / "report.md").read_text()
    assert {f.id for f in result.findings} >= {"C1", "C4", "C5", "C7", "C26", "C27"}
    assert not any(f.level in ("severe", "error") for f in result.findings)


def test_a_result_prints_itself_in_a_line(whole, small):
    result, _ = whole
    _, images, labels = small
    assert repr(result) == (
        f"Evaluation({result.model} on arrays under custom, Linf(epsilon=0.02): 54 clean, "
        f"{result.robust.sum()} robust of {len(labels)} examples)"
    )
    first = result.outcomes[0]
    assert repr(first).endswith(f": {first.broken.sum()} of 54 examples broken)")
    examples = Examples.of(images, labels)
    assert repr(examples) == f"Examples(arrays: {len(labels)} images {images.shape[1:]})"
    linear = keras.Sequential(
        [keras.Input(images.shape[1:]), keras.layers.Flatten(), keras.layers.Dense(5)]
    )
    proven = tfrobust.certify(linear, (images[:4], labels[:4]), "ibp", Linf(0.02))
    assert repr(proven).endswith(
        f"{proven.clean.sum()} clean, {proven.certified.sum()} certified of 4 examples)"
    )
    assert repr(proven.proofs[0]).endswith(" of 4 examples with a radius)")
    assert not any("array(" in repr(one) for one in (result, first, proven, proven.proofs))


def test_the_same_again_runs_nothing_and_something_else_is_refused(whole, small, monkeypatch):
    network, images, labels = small
    result, folder = whole
    options = {"workdir": folder, "checks": "none"}
    again = tfrobust.evaluate(network, (images, labels), ATTACKS, **options)
    np.testing.assert_array_equal(again.robust, result.robust)
    assert [o.seconds for o in again.outcomes] == [o.seconds for o in result.outcomes]
    for changed in ({"seed": 1}, {"resume": "never"}):
        with pytest.raises(UserError, match="another"):
            tfrobust.evaluate(network, (images, labels), ATTACKS, **options, **changed)
    with pytest.raises(UserError, match="model: "):
        tfrobust.evaluate(lambda x: 2.0 * network(x), (images, labels), ATTACKS, **options)
    with pytest.raises(UserError, match="examples: "):
        tfrobust.evaluate(network, (images[:50], labels[:50]), ATTACKS, **options)


def test_shards_are_merged_to_the_report_of_one_process(whole, small, tmp_path):
    network, images, labels = small
    result, _ = whole
    examples = Examples.of(images, labels)
    for index in range(2):
        part = examples.shard(index, 2)
        folder = tmp_path / str(index)
        tfrobust.evaluate(network, part, ATTACKS, workdir=folder, checks="none")
    merged = tfrobust.evaluate(
        network,
        examples,
        ATTACKS,
        workdir=tmp_path / "whole",
        merge=[tmp_path / "0", tmp_path / "1"],
        checks="contract",
    )
    np.testing.assert_array_equal(merged.robust, result.robust)
    np.testing.assert_array_equal(merged.adversarial, result.adversarial)
    for outcome, other in zip(merged.outcomes, result.outcomes, strict=True):
        np.testing.assert_array_equal(outcome.step, other.step)
        np.testing.assert_array_equal(outcome.forwards, other.forwards)
    assert [(f.id, f.level) for f in merged.findings] == [(f.id, f.level) for f in result.findings]


def test_a_classifier_that_breaks_the_contract_is_not_attacked(small, tmp_path):
    network, images, labels = small

    def probabilities(x):
        return tf.nn.softmax(network(x))

    with pytest.raises(UserError, match="gives probabilities.*tfrobust.adapt"):
        tfrobust.evaluate(probabilities, (images, labels), ATTACKS, workdir=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    forced = tfrobust.evaluate(
        probabilities, (images, labels), ATTACKS, checks="contract", force=True
    )
    assert any(f.id == "C1" and f.level == "error" for f in forced.findings)


def test_labels_only(small):
    network, images, labels = small
    subject = Subject.of_numpy(lambda x: np.argmax(network(x), axis=1), 5, labels_only=True)
    noise = {"noise": tfrobust.attacks.RandomNoise(Linf(0.05), samples=5)}
    result = tfrobust.evaluate(subject, (images, labels), noise, checks="contract")
    assert 0 < result.robust.sum() <= result.clean.sum()
    with pytest.raises(UserError, match="needs gradients"):
        tfrobust.evaluate(subject, (images, labels), ATTACKS)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda m, x, y: (lambda q: m(q)[:, :1], x, y), "at least two classes"),
        (lambda m, x, y: (lambda q: m(q)[:, 0], x, y), "at least two classes"),
        (lambda m, x, y: (m, x, y + 3), "from 0 to 4"),
        (lambda m, x, y: (m, x[:0], y[:0]), "empty"),
        (lambda m, x, y: (m, x[:5], y[:4]), "one for each image"),
        (lambda m, x, y: (m, x * 255, y), "Divide by 255"),
        (lambda m, x, y: (m, x * np.nan, y), "finite"),
        (lambda m, x, y: (keras.Sequential([keras.Input((3,))]), x, y), "fails on images of shape"),
        (lambda m, x, y: ("no/such/model", x, y), "There is no"),
    ],
)
def test_what_cannot_be_evaluated(small, change, told):
    model, images, labels = change(*small)
    with pytest.raises(UserError, match=told):
        tfrobust.evaluate(model, (images, labels), ATTACKS, checks="none")


def test_options_that_are_none(small):
    network, images, labels = small
    with pytest.raises(UserError, match="checks"):
        tfrobust.evaluate(network, (images, labels), ATTACKS, checks="some")
    with pytest.raises(UserError, match="no suite"):
        tfrobust.evaluate(network, (images, labels), "auto", Linf(0.1))


def test_the_curve_never_rises_and_begins_at_clean_accuracy(small):
    network, images, labels = small
    curve = EpsilonCurve(steps=3, factors=(0.0, 0.5, 1.0, 4.0))(network, images, labels, Linf(0.02))
    assert curve["accuracy"][0] == 54 / 60
    assert curve["accuracy"] == sorted(curve["accuracy"], reverse=True)
    assert curve["accuracy"][-1] < curve["accuracy"][0]
    np.testing.assert_allclose(curve["epsilon"], [0.0, 0.01, 0.02, 0.08])
