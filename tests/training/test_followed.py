"""Every network fits every data set: shape and classes follow from the data, where nobody has bound them."""

import functools
import inspect

import keras
import numpy as np
import pytest

from tfrobust import models, training
from tfrobust.compat import shapes_only
from tfrobust.config.configuration import Configuration
from tfrobust.data.splits import DatasetInfo
from tfrobust.errors import UserError
from tfrobust.training import run
from tfrobust.training.followed import follow_data

INFO = DatasetInfo("some", 7, tuple("abcdefg"), (40, 36, 3), {})
FOLLOWED = {"input_shape": (40, 36, 3), "num_classes": 7}
# They take a model, or a file that has one.
OF_A_MODEL = {"load_classifier", "with_exact_batch_normalization", "with_stock_batch_normalization"}
NETWORKS = [
    name
    for name in models.__all__
    if inspect.isfunction(getattr(models, name)) and name not in OF_A_MODEL
]
SMALL = {
    "from_applications": {"name": "MobileNet", "settings": {"alpha": 0.25}},
    "wide_resnet": {"depth": 10, "width_factor": 1},
    "mobilenet_v2": {"width_factor": 0.1},
    "shufflenet_v2": {"size": 0.5},
    **{name: {"width": 2} for name in ("preact_resnet18", "resnet18", "senet18", "vgg16")},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_takes_the_shape_of_the_data(name):
    function = functools.partial(getattr(models, name), **SMALL.get(name, {}))
    followed = follow_data(function, INFO)
    assert followed == FOLLOWED
    with shapes_only():
        model = function(**followed)
    assert model.input_shape == (None, 40, 36, 3) and model.output_shape == (None, 7)


class Network(keras.Model):
    def __init__(self, num_classes, width=3, **options):
        super().__init__(**options)


def test_what_is_bound_or_not_taken_is_left():
    assert follow_data(lambda: None, INFO) == {}
    assert follow_data(lambda **anything: None, INFO) == {}
    assert follow_data(Network, INFO) == {"num_classes": 7}
    bound = functools.partial(models.digits_cnn, num_classes=10)
    assert follow_data(bound, INFO) == {"input_shape": (40, 36, 3)}
    assert follow_data(functools.partial(bound, input_shape=(8, 8, 1)), INFO) == {}
    assert follow_data(models.digits_cnn, INFO, {"input_shape"}) == {"num_classes": 7}


GIN = """
from __gin__ import dynamic_registration
from tfrobust import data
from tfrobust import models
from tfrobust import training
include 'gin/trades.gin'
training.train.data = @data.npz
data.npz.path = '{path}'
"""


@pytest.fixture(scope="module")
def npz(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "some.npz"
    x, y = np.random.default_rng(0).random((80, 10, 12, 3), np.float32), np.arange(80) % 4
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)
    return path


def build(npz, folder, monkeypatch, *bindings):
    built, file = [], folder / "my.gin"
    file.write_text(GIN.format(path=npz))
    monkeypatch.setattr(run, "print_plan", built.append)
    configuration = Configuration([str(file)], bindings)
    configuration.bind(training.train)(
        workdir=folder / "run", configuration=configuration, dry_run=True
    )
    return built[0].method.classifier


@pytest.mark.parametrize(
    "bindings",
    [
        (),
        ("models.digits_cnn.num_classes = 4",),
        ("training.train.model = @my/models.digits_cnn", "my/models.digits_cnn.num_classes = 4"),
        ("training.train.model = %NET", "NET = @models.digits_cnn"),
    ],
    ids=["free", "bound", "scoped", "macro"],
)
def test_a_run_from_gin_follows_its_data(npz, tmp_path, monkeypatch, bindings):
    classifier = build(npz, tmp_path, monkeypatch, *bindings)
    assert classifier.input_shape == (None, 10, 12, 3) and classifier.output_shape == (None, 4)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("models.digits_cnn.input_shape = (10, 12, 1)", "`input_shape`"),
        ("models.digits_cnn.num_classes = 5", "`num_classes`"),
        (
            "training.train.model = @a/b/models.digits_cnn\na/models.digits_cnn.num_classes = 3",
            "`num_classes`",
        ),
    ],
)
def test_what_is_bound_to_something_else_is_told(npz, tmp_path, monkeypatch, line, words):
    with pytest.raises(UserError, match=f"{words}.*leave it out") as error:
        build(npz, tmp_path, monkeypatch, *line.splitlines())
    assert "follow" in str(error.value)
