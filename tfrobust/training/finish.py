"""The end of a run: the test, the export and the report of its best epoch."""

import time

from tfrobust.errors import Interrupted
from tfrobust.evaluation.accuracy import Judge, measure
from tfrobust.runs import checkpoint, variables
from tfrobust.serving.export import export_classifier
from tfrobust.training.report import write_report


def finish(experiment, workspace, checkpoint_rule, metrics, stop):
    """Judges, exports and reports the classifier of the best epoch.

    Args:
        experiment: `experiment.Experiment`.
        workspace: `Workspace`, with a checkpoint of the best epoch.
        checkpoint_rule: by which it was chosen.
        metrics: `RecordMetrics` of the run.
        stop: `StopRequest`.

    Returns:
        `Measured`.

    Raises:
        Interrupted: `stop` was asked for; nothing is lost but the part of the test that was done.
    """
    best, _ = checkpoint.load_newest(workspace.best)
    variables.restore(experiment.method, best.arrays)
    classifier = experiment.method.classifier

    def leave_if_asked():
        if stop:
            raise Interrupted("Stopped on request; training is complete and saved.")

    began = time.monotonic()
    measured = measure(
        Judge(classifier, experiment.test_attack, experiment.seed),
        experiment.evaluation_dataset(experiment.splits.test),
        leave_if_asked,
    )
    seconds = time.monotonic() - began
    export_classifier(classifier, workspace.export, class_names=experiment.splits.info.class_names)
    text = write_report(
        workspace,
        experiment,
        measured,
        best.state,
        checkpoint_rule,
        metrics,
        seconds,
    )
    print(text)
    return measured
