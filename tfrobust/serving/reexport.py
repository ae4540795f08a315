"""Exporting a classifier that lies on the disk, with what its records know of it."""

import os
import pathlib
from collections.abc import Sequence

from tfrobust.contract.keras_file import read_keras_file
from tfrobust.errors import UserError
from tfrobust.evaluation.fingerprint import identify
from tfrobust.evaluation.subject import Subject
from tfrobust.runs import kinds
from tfrobust.runs.exported import Exported
from tfrobust.runs.reports.identity import Identity
from tfrobust.serving.card.sources import describe_training
from tfrobust.serving.export import ANY_SIDE, export_classifier


def check_same_classifier(found: Exported, folder: str | os.PathLike) -> None:
    """Refuses the export of another classifier, which would be taken for this one.

    Args:
        found: what `runs.exported.find_classifier` says, a `.keras` file.
        folder: of an export.

    Raises:
        UserError: they differ, or the export does not say which it has.
    """
    if found.path.parent == pathlib.Path(folder):
        return
    content = kinds.EXPORT.read(folder) or {}
    size = tuple(side or ANY_SIDE for side in content.get("image_shape", ()))
    known = Identity.find(content)
    if known is None or not known.is_same(identify(Subject.of(found.path), size)):
        raise UserError(
            f"The export in {folder} is of another classifier than {found.path}. Choose another --workdir, "
            "or export the classifier there by --format=saved_model first."
        )


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
    if Identity.find(known) is None and found.run is not None:
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
