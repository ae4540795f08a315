"""Lines of gin by what they say, however that is written."""

import ast


def unify_value(text: str) -> str:
    """A value of gin written in one way: numbers as floats, quotes and spaces as Python writes them.

    Use it to tell whether two values are the same. References, macros and what else is no literal stay.

    Args:
        text: such as "6", "'large'" or "@training.Plateau()".

    Example:
    >>> from tfrobust.runs.reports.lines import unify_value
    >>> unify_value("1e1"), unify_value("10.0"), unify_value("True"), unify_value("(1,2)")
    ('10.0', '10.0', 'True', '(1.0, 2.0)')
    """
    try:
        return repr(_unify(ast.literal_eval(text.strip())))
    except (ValueError, SyntaxError, OverflowError):
        return text.strip()


def unify_line(line: str) -> str:
    """The same for a line of gin, "NAME = VALUE"; anything else stays.

    Example:
    >>> from tfrobust.runs.reports.lines import unify_line
    >>> unify_line("LAMBDA=3")
    'LAMBDA = 3.0'
    """
    name, equals, text = line.partition("=")
    return f"{name.strip()} = {unify_value(text)}" if equals else line


def _unify(value):
    if type(value) in (int, float):
        return float(value)
    if isinstance(value, (list, tuple)):
        return type(value)(map(_unify, value))
    return value
