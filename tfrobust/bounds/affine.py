"""Operations that are linear functions of one input plus a constant."""

import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tfrobust.bounds.arithmetic import Arithmetic
from tfrobust.bounds.interval import Interval, sum_rows
from tfrobust.bounds.operation import Operation


class Affine(Operation):
    """y = W x + b. A box with center c and radius r goes to W c + b and |W| r.

    Args:
        linear: function (x, arithmetic, absolute) to W x, or to |W| x.
        terms: how many products the network adds up for one output; 0 where it only moves numbers.
        bias: function (arithmetic) to b, or None.
        bias_size: function (arithmetic) to the sum of the absolute values that make up b; |b| if None.
    """

    def __init__(
        self,
        linear: Callable[[tf.Tensor, Arithmetic, bool], tf.Tensor],
        terms: int = 0,
        bias: Callable[[Arithmetic], tf.Tensor] | None = None,
        bias_size: Callable[[Arithmetic], tf.Tensor] | None = None,
    ):
        self._linear, self._terms, self._bias = linear, terms, bias
        self._bias_size = bias_size

    def bound(
        self, inputs: Sequence[Interval], arithmetic: Arithmetic
    ) -> tuple[Interval, tf.Tensor | None]:
        (box,) = inputs
        center = self._linear(box.center, arithmetic, False)
        radius = self._linear(box.radius, arithmetic, True)
        if self._bias is not None:
            center += self._bias(arithmetic)
        error = None
        if self._terms and arithmetic.unit:
            size = self._linear(tf.abs(box.center), arithmetic, True) + radius
            if self._bias is not None:
                size += self._measure_bias(arithmetic)
            error = arithmetic.bound_error(self._terms, size, box.magnitude)
        return Interval(center - radius, center + radius), error

    def relax(
        self, rows: tf.Tensor, inputs: Sequence[Interval], arithmetic: Arithmetic
    ) -> tuple[list[tf.Tensor], tf.Tensor | float]:
        (box,) = inputs
        # The transposed operation is the derivative of <row, W x>.
        with tf.GradientTape() as tape:
            zero = tf.zeros_like(box.lower)
            tape.watch(zero)
            output = self._linear(zero, arithmetic, False)
        constant = 0.0 if self._bias is None else sum_rows(rows * self._bias(arithmetic))
        return [tape.gradient(output, zero, rows)], constant

    def _measure_bias(self, arithmetic):
        if self._bias_size is not None:
            return self._bias_size(arithmetic)
        return tf.abs(self._bias(arithmetic))


def dense(layer: keras.layers.Dense) -> Affine:
    """`keras.layers.Dense`, before its activation."""

    def linear(x, arithmetic, absolute):
        return tf.matmul(x, _choose(layer.kernel, arithmetic, absolute))

    return Affine(linear, int(layer.kernel.shape[0]) + 1, *_get_bias(layer))


def conv_2d(layer: keras.layers.Conv2D) -> Affine:
    """`keras.layers.Conv2D`, before its activation."""

    def linear(x, arithmetic, absolute):
        kernel = _join_groups(_choose(layer.kernel, arithmetic, absolute), layer.groups)
        kernel = _dilate(kernel, layer.dilation_rate)
        return tf.nn.conv2d(x, kernel, layer.strides, layer.padding.upper())

    return Affine(linear, math.prod(layer.kernel.shape[:3]) + 1, *_get_bias(layer))


def depthwise_conv_2d(layer: keras.layers.DepthwiseConv2D) -> Affine:
    """`keras.layers.DepthwiseConv2D`, before its activation."""
    strides, padding = (1, *layer.strides, 1), layer.padding.upper()

    def linear(x, arithmetic, absolute):
        kernel = _dilate(_choose(layer.kernel, arithmetic, absolute), layer.dilation_rate)
        return tf.nn.depthwise_conv2d(x, kernel, strides, padding)

    return Affine(linear, math.prod(layer.kernel.shape[:2]) + 1, *_get_bias(layer))


def batch_normalization(layer: keras.layers.Layer) -> Affine:
    """BatchNormalization by its running statistics, of Keras or of tfrobust: a factor a channel."""

    def find_scale(arithmetic):
        variance = arithmetic.cast(layer.moving_variance)
        scale = tf.math.rsqrt(variance + layer.epsilon)
        return scale * arithmetic.cast(layer.gamma) if layer.scale else scale

    def find_shift(arithmetic):
        return arithmetic.cast(layer.beta if layer.center else 0.0)

    def linear(x, arithmetic, absolute):
        scale = find_scale(arithmetic)
        return x * (tf.abs(scale) if absolute else scale)

    def bias(arithmetic):
        return find_shift(arithmetic) - arithmetic.cast(layer.moving_mean) * find_scale(arithmetic)

    def bias_size(arithmetic):
        moved = arithmetic.cast(layer.moving_mean) * find_scale(arithmetic)
        return tf.abs(moved) + tf.abs(find_shift(arithmetic))

    # Square root, division, differences and products: a dozen roundings, in whatever order.
    return Affine(linear, 16, bias, bias_size)


def rescaling(layer: keras.layers.Rescaling) -> Affine:
    """`keras.layers.Rescaling`: x * scale + offset."""

    def linear(x, arithmetic, absolute):
        scale = arithmetic.cast(layer.scale)
        return x * (tf.abs(scale) if absolute else scale)

    return Affine(linear, 4, lambda arithmetic: arithmetic.cast(layer.offset))


def normalization(layer: keras.layers.Normalization) -> Affine:
    """`keras.layers.Normalization`: (x - mean) / sqrt(variance), channel by channel."""

    def find_scale(arithmetic):
        deviation = tf.sqrt(arithmetic.cast(layer.variance))
        return 1.0 / tf.maximum(deviation, arithmetic.cast(keras.config.epsilon()))

    def linear(x, arithmetic, absolute):
        return x * find_scale(arithmetic)

    return Affine(
        linear, 8, lambda arithmetic: -arithmetic.cast(layer.mean) * find_scale(arithmetic)
    )


def average_pooling_2d(layer: keras.layers.AveragePooling2D) -> Affine:
    """`keras.layers.AveragePooling2D`."""

    def linear(x, arithmetic, absolute):
        return tf.nn.avg_pool2d(x, layer.pool_size, layer.strides, layer.padding.upper())

    return Affine(linear, math.prod(layer.pool_size) + 1)


def global_average_pooling_2d(
    layer: keras.layers.GlobalAveragePooling2D, input_shape: Sequence[int]
) -> Affine:
    """`keras.layers.GlobalAveragePooling2D`, of images of a known size."""

    def linear(x, arithmetic, absolute):
        return tf.reduce_mean(x, axis=(1, 2), keepdims=layer.keepdims)

    return Affine(linear, math.prod(input_shape[1:3]) + 1)


def zero_padding_2d(layer: keras.layers.ZeroPadding2D) -> Affine:
    """`keras.layers.ZeroPadding2D`."""
    return Affine(lambda x, arithmetic, absolute: tf.pad(x, [(0, 0), *layer.padding, (0, 0)]))


def cropping_2d(layer: keras.layers.Cropping2D) -> Affine:
    """`keras.layers.Cropping2D`."""
    (top, bottom), (left, right) = layer.cropping

    def linear(x, arithmetic, absolute):
        height, width = x.shape[1:3]
        return x[:, top : height - bottom, left : width - right]

    return Affine(linear)


def reshape(output_shape: Sequence[int]) -> Affine:
    """The same numbers in another shape: `keras.layers.Flatten`, `keras.layers.Reshape`."""
    return Affine(lambda x, arithmetic, absolute: tf.reshape(x, (-1, *output_shape)))


def identity() -> Affine:
    """What hands its input on in inference: Dropout, noise, ...."""
    return Affine(lambda x, arithmetic, absolute: x)


def _choose(kernel, arithmetic, absolute):
    kernel = arithmetic.cast(kernel)
    return tf.abs(kernel) if absolute else kernel


def _join_groups(kernel, groups):
    """The kernel of all channels, zeros between groups: on CPUs a grouped convolution has no derivative."""
    if groups == 1:
        return kernel
    of_inputs = np.repeat(np.arange(groups), kernel.shape[2])
    of_outputs = np.repeat(np.arange(groups), kernel.shape[3] // groups)
    is_inside = tf.cast(of_inputs[:, None] == of_outputs, kernel.dtype)
    return tf.tile(kernel, (1, 1, groups, 1)) * is_inside


def _dilate(kernel, rates):
    """The kernel with zeros in between: on CPUs a dilated convolution has no derivative."""
    for axis, rate in enumerate(rates):
        if rate > 1:
            size = kernel.shape[axis]
            parts = [kernel]
            parts += [tf.zeros_like(kernel)] * (rate - 1)
            spread = tf.stack(parts, axis + 1)
            shape = [*kernel.shape[:axis], size * rate, *kernel.shape[axis + 1 :]]
            kernel = tf.reshape(spread, shape)
            kernel = tf.gather(kernel, tf.range(size * rate - rate + 1), axis=axis)
    return kernel


def _get_bias(layer):
    return () if layer.bias is None else (lambda arithmetic: arithmetic.cast(layer.bias),)
