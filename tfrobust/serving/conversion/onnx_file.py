"""ONNX: writing a classifier, and running what was written."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

# What browsers, phones and servers of the last years read.
OPSET = 17


def write_onnx(classify: tf.types.experimental.PolymorphicFunction) -> bytes:
    """Converts a classifier.

    Args:
        classify: `tf.function` with an input signature, from float32 pixels (b, h, w, c) to logits.

    Returns:
        The content of an `.onnx` file.
    """
    import tf2onnx

    model, _ = tf2onnx.convert.from_function(
        classify, input_signature=classify.input_signature, opset=OPSET
    )
    return model.SerializeToString()


def load_onnx(content: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """A function from float32 pixels to logits that runs an `.onnx` file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda pixels: session.run(None, {name: pixels})[0]
