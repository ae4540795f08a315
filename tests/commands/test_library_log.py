"""What TensorFlow logs that nobody can act on stays away; nothing else does, however the process ends."""

import os
import pathlib
import pty
import signal
import subprocess
import sys
import threading

import pytest

from tfrobust.commands.start.library_log import find_gpu, hand_on, is_noise

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "bin")])}
ABSL = "0000 00:00:1795726259.459348     344 "
NOISE = [
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    f"I{ABSL}port.cc:153] oneDNN custom operations are on. You may see slightly different results.",
    "2024-07-02 13:31:19.012804: I tensorflow/core/platform/cpu_feature_guard.cc:182] This TensorFlow",
    f"E{ABSL}util.cc:131] oneDNN supports DT_HALF only on platforms with AVX-512. Falling back.",
    f"W{ABSL}util.cc:163] Not handling type DT_DOUBLE",
    f"E{ABSL}node_def_util.cc:682] NodeDef mentions attribute use_unbounded_threadpool which is not in "
    "the op definition: Op<name=MapDataset; signature=input_dataset:variant>",
    f"W{ABSL}local_rendezvous.cc:404] Local rendezvous is aborting with status: OUT_OF_RANGE: End of "
    "sequence",
    f"W{ABSL}tf_tfl_flatbuffer_helpers.cc:364] Ignored output_format.",
    "fully_quantize: 0, inference_type: 6, input_inference_type: FLOAT32, output_inference_type: FLOAT32",
    f"E{ABSL}cuda_dnn.cc:8579] Unable to register cuDNN factory: Attempting to register factory",
]
OF_GPUS = [
    f"E{ABSL}cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error: UNKNOWN ERROR (303)",
    "W0000 00:00:1 1 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be used.",
]
REAL = [
    f"W{ABSL}gpu_device.cc:2342] Cannot dlopen some GPU libraries. Please make sure the missing libraries",
    f"E{ABSL}cuda_executor.cc:1228] INTERNAL: CUDA Runtime error: Failed call to cudaGetRuntimeVersion",
    f"W{ABSL}bfc_allocator.cc:501] Allocator (GPU_0_bfc) ran out of memory trying to allocate 8.00GiB",
    f"W{ABSL}util.cc:163] Not handling type DT_STRING",
    f"F{ABSL}gpu_timer.cc:1] Check failed: end of sequence",
    f"E{ABSL}node_def_util.cc:682] NodeDef mentions attribute other which is not in the op definition",
    "Fatal Python error: Segmentation fault",
    "I am a line that somebody prints",
    "",
]


@pytest.mark.parametrize("has_gpu", [False, True])
def test_only_lines_that_ask_for_nothing_are_noise(has_gpu):
    assert all(is_noise(line, has_gpu) for line in NOISE)
    # Where there is a GPU, somebody wants to know why it is not used.
    assert all(is_noise(line, has_gpu) is not has_gpu for line in OF_GPUS)
    assert not any(is_noise(line, has_gpu) for line in REAL)


def test_a_gpu_is_found_by_its_files(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert not find_gpu(str(tmp_path))
    device = tmp_path / "sys/bus/pci/devices/0000:00:02.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text("0x10de\n")
    (device / "class").write_text("0x040300\n")
    assert not find_gpu(str(tmp_path))  # its sound
    (device / "class").write_text("0x030200\n")
    assert find_gpu(str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert not find_gpu(str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    (device / "vendor").unlink()
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidia0").touch()
    assert find_gpu(str(tmp_path))


@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_all_else_is_handed_on_byte_by_byte(size):
    text = "\n".join([*NOISE, *REAL, *OF_GPUS, "no end of line é"]).encode() + b"\xff"
    wanted = "\n".join([*REAL, "no end of line é"]).encode() + b"\xff"
    (read, write), (out, target) = os.pipe(), os.pipe()
    copying = threading.Thread(target=hand_on, args=(read, target, False))
    copying.start()
    for place in range(0, len(text), size):
        os.write(write, text[place : place + size])
    os.close(write)
    copying.join(30)
    os.close(target)
    with open(out, "rb") as file:
        assert file.read() == wanted
    os.close(read)


def test_a_prompt_does_not_wait_for_its_line():
    (read, write), (out, target) = os.pipe(), os.pipe()
    copying = threading.Thread(target=hand_on, args=(read, target, False))
    copying.start()
    os.write(write, b"name? ")
    assert os.read(out, 100) == b"name? "
    os.write(write, NOISE[0].encode() + b"\n" + NOISE[1].encode() + b"\n")
    os.close(write)
    copying.join(30)
    # What stands behind a prompt is of its line.
    assert os.read(out, 1000) == NOISE[0].encode() + b"\n"
    for descriptor in (read, out, target):
        os.close(descriptor)


PROGRAM = """
import os, signal, sys
from tfrobust_command import _open_package
_open_package()
from tfrobust.commands.start.library_log import quiet_libraries
with quiet_libraries({verbosity}):
    os.write(2, {noise!r}.encode() + b"\\n")
    os.write(2, b"W0000 00:00:1.1 1 a.cc:1] Allocator ran out of memory\\n")
    print(os.environ.get("TF_CPP_MIN_LOG_LEVEL"), sys.stderr.isatty())
    print("ours", file=sys.stderr)
    {end}
print(os.environ.get("TF_CPP_MIN_LOG_LEVEL"))
os.write(2, b"after\\n")
"""


def run(end="pass", verbosity=0, level=None, **options):
    environment = {k: v for k, v in ENVIRONMENT.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    if level is not None:
        environment["TF_CPP_MIN_LOG_LEVEL"] = level
    code = PROGRAM.format(end=end, noise=NOISE[0], verbosity=verbosity)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run(
        [sys.executable, "-c", code], text=True, timeout=60, env=environment, **pipes
    )


@pytest.mark.parametrize(
    ("end", "status", "word"),
    [
        ("pass", 0, "after"),
        ("raise KeyError('lost')", 1, "KeyError: 'lost'"),
        ("sys.exit(3)", 3, "ours"),
        ("os._exit(4)", 4, "ours"),
        ("os.write(2, b'F0000 00:00:1.1 1 a.cc:1] Check failed'); os.abort()", -6, "Check failed"),
        ("import faulthandler; faulthandler.enable(2); os.abort()", -6, "Fatal Python error"),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, "ours"),
        # Of the terminal or a batch system, to all of the group.
        ("signal.signal(2, lambda *_: sys.exit(75)); os.killpg(0, 2)", 75, "ours"),
        ("os.killpg(0, signal.SIGTERM)", -signal.SIGTERM, "ours"),
    ],
)
def test_no_last_words_are_lost(end, status, word):
    ran = run(end, start_new_session=True)
    assert ran.returncode == status, ran
    lines = ran.stderr.splitlines()
    assert word in ran.stderr and "ours" in lines
    assert "W0000 00:00:1.1 1 a.cc:1] Allocator ran out of memory" in lines
    assert NOISE[0] not in lines
    assert ran.stdout.startswith("1 False\n" if status == 0 else "")


def test_what_the_user_asked_for_is_left_alone():
    asked = run(level="0")
    assert NOISE[0] in asked.stderr and asked.stdout == "0 False\n0\n"
    loud = run(verbosity=1)
    assert NOISE[0] in loud.stderr and loud.stdout == "None False\nNone\n"
    # The environment is given back.
    assert run().stdout == "1 False\nNone\n"


def test_bars_see_the_terminal():
    ours, theirs = pty.openpty()
    ran = run(stderr=theirs)
    os.close(theirs)
    assert ran.stdout.startswith("1 True\n")
    shown = os.read(ours, 10**4).decode()
    assert "ours" in shown and "after" in shown and "WARNING" not in shown
    os.close(ours)


def test_without_a_standard_error_there_is_nothing_to_filter():
    code = "from tfrobust_command import _open_package\n_open_package()\nimport sys\n"
    code += "from tfrobust.commands.start.library_log import quiet_libraries\n"
    code += "with quiet_libraries(0):\n    print(sys.stderr)"
    ran = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" 2>&-', sys.executable, code],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    assert ran.returncode == 0 and ran.stdout == "None\n"
