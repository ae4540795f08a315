"""What the architectures share: checks, initial values, padding, normalisation, logits."""

import keras

from tfrobust.errors import UserError
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.ops.numbers import integer

ACTIVATIONS = ("relu", "softplus", "silu")
PADDINGS = ("pytorch", "tensorflow")
STARTS = ("fan_out", "fan_in", "pytorch")


def check(input_shape, num_classes, activation):
    """Raises `UserError` if these cannot describe an image classifier. Returns the shape as a tuple."""
    shape = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    if len(shape) != 3 or not all(isinstance(n, int) and n > 0 for n in shape):
        raise UserError(
            "`input_shape` must be (height, width, channels) of one image. "
            f"Received: input_shape={input_shape!r}."
        )
    integer(num_classes, "num_classes", minimum=2)
    one_of(ACTIVATIONS, "activation", activation)
    return shape


def one_of(choices, name, value):
    """Raises `UserError` if `value`, an argument called `name`, is none of the choices."""
    if value not in choices:
        raise UserError(
            f"`{name}` must be one of {', '.join(map(repr, choices))}. Received: {name}={value!r}."
        )


def fan_in_uniform(fan_in):
    """PyTorch's default for weights and biases of a layer: uniform on +-1/sqrt(fan_in)."""
    return keras.initializers.RandomUniform(-(fan_in**-0.5), fan_in**-0.5)


def fan_out_normal():
    """He's normal values for the backward pass: standard deviation sqrt(2 / (k^2 * filters))."""
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def fan_in_normal():
    """He's normal values for the forward pass: standard deviation sqrt(2 / fan_in)."""
    return keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")


def convolution(
    x, filters, kernel, stride=1, *, padding="pytorch", start="fan_out", use_bias=False
):
    """A convolution that keeps the size, or divides it by the stride and rounds up.

    Args:
        x: Keras tensor, (b, h, w, c).
        filters, kernel, stride: whole numbers; the kernel odd.
        padding: "pytorch", kernel // 2 zeros on every side; "tensorflow", Keras's "same", which at
            stride 2 pads an even image on the right and at the bottom only.
        start: of the kernel: "fan_out" and "fan_in", He-normal over these; "pytorch", uniform on
            +-1/sqrt(fan_in), the bias too.
        use_bias: whether there is one.
    """
    fan_in = kernel * kernel * x.shape[-1]
    return _padded(
        keras.layers.Conv2D,
        x,
        kernel,
        stride,
        padding,
        filters=filters,
        use_bias=use_bias,
        kernel_initializer=_start(start, fan_in),
        bias_initializer=fan_in_uniform(fan_in) if start == "pytorch" else "zeros",
    )


def depthwise(x, kernel, stride=1):
    """`convolution` of every channel by itself, without bias; starts and pads as PyTorch does."""
    return _padded(
        keras.layers.DepthwiseConv2D,
        x,
        kernel,
        stride,
        "pytorch",
        use_bias=False,
        depthwise_initializer=fan_in_uniform(kernel * kernel),
    )


def _padded(layer, x, kernel, stride, padding, **settings):
    kind = "same"
    if padding == "pytorch" and stride > 1:
        kind = "valid"
        if kernel > 1:
            x = keras.layers.ZeroPadding2D(kernel // 2)(x)
    return layer(kernel_size=kernel, strides=stride, padding=kind, **settings)(x)


def _start(start, fan_in):
    if start == "pytorch":
        return fan_in_uniform(fan_in)
    return fan_out_normal() if start == "fan_out" else fan_in_normal()


def normalised(x, activation=None, momentum=0.9):
    """BatchNormalization, and an activation after it unless that is None."""
    x = BatchNormalization(momentum=momentum)(x)
    return x if activation is None else keras.layers.Activation(activation)(x)


def normalise(x, mean, std):
    """(x - mean) / std per channel, a layer inside the model; `None` for both leaves x as it is."""
    if mean is None and std is None:
        return x
    channels = x.shape[-1]
    for name, values in (("mean", mean), ("std", std)):
        if not isinstance(values, (tuple, list)) or len(values) != channels:
            raise UserError(
                f"`mean` and `std` must each hold one number for each of the {channels} channels. "
                f"Received: {name}={values!r}."
            )
    if min(std) <= 0:
        raise UserError(f"`std` must be positive, in units of pixels in [0, 1]. Received: {std!r}.")
    scale = [1 / s for s in std]
    offset = [-m / s for m, s in zip(mean, std)]
    return keras.layers.Rescaling(scale, offset, name="normalise")(x)


def logits(x, num_classes, **settings):
    """The last layer. It computes in float32 also under a reduced precision (float64 stays)."""
    wide = keras.config.dtype_policy().compute_dtype == "float64"
    dtype = "float64" if wide else "float32"
    return keras.layers.Dense(num_classes, dtype=dtype, name="logits", **settings)(x)


def dense_start(x, bias=True):
    """Initial values of a dense layer on `x`, (b, n), as PyTorch has them; or with a bias of 0."""
    # One initial value for each: the same object would draw the same numbers twice.
    return {
        "kernel_initializer": fan_in_uniform(x.shape[-1]),
        "bias_initializer": fan_in_uniform(x.shape[-1]) if bias else "zeros",
    }
