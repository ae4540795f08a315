"""What a check of an evaluation says."""

import dataclasses

from tfrobust.errors import UserError

LEVELS = ("passed", "info", "warning", "severe", "error")
NOT_CHECKED = "Not checked:"


@dataclasses.dataclass(frozen=True)
class Finding:
    """The result of one check, passed or not.

    Args:
        id: such as "C7", stable from version to version; `docs/checks.md` describes them.
        title: a few words: what was looked at.
        level: "passed"; "info", worth knowing; "warning", look before you trust the number; "severe",
            the number is not trustworthy; "error", the evaluation means nothing.
        value: what was measured, a number or None.
        threshold: what it was compared with, a number or None.
        text: what was seen and what to do, one or two plain sentences.
        examples: ids of up to 20 examples that show it.
        advice: what to do about anything of this kind, a sentence; "" where nothing is said.

    Raises:
        UserError: there is no such level.

    Example:
    >>> finding = Finding("C24", "ties", "warning", 0.1, 0.0, "10.0 % of the examples have equal logits.")
    >>> finding.fired, finding.made
    (True, True)
    """

    id: str
    title: str
    level: str
    value: float | None
    threshold: float | None
    text: str
    examples: tuple = ()
    advice: str = ""

    def __post_init__(self):
        if self.level not in LEVELS:
            raise UserError(f"`level` must be one of {LEVELS}. Received: {self.level!r}.")
        object.__setattr__(self, "examples", tuple(int(i) for i in self.examples[:20]))

    @property
    def fired(self) -> bool:
        """Whether it makes the result doubtful: a warning or worse."""
        return LEVELS.index(self.level) >= LEVELS.index("warning")

    @property
    def made(self) -> bool:
        """Whether the check was made; its text says why if not."""
        return not self.text.startswith(NOT_CHECKED)
