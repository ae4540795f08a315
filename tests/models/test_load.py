"""A classifier that was exported, back in training."""

import keras
import numpy as np
import pytest

from tfrobust.errors import UserError
from tfrobust.models import (
    BatchNormalization,
    digits_cnn,
    load_classifier,
    with_stock_batch_normalization,
)


def test_weights_and_layers_come_back(tmp_path):
    model = digits_cnn()
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.5, 1.0, w.shape) for w in model.get_weights()])
    with_stock_batch_normalization(model).save(tmp_path / "classifier.keras")
    again = load_classifier(str(tmp_path / "classifier.keras"))
    for one, two in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    kinds = [type(layer) for layer in again.layers]
    assert kinds.count(BatchNormalization) == 3 and keras.layers.BatchNormalization not in kinds
    x = rng.random((4, 8, 8, 1)).astype("float32")
    for training in (False, True):
        np.testing.assert_allclose(
            again(x, training=training), model(x, training=training), atol=1e-5
        )


def test_refusals(tmp_path):
    for path, message in (
        (tmp_path / "none.keras", "does not exist"),
        (tmp_path, "is not a .keras file"),
    ):
        with pytest.raises(UserError, match=message):
            load_classifier(path)
    (tmp_path / "text.keras").write_text("weights")
    with pytest.raises(UserError, match="is not a .keras file"):
        load_classifier(tmp_path / "text.keras")
