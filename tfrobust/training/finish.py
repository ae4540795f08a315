"""The end of a run: the test, the export and the report of its best epoch."""

import pathlib
import tempfile
import time
from typing import Any

from tfrobust.errors import Interrupted
from tfrobust.evaluation.accuracy import Judge, Measured
from tfrobust.runs import checkpoint, variables
from tfrobust.runs.bar import fold
from tfrobust.runs.signals import AskedToStop
from tfrobust.runs.workspace import Workspace
from tfrobust.serving.card import describe_training
from tfrobust.serving.export import export_classifier
from tfrobust.training.callbacks.record import RecordMetrics
from tfrobust.training.cluster.final_test import measure_together
from tfrobust.training.experiment import Experiment
from tfrobust.training.report import write_report
from tfrobust.training.resume import share_checkpoint


def finish(
    experiment: Experiment,
    workspace: Workspace,
    checkpoint_rule: str,
    metrics: RecordMetrics,
    stop: AskedToStop,
) -> Measured:
    """Tests, exports and reports the classifier of the best epoch.

    Args:
        experiment: `experiment.Experiment`.
        workspace: `Workspace`, with a checkpoint of the best epoch.
        checkpoint_rule: the rule that chose the epoch.
        metrics: `RecordMetrics` of the run.
        stop: `StopRequest`.

    Returns:
        `Measured`.

    Raises:
        Interrupted: a stop was requested; only the part of the test that was done is lost.
    """
    workers = experiment.workers
    best: Any = checkpoint.load_newest(workspace.best)[0] if workers.is_chief else None
    best = share_checkpoint(workspace.best, best, workers)
    variables.restore(experiment.method, best.arrays, workers.index, workers.count)
    classifier = experiment.method.classifier

    def leave_if_asked():
        if stop:
            raise Interrupted("Stopped on request; training is complete and saved.")

    began = time.monotonic()
    measured = measure_together(
        Judge(classifier, experiment.test_attack, experiment.seed),
        experiment.evaluation_dataset(experiment.splits.test),
        leave_if_asked,
        workers,
    )
    seconds = time.monotonic() - began
    text = ""
    if workers.is_chief:
        text = write_report(
            workspace,
            experiment,
            measured,
            best.state,
            checkpoint_rule,
            metrics,
            seconds,
        )
    with tempfile.TemporaryDirectory() as elsewhere:
        # A copy of a model is made of variables that all workers must make.
        folder = workspace.export if workers.is_chief else pathlib.Path(elsewhere, "export")
        # The card tells the report. A run that was killed from here on exports again, the same version.
        export_classifier(
            classifier,
            folder,
            class_names=experiment.splits.info.class_names,
            version=1,
            training=describe_training(workspace.path) if workers.is_chief else None,
        )
    if not workers.is_chief:
        workers.part()
        return measured
    print(fold(text))
    print(f"See {workspace.path}: report.md, export/, tensorboard/.", flush=True)
    workers.part()
    return measured
