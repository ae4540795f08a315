"""Which test examples a run withstands, read from what its test or an evaluation left."""

import csv
import dataclasses
import hashlib
import json
import os
import pathlib
import re
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np

from tfrobust.errors import UserError, one_line
from tfrobust.runs import files, kinds
from tfrobust.runs.reports.evaluation_report import read_evaluation_report
from tfrobust.runs.reports.threat_model import describe_threat_model

TEST_TABLE = "test_examples.csv"


@dataclasses.dataclass(frozen=True, eq=False)
class Verdicts:
    """Which test examples a run withstands, and what was asked of it.

    Args:
        robust: boolean (n,).
        seed: of the run; None where it is not known.
        asked: from what must be the same for a comparison, such as "threat model", to a text; what is not
            known is not in it.
    """

    robust: np.ndarray
    seed: int | None
    asked: dict[str, str]

    def find_difference(self, other: "Verdicts") -> str | None:
        """The first thing that was not asked of both alike; None if the two can be compared.

        Example:
        >>> from tfrobust.comparison.verdicts import Verdicts
        >>> one = Verdicts(np.ones(3, bool), 0, {"threat model": "Linf 0.3"})
        >>> one.find_difference(Verdicts(np.ones(3, bool), 0, {"threat model": "L2 0.5"}))
        'threat model'
        """
        asked = {**self.asked, "number of test examples": str(len(self.robust))}
        others = {**other.asked, "number of test examples": str(len(other.robust))}
        both = [name for name in asked if name in others]
        return next((name for name in both if asked[name] != others[name]), None)


def read_test(run: str | os.PathLike) -> Verdicts:
    """The verdicts of a finished run's own test.

    Raises:
        UserError: they are not there; the message is the reason, which goes on a sentence.
    """
    run = pathlib.Path(run)
    report = _read_json(run / "report.json")
    rows = _read_rows(
        run / TEST_TABLE,
        f"there is no {TEST_TABLE} with a verdict on each example; runs of earlier versions have none",
    )
    robust = np.array([row["robust"] == "true" for row in rows], bool)
    _check_count(run / TEST_TABLE, robust, report["robust"])
    asked = {
        "threat model": name_threat_model(report["threat_model"]),
        "attack": name_threat_model(report["test_attack"]),
        **_describe_data(run),
    }
    return Verdicts(robust, report["seed"], asked)


def read_evaluation(
    folder: str | os.PathLike, seed: int | None = None, attack: str | None = None
) -> Verdicts:
    """The verdicts of an evaluation.

    Args:
        folder: of the evaluation.
        seed: of the run that was evaluated.
        attack: the name of one attack of the suite; None for all together.

    Raises:
        UserError: they are not there; the message is the reason, which goes on a sentence.
    """
    folder = pathlib.Path(folder)
    ours = read_evaluation_report(folder)
    if ours["robust"] is None:
        raise UserError("the evaluation has no attacks")
    rows = _read_rows(
        folder / "examples.csv", "there is no examples.csv beside the report of the evaluation"
    )
    first = ours["attacks"][0]["name"]
    counts = ours["robust"]
    if attack is not None and len(ours["attacks"]) > 1:
        if first.split("-from-")[0] != attack or _is_one_of_several(ours["attacks"], attack):
            raise UserError(
                "an evaluation keeps of each example the attack that broke it first, which hides what "
                f"{attack} alone did"
            )
        counts = ours["attacks"][0]["marginal"]
        robust = [r["clean_right"] == "true" and r["broken_by"] != first for r in rows]
    else:
        counted = ours.get("nan_counts", "broken") == "robust"
        robust = [
            r["clean_right"] == "true"
            and not r["broken_by"]
            and (counted or r.get("unanswered") != "true")
            for r in rows
        ]
    flags = np.array(robust, bool)
    _check_count(folder / "examples.csv", flags, counts)
    asked = describe_evaluation(
        threat_model=f"{ours['norm']} {ours['radius']:g}",
        suite=ours["suite"],
        suite_hash=ours.get("suite_hash"),
        data=ours["data"],
        examples=hash_examples([row["id"] for row in rows], [row["label"] for row in rows]),
        votes=ours.get("votes", 1),
        nan_counts=ours.get("nan_counts", "broken"),
    )
    return Verdicts(flags, seed, asked)


def describe_evaluation(
    *,
    threat_model: str,
    suite: str,
    suite_hash: str | None,
    data: str,
    examples: str,
    votes: int,
    nan_counts: str,
) -> dict[str, str]:
    """What an evaluation asked of a classifier, for `Verdicts`; arguments as in its report."""
    return {
        "threat model": threat_model,
        "suite": suite,
        "settings of the suite": suite_hash or "",
        "data": data.removesuffix(" test"),
        "test examples": examples,
        "passes that judge an image": str(votes),
        "verdict on images without finite logits": nan_counts,
    }


def hash_examples(ids: Iterable[object], labels: Iterable[object]) -> str:
    """A text that tells the examples of one test from those of another, by their places and labels.

    Example:
    >>> from tfrobust.comparison.verdicts import hash_examples
    >>> hash_examples(np.array([3, 5]), np.array([0, 1])) == hash_examples(["3", "5"], ["0", "1"])
    True
    """
    names = "\n".join(f"{i} {label}" for i, label in zip(ids, labels, strict=True))
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def read_counted(path: str | os.PathLike, suite: str, seed: int | None = None) -> Verdicts:
    """The verdicts that `tfrobust compare` left in a run, on the first examples of its test split.

    Args:
        path: the file.
        suite: name of the suite that it counted under.
        seed: of the run.

    Raises:
        UserError: they are not there; the message is the reason, which goes on a sentence.
    """
    path = pathlib.Path(path)
    content = _read_json(path)
    if "robust" not in content:
        raise UserError(
            f"{path.name} has no verdict on each example, as an earlier version wrote it; remove it, and "
            "tfrobust compare judges the run again"
        )
    flags = np.array([letter == "1" for letter in content["robust"]], bool)
    _check_count(path, flags, content)
    asked = {"suite": suite, **_describe_data(path.parent)}
    if "threat_model" in content:
        asked["threat model"] = name_threat_model(content["threat_model"])
    return Verdicts(flags, seed, asked)


def write_test(path: pathlib.Path, ids: np.ndarray, clean: np.ndarray, robust: np.ndarray) -> None:
    """Writes the verdicts of a run's own test, a row for each example.

    Args:
        path: the file.
        ids: int (n,): the examples' places in their source.
        clean, robust: boolean (n,): right at the clean image, and also at the adversarial one.
    """
    rows = (
        f"{int(i)},{'true' if c else 'false'},{'true' if r else 'false'}\n"
        for i, c, r in zip(ids, clean, robust, strict=True)
    )
    files.write_text(path, "id,clean_right,robust\n" + "".join(rows))


def _is_one_of_several(attacks, name):
    return len([a for a in attacks if a["name"].split("-from-")[0] == name]) > 1


def _describe_data(run):
    data = (kinds.RUN.read(run) or {}).get("data") or {}
    asked = {"data": data.get("name"), "test split": data.get("fingerprint", {}).get("test")}
    return {name: value for name, value in asked.items() if value}


def name_threat_model(text: str) -> str:
    """A threat model or an attack as reports have it, with radii as numbers.

    Example:
    >>> from tfrobust.comparison.verdicts import name_threat_model
    >>> name_threat_model("Linf(epsilon='51/255')"), name_threat_model("L2(epsilon=0.5)")
    ('Linf 0.2', 'L2 0.5')
    """
    text = re.sub(r"epsilon='([\d./e+-]+)'", lambda m: f"epsilon={float(Fraction(m[1]))}", text)
    norm, _, radius = describe_threat_model(text).partition(" ")
    return f"{norm} {float(radius):g}" if text.startswith(f"{norm}(epsilon=") else text


def _read_json(path: pathlib.Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({one_line(error, 100)})") from error
    return content


def _read_rows(path, missing):
    if not path.is_file():
        raise UserError(missing)
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _check_count(path, flags, counts):
    if (int(flags.sum()), len(flags)) != (counts["right"], counts["total"]):
        raise UserError(
            f"{path.name} has {int(flags.sum())} robust examples of {len(flags)}, its report "
            f"{counts['right']} of {counts['total']}"
        )
