"""What a classifier gives: logits, one for each class."""

import weakref
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tfrobust.contract.assertions import require
from tfrobust.errors import UserError, one_line
from tfrobust.ops.logits import full_precision, inference

# How far from 1 the sum of a row of probabilities may be: rounding, and 1e-7 a class where a model clips
# its probabilities away from 0. In half precision rounding is coarse.
_SLACK, _SLACK_OF_A_CLASS, _SLACK_IN_HALF_PRECISION = 1e-5, 1e-7, 1e-2
# Fewer rows than these may look like probabilities by chance in the course of a long training.
_ENOUGH = 4

PROBABILITIES = (
    "The model gives probabilities, and losses here are computed from logits: they would saturate, and "
    "robust accuracy would be another one. Take the last softmax off: tfrobust.adapt(model, "
    "input_range=(0, 1)), or (0, 255) if these are its pixels, gives the same model with logits; "
    "tfrobust.save_classifier writes that one for the commands."
)


def are_probabilities(outputs: np.ndarray | tf.Tensor) -> tf.Tensor:
    """Whether all rows of outputs, (b, k), are non-negative and sum to 1: a boolean scalar.

    Rows of zeros and a one are classes, not probabilities. No rows are none.

    Example:
    >>> from tfrobust import contract
    >>> bool(contract.are_probabilities([[0.25, 0.75]]))
    True
    >>> bool(contract.are_probabilities([[0.25, 0.7]]))
    False
    """
    outputs = tf.convert_to_tensor(outputs)
    return sum_to_one(outputs) & tf.reduce_any((outputs > 0) & (outputs < 1))


def sum_to_one(outputs: tf.Tensor) -> tf.Tensor:
    """Whether all rows of outputs, (b, k), are non-negative and sum to 1 but for rounding: a boolean scalar.

    How coarse the rounding was, the numbers themselves say: those of a model in half precision stay numbers
    of half precision when they are converted.
    """
    outputs = tf.convert_to_tensor(outputs)
    half = tf.reduce_any(
        [
            tf.reduce_all(tf.cast(tf.cast(outputs, dtype), outputs.dtype) == outputs)
            for dtype in (tf.bfloat16, tf.float16)
        ]
    )
    classes = tf.cast(tf.shape(outputs)[-1], outputs.dtype)
    fine = tf.constant(_SLACK, outputs.dtype) + _SLACK_OF_A_CLASS * classes
    slack = tf.where(half, tf.constant(_SLACK_IN_HALF_PRECISION, outputs.dtype), fine)
    errors = tf.abs(tf.reduce_sum(outputs, axis=-1) - 1.0)
    return tf.reduce_all(outputs >= 0) & tf.reduce_all(errors < slack)


def check_output_shape(
    shape: Sequence[int | None] | tf.TensorShape, num_classes: int | None = None
) -> None:
    """Raises `UserError` unless a shape, known as far as it is, is that of logits (b, k), k > 1.

    Args:
        shape: `tf.TensorShape` or a tuple.
        num_classes: k where the data say it, or None.

    Example:
    >>> from tfrobust import contract
    >>> contract.check_output_shape((None, 10))
    >>> contract.check_output_shape((None, 1))
    Traceback (most recent call last):
    tfrobust.errors.UserError: A classifier gives logits of shape (b, k), ...
    """
    shape = tf.TensorShape(shape)
    expected = "k" if num_classes is None else num_classes
    if shape.rank is not None and shape.rank != 2:
        flat = shape.rank > 2 and all(size == 1 for size in shape[1:-1])
        advice = (
            "Flatten them: tfrobust.adapt(model) does."
            if flat
            else "Pool or flatten them in the model."
        )
    elif shape.rank == 2 and shape[1] == 1:
        advice = "For one output z of a binary classifier give (0, z): tfrobust.adapt(model) does."
    elif shape.rank == 2 and None not in (shape[1], num_classes) and shape[1] != num_classes:
        advice = "Set the model's `num_classes`, or choose other data."
    else:
        return
    raise UserError(
        f"A classifier gives logits of shape (b, {expected}), one for each of at least two classes. "
        f"Received: outputs of shape {tuple(shape)}. {advice}"
    )


def require_logits(
    logits: tf.Tensor, when: tf.Tensor | bool = True, few: bool = False
) -> tf.Operation | None:
    """Raises `UserError` where a batch's logits are probabilities; in a graph it is an assertion.

    Args:
        logits: (b, k).
        when: whether to look at all, a boolean scalar.
        few: whether to look at batches of one to three rows, too, which may be mistaken.

    Returns:
        The assertion of a graph, for `after`.

    Example:
    >>> from tfrobust import contract
    >>> contract.require_logits(tf.constant([[2.0, -1.0]]), few=True)
    >>> contract.require_logits(tf.constant([[0.25, 0.75]]), few=True)
    Traceback (most recent call last):
    tfrobust.errors.UserError: The model gives probabilities, ...
    """
    if not few:
        when &= tf.shape(logits)[0] >= _ENOUGH
    return require(~(when & are_probabilities(logits)), PROBABILITIES)


def check_outputs(
    outputs: np.ndarray | tf.Tensor, num_classes: int | None = None, probabilities: bool = False
) -> None:
    """Raises `UserError` unless what a model gives for a few images may be logits.

    Args:
        outputs: what it gave, which may be anything.
        num_classes: k where the data say it, or None.
        probabilities: whether to go on with them.

    Example:
    >>> from tfrobust import contract
    >>> contract.check_outputs(tf.constant([[2.0, -1.0]]), num_classes=2)
    """
    outputs = tf.convert_to_tensor(full_precision(outputs))
    check_output_shape(outputs.shape, num_classes)
    require(
        tf.reduce_all(tf.math.is_finite(outputs)),
        "The model's outputs are not finite for clean images. Look at its weights and at the division in "
        "its normalisation.",
    )
    if not probabilities:
        require_logits(outputs, few=True)


_seen: weakref.WeakSet = weakref.WeakSet()


def look_once(model: keras.layers.Layer | Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> None:
    """`check_on_images` at a few images, the first time that a model or function is met."""
    if model not in _seen and x.shape[0]:
        check_on_images(model, x[:_ENOUGH])
        _seen.add(model)


def check_on_images(
    model: keras.layers.Layer | Callable[[tf.Tensor], tf.Tensor],
    x: tf.Tensor,
    num_classes: int | None = None,
    probabilities: bool = False,
) -> tf.Tensor:
    """What a model gives for a few images, if it may be logits.

    Args:
        model: Keras model, or function from images to logits.
        x: images that have passed the door, (b, ...).
        num_classes: k where the data say it, or None.
        probabilities: whether to go on with them.

    Returns:
        Logits, (b, k).

    Raises:
        UserError: if they cannot be logits, or if the model fails on such images.

    Example:
    >>> from tfrobust import contract
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    >>> contract.check_on_images(model, tf.zeros((2, 2, 2, 1))).shape
    TensorShape([2, 3])
    """
    try:
        outputs = inference(model)(x)
    except UserError:
        raise
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise UserError(
            f"The classifier fails on images of shape {tuple(x.shape[1:])}. Give it the data that it was "
            f"made for, or mend it. It says: {one_line(error, 300)}"
        ) from error
    check_outputs(outputs, num_classes, probabilities)
    return outputs
