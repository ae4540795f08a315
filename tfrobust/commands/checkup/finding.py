"""One line of what `doctor` finds."""

import dataclasses
import textwrap

OK, NOTE, FAULT = "ok", "note", "FAULT"


@dataclasses.dataclass(frozen=True)
class Finding:
    """What was looked at, and how it is.

    Args:
        level: `OK`; `NOTE`, worth knowing; `FAULT`, without which the main job cannot run.
        told: what was seen.
        remedy: what to do, if anything.
    """

    level: str
    told: str
    remedy: str = ""

    def format(self) -> str:
        """Lines of at most 100 columns."""
        text = f"{self.told} {self.remedy}".strip()
        return textwrap.fill(
            text,
            100,
            initial_indent=f"  {self.level:5} ",
            subsequent_indent=8 * " ",
            break_long_words=False,
            break_on_hyphens=False,
        )
