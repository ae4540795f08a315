"""What all commands share: flags in; out come a status, and one line where something cannot work."""

import contextlib
import dataclasses
import errno
import os
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from absl import flags, logging

from tfrobust.commands.start.flag_errors import describe_flag_error
from tfrobust.commands.start.manual import format_manual
from tfrobust.config.modules import import_from_working_directory
from tfrobust.errors import Interrupted, NotFiniteError, UserError, one_line
from tfrobust.ops.random.seeds import SEED_LIMIT

_PACKAGE = pathlib.Path(__file__).resolve().parents[2]

# Where `include 'gin/parts/...'` finds its files: a wheel has them in the package, a checkout beside it.
ROOT = _PACKAGE if (_PACKAGE / "gin").is_dir() else _PACKAGE.parent

# What starts a command in a process of its own, with the command's name after it.
LAUNCHER = (
    sys.executable,
    *[
        str(path / "tfrobust_command.py")
        for path in (_PACKAGE.parent / "bin", _PACKAGE.parent)
        if (path / "tfrobust_command.py").is_file()
    ][:1],
)

DONE, REFUSED, DIVERGED, DOUBTFUL, STOPPED = 0, 2, 3, 4, 75

_HELP = {"help", "helpshort", "helpfull", "h", "?"}


@dataclasses.dataclass(frozen=True)
class Command:
    """A command of the shell.

    Args:
        name: as it is called.
        text: what `--help` says before it lists the flags.
        define: function of a `flags.FlagValues` that defines the flags in it.
        run: function of the parsed flags (and of the list of arguments, if there may be any) that does the
            work and returns a status, None for 0. It imports TensorFlow, not the module.
        check: function of the same that raises `UserError` for what cannot work as far as it is seen without
            TensorFlow: flags, files and folders.
        arguments: what the arguments without a flag are, or None if there are none.
        may_be_empty: names of text flags for which the empty text makes sense.
        needs_tensorflow: function of the same that says whether `run` imports it, and with it all of
            tfrobust.
        usage: what follows the command in the line of usage.
    """

    name: str
    text: str
    define: Callable
    run: Callable
    check: Callable = lambda *_: None
    arguments: str | None = None
    may_be_empty: tuple = ()
    needs_tensorflow: Callable[..., bool] = lambda *_: True
    usage: str = "[flags]"

    @property
    def summary(self) -> str:
        """The first sentence of the text."""
        return self.text.strip().partition("\n")[0]

    def make_flags(self) -> flags.FlagValues:
        """The flags, not parsed yet."""
        values = flags.FlagValues()
        self.define(values)
        flags.DEFINE_integer(
            "verbosity",
            0,
            "1 also shows what TensorFlow and the libraries beneath it log.",
            0,
            1,
            flag_values=values,
        )
        return values

    def main(
        self,
        argv: Sequence[str] | None = None,
        prepare: Callable[[int], None] = lambda verbosity: None,
    ) -> int:
        """Runs the command.

        Args:
            argv: the command line with the program's name first; `sys.argv` if None.
            prepare: function of the flag --verbosity, called before TensorFlow is imported and only if
                nothing is wrong with the request so far.

        Returns:
            The exit status: 0 done; 2 something in the request cannot work, and one line on standard error
            says what; 3 training diverged; 75 stopped by a signal; or what `run` returned.
        """
        argv = list(sys.argv if argv is None else argv)
        values = self.make_flags()
        if any(a.lstrip("-") in _HELP for a in argv[1:] if a.startswith("-")):
            program = (
                argv[0] if argv[0] == f"tfrobust {self.name}" else f"python bin/{self.name}.py"
            )
            print(format_manual(self.text, self.name, self.usage, program, values))
            return DONE
        try:
            given = (values, *self._parse(values, argv))
        except UserError as error:
            return tell("error", error, REFUSED)
        logging.set_verbosity(logging.INFO if values.verbosity else logging.WARNING)
        return run_and_tell(lambda: self._look_and_run(given, prepare))

    def _look_and_run(self, given, prepare):
        if "trust" in given[0] and given[0].trust:
            import_from_working_directory()
        self.check(*given)
        if self.needs_tensorflow(*given):
            prepare(given[0].verbosity)
        return self.run(*given)

    def _parse(self, values, argv):
        """Reads the flags; returns the list of arguments as a tuple of one, or () if there are none."""
        try:
            _, *rest = values(argv)
        except flags.Error as error:
            raise UserError(f"{describe_flag_error(error, values)} See --help.") from error
        for name in values:
            empty = values[name].present and values[name].value in ("", [], [""])
            if empty and name not in self.may_be_empty:
                raise UserError(f"--{name} is empty. Give a value, or leave the flag out.")
        if self.arguments is not None:
            return (rest,)
        if rest:
            raise UserError(f"Unknown argument {rest[0]!r}: flags begin with --, see --help.")
        return ()


def run_and_tell(run: Callable[[], int | None]) -> int:
    """Calls `run` and returns its status, or that of the error that it ends with, told in one line.

    Only what a user can cause is told in one line; anything else is a fault of ours and keeps its traceback.
    """
    try:
        return run() or DONE
    except UserError as error:
        return tell("error", error, REFUSED)
    except NotFiniteError as error:
        return tell("diverged", error, DIVERGED)
    except (Interrupted, KeyboardInterrupt) as error:
        return tell("interrupted", error, STOPPED)
    except BrokenPipeError:
        # Whoever reads our output has heard enough; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        return tell("error", _describe_system_error(error), REFUSED)
    except MemoryError as error:
        return tell("error", f"Not enough memory: {one_line(error)}", REFUSED)
    except Exception as error:
        # By its name: a command that has not needed TensorFlow does not import it here.
        if type(error).__name__ == "ResourceExhaustedError":
            return tell("error", f"Not enough memory: {one_line(error, 300)}", REFUSED)
        raise


def tell(what: str, error: Any, status: int) -> int:
    """Prints one line on standard error and returns the status."""
    if isinstance(error, KeyboardInterrupt):
        error = Interrupted("Stopped at once; what was saved before stays.")
    line = one_line(error)
    if "tfrobust.runs.bar" in sys.modules:
        sys.modules["tfrobust.runs.bar"].close_bars()
    print(f"{what}: {line}", file=sys.stderr)
    return status


@contextlib.contextmanager
def use_data_dir(folder: str | None) -> Iterator[None]:
    """TFDS finds its prepared data sets in `folder` within the block; None changes nothing."""
    former = os.environ.get("TFDS_DATA_DIR")
    if folder is not None:
        os.environ["TFDS_DATA_DIR"] = folder
    try:
        yield
    finally:
        if folder is not None:
            os.environ.pop("TFDS_DATA_DIR")
        if folder is not None and former is not None:
            os.environ["TFDS_DATA_DIR"] = former


def parse_seeds(texts: Sequence[str]) -> tuple[int, ...]:
    """The numbers of a flag --seeds; raises `UserError` for anything but different seeds."""
    for text in texts:
        if not (text.isascii() and text.isdigit()) or int(text) >= SEED_LIMIT:
            raise UserError(
                f"--seeds must be whole numbers with commas between them, such as 0,1,2. Received: {text!r}."
            )
    seeds = tuple(map(int, texts))
    if len(set(seeds)) < len(seeds):
        raise UserError(f"--seeds must all be different. Received: {','.join(texts)}.")
    return seeds


def list_scale_files(scale: str | None) -> list[str]:
    """The gin file of a flag --scale, in a list; an empty one without the flag."""
    return [] if scale is None else [f"gin/parts/scale_{scale}.gin"]


def require_flag(values: flags.FlagValues, name: str) -> Any:
    """The value of a flag that must be given."""
    if values[name].value is None:
        raise UserError(f"Which {name}? Give --{name}=..., see --help.")
    return values[name].value


def _describe_system_error(error):
    where = f"{error.filename}: " if error.filename is not None else ""
    hint = {
        errno.ENOSPC: " Free some space, or choose another folder; what was saved before is whole.",
        errno.EDQUOT: " Free some space, or choose another folder; what was saved before is whole.",
        errno.EROFS: " Choose a folder that can be written.",
        errno.EACCES: " Choose a folder that can be written.",
        errno.ENAMETOOLONG: " Choose a shorter name.",
    }.get(error.errno, "")
    return f"{where}{error.strerror or one_line(error)}.{hint}"
