"""Exporting a classifier that lies on the disk, with what its records know of it."""

import os
import pathlib
from collections.abc import Sequence

from tfrobust.contract.keras_file import read_keras_file
from tfrobust.runs import kinds
from tfrobust.runs.exported import Exported
from tfrobust.serving.card.sources import describe_training
from tfrobust.serving.export import export_classifier


def reexport(
    found: Exported,
    folder: str | os.PathLike,
    class_names: Sequence[str] | None = None,
    version: int | None = None,
) -> pathlib.Path:
    """Exports the classifier of a run or of a `.keras` file into a folder.

    Args:
        found: what `runs.exported.find_classifier` says, a `.keras` file.
        folder: as for `export_classifier`.
        class_names: in the order of the logits, or None.
        version: as for `export_classifier`.

    Returns:
        The path of the folder.

    Raises:
        UserError: as `export_classifier`, or the file cannot be read.
    """
    known = kinds.EXPORT.read(found.path.parent) or {}
    training = known.get("training")
    if "weights" not in known and found.run is not None:
        # Of an earlier version, whose runs alone wrote there.
        training = describe_training(found.run)
    shape = known.get("image_shape")
    return export_classifier(
        read_keras_file(found.path),
        folder,
        class_names,
        None if shape is None else tuple(shape),
        version,
        training,
        known.get("license"),
    )
