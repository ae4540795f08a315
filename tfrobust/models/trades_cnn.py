"""The network of TRADES for MNIST."""

import keras

from tfrobust.errors import UserError
from tfrobust.models import parts
from tfrobust.models.dropout import Dropout
from tfrobust.ops.numbers import integer


def trades_cnn(width=32, input_shape=(28, 28, 1), num_classes=10, activation="relu", dropout=0.5):
    """Four convolutions and three dense layers: 312,202 parameters for MNIST.

    Use it for MNIST as TRADES does; a smaller `width` for a quick look.

        conv 3x3, w - conv 3x3, w - max-pool 2 - conv 3x3, 2 w - conv 3x3, 2 w - max-pool 2
        - dense 200 - dropout - dense 200 - dense 10

    without padding, with biases, without normalisation. Convolutions start He-normal over fan-in
    with bias 0, dense layers as PyTorch's, but the last one at zero: every logit is 0 at first, and
    no attack finds a gradient in the first step.

    Args:
        width: w, at least 1.
        input_shape: (height, width, channels), at least 16 pixels high and wide.
        num_classes: at least 2.
        activation: "relu", "softplus" or "silu", everywhere.
        dropout: rate, in [0, 1); active in training's loss, not in attacks.

    Returns:
        A functional Keras model: pixels in [0, 1], (b, h, w, c), to float32 logits (b,
        num_classes).

    Raises:
        UserError: for arguments outside these ranges.

    Reference: Zhang et al. 2019, arXiv:1901.08573, code.
    """
    shape = parts.check(input_shape, num_classes, activation)
    integer(width, "width", minimum=1)
    if min(shape[:2]) < 16:
        raise UserError(f"`input_shape` must be at least 16 by 16. Received: {input_shape!r}.")
    x = inputs = keras.Input(shape, name="pixels")
    for filters in (width, 2 * width):
        for _ in range(2):
            start = parts.fan_in_normal()
            x = keras.layers.Conv2D(filters, 3, activation=activation, kernel_initializer=start)(x)
        x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(200, activation=activation, **parts.dense_start(x))(x)
    x = Dropout(dropout)(x)
    x = keras.layers.Dense(200, activation=activation, **parts.dense_start(x))(x)
    logits = parts.logits(x, num_classes, kernel_initializer="zeros")
    return keras.Model(inputs, logits, name="trades_cnn")
