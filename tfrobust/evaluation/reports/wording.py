"""How reports write numbers and values."""


def percent(value):
    """A number in [0, 1] as a percentage, a dash for None."""
    return "-" if value is None else f"{100 * value:.2f} %"


def short(value):
    """A number with up to four digits, a dash for None."""
    return "-" if value is None else f"{value:.4g}"


def pair(passes):
    """Forward and backward passes, a dash for None."""
    return "-" if passes is None else f"{passes[0]:.0f} + {passes[1]:.0f}"


def describe(value):
    """A value of the environment on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {describe(part)}" for name, part in value.items())
    if isinstance(value, list):
        return "; ".join(describe(part) for part in value)
    return "-" if value is None else str(value)
