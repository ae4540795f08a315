"""Gradients to the pixels through layers in float16, whose smallest number is 6e-8.

Keras scales the loss for gradients to the weights. An attack's gradient, and one inside a loss, has no part
in that: in float16 it would underflow to zero, the sooner the surer a prediction is. All factors are powers
of two, which change no digit, and float32 never sees one.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfrobust.compat import all_layers

# A search begins with vectors between 2^8 and 2^9 and goes on by 2^6 up or down.
_FIRST, _FACTOR, _SMALLEST, _TRIES = 2.0**8, 2.0**6, 2.0**-4, 6

_INNER = 2.0**7


def computes_in_float16(model: Any) -> bool:
    """Whether a Keras model has layers that compute in float16; of other callables it is not known."""
    return isinstance(model, keras.layers.Layer) and any(
        layer.compute_dtype == "float16" for layer in all_layers(model)
    )


def scale_gradients(
    forward: Callable[[tf.Tensor], tf.Tensor], model: Any, by_row: bool = True
) -> Callable[[tf.Tensor], tf.Tensor]:
    """`forward`, with a gradient to the images that does not underflow in `model`'s float16.

    For attacks: its gradient is to the images alone, and is not differentiated again.

    Args:
        forward: function from images to logits in float32.
        model: the Keras model inside; if nothing in it computes in float16, `forward` is returned.
        by_row: whether images are kept apart; otherwise one factor serves the whole batch.
    """
    if not computes_in_float16(model):
        return forward

    @tf.custom_gradient
    def scaled(x):
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(x)
            logits = forward(x)

        def gradient(upstream, variables=()):
            found = _pull_back(lambda v: tape.gradient(logits, x, v), upstream, by_row)
            return (found, [None] * len(variables)) if variables else found

        return logits, gradient

    return scaled


def inner_scale(model: Any) -> float:
    """The factor of a gradient inside a loss, while it goes through `model`; 1 without float16.

    Fixed, since the loss is differentiated through it: where it is too large, Keras's loss scaling leaves
    the step out and halves its own factor.
    """
    return _INNER if computes_in_float16(model) else 1.0


def tangent_scale(
    model: keras.Model, weights: Sequence[tf.Tensor], direction: Sequence[tf.Tensor | None]
) -> tf.Tensor | float:
    """The factor that makes a direction in weight space about as long as the weights; 1 without float16."""
    pairs = [(w, u) for w, u in zip(weights, direction, strict=True) if u is not None]
    if not pairs or not computes_in_float16(model):
        return 1.0
    lengths = [tf.linalg.global_norm(side) for side in zip(*pairs, strict=True)]
    ratio = tf.math.divide_no_nan(*lengths)
    return tf.stop_gradient(_floor_to_power(tf.where(ratio > 0.0, ratio, 1.0)))


def _pull_back(pull, vectors, by_row):
    """`pull(vectors)`, linear, with a factor for each row, or for the batch, that float16 has digits for.

    What is not finite is made again with a smaller factor, what is lost in the smallest numbers with a
    larger one; both are rare.
    """
    size = _reduce(tf.reduce_max, tf.abs(vectors), by_row)
    some = size > 0.0

    def attempt(tries, scale, found, known, again):
        gradient = tf.cast(pull(vectors * scale), tf.float32)
        finite = _reduce(tf.reduce_all, tf.math.is_finite(gradient), by_row)
        faint = _reduce(tf.reduce_max, tf.abs(gradient), by_row) < _SMALLEST
        factor, take = (_beside(v, gradient) for v in (scale, again & finite))
        found = tf.where(take, gradient / factor, found)
        again &= some & tf.where(finite, faint, ~known)
        scale = tf.where(finite, scale * _FACTOR, scale / _FACTOR)
        return tries + 1, scale, found, known | finite, again

    first = _FIRST / _floor_to_power(tf.where(some, tf.clip_by_value(size, 1e-30, 1e30), 1.0))
    # The first pass is outside of the loop: mostly it is the only one.
    state = attempt(tf.constant(0), first, 0.0, ~tf.ones_like(some), tf.ones_like(some))
    return tf.while_loop(
        lambda tries, scale, found, known, again: tf.reduce_any(again) & (tries < _TRIES),
        attempt,
        state,
    )[2]


def _reduce(function, values, by_row):
    axes = list(range(1, values.shape.rank)) if by_row else None
    return _beside(function(values, axis=axes), tf.zeros([1, 1]))


def _beside(value, like):
    """Numbers for each row, or one for all, shaped to multiply `like`."""
    return tf.reshape(value, [-1] + [1] * (like.shape.rank - 1))


def _floor_to_power(value):
    """The largest power of two that is not above a positive float32."""
    bits = tf.bitcast(tf.cast(value, tf.float32), tf.int32)
    return tf.bitcast(tf.bitwise.bitwise_and(bits, 0x7F800000), tf.float32)
