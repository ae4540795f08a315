"""What TensorFlow and the libraries beneath it log, without the lines that nobody can act on.

TensorFlow logs from C++ to descriptor 2, some of it before the level that TF_CPP_MIN_LOG_LEVEL asks for is
known, and calls errors what is none. No setting silences just these lines, so that a command reads
what is written to descriptor 2 and hands on the rest. Python's own standard error does not go that way.
"""

import contextlib
import glob
import os
import re
import select
import signal
import sys
import time
from collections.abc import Iterator

_INFORMATION = re.compile(r"I\d{4} \d\d:\d\d:\S+ +\d+ \S+\] |\d{4}-\d\d-\d\d \S+: I \S+\] ")
# Each with what it says; none of them is about the request, the data, the disk or the memory.
_NOBODY_ACTS_ON = (
    # A remark on the lines after it.
    r"WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR",
    # Data pipelines as TensorFlow rewrites them for itself.
    r".*NodeDef mentions attribute use_unbounded_threadpool which is not in the op definition",
    # The end of every data set.
    r".*Local rendezvous is aborting with status: OUT_OF_RANGE: End of sequence",
    # Which kernels of oneDNN this processor has not; nothing asks for them.
    r".*oneDNN supports DT_\w+ only on platforms with",
    # Graphs in float64, such as those of certificates: oneDNN leaves them to TensorFlow's own kernels.
    r".*Not handling type DT_DOUBLE",
    # How LiteRT's converter is told its own settings.
    r".*Ignored (?:output_format|drop_control_dependency)\.",
    r".*Skipping runtime version metadata in the model",
    r"fully_quantize: \d+, inference_type: ",
    # Parts of CUDA that TensorFlow's wheel has twice.
    r".*Unable to register cu\w+ (?:factory|plugin)|.*computation placer already registered",
)
# What is said of GPUs on a machine that has none.
_OF_GPUS = (
    r".*failed call to cuInit",
    r".*Could not find cuda drivers on your machine",
    r".*Could not find TensorRT",
)


def is_noise(line: str, has_gpu: bool) -> bool:
    """Whether nobody can act on a line of TensorFlow's log.

    Args:
        line: as it was written, without its end.
        has_gpu: whether the machine has a GPU of NVIDIA's, and the user has not hidden it.
    """
    patterns = _NOBODY_ACTS_ON if has_gpu else _NOBODY_ACTS_ON + _OF_GPUS
    return bool(_INFORMATION.match(line)) or any(re.match(p, line) for p in patterns)


def find_gpu(root: str = "/") -> bool:
    """Whether the machine has a GPU of NVIDIA's that CUDA_VISIBLE_DEVICES does not hide.

    Args:
        root: where to look for the system's files.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    if glob.glob(os.path.join(root, "dev/nvidia[0-9]*")) or os.path.exists(
        os.path.join(root, "dev/dxg")
    ):
        return True
    for path in glob.glob(os.path.join(root, "sys/bus/pci/devices/*/vendor")):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
            kind = os.path.join(os.path.dirname(path), "class")
            if file.read().strip() == "0x10de" and _read(kind).startswith("0x03"):
                return True
    return False


@contextlib.contextmanager
def quiet_libraries(verbosity: int) -> Iterator[None]:
    """Keeps such lines away within the block; call it before TensorFlow is imported.

    Another process reads what libraries write to descriptor 2, so that no last words are lost
    however this one ends. `sys.stderr` remains where it was.

    Args:
        verbosity: 1 leaves everything as it is. So does a TF_CPP_MIN_LOG_LEVEL that the user has set.
    """
    if verbosity or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "1"
    try:
        with _diverted() if os.name == "posix" and _is_open(2) else contextlib.nullcontext():
            yield
    finally:
        del os.environ["TF_CPP_MIN_LOG_LEVEL"]


@contextlib.contextmanager
def _diverted():
    former, real = sys.stderr, os.dup(2)
    reader = _divert(real)
    if former is not None and _descriptor(former) == 2:
        # Bars and tracebacks go straight to where they went before, a terminal if it was one.
        former.flush()
        sys.stderr = open(real, "w", 1, former.encoding, former.errors, closefd=False)
    try:
        yield
    finally:
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(real, 2)
        sys.stderr = former
        _wait(reader)
        os.close(real)


def _divert(real):
    """Lets another process read what is written to descriptor 2 from now on; returns its number."""
    read_end, write_end = os.pipe()
    has_gpu = find_gpu()
    # A signal that comes at once must not find the reader unprepared.
    former = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    child = os.fork()
    if child:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
        os.close(read_end)
        os.dup2(write_end, 2)
        os.close(write_end)
        return child
    try:
        os.close(write_end)
        # What stops the command, or all of its group, leaves this one to read to the end.
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGTSTP}:
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
        for descriptor in (0, 1):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        hand_on(read_end, real, has_gpu)
    finally:
        os._exit(0)


def hand_on(source: int, target: int, has_gpu: bool) -> None:
    """Copies lines from a descriptor to another one until its end, without noise.

    A line that is not complete after a tenth of a second is handed on as it is: it may be a prompt.
    """
    rest, in_line = b"", False
    while True:
        if rest and not select.select([source], [], [], 0.1)[0]:
            _write(target, rest)
            rest, in_line = b"", True
        content = os.read(source, 65536)
        *lines, rest = (rest + content).split(b"\n")
        for line in lines:
            if in_line or not is_noise(line.decode("utf-8", "replace"), has_gpu):
                _write(target, line + b"\n")
            in_line = False
        if not content:
            _write(target, rest)
            return


def _write(target, content):
    while content:
        content = content[os.write(target, content) :]


def _wait(child, seconds=2.0):
    # Processes that outlive this one may hold the descriptor still.
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            return
        time.sleep(0.002)


def _descriptor(file):
    try:
        return file.fileno()
    except (OSError, ValueError, AttributeError):
        return None


def _is_open(descriptor):
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _read(path):
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""
