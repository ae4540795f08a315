"""The papers' networks: parameter counts, their formulas on the same weights, initial values, derivatives."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrobust import models
from tfrobust.errors import UserError
from tfrobust.models import parts

NORMALISATION = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.25, 0.3)}
RNG = np.random.default_rng(20)


def trainable(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


@pytest.mark.parametrize(
    "build,count",
    [
        (lambda: models.wide_resnet(28, 8), 23_354_842),
        (lambda: models.wide_resnet(28, 10), 36_479_194),
        (lambda: models.wide_resnet(34, 10), 46_160_474),
        (lambda: models.wide_resnet(34, 10, num_classes=100), 46_218_164),
        (lambda: models.wide_resnet(40, 8), 35_748_314),
        (models.resnet18, 11_173_962),
        (models.senet18, 11_260_354),
        (models.vgg16, 14_728_266),
        (models.mobilenet_v2, 2_296_922),
        (models.shufflenet_v2, 1_263_854),
        (lambda: models.shufflenet_v2(0.5), 352_042),
        (models.trades_cnn, 312_202),
    ],
    ids=lambda value: f"{value:,}" if isinstance(value, int) else "of",
)
def test_published_parameter_counts(build, count):
    # Only shapes are wanted: no initial values, no memory.
    with keras.StatelessScope():
        assert trainable(build()) == count


def small(name, **settings):
    if name == "wide_resnet":
        return models.wide_resnet(10, 2, (16, 16, 3), **settings)
    side = 32 if name == "vgg16" else 16
    width = {"mobilenet_v2": 0.1, "shufflenet_v2": 0.5}.get(name, 4)
    return getattr(models, name)(width, (side, side, 3), **settings)


class Layers:
    """The layers of a model in the order in which they were made, applied by plain operations."""

    def __init__(self, model, act=tf.nn.relu, padding="pytorch"):
        self.model, self.act, self.padding = model, act, padding
        self.convolutions = self._made("conv2d")
        self.depthwises = self._made("depthwise_conv2d")
        self.normalisations = self._made("batch_normalization")
        self.denses = self._made("dense")

    def _made(self, kind):
        found = {
            layer: re.fullmatch(rf"{kind}(?:_(\d+))?", layer.name) for layer in self.model.layers
        }
        return iter(sorted((v for v in found if found[v]), key=lambda v: int(found[v][1] or 0)))

    def conv(self, x, stride=1):
        layer = next(self.convolutions)
        y = tf.nn.conv2d(self._padded(x, layer.kernel, stride), layer.kernel, stride, "VALID")
        return y + layer.bias if layer.use_bias else y

    def depthwise(self, x, stride=1):
        kernel = next(self.depthwises).kernel
        # Channel by channel, so that no grouped operation is trusted.
        channels = [
            tf.nn.conv2d(one, kernel[:, :, i : i + 1], stride, "VALID")
            for i, one in enumerate(tf.split(self._padded(x, kernel, stride), x.shape[-1], -1))
        ]
        return tf.concat(channels, -1)

    def _padded(self, x, kernel, stride):
        size = kernel.shape[0]
        low = high = size // 2
        if stride == 2 and self.padding == "tensorflow":
            low, high = 0, max(size - 2, 0)
        return tf.pad(x, [[0, 0], [low, high], [low, high], [0, 0]])

    def bn(self, x):
        v = next(self.normalisations)
        return (x - v.moving_mean) / tf.sqrt(v.moving_variance + 1e-5) * v.gamma + v.beta

    def active(self, x):
        return self.act(self.bn(x))

    def dense(self, x):
        layer = next(self.denses)
        return x @ layer.kernel + layer.bias

    def logits(self, x):
        last = self.model.get_layer("logits")
        for rest in (self.convolutions, self.depthwises, self.normalisations, self.denses):
            assert next(rest, None) is None
        return tf.reduce_mean(x, (1, 2)) @ last.kernel + last.bias


STAGES = [(1, 4), (1, 4), (2, 8), (1, 8), (2, 16), (1, 16), (2, 32), (1, 32)]


def preact_resnet18(net, x, shortcut_from="activated"):
    x = net.conv(x)
    for stride, filters in STAGES:
        h, shortcut = net.active(x), x
        if filters != x.shape[-1]:
            shortcut = net.conv(h if shortcut_from == "activated" else x, stride)
        x = net.conv(net.active(net.conv(h, stride))) + shortcut
    return net.logits(net.active(x))


def wide_resnet(net, x):
    x = net.conv(x)
    for stride, filters in [(1, 32), (2, 64), (2, 128)]:
        h = net.active(x)
        shortcut = net.conv(h, stride)
        assert shortcut.shape[-1] == filters
        x = net.conv(net.active(net.conv(h, stride))) + shortcut
    return net.logits(net.active(x))


def resnet18(net, x, activate_branch=False):
    x = net.active(net.conv(x))
    for stride, filters in STAGES:
        shortcut = net.bn(net.conv(x, stride)) if filters != x.shape[-1] else x
        h = net.bn(net.conv(net.active(net.conv(x, stride))))
        x = net.act((net.act(h) if activate_branch else h) + shortcut)
    return net.logits(x)


def senet18(net, x):
    x = net.active(net.conv(x))
    for stride, filters in STAGES:
        h = net.active(x)
        shortcut = net.conv(h, stride) if filters != x.shape[-1] else x
        h = net.conv(net.active(net.conv(h, stride)))
        gate = tf.sigmoid(net.dense(net.act(net.dense(tf.reduce_mean(h, (1, 2))))))
        x = h * gate[:, None, None] + shortcut
    return net.logits(x)


def vgg16(net, x):
    for times in (2, 2, 3, 3, 3):
        for _ in range(times):
            x = net.active(net.conv(x))
        b, h, w, c = x.shape
        x = tf.reduce_max(tf.reshape(x, (b, h // 2, 2, w // 2, 2, c)), (2, 4))
    return net.logits(x)


def mobilenet_v2(net, x):
    x = net.active(net.conv(x))
    for stride, filters, blocks in [
        (1, 2, 1), (1, 2, 2), (2, 3, 3), (2, 6, 4), (1, 10, 3), (2, 16, 3), (1, 32, 1),
    ]:  # fmt: skip
        for place in range(blocks):
            s = stride if place == 0 else 1
            h = net.active(net.depthwise(net.active(net.conv(x)), s))
            h = net.bn(net.conv(h))
            assert h.shape[-1] == filters
            if s == 2:
                x = h
            else:
                x = h + (net.bn(net.conv(x)) if x.shape[-1] != filters else x)
    return net.logits(net.active(net.conv(x)))


def shufflenet_v2(net, x):
    x = net.active(net.conv(x))
    for blocks in (3, 7, 3):
        left = net.active(net.conv(net.bn(net.depthwise(x, 2))))
        right = net.active(net.conv(net.bn(net.depthwise(net.active(net.conv(x)), 2))))
        for block in range(blocks + 1):
            # left_0, right_0, left_1, right_1, ...
            x = tf.reshape(tf.stack([left, right], -1), (*left.shape[:3], 2 * left.shape[3]))
            if block < blocks:
                left, right = tf.split(x, 2, -1)
                right = net.active(net.conv(net.bn(net.depthwise(net.active(net.conv(right))))))
    return net.logits(net.active(net.conv(x)))


SILU_PREACT = {"shortcut_from": "input", "shortcut_kernel": 3, "padding": "tensorflow"}


@pytest.mark.parametrize(
    "formula,settings",
    [
        (preact_resnet18, {}),
        (preact_resnet18, {"shortcut_from": "input"}),
        (preact_resnet18, {**SILU_PREACT, "activation": "silu"}),
        (wide_resnet, {}),
        (wide_resnet, {"padding": "tensorflow", "activation": "silu"}),
        (resnet18, {}),
        (resnet18, {"activate_branch": True}),
        (senet18, {}),
        (vgg16, {}),
        (mobilenet_v2, {}),
        (shufflenet_v2, {}),
    ],
    ids=lambda value: getattr(value, "__name__", None) or "-".join(map(str, value.values())),
)
def test_a_network_is_its_formula(formula, settings):
    model = small(formula.__name__, **settings, **NORMALISATION)
    model.set_weights([w + RNG.uniform(0, 0.1, w.shape) for w in model.get_weights()])
    images = RNG.uniform(size=(2, *model.input_shape[1:])).astype("float32")
    act = tf.nn.silu if settings.get("activation") == "silu" else tf.nn.relu
    net = Layers(model, act, settings.get("padding", "pytorch"))
    x = (images - NORMALISATION["mean"]) / np.array(NORMALISATION["std"])
    own = ("shortcut_from", "activate_branch")
    expected = formula(
        net, tf.cast(x, tf.float32), **{k: settings[k] for k in own if k in settings}
    )
    np.testing.assert_allclose(model(images), expected, rtol=1e-3, atol=1e-4)
    assert np.ptp(expected) > 1e-2


def test_trades_cnn_is_its_formula_and_begins_at_zero():
    model = models.trades_cnn(2)
    images = RNG.uniform(size=(3, 28, 28, 1)).astype("float32")
    np.testing.assert_array_equal(model(images), np.zeros((3, 10)))
    model.set_weights([w + RNG.uniform(0, 0.1, w.shape) for w in model.get_weights()])
    weights = iter(model.get_weights()[:14])
    x = images
    for _ in range(2):
        for _ in range(2):
            x = tf.nn.relu(tf.nn.conv2d(x, next(weights), 1, "VALID") + next(weights))
        x = tf.nn.max_pool2d(x, 2, 2, "VALID")
    x = tf.reshape(x, (3, -1))
    for act in (tf.nn.relu, tf.nn.relu, tf.identity):
        x = act(x @ next(weights) + next(weights))
    np.testing.assert_allclose(model(images), x, rtol=1e-4)
    # The mask is ours, by row of the global batch.
    assert any(isinstance(layer, models.Dropout) for layer in model.layers)
    assert np.ptp(model(images, training=True) - model(images)) > 0


NAMES = ["wide_resnet", "resnet18", "senet18", "vgg16", "mobilenet_v2", "shufflenet_v2"]


@pytest.mark.parametrize("name", NAMES)
def test_the_activation_and_the_momentum_are_used_everywhere(name):
    model = small(name, activation="softplus")
    used = {
        keras.activations.serialize(v.activation) for v in model.layers if hasattr(v, "activation")
    }
    assert used - {"sigmoid"} == {"softplus", "linear"} and ("sigmoid" in used) == (
        name == "senet18"
    )
    assert {v.momentum for v in model.layers if isinstance(v, models.BatchNormalization)} == {0.9}


@pytest.mark.parametrize("name", ["preact_resnet18", *NAMES])
def test_no_narrow_input_meets_a_1x1_convolution_with_strides(name):
    """oneDNN writes beyond its memory in that gradient: training a narrow network could crash."""
    for layer in small(name).layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.kernel_size == (1, 1):
            assert layer.strides == (1, 1) or layer.kernel.shape[2] >= 16, layer.name


def test_the_momentum_can_be_another():
    for model in (small("wide_resnet", momentum=0.99), small("preact_resnet18", momentum=0.99)):
        found = {v.momentum for v in model.layers if isinstance(v, models.BatchNormalization)}
        assert found == {0.99}


@pytest.mark.parametrize(
    "start,std",
    [
        ("fan_out", np.sqrt(2 / (9 * 64))),
        ("fan_in", np.sqrt(2 / (9 * 32))),
        ("pytorch", 1 / np.sqrt(3 * 9 * 32)),
    ],
)
def test_wide_resnet_starts_as_it_is_told(start, std):
    model = small("wide_resnet", start=start)
    (kernel,) = (w for w in model.get_weights() if w.shape == (3, 3, 32, 64))
    np.testing.assert_allclose(kernel.std(), std, rtol=0.03)
    last = model.get_layer("logits")
    assert 0.9 / np.sqrt(128) < np.abs(last.kernel).max() <= 1 / np.sqrt(128)
    assert not np.any(last.bias)


@pytest.mark.parametrize("name", ["resnet18", "senet18", "vgg16", "mobilenet_v2", "shufflenet_v2"])
def test_the_others_start_as_in_pytorch(name):
    model = small(name)
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            shape = layer.kernel.shape
            depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            limit = 1 / np.sqrt(np.prod(shape[:2] if depthwise else shape[:-1]))
            largest = np.abs(layer.kernel).max()
            assert 0.5 * limit < largest <= 1.0001 * limit
            if layer.use_bias:
                assert 0 < np.abs(layer.bias).max() <= 1.0001 * limit
    kernels = [v.kernel for v in model.layers if hasattr(v, "kernel")]
    values = {float(np.ravel(kernel)[0]) for kernel in kernels}
    assert len(values) == len(kernels)  # every one draws its own numbers


def test_gradient_of_a_jacobian_penalty(slope_error):
    """Depthwise convolutions, max-pooling and gates, too, are differentiated twice rightly."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        inputs = keras.Input((8, 8, 3), dtype="float64")
        x = parts.batch_normalise(parts.convolve(inputs, 4, 3), "softplus")
        x = parts.batch_normalise(parts.convolve_depthwise(x, 3, 2), "softplus")
        gate = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
        gate = keras.layers.Dense(4, activation="sigmoid")(gate)
        x = keras.layers.MaxPooling2D(2)(keras.layers.Multiply()([x, gate]))
        left, right = keras.ops.split(x, 2, axis=-1)
        x = keras.layers.Flatten()(keras.layers.Concatenate()([right, left]))
        model = keras.Model(inputs, parts.add_logits(x, 3))
    finally:
        keras.config.set_dtype_policy(before)
    x = tf.constant(RNG.uniform(size=(3, 8, 8, 3)))

    @tf.function
    def penalty():
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(model(x, training=True)[:, 0])
        return tf.reduce_sum(tf.square(tape.gradient(total, x)))

    assert slope_error(model, penalty) < 1e-7


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_network_that_splits_channels_is_exported_and_loaded(tmp_path):
    model = small("shufflenet_v2")
    model.set_weights([w + RNG.uniform(0, 0.1, w.shape) for w in model.get_weights()])
    stock = models.with_stock_batch_normalization(model)
    stock.save(tmp_path / "model.keras")
    images = RNG.uniform(size=(2, 16, 16, 3)).astype("float32")
    loaded = models.load_classifier(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(images), model(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "build,message",
    [
        (lambda: models.wide_resnet(27, 10), "6 n \\+ 4"),
        (lambda: models.wide_resnet(4, 10), "depth"),
        (lambda: models.wide_resnet(28, 0), "width_factor"),
        (lambda: models.wide_resnet(10, 1, padding="same"), "'pytorch', 'tensorflow'"),
        (lambda: models.wide_resnet(10, 1, start="he"), "'fan_out'.*'he'"),
        (lambda: models.wide_resnet(10, 1, momentum=1.5), "momentum"),
        (lambda: models.preact_resnet18(shortcut_from="x"), "shortcut_from='x'"),
        (lambda: models.preact_resnet18(shortcut_kernel=5), "shortcut_kernel"),
        (lambda: models.resnet18(0), "width"),
        (lambda: models.senet18(activation="gelu"), "'gelu'"),
        (lambda: models.vgg16(input_shape=(16, 16, 3)), "32 by 32"),
        (lambda: models.mobilenet_v2(0.0), "width_factor"),
        (lambda: models.shufflenet_v2(0.7), "size=0.7"),
        (lambda: models.trades_cnn(input_shape=(8, 8, 1)), "16 by 16"),
        (lambda: models.trades_cnn(dropout=1.0), "rate"),
    ],
)
def test_bad_arguments_are_refused(build, message):
    with pytest.raises(UserError, match=message):
        build()
