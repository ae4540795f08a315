"""What comes out of a classifier, in a precision in which losses may be computed."""

import keras
import tensorflow as tf


def full_precision(logits):
    """Logits in float32 if the model computed them in less; float64 stays."""
    return logits if logits.dtype in (tf.float32, tf.float64) else tf.cast(logits, tf.float32)


def inference(model):
    """A function from images to full-precision logits, in inference mode.

    Args:
        model: a Keras model or layer, which is called with `training=False`, or any callable that
            maps images (b, h, w, c) to logits (b, k).
    """
    if isinstance(model, keras.layers.Layer):
        return lambda x: full_precision(model(x, training=False))
    return lambda x: full_precision(model(x))


def correct(y, logits):
    """Whether the largest logit is the label's, shape (b,).

    On ties the lowest class counts. Where a logit is NaN nothing is right: argmax would name a
    class all the same.
    """
    is_number = ~tf.reduce_any(tf.math.is_nan(logits), axis=-1)
    return is_number & tf.equal(tf.argmax(logits, axis=-1, output_type=y.dtype), y)


def answered(logits):
    """Where all logits are finite numbers, shape (b,)."""
    return tf.reduce_all(tf.math.is_finite(logits), axis=-1)


def misclassified(y, logits):
    """The largest logit is not the label's, and all are finite, shape (b,).

    What is no number is neither right nor wrong: it ends no search.
    """
    return answered(logits) & ~correct(y, logits)
