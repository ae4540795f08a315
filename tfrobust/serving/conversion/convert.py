"""Converting the classifier of an export, with its accuracy measured again and put into the card."""

import os
import pathlib

import numpy as np
import tensorflow as tf

from tfrobust.contract.keras_file import read_keras_file
from tfrobust.errors import UserError
from tfrobust.evaluation.examples import Examples
from tfrobust.runs import files, kinds
from tfrobust.runs.conversion.formats import check_format
from tfrobust.runs.reports.identity import Identity
from tfrobust.serving.card.card import check_unedited, update_card
from tfrobust.serving.conversion.litert import load_litert, write_litert
from tfrobust.serving.conversion.measure import measure_converted
from tfrobust.serving.conversion.onnx_file import load_onnx, write_onnx
from tfrobust.serving.layout import KERAS_FILE
from tfrobust.threat_models.base import ThreatModel


def convert_export(
    folder: str | os.PathLike,
    format: str,
    calibration: np.ndarray | None = None,
    examples: Examples | None = None,
    threat_model: ThreatModel | None = None,
    queries: int = 5000,
    seed: int = 0,
) -> pathlib.Path:
    """Writes the classifier of an export in another format beside it, and its accuracies into the card.

    The file takes float32 pixels in [0, 1], shape (b, h, w, c), and gives logits, as `classifier.keras`
    does.

    Args:
        folder: of an export.
        format: "litert", "litert_float16", "litert_int8" or "onnx".
        calibration: for "litert_int8", images of the training, float32 in [0, 1], (n, h, w, c).
        examples: on which clean and robust accuracy are measured again; None for "not evaluated".
        threat_model: of that measurement.
        queries: of Square, for each example.
        seed: of the attacks.

    Returns:
        The path of the file.

    Raises:
        UserError: it is no export, what the format needs is not installed, or something is not given.
    """
    chosen, folder = check_format(format), pathlib.Path(folder)
    content = kinds.EXPORT.read(folder)
    if content is None or Identity.find(content) is None:
        raise UserError(f"{folder} is no export, or of an earlier version. Export it first.")
    if chosen.needs_calibration and calibration is None:
        raise UserError(f"{format} needs `calibration`: some hundred images of the training.")
    if examples is not None and threat_model is None:
        raise UserError("Robust accuracy needs a `threat_model`, such as Linf('8/255').")
    check_unedited(folder, content)
    if None in content["image_shape"]:
        raise UserError(
            "Only classifiers of images of one size are converted. Export it with image_shape=(h, w, c)."
        )
    model = read_keras_file(folder / KERAS_FILE)
    spec = tf.TensorSpec((None, *content["image_shape"]), tf.float32, name="pixels")

    @tf.function(input_signature=[spec], autograph=False)
    def classify(pixels):
        return tf.cast(model(pixels, training=False), tf.float32)

    if format == "onnx":
        written = write_onnx(classify)
        converted = load_onnx(written)
    else:
        written = write_litert(classify, chosen.precision, calibration)
        converted = load_litert(written)
    measured = {}
    if examples is not None and threat_model is not None:
        measured = measure_converted(converted, model, examples, threat_model, queries, seed)
    files.write_bytes(folder / chosen.file, written)
    described = {"clean": None, **measured, "file": chosen.file, "bytes": len(written)}
    update_card(
        folder, changes={"conversions": {**content.get("conversions", {}), format: described}}
    )
    return folder / chosen.file
