"""The page that `--help` prints."""

import re
import shlex
import shutil
import textwrap
from typing import Any

from absl import flags


def format_manual(text: str, name: str, usage: str, program: str, values: flags.FlagValues) -> str:
    """The page of one command.

    Args:
        text: a sentence, examples that are set in, what there is to say, and a paragraph "Exit status: ...";
            an example begins with `python bin/NAME.py`.
        name: of the command.
        usage: what follows the program in the line of usage.
        program: how it was called, such as "tfrobust train".
        values: the flags, not parsed.
    """
    summary, _, rest = text.strip().partition("\n")
    rest = rest.strip("\n").replace(f"python bin/{name}.py", program)
    # Other commands that the text names are called in the same way.
    if not program.startswith("python"):
        rest = re.sub(r"(?:python )?bin/(\w+)\.py", r"tfrobust \1", rest)
    body, found, status = rest.partition("Exit status:")
    columns = min(100, shutil.get_terminal_size((100, 24)).columns)
    return (
        f"{_fill(summary, columns)}\n\nUsage: {program} {usage}\n\nExamples:\n\n"
        f"{_fill(body.rstrip(), columns)}\n\nFlags:\n{_describe_flags(values, columns)}\n\n"
        f"{_fill(found + status.rstrip(), columns)}"
    )


def list_examples(text: str, name: str) -> list[list[str]]:
    """The arguments of each example of a command's text; what is said beside one is left out."""
    lines = re.findall(rf"^    python bin/{name}\.py(.*)$", text, re.M)
    # Two spaces or more stand before what an example is for.
    return [shlex.split(re.split(r"\s{2,}(?=\S)", line.rstrip())[0]) for line in lines]


def _fill(text, columns):
    """Paragraphs as wide as the page; what is set in, such as an example, stays as it is."""
    return "\n\n".join(
        part if re.search(r"^\s", part, re.M) else textwrap.fill(part, columns, **_WHOLE)
        for part in text.split("\n\n")
    )


def _describe_flags(values, columns):
    return "\n".join(_describe_flag(name, values[name], columns) for name in values)


def _describe_flag(name, flag, columns):
    # absl adds to a text which values there are, and what may be repeated.
    choices, told = re.fullmatch(r"(?:<([^>]*)>: )?(.*)", flag.help, re.DOTALL).groups()
    told, _, added = told.partition(";\n")
    shown = f"--[no]{name}" if flag.boolean else f"--{name}={choices or '...'}"
    more = [end for word, end in _ADDED.items() if word in added]
    default = [f"Default: {_write_default(name, flag)}."] if _has_default(flag) else []
    text = " ".join([*told.split(), *more, *default])
    indent = 6 * " "
    return f"  {shown}\n" + textwrap.fill(
        text,
        columns,
        initial_indent=indent,
        subsequent_indent=indent,
        **_WHOLE,
    )


def _has_default(flag):
    """Whether a default is to be told: that of a switch only where it is on."""
    return bool(flag.default) if flag.boolean else flag.default not in (None, [], "")


def _write_default(name, flag):
    """As a user would write it."""
    return f"--{name}" if flag.boolean else flag.default_as_str.strip("'")


_WHOLE: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}

_ADDED = {"repeat this option": "May be repeated.", "comma separated": "With commas between."}
