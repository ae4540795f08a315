"""What a model card says, read from the reports of a run and of its evaluations."""

import json
import os
import pathlib
from typing import Any

from tfrobust.errors import UserError
from tfrobust.evaluation.reports.report_files import read_report
from tfrobust.runs import kinds
from tfrobust.runs.reports.certification_report import read_certification
from tfrobust.runs.reports.identity import Identity

_OF_REPORT = (
    "method",
    "data",
    "test_attack",
    "described",
    "clean",
    "robust",
    "checkpoint",
    "epochs",
    "seed",
    "shortened_from",
)
_OF_EVALUATION = (
    "headline",
    "estimate",
    "trustworthy",
    "data",
    "norm",
    "epsilon",
    "radius",
    "suite",
    "suite_hash",
    "seed",
    "examples",
    "clean",
    "robust",
    "certified",
)
_OF_CERTIFICATION = ("headline", "data", "norm", "epsilon", "suite", "certain", "seed", "examples")


def describe_training(run: str | os.PathLike) -> dict[str, Any] | None:
    """What the card says of the training: the content of a run's report, and its threat model.

    Args:
        run: folder of a run.

    Returns:
        A dict of JSON values, or None if the run has no report.

    Example:
        >>> from tfrobust.serving.card.sources import describe_training
        >>> print(describe_training("."))
        None
    """
    path = pathlib.Path(run, "report.json")
    record = kinds.RUN.read(run)
    if record is None or not path.is_file():
        return None
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(
            f"{path} is no JSON. Put the report of the run back, or remove it."
        ) from error
    return {
        **{name: report[name] for name in _OF_REPORT if name in report},
        "threat_model": record.get("threat_model"),
    }


def describe_evaluation(folder: str | os.PathLike) -> dict[str, Any]:
    """What the card says of an evaluation: its numbers, its suite and version, and what the checks found.

    Args:
        folder: of a finished evaluation.

    Returns:
        A dict of JSON values; "identity" is that of the classifier that was evaluated.

    Raises:
        UserError: it holds no report, or no record of what was evaluated.
    """
    report = read_report(folder)["tfrobust"]
    identity = _find_identity(folder)
    if identity is None:
        raise UserError(
            f"{folder} does not say of which classifier it is, as the evaluations of earlier versions. "
            "Evaluate the classifier again."
        )
    findings = [
        {name: finding.get(name) for name in ("id", "title", "level", "text")}
        for finding in report["findings"]
    ]
    versions = report["environment"].get("versions") or {}
    return {
        **{name: report.get(name) for name in _OF_EVALUATION},
        "identity": identity.to_json(),
        "findings": [finding for finding in findings if finding["level"] != "passed"],
        "passed": sum(finding["level"] == "passed" for finding in findings),
        "checked": bool(findings),
        "tfrobust": versions.get("tfrobust"),
    }


def describe_certification(folder: str | os.PathLike) -> dict[str, Any]:
    """What the card says of a certification: its numbers, and the certificates with their settings.

    Args:
        folder: of a finished certification.

    Returns:
        A dict of JSON values; "identity" is that of the classifier that was certified.

    Raises:
        UserError: it holds no report.
    """
    report = read_certification(folder)
    content, total = report.content, len(report.ids)
    counts = {
        name: {
            "right": content[name]["count"],
            "total": total,
            "interval": [content[name]["low"], content[name]["high"]],
        }
        for name in ("clean", "certified")
    }
    return {
        **{name: content[name] for name in _OF_CERTIFICATION},
        **counts,
        "identity": report.identity.to_json(),
        "suite_hash": report.suite_hash,
        "method": report.method,
        "certificates": [one["certificate"] for one in content["certificates"]],
        "tfrobust": (content["environment"].get("versions") or {}).get("tfrobust"),
    }


def find_certifications(run: str | os.PathLike, identity: Identity) -> list[pathlib.Path]:
    """The folders of the finished certifications in a run's folder that are of this classifier.

    Args:
        run: folder of a run.
        identity: of the classifier, as `export.json` has it.
    """
    folders = sorted(
        path.parent for path in pathlib.Path(run, "certification").glob("*/report.json")
    )
    return [
        folder
        for folder in folders
        if not _is_shard(folder) and read_certification(folder).identity.is_same(identity)
    ]


def find_evaluations(run: str | os.PathLike, identity: Identity) -> list[pathlib.Path]:
    """The folders of the finished evaluations in a run's folder that are of this classifier.

    Args:
        run: folder of a run.
        identity: of the classifier, as `export.json` has it.
    """
    folders = sorted(path.parent for path in pathlib.Path(run, "evaluation").glob("*/report.json"))
    found = {f: _find_identity(f) for f in folders if not _is_shard(f)}
    return [folder for folder, one in found.items() if one is not None and one.is_same(identity)]


def _find_identity(folder):
    model = (kinds.EVALUATION.read(folder) or {}).get("fingerprint", {}).get("model")
    return None if model is None else Identity.read(model)


def _is_shard(folder):
    # As `evaluation.folder.choose_folder` names it: SUITE-0-of-4.
    return folder.name.rpartition("-of-")[2].isdigit()
