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


def find_classifier(path: str | os.PathLike) -> Exported:
    """Finds the classifier; reads none of it.

    Args:
        path: folder of a run, or of its export; a `.keras` file; folder of a SavedModel.

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
    )
