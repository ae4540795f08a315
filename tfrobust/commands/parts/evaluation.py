"""What the flags of `evaluate` stand for: the examples, the threat model and the suite."""

import pathlib
import re
from collections.abc import Sequence
from typing import Any

from absl import flags

from tfrobust.commands.start.command_line import ROOT, require_flag
from tfrobust.errors import UserError
from tfrobust.runs import kinds
from tfrobust.runs.origin import Origin
from tfrobust.runs.reports.identity import Identity


def load_examples(values: flags.FlagValues, source: Any, origin: Origin) -> tuple[Any, str]:
    """The examples of the flags out of a source, and the ending of the shard's folder."""
    from tfrobust import evaluation

    examples = evaluation.load_examples(source, values.split, name_classes(values, origin))
    if values.examples:
        examples = examples.first(values.examples)
    if values.shard is None:
        return examples, ""
    index, count = parse_shard(values.shard)
    return examples.shard(index, count), f"-{index}-of-{count}"


def name_classes(values: flags.FlagValues, origin: Origin) -> Origin:
    """What is known of the classifier, with the names of its classes that the flags give."""
    return origin.with_names(values.class_names) if values.class_names else origin


def parse_shard(text: str) -> tuple[int, int]:
    """Number and count of a shard that is written as i/n."""
    try:
        index, count = map(int, text.split("/"))
    except ValueError as error:
        raise UserError(f"A shard is i/n, such as 0/4. Received: --shard={text}.") from error
    if not 0 <= index < count:
        raise UserError(f"A shard is i/n with 0 <= i < n. Received: --shard={text}.")
    return index, count


def parse_streams(text: str) -> int | str:
    """A number of streams, or "auto"."""
    if text == "auto":
        return text
    try:
        streams = int(text)
    except ValueError:
        streams = 0
    if streams < 1:
        raise UserError(
            f"Streams are auto or a whole number of at least 1. Received: --streams={text}."
        )
    return streams


def parse_thresholds(texts: Sequence[str]) -> dict[str, dict[str, float]]:
    """Settings of checks, each written as CHECK.SETTING=NUMBER.

    Example:
    >>> from tfrobust.commands.parts.evaluation import parse_thresholds
    >>> parse_thresholds(["C36.share=1", "C36.seconds=600", "C8.share=0.03"])
    {'C36': {'share': 1, 'seconds': 600}, 'C8': {'share': 0.03}}
    """
    found: dict[str, dict[str, float]] = {}
    for text in texts:
        match = re.fullmatch(r"\s*(\w+)\.(\w+)\s*=\s*(\S+)\s*", text)
        number = match and _read_number(match[3])
        if match is None or number is None:
            raise UserError(
                f"A threshold is CHECK.SETTING=NUMBER, such as C36.share=1. Received: --thresholds={text}."
            )
        found.setdefault(match[1], {})[match[2]] = number
    return found


def _read_number(text):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def choose_setting(values: flags.FlagValues, run_folder: Any) -> tuple[Any, Any]:
    """Data and threat model: those of the flags, else those of the run."""
    from tfrobust import threat_models
    from tfrobust.evaluation.settings import read_run_settings, read_threat_model

    if has_threat_model(values) or run_folder is None:
        norm = getattr(threat_models, values.norm or "Linf")
        threat_model = norm(require_flag(values, "epsilon"))
    else:
        threat_model = read_threat_model(run_folder)
    if values.data is not None or run_folder is None:
        return require_flag(values, "data"), threat_model
    return read_run_settings(run_folder)[0], threat_model


def has_threat_model(values: flags.FlagValues) -> bool:
    """Whether the flags name a threat model, in place of the run's."""
    return values.epsilon is not None or values.norm is not None


def has_own_suite(values: flags.FlagValues) -> bool:
    """Whether gin binds the attacks, in place of a named suite."""
    return bool(values.gin_file or values.gin_bindings)


def make_suite(values: flags.FlagValues, threat_model: Any) -> Any:
    """The suite of the flags."""
    from tfrobust import evaluation

    if not has_own_suite(values):
        return evaluation.suite(values.suite, threat_model, surrogates=_list_surrogates(values))
    from tfrobust.config.configuration import Configuration

    configuration = Configuration(values.gin_file, values.gin_bindings, ROOT, values.trust)
    suite = configuration.bind(evaluation.custom)()
    configuration.check_all_used()
    return suite


def _list_surrogates(values):
    """Runs by the classifiers that they exported; files as they are."""
    exported = [pathlib.Path(path, "export", "classifier.keras") for path in values.surrogate]
    return [
        str(file if file.is_file() else path)
        for path, file in zip(values.surrogate, exported, strict=True)
    ]


def write_card(
    export: pathlib.Path,
    evaluations: Sequence[str | pathlib.Path] = (),
    certifications: Sequence[str | pathlib.Path] = (),
) -> None:
    """Puts what was measured into the model card of an export, unless it was edited."""
    from tfrobust.serving import update_card

    if Identity.find(kinds.EXPORT.read(export) or {}) is None:
        return
    try:
        card = update_card(export, evaluations, certifications=certifications)
        print(f"The model card has the numbers: {card}.")
    except UserError as error:
        print(f"The model card is as it was: {error}")
