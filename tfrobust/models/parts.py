"""What the architectures share: checks, initial values, padding, normalisation, stages, logits."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import keras

from tfrobust.errors import UserError
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.ops.numbers import integer
from tfrobust.ops.onednn import writes_beyond_memory

ACTIVATIONS = ("relu", "softplus", "silu")
PADDINGS = ("pytorch", "tensorflow")
STARTS = ("fan_out", "fan_in", "pytorch")


def check_choice(choices: Collection, name: str, value: Any) -> None:
    """Raises `UserError` unless `value`, an argument called `name`, is one of the choices."""
    if value not in choices:
        raise UserError(
            f"`{name}` must be one of {', '.join(map(repr, choices))}. Received: {name}={value!r}."
        )


def fan_in_uniform(fan_in: int) -> keras.Initializer:
    """PyTorch's default for weights and biases of a layer: uniform on +-1/sqrt(fan_in)."""
    return keras.initializers.RandomUniform(-(fan_in**-0.5), fan_in**-0.5)


def fan_out_normal() -> keras.Initializer:
    """He's normal values for the backward pass: standard deviation sqrt(2 / (k^2 * filters))."""
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def fan_in_normal() -> keras.Initializer:
    """He's normal values for the forward pass: standard deviation sqrt(2 / fan_in)."""
    return keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")


def convolve(
    x: keras.KerasTensor,
    filters: int,
    kernel: int,
    stride: int = 1,
    *,
    padding: str = "pytorch",
    start: str = "fan_out",
    use_bias: bool = False,
) -> keras.KerasTensor:
    """A convolution that keeps the size, or divides it by the stride and rounds up.

    Args:
        x: Keras tensor, (b, h, w, c).
        filters: number of output channels.
        kernel: its height and width, odd.
        stride: in both directions.
        padding: "pytorch", kernel // 2 zeros on every side; "tensorflow", Keras's "same", which at
            stride 2 pads an even image on the right and at the bottom only.
        start: of the kernel: "fan_out" and "fan_in", He-normal over these; "pytorch", uniform on
            +-1/sqrt(fan_in), the bias too.
        use_bias: whether there is a bias.

    Returns:
        (b, ceil(h / stride), ceil(w / stride), filters).
    """
    fan_in = kernel * kernel * x.shape[-1]
    if writes_beyond_memory((kernel,), (stride,), x.shape[-1]):
        x, stride = keras.layers.AveragePooling2D(1, stride)(x), 1
    return _apply_padded(
        keras.layers.Conv2D,
        x,
        kernel,
        stride,
        padding,
        filters=filters,
        use_bias=use_bias,
        kernel_initializer=_choose_start(start, fan_in),
        bias_initializer=fan_in_uniform(fan_in) if start == "pytorch" else "zeros",
    )


def convolve_depthwise(x: keras.KerasTensor, kernel: int, stride: int = 1) -> keras.KerasTensor:
    """`convolve` on each channel separately, without bias; starts and pads as PyTorch does."""
    return _apply_padded(
        keras.layers.DepthwiseConv2D,
        x,
        kernel,
        stride,
        "pytorch",
        use_bias=False,
        depthwise_initializer=fan_in_uniform(kernel * kernel),
    )


def _apply_padded(layer, x, kernel, stride, padding, **settings):
    kind = "same"
    if padding == "pytorch" and stride > 1:
        kind = "valid"
        if kernel > 1:
            x = keras.layers.ZeroPadding2D(kernel // 2)(x)
    return layer(kernel_size=kernel, strides=stride, padding=kind, **settings)(x)


def _choose_start(start, fan_in):
    if start == "pytorch":
        return fan_in_uniform(fan_in)
    return fan_out_normal() if start == "fan_out" else fan_in_normal()


def batch_normalise(
    x: keras.KerasTensor, activation: str | None = None, momentum: float = 0.9
) -> keras.KerasTensor:
    """BatchNormalization, followed by an activation unless that is None."""
    x = BatchNormalization(momentum=momentum)(x)
    return x if activation is None else keras.layers.Activation(activation)(x)


def add_stages(
    x: keras.KerasTensor,
    width: int,
    block: Callable[[keras.KerasTensor, int, int], keras.KerasTensor],
) -> keras.KerasTensor:
    """Four stages of two blocks, of width, 2 width, 4 width and 8 width filters: a ResNet-18's.

    Args:
        x: Keras tensor, (b, h, w, c).
        width: filters of the first stage.
        block: function of a tensor, the number of filters and the stride, which is 2 in the first
            block of the last three stages and 1 in all others.

    Returns:
        (b, h / 8, w / 8, 8 width), rounded up.
    """
    for stage in range(4):
        for place in range(2):
            x = block(x, width * 2**stage, 2 if stage > 0 and place == 0 else 1)
    return x


def build_classifier(
    name: str,
    features: Callable[[keras.KerasTensor], keras.KerasTensor],
    input_shape: tuple[int, int, int],
    num_classes: int,
    activation: str,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    start: Callable[[keras.KerasTensor], dict] | None = None,
    smallest: int = 1,
) -> keras.Model:
    """Checks the arguments that all networks share, and builds the model from pixels to logits.

    Args:
        name: of the model.
        features: function of the images, normalised if `mean` and `std` say so, that returns
            (b, n); or (b, h, w, n), of which the mean over all pixels is taken.
        input_shape, num_classes, activation, mean, std: see `tfrobust.models`.
        start: function from the features to settings of the last layer; default: `start_as_pytorch`.
        smallest: the smallest height and width for which the features exist.

    Returns:
        A functional Keras model.

    Raises:
        UserError: an argument is out of range.
    """
    shape = check_input_shape(input_shape)
    if min(shape[:2]) < smallest:
        raise UserError(
            f"`input_shape` must be at least {smallest} by {smallest}. Received: {input_shape!r}."
        )
    integer(num_classes, "num_classes", minimum=2)
    check_choice(ACTIVATIONS, "activation", activation)
    inputs = keras.Input(shape, name="pixels")
    x = features(normalise(inputs, mean, std))
    if len(x.shape) == 4:
        x = keras.layers.GlobalAveragePooling2D()(x)
    settings = (start or start_as_pytorch)(x)
    return keras.Model(inputs, add_logits(x, num_classes, **settings), name=name)


def check_input_shape(input_shape: Any) -> tuple[int, int, int]:
    """Returns (height, width, channels); raises `UserError` for anything else."""
    shape = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    if len(shape) != 3 or not all(isinstance(n, int) and n > 0 for n in shape):
        raise UserError(
            "`input_shape` must be (height, width, channels) of one image. "
            f"Received: input_shape={input_shape!r}."
        )
    return shape  # type: ignore[return-value]


def normalise(
    x: keras.KerasTensor, mean: Sequence[float] | None, std: Sequence[float] | None
) -> keras.KerasTensor:
    """(x - mean) / std per channel, a layer inside the model; None for both leaves x as it is."""
    if mean is None and std is None:
        return x
    channels = x.shape[-1]
    mean, std = _check_each("mean", mean, channels), _check_each("std", std, channels)
    if min(std) <= 0:
        raise UserError(f"`std` must be positive, in units of pixels in [0, 1]. Received: {std!r}.")
    scale = [1 / s for s in std]
    offset = [-m / s for m, s in zip(mean, std)]
    return keras.layers.Rescaling(scale, offset, name="normalise")(x)


def _check_each(name: str, values: Sequence[float] | None, channels: int) -> Sequence[float]:
    if not isinstance(values, (tuple, list)) or len(values) != channels:
        raise UserError(
            f"`mean` and `std` must each hold one number for each of the {channels} channels. "
            f"Received: {name}={values!r}."
        )
    return values


def add_logits(x: keras.KerasTensor, num_classes: int, **settings: Any) -> keras.KerasTensor:
    """The last layer. It computes in float32 also under a reduced precision (float64 stays)."""
    wide = keras.config.dtype_policy().compute_dtype == "float64"
    dtype = "float64" if wide else "float32"
    return keras.layers.Dense(num_classes, dtype=dtype, name="logits", **settings)(x)


def start_as_pytorch(x: keras.KerasTensor, bias: bool = True) -> dict:
    """Settings of a dense layer on `x`, (b, n), that starts as in PyTorch; or with a bias of 0."""
    # One initializer for each: the same object would draw the same numbers twice.
    return {
        "kernel_initializer": fan_in_uniform(x.shape[-1]),
        "bias_initializer": fan_in_uniform(x.shape[-1]) if bias else "zeros",
    }
