"""Reading a trained classifier in order to train it further."""

import os
import pathlib

import keras

from tfrobust import contract
from tfrobust.contract.keras_file import read_keras_file
from tfrobust.models.swap import with_exact_batch_normalization


def load_classifier(path: str | os.PathLike) -> keras.Model:
    """Reads the classifier of a `.keras` file for further training, with tfrobust's BatchNormalization.

    Use it for fine-tuning (CURE starts from a naturally trained classifier) and for the helpers of
    HAT. In gin: `training.train.model = @models.load_classifier` and `models.load_classifier.path =
    'runs/natural/export/classifier.keras'`.

    Args:
        path: a file such as `export/classifier.keras` of a run; functional and sequential models.

    Returns:
        A Keras model with the weights of the file, not compiled.

    Raises:
        UserError: the file does not exist or cannot be read, or the model is of another kind.

    Example:
        >>> path = tfrobust.save_classifier(tfrobust.models.digits_cnn(), "classifier.keras")
        >>> tfrobust.models.load_classifier(path).count_params()
        40730
    """
    file = pathlib.Path(path)
    model = read_keras_file(file)
    contract.check_classifier(model, str(path))
    return with_exact_batch_normalization(model)
