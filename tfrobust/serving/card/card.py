"""Writing the model card of an export, and keeping it true."""

import hashlib
import os
import pathlib
from collections.abc import Iterable
from typing import Any

from tfrobust.errors import UserError
from tfrobust.runs import files, kinds
from tfrobust.runs.reports.identity import Identity
from tfrobust.serving.card.page import render_card
from tfrobust.serving.card.sources import describe_certification, describe_evaluation

CARD = "README.md"


def update_card(
    folder: str | os.PathLike,
    evaluations: Iterable[str | os.PathLike] = (),
    changes: dict[str, Any] | None = None,
    certifications: Iterable[str | os.PathLike] = (),
) -> pathlib.Path:
    """Writes the model card of an export again, from `export.json`, evaluations and certifications.

    Use it after an evaluation that is not in the folder of the run; `bin/evaluate.py` and `bin/certify.py` do
    it for a run. The card names an evaluation or a certification only if it is of the same classifier.

    Args:
        folder: of an export.
        evaluations: folders of finished evaluations of its `classifier.keras`; those that the card has of the
            same suite, data and threat model are replaced.
        changes: further values of `export.json` to replace, such as {"license": "apache-2.0"}.
        certifications: folders of finished certifications, in the same way.

    Returns:
        The path of the card, `README.md`.

    Raises:
        UserError: it is no export, an evaluation or a certification is of another classifier, or the card
            was edited by hand.

    Example:
        >>> folder = tfrobust.serving.export_classifier(tfrobust.models.digits_cnn(), "export")
        >>> card = tfrobust.serving.update_card(folder, changes={"license": "apache-2.0"})
        >>> card.read_text().splitlines()[:3]
        ['---', 'library_name: keras', 'pipeline_tag: image-classification']
    """
    folder = pathlib.Path(folder)
    content = kinds.EXPORT.read(folder)
    if content is None:
        raise UserError(
            f"{folder} is not an export: it has no export.json. Export the classifier first."
        )
    if Identity.find(content) is None:
        raise UserError(
            f"The export in {folder} is of an earlier version, without a card. Export the classifier again."
        )
    check_unedited(folder, content)
    found = {}
    for name, kind, describe, paths in (
        ("evaluations", "evaluation", describe_evaluation, evaluations),
        ("certifications", "certification", describe_certification, certifications),
    ):
        given = [_check_same(describe(path), path, kind, folder, content) for path in paths]
        found[name] = merge_measured(content.get(name, []), given)
    write_described(folder, content | found | (changes or {}))
    return folder / CARD


def _check_same(described, path, kind, folder, content):
    ours, theirs = Identity.find(content), Identity.find(described)
    if not theirs.is_same(ours):
        raise UserError(
            f"The {kind} in {path} is of another classifier than the export in {folder}: {theirs} there, "
            f"{ours} here. Take {folder / 'classifier.keras'} as its --model."
        )
    return described


def write_described(folder: pathlib.Path, content: dict[str, Any]) -> None:
    """Writes the card that says `content`, and `content` as `export.json`, with the hash of the card."""
    text = render_card(content)
    files.write_text(folder / CARD, text)
    files.write_json(folder / kinds.EXPORT.marker, content | {"card": _hash(text)})


def check_unedited(folder: str | os.PathLike, content: dict[str, Any]) -> None:
    """Raises `UserError` if `README.md` in the folder of an export is not what an export wrote."""
    path = pathlib.Path(folder, CARD)
    if not path.exists():
        return
    known = content.get("card")
    text = path.read_bytes().decode("utf-8", errors="replace")
    # A kill between the two files leaves a card that is not noted yet.
    if _hash(text) != known and text != render_known(content):
        raise UserError(
            f"{path} was edited by hand, and a new card would replace it. Move it, for example to CARD.md, "
            "or choose another folder."
        )


def render_known(content: dict[str, Any]) -> str | None:
    """The card that a content of `export.json` makes; None for one without what a card needs."""
    return None if Identity.find(content) is None else render_card(content)


def merge_measured(former: list[dict], new: list[dict]) -> list[dict]:
    """Two lists of evaluations or certifications, of which the later replace those of the same question."""
    asked = ("suite", "suite_hash", "data", "norm", "epsilon", "examples")
    merged = {tuple(str(each[name]) for name in asked): each for each in (*former, *new)}
    return list(merged.values())


def _hash(text):
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
