"""`.keras` files, from anybody: read without running code that they bring along."""

import os
import pathlib
import re
import zipfile

import keras

from tfrobust.errors import UserError, one_line

# Words of Keras where it refuses a file for what it would run.
_UNSAFE = re.compile(
    r"safe[_ ]mode|unsafe|arbitrary|untrusted|malicious|lambda|KerasSaveable|not allowed|disallowed|security",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(r"Could not locate (?:class|function) '?([\w.>]+)'?")


def read_keras_file(path: str | os.PathLike) -> keras.Model:
    """The Keras model of a `.keras` file, not compiled.

    Keras's safe mode is on, always: a file that brings Python code, or an operation that loads another
    model, is refused, and there is no flag that runs it all the same.

    Args:
        path: the file.

    Returns:
        `keras.Model`.

    Raises:
        UserError: it is no such file, damaged, needs code that is not here, or was refused for safety.
    """
    path = pathlib.Path(path)
    if not path.is_file() or not zipfile.is_zipfile(path):
        raise UserError(
            f"{path} {'is not a .keras file' if path.exists() else 'does not exist'}. Give a .keras file, "
            "such as export/classifier.keras of a run."
        )
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    # Keras and its readers raise whatever a damaged file makes them meet.
    except Exception as error:
        raise UserError(f"{path} does not load: {_reason(error)}") from error
    if not isinstance(model, keras.Model):
        raise UserError(f"{path} holds no Keras model but {type(model).__name__}.")
    return model


def _reason(error):
    unknown = _UNKNOWN.search(str(error))
    # Of a class that is not there Keras prints the whole configuration, which may hold any word.
    if not unknown and _UNSAFE.search(str(error)):
        return (
            "Keras refuses it for safety, since it holds code or names what would be run. Ask whoever made "
            "it for a model of Keras's own layers, or build the model in Python and load weights only."
        )
    if unknown:
        return (
            f"it needs {unknown[1]}, which is not of Keras or tfrobust. If that class is your own, call "
            "tfrobust.evaluate or tfrobust.serving.export_classifier in Python, where it is registered."
        )
    return f"{one_line(error, 200)} It may be damaged: write it again."
