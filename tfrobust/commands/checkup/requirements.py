"""The packages that tfrobust declares, beside those that are installed."""

import configparser
import importlib.metadata
import pathlib
import re
import shlex
from collections.abc import Iterable, Iterator

from packaging.requirements import Requirement
from packaging.version import Version

from tfrobust.commands.checkup.finding import FAULT, NOTE, OK, Finding

_CHECKOUT = pathlib.Path(__file__).resolve().parents[3]

# Operators by which a version may be too new.
_UPPER = {"<", "<=", "!="}


def read_requirements() -> dict[str, list[Requirement]]:
    """The extra -> what it needs; "" stands for tfrobust itself."""
    settings = configparser.ConfigParser()
    settings.read(_CHECKOUT / "setup.cfg", encoding="utf-8")
    if settings.get("metadata", "name", fallback="") == "tfrobust":
        texts = dict(settings["options.extras_require"])
        return {
            extra: [Requirement(line) for line in text.splitlines() if line.strip()]
            for extra, text in {"": settings["options"]["install_requires"], **texts}.items()
        }
    declared = importlib.metadata.metadata("tfrobust")
    lines = [Requirement(line) for line in importlib.metadata.requires("tfrobust") or ()]
    return {
        extra: list(_choose_extra(lines, extra))
        for extra in ("", *declared.get_all("Provides-Extra", ()))
    }


def check_requirements(requirements: list[Requirement]) -> list[Finding]:
    """A finding for each package that tfrobust needs."""
    return [_check(requirement) for requirement in requirements]


def check_extras(requirements: dict[str, list[Requirement]]) -> list[Finding]:
    """A finding for each extra: what of it is missing, and the command that installs it."""
    findings = []
    for extra, needed in requirements.items():
        if not extra:
            continue
        lacking = {str(one): list(_list_missing(one)) for one in needed}
        missing = [name for names in lacking.values() for name in names]
        if missing:
            shown = ", ".join(missing[:4]) + (" and more" if len(missing) > 4 else "")
            remedy = install(one for one, names in lacking.items() if names)
            findings.append(
                Finding(NOTE, f"{extra}: without {shown}.", f"Install it with: {remedy}")
            )
        else:
            findings.append(Finding(OK, f"{extra}: complete."))
    return findings


def install(requirements: Iterable[str]) -> str:
    """The command that installs what is missing, by the packages' own names: tfrobust is there already."""
    return shlex.join(["pip", "install", *(re.sub(r"\s*;.*", "", one) for one in requirements)])


def _check(requirement):
    bounds = f" ({requirement.specifier})" if requirement.specifier else ""
    remedy = f"Install it with: pip install '{requirement}'"
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(FAULT, f"{requirement.name} is missing{bounds}.", remedy)
    told = f"{requirement.name} {version}{bounds}"
    broken = [s for s in requirement.specifier if not s.contains(version, prereleases=True)]
    if not broken:
        return Finding(OK, told)
    if {s.operator for s in broken} <= _UPPER:
        return Finding(NOTE, f"{told}: newer than what was tested.", f"{remedy} if anything fails.")
    return Finding(FAULT, f"{told}: too old.", remedy)


def _list_missing(requirement) -> Iterator[str]:
    """Names of what a requirement of an extra lacks, its own extras included."""
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        yield requirement.name
        return
    if not requirement.specifier.contains(Version(version), prereleases=True):
        yield f"{requirement.name} {requirement.specifier}"
    inner = [Requirement(line) for line in importlib.metadata.requires(requirement.name) or ()]
    for extra in requirement.extras:
        for one in _choose_extra(inner, extra):
            yield from _list_missing(one)


def _choose_extra(requirements, extra):
    """Those that an extra adds; "" for those that are always needed."""
    for one in requirements:
        always = one.marker is None or one.marker.evaluate({"extra": ""})
        if always if not extra else (not always and one.marker.evaluate({"extra": extra})):
            yield one
