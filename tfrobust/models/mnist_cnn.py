"""The two four-layer networks that papers train on MNIST."""

import keras

from tfrobust.errors import UserError
from tfrobust.models import parts


def mnist_cnn(size="small", input_shape=(28, 28, 1), num_classes=10, activation="relu"):
    """Two convolutions and two dense layers, with biases, without normalisation.

    Use it for MNIST at Linf 0.3. `small` has 166,406 parameters for MNIST and is the one that quick
    results use; `large` has 3,274,634 and is the one of Madry et al.

        small: conv 4x4/2, 16 - conv 4x4/2, 32 - dense 100 - dense 10
        large: conv 5x5, 32 - max-pool 2 - conv 5x5, 64 - max-pool 2 - dense 1024 - dense 10

    Weights and biases start as PyTorch's do: uniform on +-1/sqrt(fan_in).

    Args:
        size: "small" or "large".
        input_shape: (height, width, channels), at least 4 pixels high and wide.
        num_classes: at least 2.
        activation: "relu", "softplus" or "silu".

    Returns:
        A functional Keras model: pixels in [0, 1], (b, h, w, c), to float32 logits (b,
        num_classes).

    Raises:
        UserError: for arguments outside these ranges.

    Reference: small: Wong et al. 2020, arXiv:2001.03994, code. Large: Madry et al. 2018,
        arXiv:1706.06083; its code starts from truncated normal weights and biases of 0.1.
    """
    shape = parts.check(input_shape, num_classes, activation)
    if size not in ("small", "large"):
        raise UserError(f"`size` must be 'small' or 'large'. Received: size={size!r}.")
    if min(shape[:2]) < 4:
        raise UserError(f"`input_shape` must be at least 4 by 4. Received: {input_shape!r}.")
    kernel, filters, units = (4, (16, 32), 100) if size == "small" else (5, (32, 64), 1024)
    x = inputs = keras.Input(shape, name="pixels")
    for n in filters:
        start = {
            name: parts.fan_in_uniform(kernel * kernel * x.shape[-1])
            for name in ("kernel_initializer", "bias_initializer")
        }
        # With an even size, "same" at stride 2 pads one pixel on each side, as PyTorch's padding=1.
        strides = 2 if size == "small" else 1
        x = keras.layers.Conv2D(n, kernel, strides, "same", activation=activation, **start)(x)
        if size == "large":
            x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(units, activation=activation, **parts.dense_start(x))(x)
    outputs = parts.logits(x, num_classes, **parts.dense_start(x))
    return keras.Model(inputs, outputs, name=f"mnist_cnn_{size}")
