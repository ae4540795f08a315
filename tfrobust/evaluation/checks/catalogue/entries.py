"""Every check of the package, and the settings of an evaluation's checks from what a user gives."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from tfrobust.errors import UserError
from tfrobust.evaluation.checks.after import (
    black_box,
    certificates,
    noise,
    records,
    suite,
    training_log,
)
from tfrobust.evaluation.checks.before import consistency, gradients, inputs, outputs
from tfrobust.evaluation.checks.beside import (
    budget,
    disagreement,
    landscape,
    radius,
    selftest,
    strength,
)
from tfrobust.evaluation.checks.check import Check, Limits
from tfrobust.ops.numbers import integer, number

# When a check runs -> the modules that hold such checks.
MODULES: dict[str, tuple[ModuleType, ...]] = {
    "before": (inputs, outputs, consistency, gradients),
    "beside": (strength, radius, disagreement, landscape, selftest, budget),
    "after": (black_box, suite, noise, records, certificates, training_log),
}


def list_checks(when: str | None = None) -> tuple[Check, ...]:
    """All checks, or those that run "before", "beside" or "after" the attacks, as their modules have them.

    Example:
    >>> [check.id for check in list_checks("before")][:2]
    ['C2', 'C3']
    """
    found: dict[Check, str] = {}
    for name, modules in MODULES.items():
        for value in (value for module in modules for value in vars(module).values()):
            if isinstance(value, Check):
                # A later module may use an earlier one's check.
                found.setdefault(value, name)
    return tuple(check for check, name in found.items() if when in (None, name))


def read_limits(thresholds: Mapping[str, Mapping[str, float]] | None = None) -> Limits:
    """The settings of all checks: the defaults of `docs/checks.md`, but for those that are given.

    Args:
        thresholds: id of a check -> name of a setting -> number, or None for the defaults.

    Returns:
        `Limits`.

    Raises:
        UserError: no check has such an id, the check no such setting, or the value is not a number of its
            kind.

    Example:
    >>> read_limits({"C8": {"share": 0.03}}).changes
    {'C8': {'share': 0.03}}
    """
    if thresholds is None:
        return Limits()
    hint = "Give a dict such as {'C8': {'share': 0.03}}; docs/checks.md lists the settings."
    if not isinstance(thresholds, Mapping):
        raise UserError(
            f"`thresholds` must map ids of checks to their settings. Received: {thresholds!r}. {hint}"
        )
    checks = {check.id: check for check in list_checks() if check.settings}
    changes: dict[str, dict[str, float]] = {}
    for id, settings in thresholds.items():
        if id not in checks:
            raise UserError(
                f"There is no check {id!r} with settings. Those that have some: {', '.join(checks)}. {hint}"
            )
        if not isinstance(settings, Mapping):
            raise UserError(f"The settings of {id} must be a dict. Received: {settings!r}. {hint}")
        changes[id] = {n: _read(checks[id], n, value) for n, value in settings.items()}
    return Limits(changes)


def _read(check: Check, name: str, value: Any) -> float:
    if name not in check.settings:
        raise UserError(
            f"{check.id} ({check.title}) has no setting {name!r}. It has: {', '.join(check.settings)}."
        )
    told = f"thresholds[{check.id!r}][{name!r}]"
    if isinstance(check.settings[name].default, int):
        return integer(value, told, 1)
    return number(value, told, 0.0)
