"""Which flags of `benchmark` go together."""

import os

from absl import flags

from tfrobust.benchmarks.reference.libraries import check_library
from tfrobust.commands.start import first_look
from tfrobust.errors import UserError
from tfrobust.runs.exported import find_classifier

# The value of --data that stands for arrays.
IN_MEMORY = "memory"

# Flags that describe training steps.
_OF_STEPS = ("model", "width", "batch_size", "image_size", "repeats", "methods", "layers")

# Those that do not describe how pictures are read.
_NOT_OF_DATA = ("model", "width", "methods", "layers", "device", "evaluate", "autoattack")

# Those that do not describe how the signatures of an export are measured.
_NOT_OF_EXPORT = (*(name for name in _OF_STEPS if name != "repeats"), "device", "data", "evaluate")
_NOT_OF_EXPORT += ("autoattack",)

# Flags that say more of a measurement, and what measures it.
_BELONGS = {
    "suite": ("evaluate",),
    "examples": ("evaluate", "autoattack"),
    "libraries": ("autoattack",),
    "python": ("autoattack",),
}


def check(values: flags.FlagValues) -> None:
    """Raises `UserError` for flags that do not go together, and runs that are not there."""
    for folder in (*values.evaluate, *values.autoattack, *values.export):
        find_classifier(folder)
    for name in _NOT_OF_EXPORT:
        if values.export and values[name].present:
            raise UserError(
                f"--{name} does not apply to --export, which measures signatures. Leave it out."
            )
    first_look.check_methods(values.methods)
    first_look.check_suite(values.suite, None, ())
    if values.data is not None:
        if values.data != IN_MEMORY and not os.path.isdir(values.data):
            raise UserError(
                f"There is no folder {values.data}. Give one of JPEG files by class, or --data={IN_MEMORY}."
            )
        for name in _NOT_OF_DATA:
            if values[name].present:
                raise UserError(
                    f"--{name} does not apply to --data, which measures training batches. Leave it out."
                )
    for name in ("precision", "jit_compile"):
        if values[name].present and not values.device:
            raise UserError(f"--{name} says how --device computes. Give that too.")
    if values.device and values["layers"].present:
        raise UserError("--layers does not apply to --device, which measures steps. Leave it out.")
    if values.evaluate and values.autoattack:
        raise UserError("--evaluate and --autoattack measure different things. Give one of them.")
    for name, owners in _BELONGS.items():
        if values[name].present and not any(values[owner].value for owner in owners):
            raise UserError(
                f"--{name} says what to measure with "
                f"{' or '.join(f'--{owner}=RUN' for owner in owners)}. Give that too."
            )
    for name in (*_OF_STEPS, "device"):
        if values[name].present and (values.evaluate or values.autoattack):
            measured = "evaluate" if values.evaluate else "autoattack"
            raise UserError(
                f"--{name} does not apply to --{measured}, which measures runs. Leave it out."
            )
    if values.autoattack:
        for library in values.libraries:
            check_library(library, values.python)
