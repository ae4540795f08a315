"""The points of a sweep: every combination of the values, each with every seed."""

import ast
import dataclasses
import hashlib
import io
import itertools
import re
import tokenize
from collections.abc import Sequence
from typing import Any

from tfrobust.config.text import GinText
from tfrobust.errors import UserError, one_line
from tfrobust.runs.reports.lines import unify_value

_OPENING, _CLOSING = "([{", ")]}"
# File systems take 255 bytes, and unfinished files have longer names than what they become.
_LONGEST = 200
_SEEDS = {"SEED", "training.train.seed"}


@dataclasses.dataclass(frozen=True)
class Point:
    """One run of a sweep.

    Args:
        values: pairs of what gin binds, such as "BETA" or "recipes.trades.beta", and its value as gin text.
        seed: of the run; None for the one of the gin file.
    """

    values: tuple[tuple[str, str], ...]
    seed: int | None = None

    @property
    def bindings(self) -> tuple[str, ...]:
        """Lines of gin that make the run out of the sweep's gin file."""
        lines = tuple(f"{name} = {value}" for name, value in self.values)
        return lines if self.seed is None else (*lines, f"training.train.seed = {self.seed}")

    @property
    def meaning(self) -> tuple[Any, ...]:
        """What two points have in common that are the same, with values written in different ways."""
        return tuple((name, unify_value(value)) for name, value in self.values), self.seed

    @property
    def name(self) -> str:
        """Names the run's folder, such as "BETA=3,seed=0"; two points of a sweep never share it."""
        shown = shorten(self.values)
        parts = [f"{_make_plain(name)}={_make_plain(value)}" for name, value in shown]
        parts += [] if self.seed is None else [f"seed={self.seed}"]
        name = ",".join(parts) or "run"
        if len(name) <= _LONGEST:
            return name
        digits = hashlib.sha256(repr((self.values, self.seed)).encode()).hexdigest()[:8]
        return f"{name[: _LONGEST - 9]}-{digits}"


def parse_grid(lines: Sequence[str], seeds: Sequence[int] = ()) -> tuple[Point, ...]:
    """Lists all combinations of values and seeds.

    Args:
        lines: such as "BETA = 1, 3, 6, 9": a macro or an argument that gin binds, and its values.
        seeds: whole numbers; empty for the seed of the gin file.

    Returns:
        The `Point`s. The first line changes slowest, seeds change fastest.

    Raises:
        UserError: a line is not of this form, or a name or a value stands twice.

    Example:
        >>> from tfrobust.sweeps.grid import parse_grid
        >>> [point.name for point in parse_grid(["BETA = 1, 6"], seeds=(0, 1))]
        ['BETA=1,seed=0', 'BETA=1,seed=1', 'BETA=6,seed=0', 'BETA=6,seed=1']
    """
    axes = [_parse_line(line) for line in lines]
    names = [name for name, _ in axes]
    _check_different(names, "--grid binds {} twice: put all of its values into one --grid.")
    for name in _SEEDS & set(names):
        raise UserError(
            f"--grid binds {name}, and seeds have a flag of their own: give --seeds=0,1,2."
        )
    _check_different(seeds, "--seeds has {} twice: give different seeds.")
    choices = [[(name, value) for value in values] for name, values in axes]
    points = tuple(
        Point(values, seed) for values in itertools.product(*choices) for seed in (seeds or (None,))
    )
    check_folders(points)
    return points


def check_folders(points: Sequence[Point]) -> None:
    """Raises `UserError` where two points would have one folder."""
    _check_different(
        [point.name.casefold() for point in points],
        "Two runs would share the folder {}: write the values in a way that differs by more than signs.",
    )


def shorten(values: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same pairs for people: the last part of each name if that tells them apart, texts without quotes.

    Example:
        >>> from tfrobust.sweeps.grid import shorten
        >>> shorten([("threat_models.Linf.epsilon", "'8/255'"), ("train/attacks.PGD.keep", "(1, 2)")])
        [('epsilon', '8/255'), ('keep', '(1, 2)')]
    """
    last = [name.rpartition(".")[2] for name, _ in values]
    # "seed" is that of the run.
    short = len({*last, "seed"}) == len(last) + 1
    names = last if short else [name for name, _ in values]
    return [(name, _unquote(value)) for name, (_, value) in zip(names, values, strict=True)]


def _unquote(text):
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, str) and value.strip() else text


def _make_plain(text):
    # What file systems and shells take without quotes, and no comma, which separates the parts.
    return re.sub(r"[^\w.+-]+", "_", text).strip("_") or "_"


def _parse_line(line):
    name, equals, rest = line.partition("=")
    name = name.strip()
    if not equals or not re.fullmatch(r"[A-Za-z_][\w./]*", name):
        raise UserError(
            f"--grid must be a name and its values, such as 'BETA = 1, 3, 6'. Received: --grid={line!r}."
        )
    values = _split(rest.strip(), line)
    for value in values:
        error = GinText(f"{name} = {value}").error
        if error is not None:
            raise UserError(
                f"--grid={line!r}: {value!r} is not a value that gin reads: {one_line(error)}. Write text "
                "in quotes."
            )
    _check_different(
        [unify_value(value) for value in values],
        f"--grid={line!r} has the value {{}} twice: give different values.",
        values,
    )
    return name, values


def _split(text, line):
    """Splits at the commas that stand outside of brackets and strings."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError, IndentationError) as error:
        raise UserError(
            f"--grid={line!r} cannot be read: {one_line(error)}. Close all brackets and quotes."
        ) from error
    depth, begin, values = 0, 0, []
    for token in tokens:
        depth += (token.string in _OPENING) - (token.string in _CLOSING) if token.string else 0
        if token.string == "," and depth == 0:
            values.append(text[begin : token.start[1]].strip())
            begin = token.end[1]
    values.append(text[begin:].strip())
    if not all(values):
        raise UserError(f"--grid={line!r} has an empty value: write one between any two commas.")
    return values


def _check_different(values, message, shown=None):
    for place, value in enumerate(values):
        if list(values).index(value) < place:
            raise UserError(message.format(repr((shown or values)[place])))
