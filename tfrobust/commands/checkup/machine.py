"""The machine: Python, memory, the working folder, and data sets at hand."""

import os
import pathlib
import shutil
import sys

from tfrobust.commands.checkup.finding import FAULT, NOTE, OK, Finding
from tfrobust.errors import UserError
from tfrobust.runs.writable import check_writable

_OLDEST_PYTHON = (3, 11)
_GIB = 2**30
# A run of the digits needs this much.
_LITTLE_MEMORY, _LITTLE_DISK = 2.0, 1.0


def check_python() -> Finding:
    """Whether Python is new enough."""
    told = f"Python {sys.version.split()[0]}, {sys.executable}"
    if sys.version_info >= _OLDEST_PYTHON:
        return Finding(OK, told)
    oldest = ".".join(map(str, _OLDEST_PYTHON))
    return Finding(FAULT, f"{told}: too old.", f"tfrobust needs Python {oldest} or newer.")


def check_memory() -> Finding:
    """How much memory there is, and how much of it is free."""
    try:
        lines = pathlib.Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return Finding(
            NOTE, f"{os.cpu_count()} cores; how much memory there is cannot be read here."
        )
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 / _GIB for line in lines}
    free = sizes.get("MemAvailable", sizes["MemFree"])
    told = (
        f"{os.cpu_count()} cores, {sizes['MemTotal']:.1f} GiB of memory, {free:.1f} GiB of it free"
    )
    if free < _LITTLE_MEMORY:
        return Finding(NOTE, f"{told}.", "Close other programs, or training may be killed.")
    return Finding(OK, told)


def check_folder(folder: str | os.PathLike) -> Finding:
    """Whether runs can be written into a folder, and how much space there is."""
    path = pathlib.Path(folder).absolute()
    try:
        check_writable(path)
    except UserError as error:
        return Finding(FAULT, str(error), "Give another one as --workdir.")
    there = next(place for place in (path, *path.parents) if place.exists())
    free = shutil.disk_usage(there).free / _GIB
    told = f"runs can be written to {path}, {free:.1f} GiB free"
    if free < _LITTLE_DISK:
        return Finding(NOTE, f"{told}.", "Free some space, or work in another folder.")
    return Finding(OK, told)


def check_data(data_dir: str | None) -> list[Finding]:
    """The data sets that are at hand."""
    named = data_dir or os.environ.get("TFDS_DATA_DIR")
    folder = pathlib.Path(named or "~/tensorflow_datasets").expanduser()
    digits = Finding(OK, "digits come with scikit-learn")
    remedy = "Name another one by TFDS_DATA_DIR or --data_dir."
    if not folder.is_dir():
        # A folder that nobody named need not be there.
        level = NOTE if named else OK
        told = f"no TFDS data sets: there is no folder {folder}."
        return [digits, Finding(level, told, remedy)]
    names = list_data_sets(folder)
    if not names:
        return [digits, Finding(NOTE, f"no prepared TFDS data sets in {folder}.", remedy)]
    return [digits, Finding(OK, f"TFDS data sets in {folder}: {', '.join(names)}")]


def list_data_sets(folder: pathlib.Path) -> list[str]:
    """Names of the prepared data sets in a folder of TFDS, with their configurations."""
    found = set()
    for depth in ("*/*", "*/*/*"):
        for path in folder.glob(f"{depth}/dataset_info.json"):
            found.add(path.parent.parent.relative_to(folder).as_posix())
    return sorted(found)
