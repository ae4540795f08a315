"""The comparison with other libraries: the network as it is handed over, and the table's arithmetic.

Their own AutoAttack is not run here: `python bin/benchmark.py --autoattack=RUN` needs PyTorch.
"""

import sys

import keras
import numpy as np
import pytest

from tfrobust import models
from tfrobust.attacks import PGD
from tfrobust.benchmarks.reference import comparison, libraries
from tfrobust.benchmarks.reference.libraries import Library, check_library
from tfrobust.benchmarks.reference.network import describe_network
from tfrobust.errors import UserError
from tfrobust.evaluation import Examples, Subject, custom
from tfrobust.threat_models import L1, Linf


def convolve(x, layer, kernel, bias=0.0):
    """As PyTorch defines it, (b, c, h, w), by the definition's sums."""
    (down, right), (below, beside) = layer["strides"], layer["padding"]
    x = np.pad(x, ((0, 0), (0, 0), (below, below), (beside, beside)))
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], axis=(2, 3))
    sums = np.einsum("bchwij,ocij->bohw", windows[:, :, ::down, ::right], kernel)
    return sums + np.reshape(bias, (-1, 1, 1))


def normalise(x, layer, *arrays):
    mean, variance, gamma, beta = (v.reshape(-1, 1, 1) for v in arrays)
    return (x - mean) / np.sqrt(variance + layer["epsilon"]) * gamma + beta


def pool(x, layer):
    (high, wide), (down, right) = layer["size"], layer["strides"]
    windows = np.lib.stride_tricks.sliding_window_view(x, (high, wide), axis=(2, 3))
    return windows[:, :, ::down, ::right].max(axis=(4, 5))


TWINS = {
    "convolution": convolve,
    "normalisation": normalise,
    "maximum": pool,
    # Before and after the columns, then the rows.
    "padding": lambda x, layer: np.pad(
        x, ((0, 0), (0, 0), tuple(layer["sides"][2:]), tuple(layer["sides"][:2]))
    ),
    "relu": lambda x, layer: np.maximum(x, 0.0),
    "silu": lambda x, layer: x / (1.0 + np.exp(-x)),
    "flatten": lambda x, layer: x.reshape(len(x), -1),
    "mean": lambda x, layer: x.mean(axis=(2, 3)),
    "rescaling": lambda x, layer, scale, offset: x * scale + offset,
    "dense": lambda x, layer, kernel, bias=0.0: x @ kernel.T + bias,
}


def compute_twin(model, x):
    layers, arrays = describe_network(model)
    rest, x = iter(arrays), x.transpose(0, 3, 1, 2)
    for layer in layers:
        x = TWINS[layer["kind"]](x, layer, *(next(rest) for _ in range(layer["arrays"])))
    assert next(rest, None) is None
    return x


def make_mixed():
    inputs = keras.Input((9, 7, 3))
    x = models.parts.normalise(inputs, [0.4, 0.5, 0.6], [0.2, 0.3, 0.4])
    x = keras.layers.Conv2D(5, 4, 3, "same", activation="silu")(x)
    x = keras.layers.ZeroPadding2D(((0, 1), (2, 3)))(x)
    x = keras.layers.ReLU()(keras.layers.Conv2D(6, (2, 3))(x))
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(keras.layers.Dropout(0.5)(x)))


@pytest.mark.parametrize(
    "make",
    [models.digits_cnn, models.mnist_cnn, lambda: models.mnist_cnn("large", (9, 9, 2)), make_mixed],
)
def test_the_network_that_is_handed_over_gives_the_same_logits(make):
    model, draw = make(), np.random.default_rng(0)
    # Statistics and biases that differ from channel to channel.
    model.set_weights([draw.normal(0.3, 0.1, w.shape).clip(0.01) for w in model.get_weights()])
    x = draw.random((3, *model.input_shape[1:]), np.float32)
    logits = model(x, training=False).numpy()
    np.testing.assert_allclose(compute_twin(model, x), logits, rtol=1e-4)


@pytest.mark.parametrize(
    "layer, word",
    [
        (keras.layers.Conv2D(2, 3, activation="gelu"), "gelu"),
        (keras.layers.DepthwiseConv2D(3), "DepthwiseConv2D"),
        (keras.layers.MaxPooling2D(3, 2, "same"), "pooling"),
        (keras.layers.ReLU(max_value=6.0), "ReLU"),
    ],
)
def test_a_network_that_has_no_twin_is_refused_by_the_layers_name(layer, word):
    flat = keras.layers.Flatten()
    with pytest.raises(UserError, match=rf"layer {layer.name}.*{word}"):
        describe_network(keras.Sequential([keras.Input((8, 8, 2)), layer, flat]))


def test_branches_are_refused():
    x = inputs = keras.Input((8, 8, 2))
    x = keras.layers.Add()([keras.layers.Conv2D(2, 3, padding="same")(x), x])
    with pytest.raises(UserError, match="Add"):
        describe_network(keras.Model(inputs, keras.layers.Flatten()(x)))
    with pytest.raises(UserError, match="Keras model"):
        describe_network(lambda x: x)


@pytest.fixture(scope="module")
def subject():
    keras.utils.set_random_seed(0)
    return Subject.of(
        keras.Sequential(
            [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3, name="logits")]
        )
    )


X = np.random.default_rng(0).random((6, 4, 4, 1), np.float32)


def make_short(name, threat_model):
    one = PGD(threat_model, steps=1)
    return custom({"apgd-ce": one, "fab-t": one, "square": one})


def test_rows_hold_seconds_ratios_and_robust_counts(subject, monkeypatch):
    logits = subject.forward(X).numpy()
    y, asked = logits.argmax(1), {}
    # Their APGD breaks nothing, their Square the first example.
    standing = {name: np.ones(6, bool) for name in ("apgd-ce", "square")}
    standing["square"][0] = False

    def answer(settings, arrays, examples, python):
        asked.update(settings)
        return {
            "logits": logits,
            **{f"seconds/{name}": np.array(100.0) for name in standing},
            **{f"standing/{name}": flags for name, flags in standing.items()},
        }

    monkeypatch.setattr(comparison, "_ask", answer)
    monkeypatch.setattr(comparison, "suite", make_short)
    # Nothing is within a radius of 0, so that ours leaves all.
    rows, verdicts = comparison.compare_autoattack(
        subject, Examples.of(X, y), Linf(0.0), "torchattacks"
    )
    cells = {row[0]: dict(zip(comparison.HEAD[1:], row[1:], strict=True)) for row in rows}
    assert list(cells) == ["apgd-ce", "fab-t", "square", "whole"]
    assert asked["norm"] == "Linf" and asked["epsilon"] == 0.0 and asked["num_classes"] == 3
    assert cells["fab-t"]["theirs s"] == cells["fab-t"]["ours/theirs"] == "-"
    assert [cells[name]["robust"] for name in cells] == ["6"] * 4
    assert (cells["apgd-ce"]["theirs"], cells["whole"]["theirs"]) == ("6", "5")
    assert cells["whole"]["theirs s"] == "200.00"
    ratio = float(cells["whole"]["ours s"]) / 200.0
    assert float(cells["whole"]["ours/theirs"]) == pytest.approx(ratio, abs=1e-3)
    assert verdicts.startswith("1 of 6 ")

    logits = logits + 1.0
    with pytest.raises(UserError, match="other logits"):
        comparison.compare_autoattack(subject, Examples.of(X, y), Linf(0.1), "torchattacks")


def test_a_norm_that_the_library_lacks_is_refused(subject):
    with pytest.raises(UserError, match="Linf, L2"):
        comparison.compare_autoattack(
            subject, Examples.of(X, np.zeros(6, int)), L1(1.0), "torchattacks"
        )


def test_what_the_interpreter_lacks_is_named_with_the_command(monkeypatch):
    wants = Library({"json": "there", "no_such_module": "no-such-package"}, ("Linf",))
    monkeypatch.setitem(libraries.LIBRARIES, "other", wants)
    with pytest.raises(UserError, match=r"-m pip install no-such-package - or") as told:
        check_library("other")
    assert sys.executable in str(told.value)
    monkeypatch.setitem(libraries.LIBRARIES, "other", Library({"json": "there"}, ("Linf",)))
    check_library("other")
    with pytest.raises(UserError, match="nothing/python"):
        check_library("other", "nothing/python")
    with pytest.raises(UserError, match="'nope'.*torchattacks"):
        check_library("nope")
