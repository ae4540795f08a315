"""Converted classifiers give the logits of the original, and their card says what was measured on them."""

import json

import keras
import numpy as np
import pytest
import yaml

import tfrobust
from tfrobust.evaluation.examples import Examples
from tfrobust.runs.conversion import formats
from tfrobust.serving import export_classifier
from tfrobust.serving.conversion import convert_export
from tfrobust.serving.conversion.litert import load_litert
from tfrobust.serving.conversion.onnx_file import load_onnx

pytest.importorskip("ai_edge_litert", reason="pip install 'tfrobust[litert]'")
pytest.importorskip("tf2onnx", reason="pip install 'tfrobust[onnx]'")

X = np.random.default_rng(0).random((16, 4, 4, 1), np.float32)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Flatten(), keras.layers.Dense(3)]
    return keras.Sequential([keras.Input((4, 4, 1)), *layers])


@pytest.fixture(scope="module")
def examples(model):
    return Examples.of(X, model.predict(X, verbose=0).argmax(-1), name="noise")


@pytest.fixture
def folder(model, tmp_path):
    return export_classifier(model, tmp_path / "export")


# The largest difference of logits that rounding of that kind leaves, here.
CLOSE = {"litert": 1e-5, "litert_float16": 2e-3, "litert_int8": 5e-2, "onnx": 1e-5}


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning")
@pytest.mark.parametrize("name", formats.FORMATS)
def test_any_batch_gets_the_logits_of_the_original(name, folder, model):
    path = convert_export(folder, name, calibration=X)
    load = load_onnx if name == "onnx" else load_litert
    classify = load(path.read_bytes())
    for count in (16, 1, 5):
        found, expected = classify(X[:count]), model(X[:count]).numpy()
        assert found.shape == (count, 3) and found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=CLOSE[name])
    text = (folder / "README.md").read_text()
    assert f"| {path.name} | not evaluated | not evaluated |" in text


def test_the_card_has_what_was_measured_on_it(folder, model, examples):
    radius = 0.05
    convert_export(folder, "litert", None, examples, tfrobust.Linf(radius), queries=300)
    measured = json.loads((folder / "export.json").read_text())["conversions"]["litert"]
    assert measured["clean"]["right"] == measured["agreement"]["right"] == 16
    # A linear classifier is broken if and only if a margin is below the radius times the L1 norm of the
    # difference of two columns, while no pixel is at the end of its range.
    weights, logits = model.get_weights()[0], model(X).numpy()
    label = logits.argmax(-1)
    at = np.arange(16)
    sides = np.minimum(X, 1 - X).reshape(16, 16)
    steps = np.minimum(sides, radius)
    least = np.inf * np.ones(16)
    most = np.inf * np.ones(16)
    for other in range(3):
        away = weights[:, other][None] - weights[:, label].T
        margin = np.where(other == label, np.inf, logits[at, label] - logits[:, other])
        least = np.minimum(least, margin - radius * np.abs(away).sum(-1))
        most = np.minimum(most, margin - (steps * np.abs(away)).sum(-1))
    assert (least > 1e-4).sum() <= measured["robust"]["right"] <= (most > -1e-4).sum()
    text = (folder / "README.md").read_text()
    assert f"{measured['robust']['right'] / 16 * 100:.2f} %" in text
    assert yaml.safe_load(text.split("---\n")[1])["license"] == "unknown"


def test_other_weights_take_the_converted_forms_away(folder, model):
    path = convert_export(folder, "litert")
    export_classifier(model, folder)
    assert path.is_file() and path.name in (folder / "README.md").read_text()
    other = keras.models.clone_model(model)
    other.set_weights([w + 1 for w in model.get_weights()])
    export_classifier(other, folder)
    assert not path.exists() and path.name not in (folder / "README.md").read_text()


def test_what_is_not_there_is_named(folder, tmp_path, monkeypatch, examples):
    with pytest.raises(
        tfrobust.UserError, match="no format 'gguf'. Expected one of: saved_model, litert, "
    ):
        convert_export(folder, "gguf")
    with pytest.raises(tfrobust.UserError, match="needs `calibration`"):
        convert_export(folder, "litert_int8")
    with pytest.raises(tfrobust.UserError, match="needs a `threat_model`"):
        convert_export(folder, "litert", examples=examples)
    with pytest.raises(tfrobust.UserError, match="is no export"):
        convert_export(tmp_path, "litert")
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(tfrobust.UserError, match=r"tf2onnx, onnx.*pip install 'tfrobust\[onnx\]'"):
        convert_export(folder, "onnx")
    with pytest.raises(
        tfrobust.UserError, match=r"ai-edge-litert.*pip install 'tfrobust\[litert\]'"
    ):
        convert_export(folder, "litert")
