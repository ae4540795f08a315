"""Whether XLA compiles the step, and what it cannot compile."""

import keras
import tensorflow as tf

from tfrobust.compat import all_layers
from tfrobust.errors import UserError
from tfrobust.methods.second_derivatives import find_overlapping_pooling, warn_of_pooling


def choose_compilation(method: keras.Model, jit_compile: bool | str) -> bool | str:
    """What Keras is given as `jit_compile`, after a look at whether it can work.

    Args:
        method: the `ClassifierWrapper` that is compiled.
        jit_compile: True, False or "auto".

    Raises:
        UserError: for True and a classifier that XLA cannot compile.
    """
    twice = method.second_derivatives
    pooling = find_overlapping_pooling(method.classifier) if twice else None
    if jit_compile == "auto":
        return "auto" if pooling is None else False
    if jit_compile:
        if pooling is not None:
            warn_of_pooling(pooling)
        _check_classifier(method.classifier)
    return jit_compile


def check_is_compiled(method: keras.Model, jit_compile: bool | str) -> None:
    """Refuses what Keras answers with a warning and a step that is not compiled."""
    if jit_compile is True and not method.jit_compile and not method.run_eagerly:
        raise UserError(
            "Keras compiles nothing with XLA while deterministic kernels are asked for "
            "(tf.config.experimental.enable_op_determinism), or on a GPU of macOS. Call compile with "
            "jit_compile=False, or leave determinism out."
        )


def _check_classifier(classifier):
    for layer in all_layers(classifier):
        if not layer.supports_jit:
            raise UserError(
                f"XLA cannot compile layer {layer.name!r}, a {type(layer).__name__}. Call compile with "
                "jit_compile=False, or move the layer into the dataset."
            )
    if not classifier.built or classifier.inputs is None:
        return
    (image,) = classifier.inputs
    if None in image.shape[1:]:
        return
    spec = tf.TensorSpec((2, *image.shape[1:]), image.dtype)
    passed = tf.function(lambda x: classifier(x, training=True), jit_compile=True, autograph=False)
    try:
        passed.experimental_get_compiler_ir(spec)(stage="stablehlo")
    except ValueError as error:
        told = str(error).strip().splitlines()[0]
        raise UserError(
            "XLA cannot compile the classifier: an operation in it has no program for XLA, such as one "
            "of tf.py_function. Call compile with jit_compile=False, or write the layer in TensorFlow's own "
            f"operations. TensorFlow says: {told}"
        ) from error
