"""A run that begins from a trained classifier."""

import pathlib

from tfrobust import contract
from tfrobust.contract.keras_file import read_keras_file
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
    model = read_keras_file(file)
    contract.check_classifier(model, str(path))
    return with_exact_batch_normalization(model)
