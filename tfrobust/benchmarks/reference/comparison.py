"""Our AutoAttack beside that of another library, in one run: seconds, ratios and robust counts."""

import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

from tfrobust.benchmarks.reference import run_reference
from tfrobust.benchmarks.reference.libraries import LIBRARIES
from tfrobust.benchmarks.reference.network import describe_network
from tfrobust.errors import UserError
from tfrobust.evaluation.engine.evaluator import MOST_SLOTS, Evaluator
from tfrobust.evaluation.examples import Examples
from tfrobust.evaluation.subject import Subject
from tfrobust.evaluation.suites import suite
from tfrobust.threat_models.base import ThreatModel

HEAD = ("attack", "examples", "tracing s", "ours s", "theirs s", "ours/theirs", "robust", "theirs")
# Logits of the two networks may differ by rounding, relative to the largest.
_ROUNDING = 1e-4


def compare_autoattack(
    subject: Subject,
    examples: Examples,
    threat_model: ThreatModel,
    library: str,
    python: str = sys.executable,
) -> tuple[list[tuple[str, ...]], str]:
    """Rows of a table under `HEAD`, one for each attack and one for the whole, and a sentence on verdicts.

    Both attack the same images, one attack after the other, on what the attacks before it left, in
    batches of at most as many rows. Ours includes the tracing of every attack; the library's time begins
    after its imports and a first pass. A library whose own AutoAttack has other attacks is compared as
    a whole.

    Args:
        subject: `Subject` of a Keras model.
        examples: `Examples`.
        threat_model: whose norm the library searches.
        library: a key of `LIBRARIES`.
        python: interpreter that has it.

    Raises:
        UserError: a network that PyTorch's twin is not known of, a norm that the library has not, or twins
            whose logits differ.
    """
    norm = type(threat_model).__name__
    if norm not in LIBRARIES[library].norms:
        raise UserError(
            f"{library} searches {', '.join(LIBRARIES[library].norms)}. Received: {threat_model!r}."
        )
    layers, arrays = describe_network(subject.model)
    evaluator = Evaluator(subject, suite("autoattack", threat_model).attacks)
    logits = evaluator.logits(examples.x)
    settings = {
        "library": library,
        "layers": layers,
        "arrays": len(arrays),
        "norm": norm,
        "epsilon": float(threat_model.radius()),
        "num_classes": logits.shape[1],
        "rows": MOST_SLOTS,
        "seed": 0,
    }
    theirs = _ask(settings, arrays, examples, python)
    rounding = np.abs(theirs["logits"] - logits).max() / np.abs(logits).max()
    if rounding > _ROUNDING:
        raise UserError(
            f"The twin in PyTorch gives other logits: they differ by {rounding:.1e} of the largest one."
        )
    began = time.perf_counter()
    predictions, outcomes, _ = evaluator(examples.x, examples.y, examples.ids)
    seconds = time.perf_counter() - began
    standing, rows = predictions == examples.y, []
    for outcome in outcomes:
        standing = standing & ~outcome.broken
        name = outcome.name
        if f"seconds/{name}" in theirs:
            there = float(theirs[f"seconds/{name}"]), int(theirs[f"standing/{name}"].sum())
        else:
            there = None
        ours = outcome.tracing_seconds, outcome.seconds, int(standing.sum())
        rows.append(_format_row(name, int(outcome.attempted.sum()), ours, there))
    names = [key.removeprefix("seconds/") for key in theirs if key.startswith("seconds/")]
    left = theirs[f"standing/{names[-1]}"]
    there = sum(float(theirs[f"seconds/{name}"]) for name in names), int(left.sum())
    tracing = sum(outcome.tracing_seconds for outcome in outcomes)
    rows.append(
        _format_row("whole", len(examples.y), (tracing, seconds, int(standing.sum())), there)
    )
    differ = int((standing != left).sum())
    return rows, f"{differ} of {len(left)} examples are robust for one of the two only."


def _ask(settings, arrays, examples, python):
    with tempfile.TemporaryDirectory() as folder:
        request, answer = (pathlib.Path(folder, f"{name}.npz") for name in ("request", "answer"))
        named = {f"array_{i}": array for i, array in enumerate(arrays)}
        y = np.asarray(examples.y, np.int64)
        np.savez(request, settings=json.dumps(settings), x=examples.x, y=y, **named)
        command = [python, run_reference.__file__, str(request), str(answer)]
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode:
            # The last line names the exception.
            told = ended.stderr.strip().splitlines()[-1:]
            raise UserError(f"{settings['library']} did not come to its end: {' '.join(told)}")
        with np.load(answer, allow_pickle=False) as found:
            return dict(found)


def _format_row(name, examples, ours, theirs):
    tracing, seconds, robust = ours
    return (
        name,
        str(examples),
        f"{tracing:.2f}",
        f"{seconds:.2f}",
        f"{theirs[0]:.2f}" if theirs else "-",
        f"{seconds / theirs[0]:.3f}" if theirs else "-",
        str(robust),
        str(theirs[1]) if theirs else "-",
    )
