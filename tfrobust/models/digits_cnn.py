"""The small network for the embedded digits."""

import keras

from tfrobust.models import parts
from tfrobust.models.batch_normalization import BatchNormalization


def digits_cnn(
    input_shape: tuple[int, int, int] = (8, 8, 1),
    num_classes: int = 10,
    activation: str = "relu",
    batch_normalization: bool = True,
) -> keras.Model:
    """Three convolutions and two dense layers: 40,506 parameters for images of 8 by 8.

    Use it for the digits of scikit-learn, where it trains robustly in under a minute on two CPU
    cores, and for tests.

        conv 3x3, 16 - conv 3x3/2, 32 - conv 3x3/2, 64 - dense 64 - dense 10

    Kernels of the convolutions start He-normal over fan-out, those of the dense layers
    Glorot-uniform, biases 0.

    Args:
        input_shape, num_classes, activation: see `tfrobust.models`.
        batch_normalization: whether each convolution has BatchNormalization instead of a bias.

    Returns:
        A functional Keras model: pixels in [0, 1], (b, h, w, c), to float32 logits (b, num_classes).

    Raises:
        UserError: an argument is out of range.

    Example:
        >>> model = tfrobust.models.digits_cnn()
        >>> sum(v.numpy().size for v in model.trainable_variables)
        40506
    """

    def features(x):
        for filters, stride in ((16, 1), (32, 2), (64, 2)):
            x = keras.layers.Conv2D(
                filters,
                3,
                stride,
                "same",
                use_bias=not batch_normalization,
                kernel_initializer=parts.fan_out_normal(),
            )(x)
            if batch_normalization:
                x = BatchNormalization()(x)
            x = keras.layers.Activation(activation)(x)
        return keras.layers.Dense(64, activation=activation)(keras.layers.Flatten()(x))

    # The last layer starts as Keras's does.
    return parts.build_classifier(
        "digits_cnn", features, input_shape, num_classes, activation, start=lambda x: {}
    )
