"""What is told of a flag that there is not, and of a value that a flag cannot have."""

import difflib
import re

from absl import flags

from tfrobust.errors import one_line


def describe_flag_error(error: flags.Error, values: flags.FlagValues) -> str:
    """One or two sentences: what was seen, and what was expected.

    Args:
        error: what reading the command line raised.
        values: the flags that there are.
    """
    if isinstance(error, flags.UnrecognizedFlagError):
        near = difflib.get_close_matches(error.flagname, list(values), 1, 0.5)
        meant = f" Did you mean --{near[0]}?" if near else ""
        return f"There is no flag --{error.flagname}.{meant}"
    said = one_line(error)
    found = re.match(r"flag --(\w+)=(.*?): ", said)
    if found is None or found[1] not in values:
        return f"{said.rstrip('.')}."
    parser = values[found[1]].parser
    expected = (
        f"one of {', '.join(parser.enum_values)}"
        if isinstance(parser, flags.EnumParser)
        else parser.syntactic_help or "true or false"
    )
    return f"--{found[1]} must be {expected}. Received: {found[2]!r}."
