"""What the architectures share: checks, initial values, normalisation, logits."""

import keras

from tfrobust.errors import UserError
from tfrobust.ops.numbers import integer

ACTIVATIONS = ("relu", "softplus", "silu")


def check(input_shape, num_classes, activation):
    """Raises `UserError` if these cannot describe an image classifier. Returns the shape as a tuple."""
    shape = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    if len(shape) != 3 or not all(isinstance(n, int) and n > 0 for n in shape):
        raise UserError(
            "`input_shape` must be (height, width, channels) of one image. "
            f"Received: input_shape={input_shape!r}."
        )
    integer(num_classes, "num_classes", minimum=2)
    if activation not in ACTIVATIONS:
        raise UserError(
            f"`activation` must be one of {', '.join(map(repr, ACTIVATIONS))}. "
            f"Received: activation={activation!r}."
        )
    return shape


def fan_in_uniform(fan_in):
    """PyTorch's default for weights and biases of a layer: uniform on +-1/sqrt(fan_in)."""
    return keras.initializers.RandomUniform(-(fan_in**-0.5), fan_in**-0.5)


def fan_out_normal():
    """He's normal values for the backward pass: standard deviation sqrt(2 / (k^2 * filters))."""
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


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
