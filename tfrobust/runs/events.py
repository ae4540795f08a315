"""TensorBoard's event files: what a resumed run writes again, and the values that tell runs apart."""

import ast
import os
import pathlib
import struct
from collections.abc import Iterator, Mapping

import tensorflow as tf

from tfrobust.runs import files

# A record of the file format: length (8 bytes), its checksum (4), the event, its checksum (4).
_HEAD, _TAIL = 12, 4


def drop_events(folder: str | os.PathLike, first_step: int) -> int:
    """Removes the values of `first_step` and later ones from all event files in a folder and below it.

    For a run that goes on from a checkpoint and writes them again: TensorBoard would show both. Each
    file is replaced whole or not at all; half an event at its end, which a kill has left, goes too.

    Args:
        folder: of event files; it may be absent.
        first_step: the first step that is written again.

    Returns:
        How many events with values are left.

    Example:
    >>> from tfrobust.runs.events import drop_events
    >>> drop_events("absent", 3)
    0
    """
    left = 0
    for path in sorted(pathlib.Path(folder).glob("**/*.tfevents.*")):
        content, kept = path.read_bytes(), []
        for record in _split_records(content):
            event = tf.compat.v1.Event.FromString(record[_HEAD:-_TAIL])
            holds_values = event.HasField("summary")
            if event.step < first_step or not holds_values:
                kept.append(record)
                left += holds_values
        if sum(map(len, kept)) < len(content):
            files.write_bytes(path, b"".join(kept))
    return left


def _split_records(content: bytes) -> Iterator[bytes]:
    place = 0
    while place + _HEAD <= len(content):
        (length,) = struct.unpack_from("<Q", content, place)
        end = place + _HEAD + length + _TAIL
        if end > len(content):
            return
        yield content[place:end]
        place = end


def write_hparams(values: Mapping[str, object], name: str) -> None:
    """Writes the settings of one run for the HParams dashboard, with TensorFlow's default writer.

    Args:
        values: setting -> number, truth value or text; anything else is written as text.
        name: of the run.
    """
    from tensorboard.plugins.hparams import api

    plain = {k: v if isinstance(v, (bool, int, float)) else str(v) for k, v in values.items()}
    api.hparams(plain, trial_id=name)


def read_value(text: str) -> object:
    """The number or truth value that a configuration's text stands for; anything else as the text itself.

    Example:
    >>> from tfrobust.runs.events import read_value
    >>> read_value("6.0"), read_value("@trades")
    (6.0, '@trades')
    """
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, (bool, int, float)) else text
