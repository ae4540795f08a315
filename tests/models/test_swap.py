"""Swapping BatchNormalization: same weights and logits, the other class, in nested models too."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from tfrobust import models
from tfrobust.errors import UserError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
IMAGES = np.random.default_rng(8).uniform(size=(3, 8, 8, 1)).astype("float32")


def scattered(model):
    """Weights that no initial value would give, variances positive."""
    rng = np.random.default_rng(9)
    model.set_weights([rng.uniform(0.3, 1, w.shape) for w in model.get_weights()])
    return model


def nested():
    inner = keras.Sequential(
        [keras.Input((8, 8, 4)), models.BatchNormalization(scale=False), keras.layers.ReLU()]
    )
    frozen = models.BatchNormalization(momentum=0.7, epsilon=0.02, trainable=False)
    inputs = keras.Input((8, 8, 1))
    x = frozen(inner(keras.layers.Conv2D(4, 3, padding="same")(inputs)))
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x)))


@pytest.fixture(scope="module")
def model():
    return scattered(nested())


def normalisations(model):
    return [v for v in model._flatten_layers() if "BatchNormalization" in type(v).__name__]


def test_there_and_back(model):
    stock = models.with_stock_batch_normalization(model)
    back = models.with_exact_batch_normalization(stock)
    assert {type(v) for v in normalisations(stock)} == {keras.layers.BatchNormalization}
    assert {type(v) for v in normalisations(back)} == {models.BatchNormalization}
    for copy in (stock, back):
        assert len(normalisations(copy)) == 2
        np.testing.assert_allclose(copy(IMAGES), model(IMAGES), atol=1e-5)
        assert len(copy.trainable_variables) == len(model.trainable_variables) == 5
    for was, now in zip(normalisations(model), normalisations(back), strict=True):
        assert now.get_config() == was.get_config()


def test_the_copy_has_weights_of_its_own(model):
    before = model.get_weights()
    copy = models.with_stock_batch_normalization(model)
    copy.set_weights([0 * w for w in copy.get_weights()])
    for now, was in zip(model.get_weights(), before):
        np.testing.assert_array_equal(now, was)


def test_stock_settings_are_carried_over():
    stock = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.BatchNormalization(gamma_regularizer="l2", dtype="float64"),
        ]
    )
    (layer,) = models.with_exact_batch_normalization(stock).layers
    assert (layer.momentum, layer.epsilon, layer.dtype_policy.name) == (0.99, 1e-3, "float64")
    assert isinstance(layer.gamma_regularizer, keras.regularizers.L2)


@pytest.mark.slow
def test_the_stock_file_loads_without_tfrobust(model, tmp_path):
    models.with_stock_batch_normalization(model).save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", IMAGES)
    program = (
        "import sys; sys.modules['tfrobust'] = None; import keras, numpy as np\n"
        "model = keras.models.load_model('model.keras')\n"
        "np.save('logits.npy', model(np.load('images.npy')))\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True)
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), model(IMAGES), atol=1e-5)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.normalise = keras.layers.BatchNormalization()

    def call(self, x):
        return self.normalise(x)


def test_what_cannot_be_rebuilt_is_refused():
    model = Subclassed()
    with pytest.raises(UserError, match="call it once on an image"):
        models.with_exact_batch_normalization(model)
    model(IMAGES)
    advice = "Use tfrobust.models.BatchNormalization instead of keras.layers.BatchNormalization"
    with pytest.raises(UserError, match=advice):
        models.with_exact_batch_normalization(model)
    with pytest.raises(UserError, match=advice):
        models.with_exact_batch_normalization(keras.Sequential([keras.Input((8, 8, 1)), model]))
    other_axis = [keras.Input((8, 8, 1)), keras.layers.BatchNormalization(axis=1)]
    with pytest.raises(UserError, match="another axis"):
        models.with_exact_batch_normalization(keras.Sequential(other_axis))
    with pytest.raises(UserError, match="built Keras model"):
        models.with_stock_batch_normalization(None)
