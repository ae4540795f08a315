"""A run: from a configuration to a robust classifier, its report and its export."""

import contextlib
import dataclasses
import time

import numpy as np

from tfrobust import data as data_room
from tfrobust.attacks.base import Attack
from tfrobust.errors import Interrupted, NotFiniteError, UserError
from tfrobust.evaluation.accuracy import Judge, measure
from tfrobust.methods.base import AdversarialModel
from tfrobust.ops.numbers import integer
from tfrobust.runs import checkpoint, variables
from tfrobust.runs.progress import Progress
from tfrobust.runs.record import RunRecord
from tfrobust.runs.signals import StopRequest
from tfrobust.runs.workspace import Workspace
from tfrobust.serving.export import export_classifier
from tfrobust.training.callbacks.guard import StopOnNaN
from tfrobust.training.callbacks.keep import KeepBest, KeepState, restore_callbacks
from tfrobust.training.callbacks.metrics_log import MetricsLog
from tfrobust.training.callbacks.record import RecordMetrics
from tfrobust.training.callbacks.tensorboard import TensorBoardLog
from tfrobust.training.contract import check_classifier
from tfrobust.training.optimizers.learning_rate import learning_rate_of
from tfrobust.training.plan import print_plan
from tfrobust.training.report import write_report
from tfrobust.training.runtime import Runtime


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Everything that a run has built before it begins.

    Args:
        splits: `data.Splits`.
        method: compiled `AdversarialModel`.
        steps_per_epoch, epochs: length of the run.
        batch_size, evaluation_batch_size: global batch sizes.
        augment: sequence of augmentations.
        test_attack: `Attack` of the report.
        seed: whole number.
        gin_files: where the configuration was read from.
    """

    splits: data_room.Splits
    method: AdversarialModel
    steps_per_epoch: int
    epochs: int
    batch_size: int
    evaluation_batch_size: int
    augment: tuple
    test_attack: Attack
    seed: int
    gin_files: tuple = ()

    def training_dataset(self, epoch=0, step=0, epochs=None):
        """All training batches from a step of an epoch on."""
        return data_room.training_dataset(
            self.splits.train,
            self.batch_size,
            seed=self.seed,
            epochs=self.epochs if epochs is None else epochs,
            augment=self.augment,
            first_epoch=epoch,
            first_step=step,
        )

    def evaluation_dataset(self, split):
        """Every example of a split once, the last batch padded at weight 0."""
        return data_room.evaluation_dataset(split, self.evaluation_batch_size)


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
    if checkpoint_rule not in KeepBest.RULES:
        raise UserError(
            f"`checkpoint_rule` must be one of {tuple(KeepBest.RULES)}. Received: {checkpoint_rule!r}."
        )
    given = configuration.given if configuration else ""
    workspace = Workspace(workdir, given, resume)
    runtime = Runtime(strategy, tuple(devices), deterministic, precision)
    with runtime.start(integer(seed, "seed", 0)):
        splits = data()
        steps_per_epoch = data_room.steps_per_epoch(splits.train, batch_size)
        classifier = model()
        check_classifier(classifier, splits.train, splits.info.num_classes)
        epochs = integer(epochs, "epochs", 1)
        settings = {"threat_model": threat_model, "eval_attack": eval_attack}
        settings = {name: value for name, value in settings.items() if value is not None}
        built = method(classifier, **settings, seed=seed)
        updates = steps_per_epoch * built.updates_per_step
        rate = learning_rate_of(learning_rate, epochs, updates)
        built.compile(optimizer(learning_rate=rate))
        # Keras would make the optimizer's variables at the first step, too late to restore them.
        built.optimizer.build(built.classifier.trainable_variables)
        built.steps_per_epoch = steps_per_epoch
        experiment = Experiment(
            splits,
            built,
            steps_per_epoch,
            epochs,
            batch_size,
            evaluation_batch_size or batch_size,
            tuple(splits.info.augment if augment is None else augment),
            test_attack,
            seed,
            tuple(configuration.files if configuration else ()),
        )
        if checkpoint_rule == "best_robust" and built.eval_attack is None:
            raise UserError(
                "checkpoint_rule='best_robust' needs the method's `eval_attack`. Give one, or choose "
                "'best_clean' or 'last'."
            )
        extra = [make() for make in callbacks]
        for callback in extra:
            callback.set_model(built)  # where it may refuse, before anything is written
            if hasattr(callback, "set_experiment"):
                callback.set_experiment(experiment)
        if configuration:
            configuration.check_all_used()
        if dry_run:
            print_plan(experiment)
            return None
        if workspace.has_run and workspace.report.is_file():
            print(f"{workspace.path} is complete: see {workspace.report}.")
            return None
        with workspace.claim(configuration.used() if configuration else ""):
            return _run(experiment, workspace, checkpoint_rule, save_seconds, image_epochs, extra)


def _run(experiment, workspace, checkpoint_rule, save_seconds, image_epochs, extra):
    saved, skipped = checkpoint.newest(workspace.latest)
    for reason in skipped:
        print(f"Skipped a checkpoint that is not what was written: {reason}")
    if skipped and saved is None:
        raise UserError(
            f"No checkpoint in {workspace.latest} is what was written. Remove that folder to start over."
        )
    if saved is not None:
        state = saved.state
        print(f"Resuming at epoch {state['epoch'] + 1}, step {state['step']} of it.")
    epoch, step = (saved.state["epoch"], saved.state["step"]) if saved else (0, 0)
    record = RunRecord(
        workspace.record, experiment.seed, resumed_from=saved.step if saved else None
    )
    with _noting_the_end(record), StopRequest() as stop:
        best = KeepBest(workspace.best, checkpoint_rule)
        metrics = RecordMetrics(MetricsLog(workspace.path, first_epoch=epoch))
        images = experiment.splits.validation.take(np.arange(8))
        stateful = {"best": best, "time": metrics}
        stateful |= {c.name: c for c in extra if hasattr(c, "get_state")}
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
        return _finish(experiment, workspace, checkpoint_rule, metrics, stop)


@contextlib.contextmanager
def _noting_the_end(record):
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


def _finish(experiment, workspace, checkpoint_rule, metrics, stop):
    best, skipped = checkpoint.newest(workspace.best)
    if best is None:
        raise UserError(
            f"The best epoch's weights in {workspace.best} cannot be read: {'; '.join(skipped)}."
        )
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
