"""The page that `--help` prints."""

import re
import shlex
import textwrap

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
    return (
        f"{summary}\n\nUsage: {program} {usage}\n\nExamples:\n\n{body.rstrip()}\n\n"
        f"Flags:\n{_describe_flags(values)}\n\n{found}{status.rstrip()}"
    )


def list_examples(text: str, name: str) -> list[list[str]]:
    """The arguments of each example of a command's text; what is said beside one is left out."""
    lines = re.findall(rf"^    python bin/{name}\.py(.*)$", text, re.M)
    # Two spaces or more stand before what an example is for.
    return [shlex.split(re.split(r"\s{2,}(?=\S)", line.rstrip())[0]) for line in lines]


def _describe_flags(values):
    return "\n".join(_describe_flag(name, values[name]) for name in values)


def _describe_flag(name, flag):
    # absl adds to a text which values there are, and what may be repeated.
    choices, told = re.fullmatch(r"(?:<([^>]*)>: )?(.*)", flag.help, re.DOTALL).groups()
    told, _, added = told.partition(";\n")
    shown = f"--[no]{name}" if flag.boolean else f"--{name}={choices or '...'}"
    more = [end for word, end in _ADDED.items() if word in added]
    default = [f"Default: {flag.default_as_str}."] if flag.default else []
    text = " ".join([*told.split(), *more, *default])
    indent = 6 * " "
    return f"  {shown}\n" + textwrap.fill(
        text,
        100,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


_ADDED = {"repeat this option": "May be repeated.", "comma separated": "With commas between."}
