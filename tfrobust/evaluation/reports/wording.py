"""How reports write numbers and values."""

from collections.abc import Sequence


def format_percent(value: float | None) -> str:
    """Formats a number in [0, 1] as a percentage, None as a dash.

    Example:
    >>> from tfrobust.evaluation.reports.wording import format_percent
    >>> format_percent(0.125), format_percent(None)
    ('12.50 %', '-')
    """
    return "-" if value is None else f"{100 * value:.2f} %"


def format_short(value: float | None) -> str:
    """Formats a number with up to four digits, None as a dash."""
    return "-" if value is None else f"{value:.4g}"


def format_pair(passes: Sequence[float] | None) -> str:
    """Formats forward and backward passes, None as a dash."""
    return "-" if passes is None else f"{passes[0]:.0f} + {passes[1]:.0f}"


def describe(value: object) -> str:
    """Writes a value of the environment on one line.

    Example:
    >>> from tfrobust.evaluation.reports.wording import describe
    >>> describe({"GPU": 1, "names": ["a", "b"]})
    'GPU 1, names a; b'
    """
    if isinstance(value, dict):
        return ", ".join(f"{name} {describe(part)}" for name, part in value.items())
    if isinstance(value, list):
        return "; ".join(describe(part) for part in value)
    return "-" if value is None else str(value)
