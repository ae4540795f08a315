"""The report.json of a training run, read and checked."""

import dataclasses
import json
import os
import pathlib

from tfrobust.errors import UserError


@dataclasses.dataclass(frozen=True)
class RunReport:
    """What a run came to.

    Args:
        method, data, threat_model: as text.
        gin_files: of its configuration, that of a scale last; empty for a run without.
        clean, robust: accuracies on the test split, in [0, 1]; robust under the run's test attack.
        interval: of the robust one, 95 %.
        seconds: of training.
    """

    method: str
    data: str
    threat_model: str
    gin_files: tuple[str, ...]
    clean: float
    robust: float
    interval: tuple[float, float]
    seconds: float


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
            method=found["method"],
            data=found["data"],
            threat_model=found["threat_model"] + "",
            gin_files=tuple(name + "" for name in found["gin_files"]),
            clean=found["clean"]["right"] / found["clean"]["total"],
            robust=found["robust"]["right"] / found["robust"]["total"],
            interval=(low + 0.0, high + 0.0),
            seconds=found["training_seconds"] + 0.0,
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise UserError(
            f"{path} is not the report of a training run. Leave that folder out, or train it again."
        ) from error
