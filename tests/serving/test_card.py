"""The card of an export says what the reports say, of these weights, and nothing else."""

import json
import re

import keras
import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard
from huggingface_hub.repocard import metadata_load
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

import tfrobust
from tfrobust.certification import Smoothing
from tfrobust.ops.uncertainty.interval import binomial_interval
from tfrobust.serving import describe_training, export_classifier, update_card
from tfrobust.serving.card.page import render_card

X = np.random.default_rng(0).random((12, 4, 4, 1), np.float32)
Y = np.arange(12) % 3
REPORT = {
    "method": "TRADES",
    "data": "digits",
    "gin_files": [],
    "threat_model": "Linf(epsilon=0.1)",
    "test_attack": "PGD(steps=20)",
    "clean": {"right": 9, "total": 10, "interval": [0.6, 0.98]},
    "robust": {"right": 5, "total": 10, "interval": [0.24, 0.76]},
    "checkpoint": {"rule": "best_robust", "epoch": 7, "value": 0.5},
    "epochs": 10,
    "seed": 3,
}


def head(card):
    text = card.read_text() if hasattr(card, "read_text") else card
    assert text.startswith("---\n")
    return yaml.safe_load(text.split("---\n")[1]), text.split("---\n", 2)[2]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Flatten(), keras.layers.Dropout(0.5), keras.layers.Dense(3)]
    return keras.Sequential([keras.Input((4, 4, 1)), *layers])


@pytest.fixture(scope="module")
def evaluated(model, tmp_path_factory):
    """An export in the folder of a run, and the folder of an evaluation of its `.keras` file."""
    run = tmp_path_factory.mktemp("run")
    (run / "run.json").write_text(
        json.dumps({"seed": 3, "starts": [], "threat_model": {"norm": "Linf", "epsilon": "8/255"}})
    )
    (run / "report.json").write_text(json.dumps(REPORT))
    folder = export_classifier(model, run / "export", training=describe_training(run))
    workdir = run / "evaluation" / "pgd_20"
    result = tfrobust.evaluate(
        folder, (X, Y), "pgd_20", tfrobust.Linf(0.1), workdir=workdir, checks="contract"
    )
    return folder, workdir, result


def test_nothing_is_claimed_where_nothing_was_measured(model, tmp_path):
    folder = export_classifier(model, tmp_path / "export")
    found, text = head(folder / "README.md")
    assert found["library_name"] == "keras" and found["license"] == "unknown"
    assert found["pipeline_tag"] == "image-classification" and found["metrics"] == ["accuracy"]
    assert "model-index" not in found and "datasets" not in found
    assert text.count("ot evaluated") >= 3 and text.count("ot certified") == 2 and "%" not in text
    assert "Not stated" in text


def test_the_card_has_the_numbers_of_the_training(evaluated):
    content = json.loads((evaluated[0] / "export.json").read_text())
    found, text = head(render_card({**content, "evaluations": []}))
    (result,) = found["model-index"][0]["results"]
    assert result["dataset"] == {"name": "digits", "type": "digits", "split": "test"}
    assert [m["value"] for m in result["metrics"]] == [0.9, 0.5]
    assert found["datasets"] == ["digits"]
    assert "| 90.00 % | 60.00 to 98.00 % | 9 / 10 |" in text
    assert "| 50.00 % | 24.00 to 76.00 % | 5 / 10 |" in text
    assert "each colour value of each pixel by at most 8/255" in text
    assert "epoch 7, the highest validation accuracy under attack" in text
    assert "such as AutoAttack: not evaluated" in text


def test_what_was_trained_and_attacked_is_said_in_words(model, tmp_path):
    words = {"method": "TRADES + MER", "test_attack": "PGD-20, 20 steps of 0.015, within Linf 0.15"}
    training = {**REPORT, "described": words, "threat_model": None}
    folder = export_classifier(model, tmp_path / "export", training=training)
    settings, text = head(folder / "README.md")
    assert settings["model-index"][0]["name"] == "TRADES + MER on digits"
    assert "# TRADES + MER on digits" in text and "Trained with TRADES + MER by tfrobust" in text
    assert f"The test attack of the training is {words['test_attack']}." in text
    assert REPORT["test_attack"] not in text


def test_an_evaluation_comes_later(evaluated):
    folder, workdir, result = evaluated
    found, text = head(update_card(folder, [workdir], {"license": "apache-2.0"}))
    assert found["license"] == "apache-2.0"
    first, second = found["model-index"][0]["results"]
    assert [m["value"] for m in second["metrics"]] == [result.clean.mean(), result.robust.mean()]
    assert f"{100 * result.robust.mean():.2f} %" in text
    for finding in result.findings:
        assert (finding.level == "passed") or f"{finding.id}, {finding.level}" in text
    assert "not evaluated" not in text.lower()
    # Of several evaluations each says on which data it was.
    assert "- `pgd_20` on arrays: " in text and "examples of arrays, tfrobust" in text
    # Once more is the same card.
    before = (folder / "README.md").read_text()
    assert update_card(folder, [workdir]).read_text() == before
    assert len(json.loads((folder / "export.json").read_text())["evaluations"]) == 1


@pytest.fixture(scope="module")
def certified(evaluated, tmp_path_factory):
    """Of the same file: folders of certificates of the classifier and of its vote, and what they proved."""
    file, root = evaluated[0] / "classifier.keras", tmp_path_factory.mktemp("certified")
    folders = [root / "ibp", root / "vote"]
    proven = tfrobust.certify(file, (X, Y), "ibp", tfrobust.Linf(0.001), workdir=folders[0])
    vote = Smoothing(tfrobust.L2(0.01), sigma=0.1, samples=100, selection=10)
    voted = tfrobust.certify(file, (X, Y), vote, workdir=folders[1])
    assert 0 < proven.certified.sum() and 0 < voted.certified.sum()
    return folders, proven, voted


def test_certificates_come_later_too(evaluated, certified):
    """Both bounds of one classifier; what smoothing certifies is the vote, and said to be so."""
    (folder, workdir, _), (folders, proven, voted) = evaluated, certified
    update_card(folder, [workdir])
    found, text = head(update_card(folder, certifications=folders))
    *_, bound, smooth = found["model-index"][0]["results"]
    shares = [m["value"] for m in bound["metrics"]], [m["value"] for m in smooth["metrics"]]
    assert shares == ([proven.certified.mean()], [voted.clean.mean(), voted.certified.mean()])
    assert bound["metrics"][0]["name"] == "certified accuracy, IBP, Linf 0.001"
    assert smooth["metrics"][1]["name"].endswith("Smoothing, L2 0.01, smoothed classifier")
    low, high = (100 * v for v in binomial_interval(int(proven.certified.sum()), 12))
    share = 100 * proven.certified.mean()
    counted = f"{share:.2f} % | {low:.2f} to {high:.2f} % | {proven.certified.sum()} / 12 |"
    assert f"| certified, at least, Linf 0.001 | arrays | {counted}" in text
    assert "| clean, smoothed classifier |" in text and "most votes under noise" in text
    assert "by at most 0.001 of the range" in text and "Euclidean length is at most 0.01" in text
    assert "ot certified" not in text and "samples=100" in text
    content = json.loads((folder / "export.json").read_text())
    assert len(content["evaluations"]) == 1 and len(content["certifications"]) == 2
    # Once more is the same card.
    assert head(update_card(folder, [], certifications=folders[:1])) == (found, text)


def judged_by_the_hub(card):
    """The head as the hub's own reader has it, without loss on the way to its objects and back."""
    found = ModelCard.load(card, ignore_metadata_errors=False)
    stated = metadata_load(card)
    assert stated == head(card)[0]
    if "model-index" in stated:
        name, results = model_index_to_eval_results(stated["model-index"])
        # On the way back it puts results of one data set together.
        again = eval_results_to_model_index(name, results)
        assert found.data.to_dict() == {**stated, "model-index": again}
        assert (name, results) == (found.data.model_name, found.data.eval_results)
    else:
        assert found.data.to_dict() == stated
    return found.data


def test_the_hub_reads_the_head(evaluated, certified, model, tmp_path):
    (folder, workdir, result), (folders, proven, voted) = evaluated, certified
    card = update_card(folder, [workdir], {"license": "apache-2.0"}, certifications=folders)
    data = judged_by_the_hub(card)
    named = (data.license, data.library_name, data.pipeline_tag)
    assert named == ("apache-2.0", "keras", "image-classification")
    measured = [one.metric_value for one in data.eval_results if one.dataset_split is None]
    shares = (result.clean, result.robust, proven.certified, voted.clean, voted.certified)
    assert measured == [share.mean() for share in shares]
    assert {one.task_type for one in data.eval_results} == {"image-classification"}
    assert {one.metric_type for one in data.eval_results} == {"accuracy"}
    bare = judged_by_the_hub(export_classifier(model, tmp_path / "export") / "README.md")
    assert bare.eval_results is None and bare.license == "unknown"


def test_the_next_version_claims_what_is_of_its_weights(evaluated, certified, model):
    folder, workdir, _ = evaluated
    update_card(folder, [workdir], certifications=certified[0])
    export_classifier(model, folder)
    content = json.loads((folder / "export.json").read_text())
    assert len(content["evaluations"]) == 1 and len(content["certifications"]) == 2
    other = keras.models.clone_model(model)
    other.set_weights([w + 1 for w in model.get_weights()])
    export_classifier(other, folder)
    found, text = head(folder / "README.md")
    assert "model-index" not in found and "%" not in text
    for name, paths in (("evaluations", [workdir]), ("certifications", certified[0])):
        with pytest.raises(
            tfrobust.UserError, match=f"{name[:-1]} in .* of another classifier than"
        ):
            update_card(folder, **{name: paths})


def test_an_evaluation_with_certificates_brings_them(model, tmp_path):
    folder, small = export_classifier(model, tmp_path / "export"), tfrobust.Linf(0.001)
    proven = tfrobust.certify(model, (X, Y), "ibp", small, workdir=tmp_path / "ibp")
    attack = tfrobust.PGD(small, steps=1)
    workdir = tmp_path / "both"
    tfrobust.evaluate(
        model, (X, Y), attack, certified=tmp_path / "ibp", workdir=workdir, checks="none"
    )
    (result,) = head(update_card(folder, [workdir]))[0]["model-index"][0]["results"]
    assert [m["name"].split(",")[0] for m in result["metrics"]][-1] == "certified accuracy"
    assert result["metrics"][-1]["value"] == proven.certified.mean()
    # Told once where the certification itself is given.
    found, text = head(update_card(folder, [workdir], certifications=[tmp_path / "ibp"]))
    assert json.dumps(found).count("certified accuracy") == 1
    assert text.count("| certified, at least") == 1


def test_a_card_edited_by_hand_is_kept(model, tmp_path):
    folder = export_classifier(model, tmp_path / "export")
    card = folder / "README.md"
    card.write_text(card.read_text() + "\nMine.\n")
    for write in (lambda: export_classifier(model, folder), lambda: update_card(folder)):
        with pytest.raises(tfrobust.UserError, match="README.md was edited by hand"):
            write()
    assert card.read_text().endswith("Mine.\n")
    card.rename(folder / "CARD.md")
    update_card(folder)
    assert "Mine" not in card.read_text()


NASTY = 'a"b: [c] #d\n---\n| `e` </td> \u2028 \U0001f600 \\ '


def test_names_are_data_and_never_markup(evaluated):
    content = json.loads((evaluated[0] / "export.json").read_text())
    content |= {"class_names": [NASTY, "b", "c"], "license": NASTY}
    content["training"] = {**REPORT, "threat_model": None, "data": NASTY, "method": NASTY}
    card = render_card(content)
    found, text = head(card)
    # The hub knows no such licence; what is its name says nothing else.
    assert found["license"] == "other" and NASTY in found["datasets"]
    assert re.fullmatch("[a-z0-9.+-]+", found["license_name"])
    assert ModelCard(card).data.to_dict() == found
    assert "</td>" not in text and "\n---\n|" not in text.replace("\n| --- ", "")
