"""The network of TRADES for MNIST."""

import keras

from tfrobust.models import parts
from tfrobust.models.dropout import Dropout
from tfrobust.ops.numbers import integer


def trades_cnn(
    width: int = 32,
    input_shape: tuple[int, int, int] = (28, 28, 1),
    num_classes: int = 10,
    activation: str = "relu",
    dropout: float = 0.5,
) -> keras.Model:
    """Four convolutions and three dense layers: 312,202 parameters for MNIST.

    Use it for MNIST, as in the paper of TRADES; use a smaller `width` for quick results.

        conv 3x3, w - conv 3x3, w - max-pool 2 - conv 3x3, 2 w - conv 3x3, 2 w - max-pool 2
        - dense 200 - dropout - dense 200 - dense 10

    without padding, with biases, without normalisation. Convolutions start He-normal over fan-in
    with bias 0, dense layers as PyTorch's, but the last one at zero: every logit is 0 at first, and
    no attack finds a gradient in the first step.

    Args:
        width: w, at least 1.
        input_shape: (height, width, channels), at least 16 pixels high and wide.
        num_classes, activation: see `tfrobust.models`.
        dropout: rate, in [0, 1); active in the loss of training, and not in attacks.

    Returns:
        A functional Keras model: pixels in [0, 1], (b, h, w, c), to float32 logits (b, num_classes).

    Raises:
        UserError: an argument is out of range.

    Example:
        >>> model = tfrobust.models.trades_cnn(width=2)
        >>> float(tf.reduce_max(tf.abs(model(tf.ones((1, 28, 28, 1))))))
        0.0

    Reference: Zhang et al. 2019, arXiv:1901.08573, code.
    """
    integer(width, "width", minimum=1)

    def dense(x):
        return keras.layers.Dense(200, activation=activation, **parts.start_as_pytorch(x))(x)

    def features(x):
        for filters in (width, 2 * width):
            for _ in range(2):
                start = parts.fan_in_normal()
                x = keras.layers.Conv2D(
                    filters, 3, activation=activation, kernel_initializer=start
                )(x)
            x = keras.layers.MaxPooling2D(2)(x)
        x = dense(keras.layers.Flatten()(x))
        return dense(Dropout(dropout)(x))

    return parts.build_classifier(
        "trades_cnn",
        features,
        input_shape,
        num_classes,
        activation,
        start=lambda x: {"kernel_initializer": "zeros"},
        smallest=16,
    )
