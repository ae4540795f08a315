"""What TensorFlow does here: tried in a process of its own, since it may be missing, broken or killed."""

import json
import math
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from tfrobust.commands.checkup.finding import FAULT, NOTE, OK, Finding
from tfrobust.commands.start.library_log import find_gpu

_PROBE = pathlib.Path(__file__).with_name("probe.py")
_PARENT = pathlib.Path(__file__).resolve().parents[3]
_MOST_SECONDS = 600
# As `ops.onednn.VARIABLE`, whose file imports TensorFlow.
_ONEDNN = "TF_ENABLE_ONEDNN_OPTS"


def run_trials(command: Sequence[str] = (sys.executable, str(_PROBE), str(_PARENT))) -> list:
    """What came of each trial.

    Args:
        command: what tries, and prints a line of JSON for each trial.

    Returns:
        Findings; the last one is a fault if the process did not reach its end.
    """
    trials, err, status = _try(command)
    findings = list(_judge(trials))
    if status or not any(trial["trial"] == "main job" for trial in trials):
        return [*findings, _describe_end(trials, err, status)]
    if trials[0].get("onednn_left_off"):
        # TensorFlow asks the environment once, so that it takes another process.
        both = [_try([*command, "resnet"], {_ONEDNN: asked})[0] for asked in "01"]
        findings.append(_judge_onednn(*both))
    return findings


def _try(command, more=()):
    environment = {"KERAS_BACKEND": "tensorflow", **os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    environment |= dict(more)
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=_MOST_SECONDS
        )
        out, err, status = ran.stdout, ran.stderr, ran.returncode
    except subprocess.TimeoutExpired as error:
        out, err, status = _decode(error.stdout), f"not done in {_MOST_SECONDS} s", -signal.SIGALRM
    trials = [json.loads(line) for line in out.splitlines() if line.startswith('{"trial"')]
    return trials, err, status


def _judge(trials: list[dict[str, Any]]) -> Iterator[Finding]:
    plain = None
    for trial in trials:
        match trial:
            case {"trial": "import"}:
                yield from _judge_import(trial)
            case {"trial": "step", "error": error, "name": name}:
                yield Finding(NOTE, f"{name} does not work here: {error}.", "Leave it off.")
            case {"trial": "step", "name": "plain"}:
                plain = trial["later"]
                yield Finding(
                    OK, f"a training step of a small convolutional network: {plain * 1e3:.1f} ms"
                )
            case {"trial": "step"} if plain:
                yield _judge_step(trial, plain)
            case {"trial": "main job", "loss": loss}:
                told = f"robust training of digits: {trial['seconds']:.0f} s, loss {loss:.3f}"
                if not math.isfinite(loss):
                    yield Finding(FAULT, f"{told}: not a finite number.")
                else:
                    yield Finding(OK, told)


def _judge_import(trial):
    told = f"TensorFlow {trial['tensorflow']}, Keras {trial['keras']}: imported in {trial['seconds']:.1f} s"
    yield Finding(OK, told)
    if trial["backend"] != "tensorflow":
        yield Finding(
            FAULT,
            f"Keras computes with {trial['backend']}.",
            "Unset KERAS_BACKEND, and set the backend in keras.json to tensorflow.",
        )
    if trial["devices"]:
        yield Finding(OK, f"GPUs: {', '.join(trial['devices'])}")
    elif find_gpu():
        yield Finding(
            NOTE,
            "There is a GPU, and TensorFlow does not see it.",
            "Install CUDA's libraries with: pip install 'tensorflow[and-cuda]'",
        )
    else:
        yield Finding(OK, "no GPU: computes on the CPU")


def _judge_step(trial, plain):
    name, ratio = trial["name"], trial["later"] / plain
    setting = (
        "training.train.jit_compile = True"
        if name == "XLA"
        else f"training.train.precision = '{name}'"
    )
    if ratio > 1.05:
        advice = f"{ratio:.1f} times as long: leave it off here."
    elif ratio > 0.95:
        advice = "as fast as without."
    else:
        advice = f"{ratio:.2f} times as long: may be worth it, {setting}."
    compiled = f", compiled in {trial['first']:.1f} s" if name == "XLA" else ""
    return Finding(OK, f"{name} works{compiled}; the same step takes {advice}")


def _judge_onednn(without, with_it):
    told = "TensorFlow leaves oneDNN, its library for CPUs, off on this processor"
    if not (without and with_it):
        return Finding(
            NOTE, f"{told}, and a step of a ResNet with it was not made.", "Leave it off."
        )
    ratio = with_it[0]["later"] / without[0]["later"]
    told += f"; with it a step of a ResNet takes {ratio:.2f} times as long."
    if ratio > 0.95:
        return Finding(OK, told)
    remedy = (
        f"Set {_ONEDNN}=1 in the environment, for the whole of a run: numbers differ by rounding."
    )
    return Finding(NOTE, told, remedy)


def _describe_end(trials, err, status):
    stage = {0: "The import of TensorFlow", 1: "A training step"}.get(
        len(trials), "Robust training"
    )
    lines = [line for line in err.splitlines() if line.strip()]
    reason = lines[-1].strip() if lines else "it said nothing"
    how = f"was ended by {signal.Signals(-status).name}" if status < 0 else "failed"
    remedy = (
        "TensorFlow's wheel may not be made for this processor or Python; install it anew with: "
        "pip install --force-reinstall tensorflow"
        if not trials
        else "The command `python -c 'import tfrobust'` shows more."
    )
    return Finding(FAULT, f"{stage} {how}: {reason}.", remedy)


def _decode(output):
    return output.decode("utf-8", "replace") if isinstance(output, bytes) else output or ""
