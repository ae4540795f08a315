"""Bounds of networks drawn at random hold against samples, corners and attacks, at radii from 0 on.

python -m pytest -m slow tests/bounds/test_random_networks.py
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust.bounds import Interval, Tightening, bound_margins, read_network, rules
from tfrobust.bounds.arithmetic import PROOF

LAYERS = keras.layers
ACTIVATIONS = [
    *(lambda name=name: LAYERS.Activation(name) for name in ("linear", *rules._ACTIVATIONS)),
    *(lambda a=a: LAYERS.LeakyReLU(negative_slope=a) for a in (0.0, 0.3, 1.0)),
    *(lambda a=a: LAYERS.ReLU(max_value=a) for a in (0.1, 1.7)),
    *(lambda a=a: LAYERS.ELU(a) for a in (0.0, 0.3, 2.5)),
]


class Builder:
    """Draws layers, and weights of both signs and many sizes."""

    def __init__(self, seed):
        self.generator = np.random.default_rng(seed)

    def draw(self, least, most):
        return int(self.generator.integers(least, most + 1))

    def happens(self, share):
        return bool(self.generator.random() < share)

    def activate(self, x):
        return ACTIVATIONS[self.draw(0, len(ACTIVATIONS) - 1)]()(x)

    def convolve(self, x, padding):
        # Strides that differ are left out: TensorFlow computes some of those wrongly in float32.
        stride = 2 if self.happens(0.3) else 1
        groups = 2 if x.shape[-1] % 2 == 0 and self.happens(0.4) else 1
        dilation = 2 if stride == 1 and padding == "same" and self.happens(0.3) else 1
        layer = LAYERS.Conv2D(
            groups * self.draw(1, 2),
            (self.draw(1, 3), self.draw(1, 3)),
            stride,
            padding,
            dilation_rate=dilation,
            groups=groups,
            use_bias=self.happens(0.7),
        )
        return self.activate(layer(x))

    def share(self, x):
        """One layer twice, around an activation, and a shortcut."""
        shared = LAYERS.Conv2D(x.shape[-1], 3, padding="same")
        return x + shared(self.activate(shared(x)))

    def append(self, x):
        small = min(x.shape[1:3]) < 3
        padding = "same" if small or self.happens(0.5) else "valid"
        size = 2 if small or self.happens(0.5) else 3
        kinds = [
            lambda: self.convolve(x, padding),
            lambda: self.convolve(x, padding),
            lambda: self.activate(
                LAYERS.DepthwiseConv2D(size, padding=padding, depth_multiplier=2)(x)
            ),
            lambda: LAYERS.BatchNormalization(center=self.happens(0.7), scale=self.happens(0.7))(x),
            lambda: LAYERS.MaxPooling2D(size, self.draw(1, 2), "same")(x),
            lambda: LAYERS.AveragePooling2D(size, self.draw(1, 2), "same")(x),
            lambda: self.share(x),
            lambda: LAYERS.ZeroPadding2D(((0, 1), (1, 0)))(x),
            lambda: LAYERS.Concatenate()([self.activate(x), x]),
            lambda: self.activate(LAYERS.Dense(self.draw(1, 4))(x)),
        ]
        return kinds[self.draw(0, len(kinds) - 1)]()

    def build(self):
        inputs = keras.Input((self.draw(4, 6), self.draw(4, 6), self.draw(1, 3)))
        x = LAYERS.Rescaling(-2.0, 0.7)(inputs) if self.happens(0.5) else inputs
        for _ in range(self.draw(2, 5)):
            x = self.append(x)
        pools = LAYERS.GlobalAveragePooling2D, LAYERS.GlobalMaxPooling2D, LAYERS.Flatten
        x = pools[self.draw(0, 2)]()(x)
        model = keras.Model(inputs, LAYERS.Dense(self.draw(2, 4))(x))
        for variable in model.weights:
            if "variance" in variable.name:
                value = self.generator.uniform(1e-4, 2, variable.shape)
            else:
                fan = np.prod(variable.shape[:-1]) if self.happens(0.7) else 1.0
                value = self.generator.normal(0, 1.5 / np.sqrt(max(1.0, fan)), variable.shape)
            variable.assign(value)
        return model


def attack(model, x, y, low, high, generator):
    """Images in the box, float32: samples, corners, and steps of the gradient of each margin."""
    for _ in range(30):
        share = generator.random(x.shape).astype(np.float32)
        share = np.round(share) if generator.random() < 0.5 else share
        yield np.clip(low + share * (high - low), low, high)
    for other in range(model.output_shape[1]):
        found = x
        for _ in range(4):
            with tf.GradientTape() as tape:
                images = tf.constant(found)
                tape.watch(images)
                logits = model(images, training=False)
                margins = tf.gather(logits, y, batch_dims=1) - logits[:, other]
            slope = np.sign(tape.gradient(margins, images))
            found = np.clip(found - (high - low) * slope / 2, low, high).astype(np.float32)
            yield found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(24))
def test_no_margin_is_below_its_bound(seed):
    builder = Builder(seed)
    model, generator = builder.build(), builder.generator
    network = read_network(model)
    epsilon = [0.0, 1e-7, 1e-4, 0.01, 0.1, 1.0][seed % 6]
    x = generator.random((4, *model.input_shape[1:]), np.float32)
    x[generator.random(x.shape) < 0.2] = 0.0
    y = generator.integers(0, network.num_classes, 4)
    low, high = np.maximum(x - np.float32(epsilon), 0), np.minimum(x + np.float32(epsilon), 1)
    box = Interval(tf.constant(low), tf.constant(high))
    plain, tight = network.propagate(box, PROOF), Tightening(network)(box)
    found = [
        bound_margins(network, *boxes, tf.constant(y), PROOF, to_images).numpy()
        for boxes, to_images in ((plain, False), (plain, True), (tight, True))
    ]
    for images in attack(model, x, y, low, high, generator):
        logits = model(images, training=False).numpy().astype(np.float64)
        margins = logits[np.arange(4), y][:, None] - logits
        assert all((margins >= bounds).all() for bounds in found)
        for boxes, _ in (plain, tight):
            assert (logits >= boxes[-1].lower.numpy()).all()
            assert (logits <= boxes[-1].upper.numpy()).all()
    keras.backend.clear_session()
