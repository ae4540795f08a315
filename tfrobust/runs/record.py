"""`run.json`: with what, on what, how and when a run was made."""

import contextlib
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tfrobust.errors import Interrupted, NotFiniteError, UserError
from tfrobust.runs import files
from tfrobust.version import __version__


class RunRecord:
    """Keeps `run.json`: the seed and, for each start of the run, command, versions, devices and times.

    A start that was killed shows by `"status": "running"` and no end, followed by another start.

    Args:
        path: the file; if it exists, this start is added to those in it.
        seed: the run's seed.
        command: the command line; this process's own if None.
        resumed_from: the step that the start goes on from; None if it begins.

    Raises:
        UserError: the file exists and is not a run's record.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        seed: int,
        command: str | None = None,
        resumed_from: int | None = None,
    ) -> None:
        self.path = pathlib.Path(path)
        former = self._read() if self.path.exists() else {"starts": []}
        this = {
            "command": shlex.join(sys.orig_argv) if command is None else command,
            "started": _read_clock(),
            "ended": None,
            "status": "running",
            "resumed_from": resumed_from,
            **describe_environment(),
        }
        self.content = {**former, "seed": seed, "starts": [*former["starts"], this]}
        files.write_json(self.path, self.content)

    def finish(self, status: str) -> None:
        """Notes when and how this start ended.

        Args:
            status: one word or two, such as "done", "interrupted" or "not finite".
        """
        self.content["starts"][-1] |= {"ended": _read_clock(), "status": status}
        files.write_json(self.path, self.content)

    def _read(self):
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            return {**content, "starts": list(content["starts"])}
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{self.path} is not the record of a run. Move it elsewhere or choose another --workdir."
            ) from error


@contextlib.contextmanager
def note_end(record: RunRecord) -> Iterator[None]:
    """Notes in a `RunRecord` how the block ended."""
    try:
        yield
    except (Interrupted, KeyboardInterrupt):
        record.finish("interrupted")
        raise
    except NotFiniteError:
        record.finish("not finite")
        raise
    except BaseException:
        record.finish("failed")
        raise
    record.finish("done")


def describe_environment() -> dict[str, Any]:
    """What a result may depend on besides its configuration.

    Returns:
        Versions of Python and of the packages, the platform, the devices that TensorFlow sees, and the
        git commit of tfrobust's source, if that is where it is imported from.
    """
    return {
        "versions": list_versions(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "devices": [_describe_device(device) for device in tf.config.list_logical_devices()],
        "commit": find_commit(pathlib.Path(__file__).parent),
    }


def list_versions() -> dict[str, str]:
    """Versions of tfrobust, of what computes, and of Python: name -> version."""
    versions = {name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "numpy")}
    return {"tfrobust": __version__, **versions, "python": platform.python_version()}


def find_commit(folder: str | os.PathLike) -> str | None:
    """The commit of a folder that git tracks, with " and changes" if it has any; None if none does."""
    # An installed package may lie inside a repository that does not track it.
    tracked = _git(folder, "ls-files", "--error-unmatch", "__init__.py")
    commit = _git(folder, "rev-parse", "HEAD") if tracked else None
    changes = _git(folder, "status", "--porcelain", ".") if commit else None
    return f"{commit} and changes" if changes else commit


def _git(folder, *arguments):
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True)
    except OSError:  # no git
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _describe_device(device):
    kind = device.device_type
    number = int(device.name.rsplit(":", 1)[1])
    physical = tf.config.list_physical_devices(kind)
    details = {}
    if kind == "GPU" and number < len(physical):
        details = tf.config.experimental.get_device_details(physical[number])
    return " ".join(filter(None, [f"{kind}:{number}", details.get("device_name")]))


def _read_clock():
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
