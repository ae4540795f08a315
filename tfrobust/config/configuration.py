"""The only file that knows gin: configuration files in, a configured call and its record out."""

import inspect
import os
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import gin

from tfrobust.compat import forget_gin_names, gin_bindings, gin_used_values, search_gin_files
from tfrobust.config import names as gin_names
from tfrobust.config.overrides import track_overrides
from tfrobust.config.preview import HEAD, Preview
from tfrobust.errors import UserError, one_line


class Configuration:
    """The configuration of a run: what the gin files and bindings say, and what of it was used.

    Args:
        files: paths of gin files, later ones override earlier ones.
        bindings: lines of gin, which override the files.
        root: folder in which `include 'gin/parts/...'` finds its files.
        optional: paths of gin files that come after those, and of whose bindings only what the others have a
            use for counts: a part that suits many files, such as that of a scale.
        trust: import and call whatever the files name; otherwise only what tfrobust's rooms offer, and
            Keras's optimizers and their like (see `names`).

    Raises:
        UserError: a file is missing, says something that nothing understands, or names what it may not.
    """

    def __init__(
        self,
        files: Sequence[str],
        bindings: Sequence[str] = (),
        root: str | os.PathLike = ".",
        trust: bool = False,
        optional: Sequence[str] = (),
    ) -> None:
        gin.clear_config()
        # gin names a thing in its texts as the first file did that was read in the process: the text of a
        # configuration, by which a run knows it again, would depend on what was read before.
        forget_gin_names()
        # Files only: gin would import a package in which to look for an included file.
        search_gin_files([str(pathlib.Path(root).resolve()), ""], [(open, os.path.isfile)])
        preview = Preview([*files, *optional], bindings, root, trust)
        paths, lines = preview.paths, [*HEAD, *bindings] if bindings else []
        if not trust:
            gin_names.check_names(preview.texts)
        preview.check_dynamic()
        try:
            with track_overrides(paths[len(files) :]):
                gin.parse_config_files_and_bindings(paths, lines or None)
        except Exception as error:
            raise UserError(f"The configuration cannot be read: {_join_lines(error)}") from error
        if not trust:
            gin_names.check_objects()
        self.given = gin.config_str()
        self.files = [_shorten_path(path, root) for path in paths]
        self.bindings = tuple(bindings)

    def bind(self, function: Callable) -> Callable[..., Any]:
        """The function with the arguments that the configuration binds to it.

        Called with arguments by name it raises `UserError` before it begins if one that it needs is missing,
        or what is bound cannot be built.
        """
        try:
            call = gin.get_configurable(function)
        except ValueError as error:
            raise UserError(
                f"The configuration binds nothing of `{function.__name__}`, so there is nothing to run. "
                "Start from one of the files in the folder gin/."
            ) from error

        def configured(**given):
            bound = {**self._build(function), **given}
            parameters = inspect.signature(function).parameters.values()
            missing = [p.name for p in parameters if p.default is p.empty and p.name not in bound]
            if missing:
                room = function.__module__.split(".")[1]
                raise UserError(
                    f"The configuration does not bind {', '.join(missing)} of {room}.{function.__name__}. "
                    f"Add a line such as {room}.{function.__name__}.{missing[0]} = ..., or include one of "
                    "the files in the folder gin/."
                )
            return call(**given)

        return configured

    def _build(self, function):
        try:
            # gin would do it at the call, where its errors could not be told from those of the function.
            return gin.get_bindings(function)
        except UserError:
            raise
        except RecursionError as error:
            raise UserError(
                "The configuration cannot be built: a macro or function needs itself, as in EPOCHS = %EPOCHS."
            ) from error
        except Exception as error:
            call = re.search(
                r"In call to configurable '(\w+)'.*?( in scope '[^']*')?$", str(error), re.M
            )
            where = f" (in the call of {call[1]}{call[2] or ''})" if call else ""
            raise UserError(
                f"The configuration cannot be built: {one_line(error)}{where}"
            ) from error

    def list_bound(self, function: Callable, argument: str) -> frozenset[str]:
        """Names of what is bound to the function which is bound to an argument of `function`."""
        value = gin.get_bindings(function, resolve_references=False).get(argument)
        while isinstance(value, gin.config.ConfigurableReference):
            selector = "/".join((*value.scopes, value.configurable.selector))
            bound = gin.get_bindings(selector, resolve_references=False)
            if not value.evaluate:
                return frozenset(bound)
            # A macro stands for its value; what any other call gives is not known.
            value = bound.get("value") if value.config_key[1] == "gin.macro" else None
        return frozenset()

    def format_used(self) -> str:
        """All values that have been used so far, defaults included, as gin text."""
        return gin.operative_config_str()

    def check_all_used(self) -> None:
        """Raises `UserError` for bindings that nothing has used; call it when everything is built."""
        unused = sorted(set(_list_bindings(gin_bindings())) - _list_used_bindings())
        if unused:
            named = ", ".join(_format_binding(*binding) for binding in unused)
            raise UserError(
                f"Nothing uses these bindings: {named}. Look for a misspelt name or scope, or remove them."
            )


def _shorten_path(path, root):
    # Relative to the repository where that says more than the machine's own path.
    root = pathlib.Path(root).resolve()
    return str(pathlib.Path(path).relative_to(root)) if root in pathlib.Path(path).parents else path


def _list_bindings(config):
    for (scope, selector), arguments in config.items():
        for argument in arguments:
            yield scope, selector, argument


def _list_used_bindings():
    # gin notes values under the scope of the call; a binding without a scope, or with a part of it, is used
    # by calls in deeper scopes too.
    reached = set()
    for scope, selector, argument in _list_bindings(gin_used_values()):
        parts = scope.split("/") if scope else []
        for depth in range(len(parts) + 1):
            reached.add(("/".join(parts[:depth]), selector, argument))
    return reached


def _format_binding(scope, selector, argument):
    if selector == "gin.macro":
        return scope
    prefix = f"{scope}/" if scope else ""
    return f"{prefix}{selector.removeprefix('tfrobust.')}.{argument}"


def _join_lines(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:3]) or type(error).__name__
