"""The commands of the shell: what `bin/*.py` call.

`import tfrobust` imports TensorFlow and all of the package, so that Keras finds the classes of a saved model.
That takes seconds. A command first looks at its request, with those modules of the package that need no
TensorFlow, and says at once what is wrong with it; only then the package's own `__init__` runs. This file is
not in the package, since nothing in there can be imported before that.
"""

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence


def main(name: str, argv: Sequence[str] | None = None) -> int:
    """Runs a command of `tfrobust.commands`.

    Args:
        name: of the command, such as "train".
        argv: the command line with the program's name first; `sys.argv` if None.

    Returns:
        The exit status.
    """
    with contextlib.ExitStack() as stack:
        initialise = _open_package()
        command = importlib.import_module(f"tfrobust.commands.{name}").COMMAND

        def prepare(verbosity: int) -> None:
            from tfrobust.commands.start.library_log import quiet_libraries

            os.environ.setdefault("KERAS_BACKEND", "tensorflow")
            stack.enter_context(quiet_libraries(verbosity))
            initialise()

        return command.main(argv, prepare)


def _open_package() -> Callable[[], None]:
    """Lets modules of tfrobust be imported without its `__init__`; returns what runs that afterwards."""
    if "tfrobust" in sys.modules:
        return lambda: None
    spec = importlib.util.find_spec("tfrobust")
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError("There is no package tfrobust on the path of Python.")
    package = importlib.util.module_from_spec(spec)
    sys.modules["tfrobust"] = package
    loader = spec.loader
    return lambda: loader.exec_module(package)
