"""The outputs of a classifier, in a precision in which losses can be computed."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.half_precision import scale_gradients

# Passes over clean images, after the first, that show whether a model is random.
REPEATS = 4


def full_precision(logits: tf.Tensor | np.ndarray) -> tf.Tensor:
    """Logits in float32 if the model computed them in less; float64 stays.

    Raises:
        UserError: if there are several outputs, since it is not known which are the logits.

    Example:
    >>> full_precision(tf.zeros((1, 2), tf.bfloat16)).dtype.name
    'float32'
    """
    if not (tf.is_tensor(logits) or isinstance(logits, np.ndarray)):
        raise UserError(
            "A classifier has one output, logits of shape (b, k). Received: "
            f"{_describe(logits)}. Give a model of that output alone: keras.Model(model.inputs, its tensor)."
        )
    return logits if logits.dtype in (tf.float32, tf.float64) else tf.cast(logits, tf.float32)


def _describe(outputs):
    if isinstance(outputs, dict):
        return f"a dictionary with the keys {sorted(outputs)}"
    if isinstance(outputs, (list, tuple)):
        return f"{len(outputs)} outputs"
    return type(outputs).__name__


class Inference:
    """The function that `inference` returns.

    Attributes:
        model: the Keras model, layer or callable.
    """

    def __init__(self, model: keras.layers.Layer | Callable[[tf.Tensor], tf.Tensor]):
        self.model = model
        self._forward = (
            scale_gradients(self._infer, model)
            if isinstance(model, keras.layers.Layer)
            else self._infer
        )

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return self._forward(x)

    def _infer(self, x):
        if isinstance(self.model, keras.layers.Layer):
            return full_precision(self.model(x, training=False))
        return full_precision(self.model(x))


def inference(
    model: keras.layers.Layer | Callable[[tf.Tensor], tf.Tensor],
) -> Inference:
    """A function from images to full-precision logits, in inference mode.

    Its gradient to the images is that of float32 also where the model computes in float16.

    Args:
        model: a Keras model or layer, which is called with `training=False`, or any callable that
            maps images (b, h, w, c) to logits (b, k).

    Example:
    >>> inference(lambda x: tf.cast(x, tf.float16))(tf.zeros((1, 2))).dtype.name
    'float32'
    """
    return Inference(model)


def disagree(logits: tf.Tensor, again: tf.Tensor) -> tf.Tensor:
    """Whether two passes over the same images gave different logits in some row, boolean scalar.

    If so, the model is random. As in AutoAttack's check: the rows, scaled to length 1, are more than 1e-4
    apart. Rounding in passes of another order changes them far less.

    Args:
        logits, again: (b, k).

    Example:
    >>> bool(disagree(tf.constant([[1.0, 2.0]]), tf.constant([[1.0, 2.1]])))
    True
    """
    one, other = (tf.math.l2_normalize(z, axis=-1) for z in (logits, again))
    return tf.reduce_any(tf.norm(one - other, axis=-1) > 1e-4)


def is_soft(y: tf.Tensor | np.ndarray) -> bool:
    """Whether labels are distributions, floating-point of shape (b, k), and not class numbers (b,).

    Example:
    >>> is_soft(tf.constant([1])), is_soft(tf.constant([[0.3, 0.7]]))
    (False, True)
    """
    # Lists have no type yet.
    dtype = np.asarray(y).dtype if isinstance(y, (list, tuple)) else y.dtype
    return bool(tf.as_dtype(dtype).is_floating)


def likeliest_class(y: tf.Tensor) -> tf.Tensor:
    """The class of each label, (b,): of a soft one that with the largest share, the lowest on ties.

    Example:
    >>> likeliest_class(tf.constant([[0.3, 0.7], [0.5, 0.5]])).numpy().tolist()
    [1, 0]
    """
    return tf.argmax(y, axis=-1, output_type=tf.int32) if is_soft(y) else y


def as_distribution(y: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Labels as distributions of the shape and the dtype of logits, (b, k): one-hot for class numbers.

    Example:
    >>> as_distribution(tf.constant([1]), tf.zeros((1, 3))).numpy().tolist()
    [[0.0, 1.0, 0.0]]
    """
    if is_soft(y):
        return tf.cast(y, logits.dtype)
    return tf.one_hot(y, logits.shape[-1] or tf.shape(logits)[-1], dtype=logits.dtype)


def correct(y: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Whether the largest logit is the label's, of a soft label its likeliest class's, shape (b,).

    On ties the lowest class counts. A row with a NaN is not correct, although argmax would return a
    class.

    Example:
    >>> correct(tf.constant([0, 1]), tf.constant([[2.0, 1.0], [2.0, 1.0]])).numpy().tolist()
    [True, False]
    """
    y = likeliest_class(y)
    is_number = ~tf.reduce_any(tf.math.is_nan(logits), axis=-1)
    return is_number & tf.equal(tf.argmax(logits, axis=-1, output_type=y.dtype), y)


def all_finite(logits: tf.Tensor) -> tf.Tensor:
    """Where all logits are finite numbers, shape (b,)."""
    return tf.reduce_all(tf.math.is_finite(logits), axis=-1)


def misclassified(y: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """The largest logit is not the label's, and all are finite, shape (b,).

    Logits that are not finite are neither correct nor wrong, so they end no search.

    Example:
    >>> misclassified(tf.constant([0, 1]), tf.constant([[float("nan"), 1.0], [2.0, 1.0]])).numpy().tolist()
    [False, True]
    """
    return all_finite(logits) & ~correct(y, logits)
