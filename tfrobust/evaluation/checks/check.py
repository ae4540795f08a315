"""What a check is, and the settings that its verdict rests on."""

import dataclasses
import types
from collections.abc import Mapping
from typing import NamedTuple

from tfrobust.evaluation.checks.finding import NOT_CHECKED, Finding


class Setting(NamedTuple):
    """A limit or a size of a check that a user may change.

    Attributes:
        default: a whole number of at least 1, or a number of at least 0.
        text: what it is, with its unit, in a few words.
    """

    default: float
    text: str


# Most checks that compare accuracies ignore what a single example can change.
LEAST = Setting(2, "fewer examples than this never count as above the limit")


@dataclasses.dataclass(frozen=True, eq=False)
class Check:
    """What identifies a check and what `docs/checks.md` says about it; it stands beside the check's code.

    Args:
        id: such as "C7"; stable from version to version, and never used for another check.
        title: a few words that name what is looked at.
        measures: what is measured, a sentence.
        why: why it matters, a sentence.
        advice: what to do when it fires, a sentence.
        settings: name -> `Setting`.

    Example:
    >>> noise = Check("C0", "noise", "Noise.", "It is weak.", "Attack again.", {"share": Setting(0.1, "")})
    >>> noise.finding("passed", 0.05, 0.1, "Noise breaks 5 %.").title
    'noise'
    >>> noise.skip("there are no images.").text
    'Not checked: there are no images.'
    """

    id: str
    title: str
    measures: str
    why: str
    advice: str
    settings: Mapping[str, Setting] = dataclasses.field(default_factory=dict)

    def finding(
        self,
        level: str,
        value: float | None,
        threshold: float | None,
        text: str,
        examples: tuple = (),
    ) -> Finding:
        """The `Finding` of this check; see there for the arguments."""
        return Finding(self.id, self.title, level, value, threshold, text, examples, self.advice)

    def skip(self, why: str) -> Finding:
        """The `Finding` of a check that was not made, for the reason `why`."""
        return self.finding("info", None, None, f"{NOT_CHECKED} {why}")


class Limits:
    """The settings of all checks in one evaluation: the defaults, but for what a user changed.

    `catalogue.entries.read_limits` makes it from what a user gives, and refuses what does not exist.

    Args:
        changes: id of a check -> name of a setting -> value.

    Example:
    >>> noise = Check("C0", "noise", "Noise.", "It is weak.", "Attack again.", {"share": Setting(0.1, "")})
    >>> Limits()[noise].share, Limits({"C0": {"share": 0.2}})[noise].share
    (0.1, 0.2)
    """

    def __init__(self, changes: Mapping[str, Mapping[str, float]] = types.MappingProxyType({})):
        self.changes = {id: dict(settings) for id, settings in changes.items()}

    def __getitem__(self, check: Check) -> types.SimpleNamespace:
        """The settings of a check, as attributes."""
        defaults = {name: setting.default for name, setting in check.settings.items()}
        return types.SimpleNamespace(**{**defaults, **self.changes.get(check.id, {})})
