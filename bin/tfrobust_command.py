"""The commands of the shell: what `tfrobust` and `bin/*.py` call.

`import tfrobust` imports TensorFlow and all of the package, so that Keras finds the classes of a saved model.
That takes seconds. A command first looks at its request, with those modules of the package that need no
TensorFlow, and says at once what is wrong with it; only then the package's own `__init__` runs. This file is
not in the package, since nothing in there can be imported before that.
"""

import contextlib
import gc
import importlib
import importlib.util
import os
import pathlib
import sys
from collections.abc import Callable, Sequence


def main(
    name: str,
    argv: Sequence[str] | None = None,
    initialise: Callable[[], None] | None = None,
) -> int:
    """Runs a command of `tfrobust.commands`.

    Args:
        name: of the command, such as "train".
        argv: the command line with the program's name first; `sys.argv` if None.
        initialise: what runs the package's `__init__`, if the package has been opened already.

    Returns:
        The exit status.
    """
    # Imports and traces make millions of objects that stay: looking for garbage among them every 700 of
    # them, as Python does by itself, takes a fifth of the time until the first step.
    gc.set_threshold(50_000, 10, 10)
    with contextlib.ExitStack() as stack:
        initialise = initialise or _open_package()
        command = importlib.import_module(f"tfrobust.commands.{name}").COMMAND

        def prepare(verbosity: int) -> None:
            from tfrobust.commands.start.library_log import quiet_libraries

            os.environ.setdefault("KERAS_BACKEND", "tensorflow")
            stack.enter_context(quiet_libraries(verbosity))
            initialise()
            gc.freeze()

        try:
            return command.main(argv, prepare)
        finally:
            # Data that TensorFlow has not read to their end must go before Python does, or it complains.
            if "tensorflow" in sys.modules:
                gc.collect()


def run(argv: Sequence[str] | None = None) -> int:
    """Runs `tfrobust COMMAND ...`.

    Args:
        argv: the command line with the program's name first; `sys.argv` if None.

    Returns:
        The exit status.
    """
    arguments = list(sys.argv if argv is None else argv)[1:]
    if arguments[:1] == ["help"] and len(arguments) > 1:
        arguments = [arguments[1], "--help"]
    initialise = _open_package()
    from tfrobust.commands.start.catalogue import choose
    from tfrobust.commands.start.command_line import REFUSED, tell
    from tfrobust.errors import UserError

    try:
        name, answer = choose(arguments)
    except UserError as error:
        return tell("error", error, REFUSED)
    if not name:
        print(answer)
        return 0
    return main(name, [f"tfrobust {name}", *arguments[1:]], initialise)


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


if __name__ == "__main__":
    # In a checkout the package lies beside this folder.
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
    sys.exit(run())
