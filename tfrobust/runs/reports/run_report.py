"""The report.json of a training run, read and checked."""

import dataclasses
import datetime
import json
import os
import pathlib
import shlex
from typing import Any

from tfrobust.errors import UserError
from tfrobust.runs import kinds
from tfrobust.runs.metrics import read_metrics


@dataclasses.dataclass(frozen=True)
class RunReport:
    """What a run came to.

    Args:
        method, data, threat_model: as text.
        gin_files: of its configuration, that of a scale last; empty for a run without.
        gin_bindings: lines of gin that override them.
        clean, robust: accuracies on the test split, in [0, 1]; robust under the run's test attack.
        validation: clean and robust accuracy on the validation split at the epoch that was chosen; None where
            it was not measured.
        test_attack: the test attack with all its settings, as text; empty in reports of earlier versions.
        interval: of the robust one, 95 %.
        seconds, test_seconds: of training, and of the final test.
        seed: of the run; None in reports of early versions.
    """

    method: str
    data: str
    threat_model: str
    gin_files: tuple[str, ...]
    gin_bindings: tuple[str, ...]
    clean: float
    robust: float
    interval: tuple[float, float]
    seconds: float
    test_seconds: float
    seed: int | None
    validation: tuple[float | None, float | None]
    test_attack: str = ""


def read_run_report(folder: str | os.PathLike) -> RunReport:
    """Reads the report of the run in a folder.

    Raises:
        UserError: the folder's report.json is not that of a run.
    """
    path = pathlib.Path(folder, "report.json")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        low, high = found["robust"]["interval"]
        return RunReport(
            method=describe_method(found),
            data=found["data"],
            threat_model=found["threat_model"] + "",
            gin_files=tuple(name + "" for name in found["gin_files"]),
            gin_bindings=read_bindings(folder, found),
            clean=found["clean"]["right"] / found["clean"]["total"],
            robust=found["robust"]["right"] / found["robust"]["total"],
            interval=(low + 0.0, high + 0.0),
            seconds=found["training_seconds"] + 0.0,
            test_seconds=found.get("test_seconds", 0.0) + 0.0,
            seed=found.get("seed"),
            validation=_read_validation(folder, found),
            test_attack=found.get("test_attack", "") + "",
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise UserError(
            f"{path} is not the report of a training run. Leave that folder out, or train it again."
        ) from error


def describe_method(report: dict[str, Any]) -> str:
    """The method of a run in words, with its parts; of runs of an earlier version the name of its class.

    Args:
        report: content of its report.json.

    Example:
        >>> from tfrobust.runs.reports.run_report import describe_method
        >>> describe_method({"method": "TRADES", "described": {"method": "TRADES + MER"}})
        'TRADES + MER'
        >>> describe_method({"method": "TRADES"})
        'TRADES'
    """
    method: str = report.get("described", report)["method"]
    return method


def read_bindings(folder: str | os.PathLike, report: dict[str, Any]) -> tuple[str, ...]:
    """Lines of gin beside the files of a run, written as gin writes them.

    Args:
        folder: of the run.
        report: content of its report.json.
    """
    lines = report.get("gin_bindings")
    if lines is None:
        # A run of an earlier version has them in its command only.
        record = pathlib.Path(folder, "run.json")
        content = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
        words = [w for s in content.get("starts", ())[:1] for w in shlex.split(s["command"])]
        flag = "--gin_bindings="
        lines = [word.removeprefix(flag) for word in words if word.startswith(flag)]
    return tuple(" = ".join(part.strip() for part in line.split("=", 1)) for line in lines)


def read_duration(folder: str | os.PathLike) -> float:
    """Seconds that a finished run took from its start to its export.

    Of a run that was interrupted, the seconds of its training and its test: what lay between its starts, and
    what a kill lost, is no part of what another run takes.

    Raises:
        UserError: the folder's report.json is not that of a run.
    """
    report = read_run_report(folder)
    starts = (kinds.RUN.read(folder) or {"starts": ()})["starts"]
    if len(starts) == 1 and starts[0].get("ended") is not None:
        ends = [datetime.datetime.fromisoformat(starts[0][end]) for end in ("started", "ended")]
        return (ends[1] - ends[0]).total_seconds()
    return report.seconds + report.test_seconds


def _read_validation(folder, report):
    epoch = report.get("checkpoint", {}).get("epoch")
    if epoch is None or not pathlib.Path(folder, "metrics.jsonl").is_file():
        return None, None
    rows = [row for row in read_metrics(folder) if row["epoch"] == epoch - 1]
    row = rows[-1] if rows else {}
    return row.get("val_accuracy"), row.get("val_robust_accuracy")
