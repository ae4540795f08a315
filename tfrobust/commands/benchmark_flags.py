"""Which flags of `benchmark` go together."""

from absl import flags

from tfrobust.benchmarks.reference.libraries import check_library
from tfrobust.commands import first_look
from tfrobust.errors import UserError
from tfrobust.runs.exported import find_classifier

# Flags that describe training steps.
_OF_STEPS = ("model", "width", "batch_size", "image_size", "repeats", "methods", "layers")

# Flags that say more of a measurement, and what measures it.
_BELONGS = {
    "suite": ("evaluate",),
    "examples": ("evaluate", "autoattack"),
    "libraries": ("autoattack",),
    "python": ("autoattack",),
}


def check(values: flags.FlagValues) -> None:
    """Raises `UserError` for flags that do not go together, and runs that are not there."""
    for folder in (*values.evaluate, *values.autoattack):
        find_classifier(folder)
    first_look.check_methods(values.methods)
    first_look.check_suite(values.suite, None, ())
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
    if values.data and (values.evaluate or values.autoattack or values.device):
        raise UserError(
            "--data measures training batches. Leave out --evaluate, --autoattack and --device."
        )
    for name in ("model", "width", "methods", "layers"):
        if values.data and values[name].present:
            raise UserError(f"--{name} does not apply to --data, which has no model. Leave it out.")
    if values.autoattack:
        for library in values.libraries:
            check_library(library, values.python)
