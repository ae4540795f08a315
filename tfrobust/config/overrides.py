"""What later lines of gin replace takes with it what only the replaced value has used.

A file says `training.train.epochs = %EPOCHS` and `EPOCHS = 60`; whoever runs it with
`training.train.epochs = 1` has written nothing that could be misspelt, and `EPOCHS` is of no use any more.
"""

import contextlib
import pathlib
from collections.abc import Collection, Iterator
from typing import Any

import gin

from tfrobust.compat import gin_bindings, gin_values_within

_COMMAND_LINE = ""


class Overrides:
    """Notes, while gin parses, which file binds what and which values are replaced by another file or line.

    Use it as a context manager around the parsing, then call `drop_unused`.

    Args:
        optional: absolute paths of files that bind more than one configuration uses, such as a scale.
    """

    def __init__(self, optional: Collection[str] = ()) -> None:
        self._optional = optional
        self._sources = [_COMMAND_LINE]
        self._written: dict[tuple, str] = {}  # binding -> where it was bound last
        self._replaced: list[tuple[Any, str]] = []  # (former value, where it was replaced)

    def __enter__(self):
        self._former = gin.config.bind_parameter, gin.config.parse_config_file
        gin.config.bind_parameter, gin.config.parse_config_file = self._bind, self._parse_file
        return self

    def __exit__(self, *_):
        gin.config.bind_parameter, gin.config.parse_config_file = self._former

    def _parse_file(self, file, *arguments, **options):
        self._sources.append(str(pathlib.Path(file)))
        try:
            return self._former[1](file, *arguments, **options)
        finally:
            self._sources.pop()

    def _bind(self, key, value):
        parsed = gin.config.ParsedBindingKey.parse(key)
        binding, source = (*parsed.config_key, parsed.arg_name), self._sources[-1]
        bound = gin_bindings().get(parsed.config_key, {})
        if parsed.arg_name in bound and self._written.get(binding) != source:
            self._replaced.append((bound[parsed.arg_name], source))
        self._written[binding] = source
        return self._former[0](key, value)

    def drop_unused(self) -> None:
        """Removes bindings that only a replaced value has used, and those of optional files without a use.

        One that stands beside the line that replaces stays: who wrote both meant something by it.
        """
        config = gin_bindings()
        suspects = {
            (scope, selector, argument)
            for value, source in self._replaced
            for scope, selector in _reached_from(value, config)
            for argument in config[scope, selector]
            if self._written.get((scope, selector, argument)) != source
        }
        needed = {b[:2] for b, source in self._written.items() if source not in self._optional}
        suspects |= {
            (scope, selector, argument)
            for (scope, selector, argument), source in self._written.items()
            if source in self._optional
            and (scope, selector) not in needed
            and argument in config.get((scope, selector), {})
        }
        while True:
            referred = [reference.config_key for reference in _references(config.values())]
            scopes = {part for scope, _ in referred for part in scope.split("/")} | {""}
            dropped = {b for b in suspects if not _is_used(b, referred, scopes)}
            for scope, selector, argument in dropped:
                del config[scope, selector][argument]
                if not config[scope, selector]:
                    del config[scope, selector]
            suspects -= dropped
            if not dropped:
                return


def _is_used(binding, referred, scopes):
    scope, selector, _ = binding
    if selector == "gin.macro":
        return (scope, selector) in referred
    # A reference is followed within the scopes of those that lead to it.
    return selector in {name for _, name in referred} and set(scope.split("/")) <= scopes


def _reached_from(value, config):
    """The keys of the configuration that a value leads to, through references."""
    found, rest = set(), [(value, frozenset())]
    while rest:
        value, scopes = rest.pop()
        for reference in _references([value]):
            scope, selector = reference.config_key
            if selector == "gin.macro":
                keys = {reference.config_key} & set(config)
            else:
                # Bindings of an outer scope, or of none, hold in the inner ones.
                scopes = scopes | set(scope.split("/"))
                keys = {
                    k for k in config if k[1] == selector and set(k[0].split("/")) <= scopes | {""}
                }
            rest += [(value, scopes) for key in keys - found for value in config[key].values()]
            found |= keys
    return found


def _references(values):
    for value in gin_values_within(values):
        if isinstance(value, gin.config.ConfigurableReference):
            yield value


@contextlib.contextmanager
def track_overrides(optional: Collection[str] = ()) -> Iterator[None]:
    """Within the block gin parses; at its end what only replaced values have used is gone.

    Args:
        optional: see `Overrides`.
    """
    with Overrides(optional) as overrides:
        yield
    overrides.drop_unused()
