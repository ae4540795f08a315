"""A run that begins from a trained classifier."""

import pathlib
import zipfile

import keras

from tfrobust import contract
from tfrobust.errors import UserError
from tfrobust.models.swap import with_exact_batch_normalization


def load_classifier(path):
    """The classifier of a `.keras` file, ready to be trained on: with tfrobust's own BatchNormalization.

    For fine-tuning (CURE begins from a naturally trained classifier), and for helpers. In gin:
    `training.train.model = @models.load_classifier` and `models.load_classifier.path =
    'runs/natural/export/classifier.keras'`.

    Args:
        path: a file such as `export/classifier.keras` of a run; functional and sequential models.

    Returns:
        A Keras model with the weights of the file, not compiled.

    Raises:
        UserError: if there is no such file, or it is no Keras model of these kinds.
    """
    file = pathlib.Path(path)
    if not file.is_file() or not zipfile.is_zipfile(file):
        raise UserError(
            "`path` must be a .keras file, such as export/classifier.keras of a run. "
            f"Received: path={str(path)!r}, which {'is none' if file.exists() else 'does not exist'}."
        )
    model = keras.saving.load_model(file, compile=False)
    contract.check_classifier(model, str(path))
    return with_exact_batch_normalization(model)
