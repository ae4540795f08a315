"""A run: from a configuration to a robust classifier, its report and its export."""

import numpy as np

from tfrobust.data.fingerprint import fingerprint
from tfrobust.errors import UserError
from tfrobust.ops.seeds import check_seed
from tfrobust.runs import checkpoint
from tfrobust.runs.record import RunRecord, note_end
from tfrobust.runs.signals import StopRequest
from tfrobust.runs.workspace import Workspace
from tfrobust.runs.writable import check_writable
from tfrobust.threat_models.description import describe
from tfrobust.training.callbacks.guard import StopOnNaN
from tfrobust.training.callbacks.keep import KeepBest, KeepState, restore_callbacks
from tfrobust.training.callbacks.metrics_log import MetricsLog
from tfrobust.training.callbacks.progress import Progress
from tfrobust.training.callbacks.protocols import Remembers
from tfrobust.training.callbacks.record import RecordMetrics
from tfrobust.training.callbacks.tensorboard import TensorBoardLog
from tfrobust.training.experiment import build, build_callbacks, check_plain
from tfrobust.training.finish import finish
from tfrobust.training.plan import print_plan
from tfrobust.training.runtime import Runtime


def train(
    *,
    data,
    model,
    method,
    optimizer,
    test_attack,
    epochs,
    batch_size,
    learning_rate,
    workdir,
    threat_model=None,
    eval_attack=None,
    augment=None,
    evaluation_batch_size=None,
    checkpoint_rule="best_robust",
    seed=0,
    strategy="none",
    devices=(),
    deterministic=True,
    precision="float32",
    save_seconds=60,
    image_epochs=5,
    callbacks=(),
    resume="auto",
    dry_run=False,
    configuration=None,
):
    """Trains a classifier, keeps everything about the run in a folder, reports and exports the result.

    A run that was interrupted at any moment goes on where it was saved, and ends with the same weights to the
    last bit (on CPUs) as one that was not.

    Args:
        data: function without arguments that returns `data.Splits`.
        model: function without arguments that returns the classifier, a Keras model with logits.
        method: function of the classifier and `seed` that returns an `AdversarialModel`: a recipe, which
            also takes what is given of `threat_model` and `eval_attack`, or a method's class with
            its other arguments bound.
        optimizer: function of `learning_rate` that returns a Keras optimizer.
        test_attack: `Attack` of the report's robust accuracy.
        epochs: passes over the training split, at least 1.
        batch_size: global batch size.
        learning_rate: number, `Schedule` of epochs, or function of the number of epochs such as `one_cycle`.
        workdir: the run's folder.
        threat_model: `ThreatModel` of a recipe; None for a method whose attack has its own.
        eval_attack: `Attack` of validation; None for that of the recipe or method.
        augment: sequence of augmentations; None for those that are usual with the data set, () for none.
        evaluation_batch_size: for validation and test; `batch_size` if None.
        checkpoint_rule: which epoch counts: "best_robust", "best_clean" (both on the validation
            split), "last".
        seed: whole number; names every random number of the run.
        strategy, devices, deterministic, precision: see `Runtime`.
        save_seconds: at most so many seconds of training are lost by a kill.
        image_epochs: epochs between two image grids in TensorBoard.
        callbacks: functions without arguments that return Keras callbacks, such as `Plateau`. One that
            remembers something from epoch to epoch needs `get_state()` and `set_state(value)`, and an
            attribute `name`, to be resumed; for arrays `get_arrays()` and `set_arrays(value)` beside
            them. One that needs the data has `set_experiment(experiment)`.
        resume: "auto", "never" or "must"; see `Workspace`.
        dry_run: build everything, time a few steps, print the plan, write nothing.
        configuration: `config.Configuration` the call comes from, or None.

    Returns:
        The `Measured` test accuracies; None after a dry run, or if the run was complete already.

    Raises:
        UserError: something cannot work; nothing has been written.
        NotFiniteError: training diverged; the last good checkpoint is kept.
        Interrupted: SIGTERM or SIGINT; the state is saved.
    """
    check_writable(workdir)
    workspace = Workspace(workdir, configuration.given if configuration else "", resume)
    check_plain(checkpoint_rule, save_seconds, image_epochs)
    runtime = Runtime(strategy, devices, deterministic, precision)
    check_seed(seed)
    with runtime.start(seed):
        experiment = build(
            data=data,
            model=model,
            method=method,
            optimizer=optimizer,
            test_attack=test_attack,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            threat_model=threat_model,
            eval_attack=eval_attack,
            augment=augment,
            evaluation_batch_size=evaluation_batch_size,
            checkpoint_rule=checkpoint_rule,
            seed=seed,
            gin_files=tuple(configuration.files if configuration else ()),
        )
        extra = build_callbacks(callbacks, experiment)
        if configuration:
            configuration.check_all_used()
        if dry_run:
            print_plan(experiment)
            return None
        if workspace.is_complete:
            print(f"{workspace.path} is complete: see {workspace.report}.")
            return None
        if workspace.report.is_file():
            print(
                f"{workspace.path} has a report, but its export or report.json is not whole: it goes on."
            )
        splits = experiment.splits
        described = {
            "name": splits.info.name,
            "fingerprint": fingerprint(splits),
            "source": splits.info.source,
        }
        used = configuration.format_used() if configuration else ""
        with workspace.claim(used, seed, described, describe(experiment.test_attack.threat_model)):
            return _run(experiment, workspace, checkpoint_rule, save_seconds, image_epochs, extra)


def _run(experiment, workspace, checkpoint_rule, save_seconds, image_epochs, extra):
    saved, skipped = checkpoint.load_newest(workspace.latest)
    for reason in skipped:
        print(f"Skipped a checkpoint that is not what was written: {reason}")
    if skipped and saved is None:
        raise UserError(
            f"No checkpoint in {workspace.latest} is what was written. Remove that folder to start over."
        )
    if saved is not None:
        _check_best(workspace, saved.state["stateful"]["best"]["epoch"])
    if saved is not None:
        state = saved.state
        print(f"Resuming at epoch {state['epoch'] + 1}, step {state['step']} of it.")
    epoch, step = (saved.state["epoch"], saved.state["step"]) if saved else (0, 0)
    record = RunRecord(
        workspace.record, experiment.seed, resumed_from=saved.step if saved else None
    )
    with note_end(record), StopRequest() as stop:
        best = KeepBest(workspace.best, checkpoint_rule)
        metrics = RecordMetrics(_open_log(workspace, epoch, saved))
        validation = experiment.splits.validation
        images = validation.take(np.arange(min(8, len(validation))))
        stateful = {"best": best, "time": metrics}
        stateful |= {c.name: c for c in extra if isinstance(c, Remembers)}
        callbacks = [
            StopOnNaN(),
            Progress(experiment.epochs, experiment.steps_per_epoch),
            metrics,
            TensorBoardLog(workspace.tensorboard, images, workspace.given, image_epochs),
            *extra,
            best,
            KeepState(
                workspace.latest, experiment.steps_per_epoch, stop, save_seconds, stateful, saved
            ),
        ]
        if epoch < experiment.epochs and not (saved and saved.state["stopped"]):
            _fit(experiment, epoch, step, callbacks)
        else:
            restore_callbacks(stateful, saved)
        return finish(experiment, workspace, checkpoint_rule, metrics, stop)


def _check_best(workspace, epoch):
    """At the start and not after hours: a lost best epoch cannot be had back."""
    best, skipped = checkpoint.load_newest(workspace.best)
    if epoch is None or best is not None:
        return
    seen = f"cannot be read: {'; '.join(skipped)}" if skipped else "are gone"
    raise UserError(
        f"The weights of the best epoch so far, number {epoch + 1}, should be in {workspace.best} and "
        f"{seen}. Put that folder back, or remove {workspace.best.parent} to train again from the beginning."
    )


def _open_log(workspace, epoch, saved):
    log = MetricsLog(workspace.path, first_epoch=epoch)
    if log.lost:
        lost = ", ".join(str(number + 1) for number in log.lost)
        print(
            f"metrics.jsonl and metrics.csv have lost the rows of epochs {lost}; the run goes on."
        )
    if saved is None and log.dropped:
        print(
            f"No checkpoint is left: the run begins again, and {log.dropped} rows of metrics went."
        )
    return log


def _fit(experiment, epoch, step, callbacks):
    options = {
        "validation_data": experiment.evaluation_dataset(experiment.splits.validation),
        "callbacks": callbacks,
        "verbose": 0,
    }
    method, steps = experiment.method, experiment.steps_per_epoch
    if step:
        # The rest of an epoch that was interrupted, so that the epochs after it have their full length.
        rest = experiment.training_dataset(epoch, step, epochs=epoch + 1)
        method.fit(
            rest,
            steps_per_epoch=steps - step,
            initial_epoch=epoch,
            epochs=epoch + 1,
            **options,
        )
        epoch += 1
        if method.stop_training:
            return
    if epoch < experiment.epochs:
        method.fit(
            experiment.training_dataset(epoch),
            steps_per_epoch=steps,
            initial_epoch=epoch,
            epochs=experiment.epochs,
            **options,
        )
