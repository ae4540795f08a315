"""What commands look at before TensorFlow is imported: files, folders, and names in the package's source."""

import ast
import os
import pathlib
from collections.abc import Iterable, Sequence

from tfrobust.commands.start.command_line import ROOT
from tfrobust.config import source
from tfrobust.config.preview import Preview
from tfrobust.errors import UserError
from tfrobust.ops.numbers import number
from tfrobust.runs import kinds
from tfrobust.runs.origin import Origin, is_of_pictures, list_class_folders, match_classes
from tfrobust.runs.writable import check_writable as check_writable


def check_configuration(files: Sequence[str], bindings: Sequence[str], trust: bool) -> Preview:
    """What gin says; raises `UserError` for what cannot be read, or names what cannot exist."""
    preview = Preview(files, bindings, ROOT, trust)
    preview.check_dynamic()
    preview.check_macros()
    return preview


def check_workdir(folder: str | os.PathLike, kind: kinds.Kind, resume: str) -> None:
    """Raises `UserError` for a folder that cannot be written, holds something else, or may not be resumed."""
    check_writable(folder)
    kinds.check_resume(folder, kind, resume)


def check_data(data: str | None, data_dir: str | None) -> None:
    """Raises `UserError` for a file or folder of examples, or a folder of data sets, that is not there."""
    is_path = data is not None and (os.sep in data or pathlib.Path(data).suffix in (".npz", ".csv"))
    if is_path and data is not None and not pathlib.Path(data).exists():
        kind = "file" if pathlib.Path(data).suffix in (".npz", ".csv") else "folder"
        raise UserError(
            f"There is no {kind} {data}. Give --data=digits, a TFDS name, a folder of pictures, a .csv or an "
            ".npz file."
        )
    if data_dir is not None and not pathlib.Path(data_dir).expanduser().is_dir():
        raise UserError(
            f"There is no folder {data_dir}. Give the folder with prepared TFDS data sets as --data_dir, or "
            "leave it out, and TFDS_DATA_DIR says where they are."
        )


def check_pictures(data: str, split: str, origin: Origin) -> None:
    """Raises `UserError` for a folder without pictures' classes, or with one that the classifier lacks."""
    if not (is_of_pictures(data) and pathlib.Path(data).is_dir()) or origin.is_source(data):
        return
    names = list_class_folders(data, split)
    if not names:
        raise UserError(
            f"{data} has no folders: give one that has a folder of pictures for each class, or in which "
            f"{split}/ has them."
        )
    match_classes(names, origin.class_names, data)


def check_radius(epsilon: str | None, norm: str | None) -> None:
    """Raises `UserError` for what is no radius of the norm, Linf by default."""
    if epsilon is not None:
        in_pixels = norm in (None, "Linf")
        number(epsilon, "epsilon", 0.0, 1.0 if in_pixels else None, pixels=in_pixels)


def check_parts(
    folders: Iterable[str | os.PathLike],
    kind: kinds.Kind = kinds.EVALUATION,
    advice: str = "Give the folders of all shards as --merge.",
) -> None:
    """Raises `UserError`, with advice, if one of the folders is not of a kind."""
    for folder in folders:
        if kind.read(folder) is None:
            raise UserError(f"There is no {kind.name.split()[1]} in {folder}. {advice}")


def check_certified(folder: str | os.PathLike) -> None:
    """Raises `UserError` if a folder holds no certification."""
    if kinds.CERTIFICATION.read(folder) is None:
        raise UserError(
            f"There is no certification in {folder}. Make one first: tfrobust certify --model=..."
        )


def list_suites() -> dict[str, str]:
    """Every name of a suite with what it stands for, as `evaluation.list_suites` says."""
    aliases = {name: f"the same as {other}" for name, other in _list_aliases().items()}
    return aliases | {name: told for name, (told, _) in _list_named_suites().items()}


def check_suite(name: str, norm: str | None, surrogates: Sequence[str]) -> None:
    """Raises `UserError` for a suite that there is not, or that is not for this.

    Args:
        name: of the suite.
        norm: of the threat model, None if it is not known yet.
        surrogates: models to transfer from.
    """
    suites = list_suites()
    if name not in suites:
        raise UserError(f"There is no suite {name!r}. Expected one of: {', '.join(suites)}.")
    call = _list_named_suites()[_list_aliases().get(name, name)][1]
    norms = [ast.unparse(argument) for argument in call.args]
    if norm is not None and norms and norm not in norms:
        raise UserError(
            f"The suite {name} is made for {' and '.join(norms)}. Received: norm {norm}."
        )
    if _transfers(name) != bool(surrogates):
        raise UserError(
            f"The suite {name} takes no surrogates. Leave out --surrogate."
            if surrogates
            else f"The suite {name} transfers images from other models, its surrogates: give each with "
            "--surrogate, such as a run of another seed."
        )


def check_suite_of_runs(name: str, preview: Preview) -> None:
    """Raises `UserError` for a suite that runs of a configuration cannot be judged under one after the other.

    Args:
        name: of the suite.
        preview: of the configuration.
    """
    named = {text for _, found in preview.texts for text in found.names}
    norms = [text.rpartition(".")[2] for text in named if ".threat_models." in text]
    check_suite(name, norms[0] if len(norms) == 1 else None, ("some",) if _transfers(name) else ())
    if _transfers(name):
        raise UserError(
            f"The suite {name} transfers images from other models. Judge each run by itself: tfrobust "
            f"evaluate --model=RUN --suite={name} --surrogate=OTHER_RUN."
        )


def _transfers(name):
    call = _list_named_suites().get(_list_aliases().get(name, name), ("", None))[1]
    return call is not None and any(keyword.arg == "surrogates" for keyword in call.keywords)


def _list_aliases():
    written = source.list_keys("tfrobust.evaluation.presets", "ALIASES")
    return {name: ast.literal_eval(node) for name, node in written.items()}


def _list_named_suites():
    found = {}
    for module in ("presets", "paper_presets"):
        found |= source.list_decorated(f"tfrobust.evaluation.{module}", "enter")
    return found


def check_methods(names: Sequence[str]) -> None:
    """Raises `UserError` for a name of no method that the benchmark measures."""
    known = source.list_keys("tfrobust.benchmarks.steps", "METHODS")
    for name in names:
        if name not in known:
            raise UserError(f"There is no method {name!r}. There are: {', '.join(known)}.")
