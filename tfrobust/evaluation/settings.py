"""The data and the threat model of a run, read from its folder."""

import os
import pathlib

from tfrobust.config.text import GinText, Reference
from tfrobust.data.sources.load import load_source
from tfrobust.data.splits import Splits
from tfrobust.errors import UserError
from tfrobust.runs import kinds
from tfrobust.threat_models.base import ThreatModel
from tfrobust.threat_models.description import from_description


def read_run_settings(folder: str | os.PathLike) -> tuple[Splits, ThreatModel]:
    """Reads the data and the threat model of a run; nothing that its files name is imported or run.

    Args:
        folder: the run's, with its `run.json`, or the `config.gin` that earlier versions kept alone.

    Returns:
        `data.Splits`, and the `ThreatModel` of its test attack.

    Raises:
        UserError: the files are missing, or do not say it.

    Example:
    >>> from tfrobust.runs import files
    >>> settings = {"starts": [], "seed": 0, "data": {"source": {"name": "digits", "arguments": {}}}}
    >>> settings["threat_model"] = {"norm": "Linf", "epsilon": "0.1"}
    >>> files.write_json("run.json", settings)
    >>> data, threat_model = tfrobust.evaluation.read_run_settings(".")
    >>> data.info.name, threat_model.radius()
    ('digits', 0.1)
    """
    data, threat_model = _read_records(folder)
    if not isinstance(data, dict) or not data.get("source") or not threat_model:
        raise _lacks(folder, "where its data come from, or its threat model", "--data, --norm and")
    return load_source(data["source"]), from_description(threat_model)


def read_threat_model(folder: str | os.PathLike) -> ThreatModel:
    """Reads the threat model of a run as `read_run_settings` does, without its data."""
    threat_model = _read_records(folder)[1]
    if not threat_model:
        raise _lacks(folder, "its threat model", "--norm and")
    return from_description(threat_model)


def _lacks(folder, what, flags):
    return UserError(f"The run in {folder} does not say {what}: give {flags} --epsilon.")


def _read_records(folder):
    content = kinds.RUN.read(folder) or {}
    if "data" in content:
        return content["data"], content.get("threat_model")
    return _read_gin_file(pathlib.Path(folder, "config.gin"))


def _read_gin_file(path):
    if not path.is_file():
        raise UserError(
            f"{path.parent} holds no run: there is no run.json, and no gin file {path}."
        )
    text = GinText(path.read_text(encoding="utf-8", errors="replace"))
    run = text.bound("tfrobust.training.train")
    data, attack = run.get("data"), run.get("test_attack")
    data_name = text.dotted(data.name) if isinstance(data, Reference) else None
    if data_name is None or not isinstance(attack, Reference):
        return None, None
    source = {
        "name": data_name.removeprefix("tfrobust.data."),
        "arguments": text.bound(data_name, data.scope),
    }
    norm = text.bound(text.dotted(attack.name), attack.scope).get("threat_model")
    if not isinstance(norm, Reference):
        return {"source": source}, None
    name, scope = text.dotted(norm.name) or "", norm.scope or attack.scope
    described = {"norm": name.rpartition(".")[2], **text.bound(name, scope)}
    return {"source": source}, described
