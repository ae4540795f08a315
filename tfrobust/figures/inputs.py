"""Models, images and threat model of a figure of models, and whether they belong together."""

import os
from collections.abc import Mapping
from typing import Any

from tfrobust import threat_models
from tfrobust.errors import UserError, one_line
from tfrobust.evaluation import Examples, Subject, load_examples
from tfrobust.evaluation.admission import count_classes, get_seen
from tfrobust.evaluation.settings import read_run_settings, read_threat_model
from tfrobust.runs import kinds
from tfrobust.threat_models.base import ThreatModel

# Images on which a model is tried before anything is computed.
_FEW = 4


def load_subjects(paths: Mapping[str, str], trust: bool) -> dict[str, Subject]:
    """The models by name.

    Raises:
        UserError: there is no model, it has no gradient, or the models name their classes differently.
    """
    found = {name: Subject.of(path, trust) for name, path in paths.items()}
    for name, subject in found.items():
        if not subject.has_gradient:
            raise UserError(f"{name} has no gradient, and this figure needs one.")
    classes = {n: s.origin.class_names for n, s in found.items() if s.origin.class_names}
    _check_same(classes, "were trained on other classes", "Draw them one by one.")
    return found


def find_threat_model(
    subjects: Mapping[str, Subject], norm: str | None, epsilon: str | None
) -> ThreatModel:
    """The threat model that was asked for, else that of the runs.

    Raises:
        UserError: neither is known, the runs have different ones, or the radius is 0.
    """
    if epsilon is not None:
        found = getattr(threat_models, norm or "Linf")(epsilon)
    else:
        runs = {name: read_threat_model(folder) for name, folder in _list_runs(subjects).items()}
        if not runs:
            raise UserError("These models do not say their radius. Give --epsilon, and --norm.")
        told = {name: threat_model.describe() for name, threat_model in runs.items()}
        _check_same(told, "have different threat models", "Give --epsilon, and --norm.")
        found = next(iter(runs.values()))
    if not found.radius():
        raise UserError("Within a radius of 0 there is nothing to draw. Give a positive --epsilon.")
    return found


def find_examples(subjects: Mapping[str, Subject], data: str | os.PathLike | None) -> Any:
    """The test images that were asked for, else those of the runs, in memory or stored.

    Raises:
        UserError: neither is known, the runs have different ones, or they are not for one of the models.
    """
    source: Any = data
    if source is None:
        runs = _list_runs(subjects)
        if not runs:
            raise UserError("These models do not say their data. Give --data.")
        known = {name: _read_test(folder) for name, folder in runs.items()}
        told = {name: " ".join(test) for name, test in known.items() if test}
        _check_same(told, "have different test images", "Give --data.")
        source = read_run_settings(next(iter(runs.values())))[0]
    examples = load_examples(source, origin=next(iter(subjects.values())).origin)
    few = examples.head(_FEW)
    labels = few.y if examples.labels is None else examples.labels
    for name, subject in subjects.items():
        try:
            count_classes(get_seen(subject), few.x[:_FEW], labels)
        except UserError as error:
            raise UserError(f"{name} cannot be drawn: {error}") from error
    return examples


def find_place(examples: Any, number: int) -> int:
    """The place of the image with an id; raises `UserError` if there is none."""
    (places,) = (examples.ids == number).nonzero()
    if not len(places):
        some = ", ".join(map(str, examples.ids[:5]))
        raise UserError(f"There is no image with the id {number}. The first ids are {some}.")
    return int(places[0])


def take_one(examples: Any, place: int) -> Examples:
    """The example at a place, in memory."""
    # Of as many shards as there are examples each has one.
    return examples.shard(place, len(examples)).load()


def _list_runs(subjects):
    return {name: s.folder for name, s in subjects.items() if s.folder is not None}


def _read_test(folder):
    """Name and fingerprint of a run's test images; () of runs that don't keep them."""
    data = (kinds.RUN.read(folder) or {}).get("data") or {}
    found = data.get("name"), (data.get("fingerprint") or {}).get("test")
    return found if all(found) else ()


def _check_same(known, what, advice):
    if len(set(known.values())) > 1:
        told = "; ".join(f"{name}: {_tell(value)}" for name, value in known.items())
        raise UserError(f"These models {what}: {told}. {advice}")


def _tell(value):
    return value if isinstance(value, str) else one_line(", ".join(value), 60)
