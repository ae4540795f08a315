"""What is measured on finished runs: evaluations beside their passes, and beside other libraries."""

import os
import time
from collections.abc import Iterator, Sequence

import tensorflow as tf

from tfrobust import evaluation
from tfrobust.benchmarks import evaluation as benchmark
from tfrobust.benchmarks.benchmark_table import print_table
from tfrobust.benchmarks.reference.comparison import HEAD, compare_autoattack
from tfrobust.evaluation.examples import Examples
from tfrobust.evaluation.subject import Subject
from tfrobust.threat_models.base import ThreatModel

SHARES = ("part", "seconds", "of the command")


def measure_evaluations(folders: Sequence[str], suite: str, most: int | None = None) -> None:
    """Prints what a suite costs on the test examples of each run.

    Args:
        folders: of runs. All are read before the first one is measured, which takes minutes.
        suite: its name.
        most: only the first so many examples; None for all.
    """
    runs = [
        (subject, examples, evaluation.suite(suite, threat_model))
        for subject, examples, threat_model in list(_read_runs(folders, most))
    ]
    start_up = time.process_time()
    for subject, examples, chosen in runs:
        _print_subject(subject, examples, chosen.threat_model)
        print_table(benchmark.HEAD, benchmark.measure_suite(subject, examples, chosen))
        began = time.perf_counter()
        result = evaluation.evaluate(subject, examples, chosen)
        whole = time.perf_counter() - began
        print_table(SHARES, list_shares(start_up, whole, [o.seconds for o in result.outcomes]))


def list_shares(
    start_up: float, whole: float, attacks: Sequence[float]
) -> list[tuple[str, str, str]]:
    """Rows of a table: seconds of a command that evaluates, and their shares.

    Args:
        start_up: CPU seconds until the run and its data were read.
        whole: seconds of the evaluation after that, with its checks, whose attacks were traced before.
        attacks: seconds of each attack in it.

    Example:
    >>> from tfrobust.benchmarks.runs import list_shares
    >>> list_shares(2.0, 8.0, [3.0, 1.0])[-1]
    ('checks and reports', '4.00', '0.400')
    """
    parts = {
        "start-up": start_up,
        "attacks, traced before": sum(attacks),
        "checks and reports": whole - sum(attacks),
    }
    total = start_up + whole
    return [(name, f"{value:.2f}", f"{value / total:.3f}") for name, value in parts.items()]


def compare_autoattacks(
    folders: Sequence[str], libraries: Sequence[str], python: str, most: int | None = None
) -> None:
    """Prints our AutoAttack beside that of libraries, on the test examples of each run.

    Args:
        folders, most: as for `measure_evaluations`.
        libraries: of `reference.libraries.LIBRARIES`.
        python: interpreter that has them.
    """
    for subject, examples, threat_model in list(_read_runs(folders, most)):
        _print_subject(subject, examples, threat_model)
        for library in libraries:
            rows, verdicts = compare_autoattack(subject, examples, threat_model, library, python)
            print_table((library, *HEAD[1:]), rows)
            print(verdicts, flush=True)


def _read_runs(
    folders: Sequence[str], most: int | None
) -> Iterator[tuple[Subject, Examples, ThreatModel]]:
    for folder in folders:
        subject = evaluation.Subject.of(folder)
        data, threat_model = evaluation.read_run_settings(folder)
        examples = evaluation.load_examples(data).load()
        yield subject, examples.first(most) if most else examples, threat_model


def _print_subject(subject, examples, threat_model):
    print(
        f"\n{subject.model.name} on {examples.name}, {threat_model}, TensorFlow {tf.__version__}, "
        f"{os.cpu_count()} cores"
    )
