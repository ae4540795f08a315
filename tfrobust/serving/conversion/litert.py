"""LiteRT, formerly TensorFlow Lite: writing a classifier, and running what was written."""

import contextlib
import threading
import warnings
from collections.abc import Callable

import absl.logging
import numpy as np
import tensorflow as tf


def write_litert(
    classify: tf.types.experimental.PolymorphicFunction,
    precision: str,
    calibration: np.ndarray | None = None,
) -> bytes:
    """Converts a classifier.

    Args:
        classify: `tf.function` with an input signature, from float32 pixels (b, h, w, c) to logits.
        precision: "float32", "float16" (weights) or "int8" (weights and activations; pixels and logits
            stay float32).
        calibration: for int8, images of the training (n, h, w, c), float32: the ranges of activations
            are those that they give.

    Returns:
        The content of a `.tflite` file.
    """
    with _without_advice():
        return _convert(classify, precision, calibration)


@contextlib.contextmanager
def _without_advice():
    """Without what TensorFlow says of how it is called, and nobody who gives the command can change."""
    level = absl.logging.get_verbosity()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs were expected")
        absl.logging.set_verbosity(absl.logging.ERROR)
        try:
            yield
        finally:
            absl.logging.set_verbosity(level)


def _convert(classify, precision, calibration):
    # Without the model as a second argument the weights become constants, which calibration needs.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([classify.get_concrete_function()])
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8" and calibration is not None:
        converter.representative_dataset = lambda: ([image[None]] for image in calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return converter.convert()


def load_litert(content: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """A function from float32 pixels to logits that runs a `.tflite` file."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    # It holds the tensors of one call.
    lock = threading.Lock()

    def classify(pixels):
        with lock:
            if tuple(interpreter.get_input_details()[0]["shape"]) != pixels.shape:
                interpreter.resize_tensor_input(taken["index"], pixels.shape)
            interpreter.allocate_tensors()
            interpreter.set_tensor(taken["index"], pixels)
            interpreter.invoke()
            return np.array(interpreter.get_tensor(given["index"]))

    return classify
