"""Lengths of time as plans write them, and read back."""

import re


def format_duration(seconds: float) -> str:
    """Returns a length of time in hours and minutes, or in minutes and seconds if it is below an hour.

    Example:
        >>> from tfrobust.runs.duration import format_duration
        >>> format_duration(75), format_duration(7260)
        ('1 min 15 s', '2 h 1 min')
    """
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"


def parse_duration(text: str) -> float | None:
    """Returns the seconds of what `format_duration` wrote at the start of `text`; None if it did not.

    Example:
        >>> from tfrobust.runs.duration import parse_duration
        >>> parse_duration("2 h 1 min, without the final test")
        7260.0
    """
    found = re.match(r"(?:(\d+) h )?(\d+) min(?: (\d+) s)?", text)
    if found is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return 3600.0 * hours + 60 * minutes + seconds
