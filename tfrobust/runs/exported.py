"""Which classifier a path stands for: that of a run, of a file, or a SavedModel."""

import dataclasses
import os
import pathlib
import zipfile

from tfrobust.errors import UserError


@dataclasses.dataclass(frozen=True)
class Exported:
    """A classifier on the disk.

    Args:
        path: a `.keras` file, or the folder of a SavedModel.
        is_saved_model: which of the two it is.
        run: folder of the run that it belongs to, or None.
    """

    path: pathlib.Path
    is_saved_model: bool = False
    run: pathlib.Path | None = None


def list_versions(folder: str | os.PathLike) -> list[int]:
    """The numbers of the SavedModels in a folder as TensorFlow Serving takes it, in ascending order."""
    names = [path.parent.name for path in pathlib.Path(folder).glob("*/saved_model.pb")]
    return sorted(int(name) for name in names if name.isascii() and name.isdigit())


def find_saved_model(export: str | os.PathLike) -> pathlib.Path | None:
    """The newest SavedModel of an export, or None; earlier versions of tfrobust wrote `saved_model/`."""
    former = pathlib.Path(export, "saved_model")
    versions = list_versions(export)
    if versions:
        return pathlib.Path(export, str(versions[-1]))
    return former if (former / "saved_model.pb").is_file() else None


def find_classifier(path: str | os.PathLike) -> Exported:
    """Finds the classifier; reads none of it.

    Args:
        path: folder of a run, or of its export; a `.keras` file; folder of a SavedModel, or of several
            with numbers, of which the newest is meant.

    Raises:
        UserError: there is nothing, or nothing that could be one.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise UserError(
            f"There is no {path}. Give the folder of a run, a .keras file or the folder of a SavedModel."
        )
    if (path / "export" / "classifier.keras").is_file():
        return Exported(path / "export" / "classifier.keras", run=path)
    if (path / "classifier.keras").is_file():
        # What a run exported knows the run.
        run = path.parent if (path.parent / "config.gin").is_file() else None
        return Exported(path / "classifier.keras", run=run)
    if path.is_file() and zipfile.is_zipfile(path):
        return Exported(path)
    if (path / "saved_model.pb").is_file():
        return Exported(path, is_saved_model=True)
    newest = find_saved_model(path)
    if newest is not None:
        return Exported(newest, is_saved_model=True)
    if (path / "config.gin").is_file() or (path / "run.json").is_file():
        ended = (path / "report.md").is_file()
        state = "has ended, but its export/ is gone" if ended else "has not been finished"
        raise UserError(
            f"The run in {path} {state}: "
            "there is no export/classifier.keras in it. Give the command that trained it again: it continues "
            "from its checkpoints."
        )
    raise UserError(
        f"{path} is not a model. Expected the folder of a finished run (with export/classifier.keras), a "
        ".keras file, or the folder of a SavedModel (with saved_model.pb)."
        + (
            " Convert an HDF5 file: keras.models.load_model(path).save('model.keras')."
            if path.suffix in (".h5", ".hdf5")
            else ""
        )
    )
