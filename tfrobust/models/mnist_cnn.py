"""The two four-layer networks that papers train on MNIST."""

import keras

from tfrobust.models import parts


def mnist_cnn(
    size: str = "small",
    input_shape: tuple[int, int, int] = (28, 28, 1),
    num_classes: int = 10,
    activation: str = "relu",
) -> keras.Model:
    """Two convolutions and two dense layers, with biases, without normalisation.

    Use it for MNIST at Linf 0.3. "small" has 166,406 parameters for MNIST and gives quick results;
    "large" has 3,274,634 and is the network of Madry et al.

        small: conv 4x4/2, 16 - conv 4x4/2, 32 - dense 100 - dense 10
        large: conv 5x5, 32 - max-pool 2 - conv 5x5, 64 - max-pool 2 - dense 1024 - dense 10

    Weights and biases start as PyTorch's do: uniform on +-1/sqrt(fan_in).

    Args:
        size: "small" or "large".
        input_shape: (height, width, channels), at least 4 pixels high and wide.
        num_classes, activation: see `tfrobust.models`.

    Returns:
        A functional Keras model: pixels in [0, 1], (b, h, w, c), to float32 logits (b, num_classes).

    Raises:
        UserError: an argument is out of range.

    Example:
        >>> tfrobust.models.mnist_cnn().count_params()
        166406

    Reference: small: Wong et al. 2020, arXiv:2001.03994, code. Large: Madry et al. 2018,
        arXiv:1706.06083; its code starts from truncated normal weights and biases of 0.1.
    """
    parts.check_choice(("small", "large"), "size", size)
    kernel, filters, units = (4, (16, 32), 100) if size == "small" else (5, (32, 64), 1024)

    def features(x):
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
        return keras.layers.Dense(units, activation=activation, **parts.start_as_pytorch(x))(x)

    return parts.build_classifier(
        f"mnist_cnn_{size}", features, input_shape, num_classes, activation, smallest=4
    )
