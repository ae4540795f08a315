"""Networks of keras.applications: Keras's logits on the same weights, its counts, what is put in its place.

The families that take longer, and ResNet-152: python -m pytest -m slow tests/models/test_applications.py
"""

import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfrobust
from tfrobust import models
from tfrobust.compat import shapes_only
from tfrobust.errors import UserError
from tfrobust.methods.second_derivatives import check_second_derivatives
from tfrobust.models.application_weights import find_head
from tfrobust.ops.layers import kinked_layer

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
APPLICATIONS = keras.applications
SIDE, CLASSES = 32, 5


def scattered(network):
    """Weights at which every layer says something: nothing at its initial value, variances positive."""
    rng = np.random.default_rng(3)
    values = [
        rng.uniform(0.5, 1.5, w.shape) if w.ndim == 1 else w * rng.uniform(0.8, 1.2, w.shape)
        for w in network.get_weights()
    ]
    network.set_weights(values)
    return network


def stock(name, side=SIDE, **settings):
    """Keras's own network with such weights, its last softmax left out by Keras itself."""
    settings = {"classes": CLASSES, **settings, "weights": None, "classifier_activation": None}
    return scattered(getattr(APPLICATIONS, name)(input_shape=(side, side, 3), **settings))


def images(side=SIDE):
    return np.random.default_rng(4).random((2, side, side, 3)).astype("float32")


# Kinds of preprocessing: BGR without scale, [-1, 1]; mean and deviation, within the network.
QUICK = [
    ("MobileNetV2", APPLICATIONS.mobilenet_v2, 32, {"alpha": 0.35}),
]
LONG = [
    ("ResNet50", APPLICATIONS.resnet, 32, {}),
    ("DenseNet121", APPLICATIONS.densenet, 32, {}),
    ("EfficientNetB0", APPLICATIONS.efficientnet, 32, {}),
    ("VGG16", APPLICATIONS.vgg16, 32, {}),
    ("ResNet50V2", APPLICATIONS.resnet_v2, 32, {}),
    ("MobileNet", APPLICATIONS.mobilenet, 32, {"alpha": 0.25}),
    ("MobileNetV3Small", APPLICATIONS.mobilenet_v3, 32, {}),
    ("EfficientNetV2B0", APPLICATIONS.efficientnet_v2, 32, {}),
    ("ConvNeXtTiny", APPLICATIONS.convnext, 32, {}),
    ("Xception", APPLICATIONS.xception, 71, {}),
    ("InceptionV3", APPLICATIONS.inception_v3, 75, {}),
    ("InceptionResNetV2", APPLICATIONS.inception_resnet_v2, 75, {}),
    ("NASNetMobile", APPLICATIONS.nasnet, 32, {}),
]


@pytest.mark.parametrize(
    ("name", "family", "side", "settings"),
    [*QUICK, *(pytest.param(*row, marks=pytest.mark.slow) for row in LONG)],
    ids=[row[0] for row in (*QUICK, *LONG)],
)
def test_with_keras_s_weights_it_gives_keras_s_logits(name, family, side, settings, tmp_path):
    theirs = stock(name, side, **settings)
    theirs.save(tmp_path / "theirs.keras")
    ours = models.from_applications(
        name, (side, side, 3), CLASSES, tmp_path / "theirs.keras", settings=settings
    )
    x = images(side)
    wanted = np.asarray(theirs(family.preprocess_input(255.0 * x)))
    assert np.abs(np.asarray(ours(x)) - wanted).max() <= 1e-5 * np.abs(wanted).max()
    assert ours.count_params() == theirs.count_params()
    assert [type(v) for v in ours.inputs] == [keras.KerasTensor] and ours.inputs[0].name == "pixels"
    assert not any(type(v) is keras.layers.BatchNormalization for v in ours.layers)
    # What was exported loads without tfrobust, and gives the same.
    again = models.with_stock_batch_normalization(ours)
    np.testing.assert_allclose(again(x), ours(x), rtol=1e-4, atol=1e-5 * np.abs(wanted).max())


def count(name):
    """Parameters of a network of 1000 classes, of which only the shapes are made."""
    with shapes_only():
        network = getattr(APPLICATIONS, name)(weights=None)
    return sum(int(np.prod(v.shape)) for v in network.variables)


def test_resnets_have_keras_s_numbers_of_parameters():
    for name, total, statistics in (
        ("ResNet50", 25_636_712, 53_120),
        ("ResNet152", 60_419_944, 151_424),
    ):
        with shapes_only():
            model = models.from_applications(name)
        ours = {v.path: int(np.prod(v.shape)) for v in model.variables}
        assert sum(ours.values()) == total
        assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == total - statistics
        assert name != "ResNet50" or total == count(name)
        assert model.input_shape == (None, 224, 224, 3) and model.output_shape == (None, 1000)


def test_only_what_is_kept_gets_values():
    """Not the network of keras.applications of which it is a copy, then or when Keras leaves a scope."""
    made = []

    def create(next_creator, **options):
        made.append(options.get("name"))
        return next_creator(**options)

    with tf.variable_creator_scope(create):
        settings = {"alpha": 0.35}
        model = models.from_applications("MobileNetV2", (32, 32, 3), 10, settings=settings)
        # As Keras does where it finds out the shape of what a model returns.
        with keras.StatelessScope():
            pass
    assert len(made) == len(model.weights)


@pytest.fixture(scope="module")
def mobilenet():
    keras.utils.set_random_seed(0)
    settings = {"alpha": 0.35}
    return models.from_applications("MobileNetV2", (32, 32, 3), 5, None, "softplus", settings)


def test_every_relu_is_smooth_and_nothing_else_has_changed(mobilenet):
    plain = models.from_applications("MobileNetV2", (32, 32, 3), 5, settings={"alpha": 0.35})
    assert kinked_layer(plain) is not None and kinked_layer(mobilenet) is None
    for was, now in zip(plain.layers, mobilenet.layers, strict=True):
        if isinstance(was, keras.layers.ReLU):
            assert now.activation is keras.activations.softplus
        else:
            assert type(now) is type(was)


@pytest.mark.slow
def test_activations_that_are_arguments_of_layers_are_smooth_too():
    vgg = models.from_applications("VGG16", (32, 32, 3), 5, activation="silu")
    assert kinked_layer(vgg) is None
    used = {getattr(layer, "activation", keras.activations.silu) for layer in vgg.layers[:-1]}
    assert used == {keras.activations.silu}
    assert vgg.layers[-1].activation is keras.activations.linear


@pytest.mark.slow
def test_smooth_activations_and_gates_stay():
    efficient = models.from_applications("EfficientNetB0", (32, 32, 3), 5, activation="softplus")
    named = [getattr(getattr(v, "activation", None), "__name__", "") for v in efficient.layers]
    assert "softplus" not in named and {"silu", "sigmoid"} <= set(named)
    gated = models.from_applications("MobileNetV3Small", (32, 32, 3), 5, activation="softplus")
    named = [getattr(getattr(v, "activation", None), "__name__", "") for v in gated.layers]
    assert "hard_silu" not in named and named.count("softplus") > 10
    # Nine blocks of MobileNetV3Small squeeze and excite, each with one gate.
    assert sum(isinstance(v, keras.layers.ReLU) for v in gated.layers) == 9


def test_its_second_derivatives_are_right():
    """Of the squared input gradient along the weights, in float64, against central differences."""
    keras.config.set_dtype_policy("float64")
    try:
        settings = SMALL | {"dropout": 0.0}
        model = models.from_applications("MobileNet", (32, 32, 3), 3, None, "softplus", settings)
    finally:
        keras.config.set_dtype_policy("float32")
    x = tf.constant(np.random.default_rng(5).random((2, 32, 32, 3)))
    variable = next(v for v in model.trainable_variables if "gamma" in v.path)
    step = tf.constant(np.random.default_rng(6).normal(size=variable.shape))

    def penalty():
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(model(x, training=True)[:, 0])
        return tf.reduce_sum(tape.gradient(loss, x) ** 2)

    with tf.GradientTape() as tape:
        value = penalty()
    exact = tf.reduce_sum(tape.gradient(value, variable.value) * step)
    start, size = variable.numpy(), 1e-4
    ends = []
    for sign in (1, -1):
        variable.assign(start + sign * size * step)
        ends.append(float(penalty()))
    assert float(exact) == pytest.approx((ends[0] - ends[1]) / (2 * size), rel=1e-4)


SMALL = {"alpha": 0.25}


@pytest.mark.slow
def test_networks_whose_second_derivatives_are_wrong_say_so():
    convnext = models.from_applications("ConvNeXtTiny", (32, 32, 3), 5)
    with pytest.warns(UserWarning, match="a LayerNormalization, has wrong second derivatives"):
        check_second_derivatives(convnext)
    attack = tfrobust.PGD(tfrobust.Linf("4/255"), tfrobust.LinearityError(), steps=2)
    with pytest.warns(UserWarning, match="LayerNormalization"):
        tfrobust.LLR(convnext, attack).compile("sgd")


def test_it_is_saved_and_loaded(mobilenet, tmp_path):
    mobilenet.save(tmp_path / "ours.keras")
    again = keras.saving.load_model(tmp_path / "ours.keras")
    np.testing.assert_array_equal(again(images()), mobilenet(images()))


@pytest.mark.slow
def test_its_export_loads_without_tfrobust(mobilenet, tmp_path):
    x = images()
    vgg = models.from_applications("VGG16", (32, 32, 3), 5)
    tfrobust.save_classifier(vgg, tmp_path / "vgg.keras")
    tfrobust.save_classifier(mobilenet, tmp_path / "exported.keras")
    np.savez(tmp_path / "x.npz", x=x, m=mobilenet(x), v=vgg(x))
    code = """
import keras, numpy as np, sys
saved = np.load("x.npz")
for name, key in (("exported", "m"), ("vgg", "v")):
    model = keras.saving.load_model(f"{name}.keras")
    wanted = saved[key]
    assert np.abs(np.asarray(model(saved["x"])) - wanted).max() <= 1e-5 * np.abs(wanted).max(), name
assert "tfrobust" not in sys.modules
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=300
    )
    assert ran.returncode == 0, ran.stderr


def test_logits_are_float32_under_a_reduced_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = models.from_applications("MobileNet", (32, 32, 3), 3, settings=SMALL)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.outputs[0].dtype == "float32" and model.layers[3].compute_dtype == "bfloat16"


def test_weights_of_a_file_of_keras_are_read(tmp_path):
    theirs = stock("MobileNet", **SMALL)
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    ours = models.from_applications(
        "MobileNet", (32, 32, 3), CLASSES, str(tmp_path / "theirs.weights.h5"), settings=SMALL
    )
    for now, was in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(now, was)


def split(network):
    """Weights before the head, and those of the head."""
    values = network.get_weights()
    place = find_head(network)
    count = sum(len(layer.weights) for layer in network.layers[:place])
    return values[:count], values[count:]


@pytest.fixture(scope="module")
def of_imagenet(tmp_path_factory):
    """Files of MobileNet with 1000 classes and without a head, and what they have before the head."""
    folder = tmp_path_factory.mktemp("weights")
    whole = stock("MobileNet", **SMALL, classes=1000)
    body = APPLICATIONS.MobileNet(input_shape=(32, 32, 3), include_top=False, weights=None, **SMALL)
    values = split(whole)[0]
    body.set_weights(values)
    whole.save(folder / "whole.keras")
    whole.save_weights(folder / "whole.weights.h5")
    body.save_weights(folder / "body.weights.h5")
    return folder, values


@pytest.mark.parametrize("file", ["whole.keras", "whole.weights.h5", "body.weights.h5", "imagenet"])
def test_other_classes_get_a_new_head_on_the_weights(of_imagenet, file, monkeypatch):
    folder, values = of_imagenet
    asked = []

    def get_file(name, *arguments, **options):
        asked.append(name)
        return str(folder / "body.weights.h5")

    monkeypatch.setattr("keras.src.applications.mobilenet.file_utils.get_file", get_file)
    weights = file if file == "imagenet" else folder / file
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a size without weights of its own
        ours = models.from_applications("MobileNet", (32, 32, 3), 3, weights, settings=SMALL)
    assert not asked or "no_top" in asked[0]
    assert bool(asked) == (file == "imagenet")
    before, head = split(ours)
    for now, was in zip(before, values, strict=True):
        np.testing.assert_array_equal(now, was)
    assert head[-1].shape == (3,) and all(layer.trainable for layer in ours.layers)


def test_a_frozen_network_trains_its_head_only(of_imagenet):
    folder, _ = of_imagenet
    ours = models.from_applications(
        "MobileNet", (32, 32, 3), 3, folder / "whole.keras", settings=SMALL, frozen=True
    )
    before, head = split(ours)
    ours.compile(keras.optimizers.SGD(1.0), "mse")
    ours.train_on_batch(images(), np.ones((2, 3)))
    now_before, now_head = split(ours)
    for now, was in zip(now_before, before, strict=True):
        np.testing.assert_array_equal(now, was)
    assert all(np.abs(now - was).max() > 0 for now, was in zip(now_head, head, strict=True))
    for layer in ours.layers:
        layer.trainable = True
    assert len(ours.trainable_variables) > len(head)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "side", "settings"), [(n, s, k) for n, _, s, k in LONG])
def test_the_head_begins_where_keras_s_ends_without_it(name, side, settings):
    with shapes_only():
        given = {"input_shape": (side, side, 3), "weights": None, **settings}
        body = getattr(APPLICATIONS, name)(include_top=False, **given)
        whole = getattr(APPLICATIONS, name)(**given)
    place = find_head(whole)
    shapes = [w.shape for layer in whole.layers[:place] for w in layer.weights]
    # ConvNeXt normalises its features without a head too, in place of their mean.
    extra = 2 if name.startswith("ConvNeXt") else 0
    assert len(body.weights) == len(shapes) + extra
    assert shapes == [w.shape for w in body.weights[: len(shapes)]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "ResNet150"}, "Did you mean 'ResNet"),
        ({"name": "imagenet_utils"}, "has no network 'imagenet_utils'"),
        ({"name": 3}, "has no network 3"),
        ({"input_shape": 224}, "(height, width, channels)"),
        ({"input_shape": (8, 8, 3)}, "at least 32x32"),
        ({"num_classes": 1}, "num_classes"),
        ({"activation": "relu"}, "None, 'softplus', 'silu'"),
        ({"weights": "nowhere.h5"}, "There is no file nowhere.h5"),
        ({"settings": {"weights": None}}, "may hold alpha"),
        ({"settings": {"alfa": 1}}, "may hold alpha"),
        ({"settings": 3}, "must be a dict"),
        ({"settings": {"alpha": "wide"}}, "MobileNet cannot be built"),
    ],
)
def test_what_cannot_work_is_told(arguments, words):
    arguments = {"name": "MobileNet", "input_shape": (32, 32, 3), "num_classes": 4} | arguments
    with pytest.raises(UserError) as error:
        models.from_applications(**arguments)
    assert words in str(error.value)


def test_weights_that_cannot_be_downloaded_or_do_not_fit_are_told(tmp_path, monkeypatch):
    def no_network(*arguments, **options):
        raise Exception("URL fetch failure on https://storage: None -- no network")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", no_network)
    for classes in (3, 1000):
        with pytest.raises(UserError, match="'imagenet' of MobileNet.*no network.*its path.*None"):
            models.from_applications("MobileNet", num_classes=classes, weights="imagenet")
    stock("MobileNet", **SMALL).save(tmp_path / "other.keras")
    with pytest.raises(UserError, match="has other weights than MobileNet"):
        models.from_applications("MobileNet", (32, 32, 3), CLASSES, tmp_path / "other.keras")
