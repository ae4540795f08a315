"""The only file that knows gin: configuration files in, a configured call and its record out."""

import pathlib
import re

import gin

from tfrobust.errors import UserError
from tfrobust.gin_overrides import overriding

# So that bindings may name what the files do not import.
_NAMES = (
    "attacks",
    "data",
    "evaluation",
    "losses",
    "methods",
    "models",
    "recipes",
    "regularizers",
    "threat_models",
    "training",
    "weights",
)
_ROOMS = (
    "from __gin__ import dynamic_registration",
    *(f"from tfrobust import {room}" for room in _NAMES),
)


class Configuration:
    """The configuration of a run: what the gin files and bindings say, and what of it was used.

    Args:
        files: paths of gin files, later ones override earlier ones.
        bindings: lines of gin, which override the files.
        root: folder in which `include 'gin/parts/...'` finds its files.

    Raises:
        UserError: a file is missing or says something that nothing understands.
    """

    def __init__(self, files, bindings=(), root="."):
        gin.clear_config()
        # First, because gin logs an error for every place where an included file is not.
        gin.config._LOCATION_PREFIXES[:] = [str(pathlib.Path(root).resolve()), ""]
        if not files:
            raise UserError("Which configuration? Give --gin_file=gin/trades_mer.gin, for example.")
        paths = [_found(file, root) for file in files]
        try:
            with overriding():
                gin.parse_config_files_and_bindings(
                    paths, [*_ROOMS, *bindings] if bindings else None
                )
        except Exception as error:
            raise UserError(
                f"The configuration cannot be read: {_one_line(error)}{_missing_lines(error)}"
            ) from error
        self.given = gin.config_str()
        self.files = [_shown(path, root) for path in paths]

    def configured(self, function):
        """The function with the arguments that the configuration binds to it."""
        try:
            return gin.get_configurable(function)
        except ValueError as error:
            raise UserError(
                f"The configuration binds nothing of `{function.__name__}`, so there is nothing to run. "
                "Start from one of the files in the folder gin/."
            ) from error

    def value(self, name):
        """What the configuration binds to a parameter, such as "tfrobust.training.train.data".

        A reference to a function comes back as that function with its own arguments bound.
        """
        try:
            value = gin.query_parameter(name)
        except ValueError as error:
            raise UserError(f"The configuration binds nothing to {name}.") from error
        return getattr(value, "scoped_configurable_fn", value)

    def used(self):
        """All values that have been used so far, defaults included, as gin text."""
        return gin.operative_config_str()

    def check_all_used(self):
        """Raises `UserError` for bindings that nothing has used; call it when everything is built."""
        unused = sorted(set(_bindings(gin.config._CONFIG)) - _reached())
        if unused:
            named = ", ".join(_written(*binding) for binding in unused)
            raise UserError(
                f"Nothing uses these bindings: {named}. Look for a misspelt name or scope, or remove them."
            )


def settings_of_run(folder):
    """The data and the threat model of a run, from the configuration that it keeps.

    Args:
        folder: the run's, with its `config.gin`.

    Returns:
        `data.Splits`, and the `ThreatModel` of its test attack.
    """
    configuration = Configuration([pathlib.Path(folder, "config.gin")])
    test_attack = configuration.value("tfrobust.training.train.test_attack")()
    return configuration.value("tfrobust.training.train.data")(), test_attack.threat_model


def _found(file, root):
    for folder in (".", root):
        path = pathlib.Path(folder, file).resolve()
        if path.is_file():
            return str(path)
    raise UserError(f"There is no gin file {file!r}. The files to run are in the folder gin/.")


def _shown(path, root):
    # Relative to the repository where that says more than the machine's own path.
    root = pathlib.Path(root).resolve()
    return str(pathlib.Path(path).relative_to(root)) if root in pathlib.Path(path).parents else path


def _bindings(config):
    for (scope, selector), arguments in config.items():
        for argument in arguments:
            yield scope, selector, argument


def _reached():
    # gin notes values under the scope of the call; a binding without a scope, or with a part of it, is used
    # by calls in deeper scopes too.
    reached = set()
    for scope, selector, argument in _bindings(gin.config._OPERATIVE_CONFIG):
        parts = scope.split("/") if scope else []
        for depth in range(len(parts) + 1):
            reached.add(("/".join(parts[:depth]), selector, argument))
    return reached


def _written(scope, selector, argument):
    if selector == "gin.macro":
        return scope
    prefix = f"{scope}/" if scope else ""
    return f"{prefix}{selector.removeprefix('tfrobust.')}.{argument}"


def _missing_lines(error):
    """What to add to a file that names a room of tfrobust without importing it, or nothing."""
    unknown = re.search(
        r"No configurable matching (?:reference )?'[@%]?(?:[^'/]*/)*(\w+)|NameError: '(\w+)'|"
        r"'(\w+)' was not provided by an import",
        str(error),
    )
    room = next(filter(None, unknown.groups()), None) if unknown else None
    if room not in _NAMES:
        return ""
    return (
        ". The file lacks one or both of the lines 'from __gin__ import dynamic_registration' and "
        f"'from tfrobust import {room}': put them at its top, the first one before all imports."
    )


def _one_line(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:3]) or type(error).__name__
