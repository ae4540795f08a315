"""A run: from a configuration to a robust classifier, its report and its export."""

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras

from tfrobust.attacks.base import Attack
from tfrobust.config.configuration import Configuration
from tfrobust.data.splits import Splits
from tfrobust.evaluation.accuracy import Measured
from tfrobust.methods.base import AdversarialModel
from tfrobust.ops.random.seeds import check_seed
from tfrobust.ops.schedules import Schedule
from tfrobust.runs.record import RunRecord, list_versions, note_end
from tfrobust.runs.signals import StopRequest
from tfrobust.runs.workspace import Workspace
from tfrobust.runs.writable import check_writable
from tfrobust.threat_models.base import ThreatModel
from tfrobust.threat_models.description import describe
from tfrobust.training.callbacks.keep import restore_callbacks
from tfrobust.training.callbacks.profile import check_profile_steps
from tfrobust.training.chain import make_chain
from tfrobust.training.cluster.environment import find_cluster, split_bindings
from tfrobust.training.experiment import build, build_callbacks, check_plain
from tfrobust.training.finish import finish
from tfrobust.training.fit import fit_from
from tfrobust.training.plan import print_plan
from tfrobust.training.resume import load_state, open_log
from tfrobust.training.runtime import Runtime


def train(
    *,
    data: Callable[[], Splits],
    model: Callable[..., keras.Model],
    method: Callable[..., AdversarialModel],
    optimizer: Callable[..., keras.Optimizer],
    test_attack: Attack,
    epochs: int,
    batch_size: int,
    learning_rate: float | Schedule | Callable[..., Any],
    workdir: str | os.PathLike,
    shorten_to: int | None = None,
    threat_model: ThreatModel | None = None,
    eval_attack: Attack | None = None,
    augment: Sequence[Callable] | None = None,
    evaluation_batch_size: int | None = None,
    checkpoint_rule: str = "best_robust",
    seed: int = 0,
    strategy: str = "none",
    devices: tuple[str, ...] = (),
    deterministic: bool = True,
    precision: str = "float32",
    jit_compile: bool | str = False,
    accumulation_steps: int = 1,
    rematerialize: bool | Sequence[str] = False,
    gradient_norm: bool = True,
    save_seconds: float = 60,
    image_epochs: int = 5,
    profile_steps: tuple[int, int] | None = None,
    callbacks: Sequence[Callable[[], keras.callbacks.Callback]] = (),
    resume: str = "auto",
    dry_run: bool = False,
    configuration: Configuration | None = None,
) -> Measured | None:
    """Trains a classifier, keeps everything about the run in a folder, reports and exports the result.

    A run that was interrupted at any moment resumes from where it was saved. On CPUs it ends with exactly the
    same weights as a run that was not interrupted.

    Args:
        data: function without arguments that returns `data.Splits`.
        model: function that returns the classifier, a Keras model with logits. What it takes of `input_shape`
            and `num_classes`, and nobody has bound, is given by the data.
        method: function of the classifier and `seed` that returns an `AdversarialModel`: a recipe, which
            also takes what is given of `threat_model` and `eval_attack`, or a method's class with
            its other arguments bound.
        optimizer: function of `learning_rate` that returns a Keras optimizer.
        test_attack: `Attack` of the report's robust accuracy.
        epochs: passes over the training split, at least 1.
        batch_size: global batch size.
        learning_rate: number, `Schedule` of epochs, or function of the number of epochs such as `one_cycle`.
        workdir: the run's folder.
        shorten_to: a smaller number of epochs that the run has in place of `epochs`, and in which all happens
            that should have happened in those: what settings count in epochs, such as milestones, ramps,
            warm-ups and the start of averages, comes earlier in proportion. None for the whole length.
            Patience counts validations and stays.
        threat_model: `ThreatModel` of a recipe; None for a method whose attack has its own.
        eval_attack: `Attack` of validation; None for that of the recipe or method.
        augment: sequence of augmentations; None for the usual ones of the data set, () for none.
        evaluation_batch_size: for validation and test; `batch_size` if None.
        checkpoint_rule: which epoch is tested and exported: "best_robust", "best_clean" (both on the
            validation split), "last".
        seed: whole number, the seed of all random numbers of the run.
        strategy, devices, deterministic, precision: see `Runtime`.
        jit_compile, accumulation_steps, rematerialize, gradient_norm: see `compile` of the method.
        save_seconds: if the run is killed, at most this many seconds of training are lost.
        image_epochs: epochs between two image grids in TensorBoard.
        profile_steps: first and last training step, counted from 1, of a profile for TensorBoard; or None.
        callbacks: functions without arguments that return Keras callbacks, such as `Plateau`. To be resumed,
            a callback with a state needs `get_state()`, `set_state(value)` and an attribute `name`; for
            arrays also `get_arrays()` and `set_arrays(value)`. `set_experiment(experiment)` is called if
            it has that method, with the data and the method.
        resume: "auto", "never" or "must"; see `Workspace`.
        dry_run: build everything, time a few steps, print the plan, write nothing.
        configuration: `config.Configuration` the call comes from, or None.

    Returns:
        The `Measured` test accuracies; None after a dry run, or if the run was complete already.

    Raises:
        UserError: something cannot work; nothing has been written.
        NotFiniteError: training diverged; the last good checkpoint is kept.
        Interrupted: SIGTERM or SIGINT; the state is saved.

    Example:
    >>> settings = {"data": tfrobust.data.digits, "model": tfrobust.models.digits_cnn}
    >>> settings |= {"method": tfrobust.recipes.trades, "threat_model": tfrobust.Linf(0.15)}
    >>> settings |= {"test_attack": tfrobust.PGD(tfrobust.Linf(0.15), steps=20)}
    >>> settings |= {"optimizer": tfrobust.training.CoupledSGD, "learning_rate": 0.05, "batch_size": 128}
    >>> tfrobust.training.train(**settings, epochs=0, workdir="runs/trades")
    Traceback (most recent call last):
    tfrobust.errors.UserError: `epochs` must be a whole number of at least 1 and at most ... epochs=0.
    """
    check_plain(checkpoint_rule, save_seconds, image_epochs)
    runtime = Runtime(strategy, devices, deterministic, precision)
    check_seed(seed)
    given = configuration.given if configuration else ""
    cluster = find_cluster(os.environ) if strategy == "multi_worker" else None
    if cluster is None:
        check_writable(workdir)
        workspace = Workspace(workdir, given, resume)
    with runtime.start(seed, cluster) as workers:
        if cluster is not None:
            request = {"seed": seed, "epochs": epochs, "batch_size": batch_size, "resume": resume}
            request |= {"dry_run": dry_run, "devices": str(devices), **split_bindings(given)}
            workers.check_same("version", list_versions())
            workers.check_same("configuration", request)
            with workers.refused_together():
                if workers.is_chief:
                    check_writable(workdir)
                workspace = Workspace(workdir, given, resume)
        experiment = build(
            data=data,
            model=model,
            method=method,
            optimizer=optimizer,
            test_attack=test_attack,
            epochs=epochs,
            shorten_to=shorten_to,
            batch_size=batch_size,
            learning_rate=learning_rate,
            threat_model=threat_model,
            eval_attack=eval_attack,
            augment=augment,
            evaluation_batch_size=evaluation_batch_size,
            checkpoint_rule=checkpoint_rule,
            seed=seed,
            compilation={
                "jit_compile": jit_compile,
                "accumulation_steps": accumulation_steps,
                "rematerialize": rematerialize,
                "gradient_norm": gradient_norm,
            },
            gin_files=tuple(configuration.files if configuration else ()),
            gin_bindings=configuration.bindings if configuration else (),
            workers=workers,
            bound=configuration.list_bound(train, "model") if configuration else (),
        )
        extra = build_callbacks(callbacks, experiment)
        total = experiment.epochs * experiment.steps_per_epoch
        profiled = check_profile_steps(profile_steps, total)
        shown: dict[str, Any] = {"image_epochs": image_epochs, "profile_steps": profiled}
        if configuration:
            configuration.check_all_used()
        if dry_run:
            print_plan(experiment)
            workers.part()
            return None
        if workers.exchange(workspace.is_complete)[0]:
            if workers.is_chief:
                print(f"{workspace.path} is complete: see {workspace.report}.")
            workers.part()
            return None
        with contextlib.ExitStack() as stack:
            with workers.refused_together():
                if workers.is_chief:
                    used = configuration.format_used() if configuration else ""
                    stack.enter_context(_claim(experiment, workspace, used))
            return _run(experiment, workspace, checkpoint_rule, save_seconds, shown, extra)


def _claim(experiment, workspace, used):
    if workspace.report.is_file():
        print(
            f"{workspace.path} has a report, but its export or report.json is missing: the run continues."
        )
    info = experiment.splits.info
    described = {
        "name": info.name,
        "fingerprint": experiment.fingerprint,
        "source": info.source,
        "image_shape": info.image_shape,
        "class_names": info.class_names,
    }
    threat_model = describe(experiment.test_attack.threat_model)
    return workspace.claim(used, experiment.seed, described, threat_model)


def _run(experiment, workspace, checkpoint_rule, save_seconds, shown, extra):
    workers = experiment.workers
    saved = load_state(workspace, workers)
    epoch, step = (saved.state["epoch"], saved.state["step"]) if saved else (0, 0)
    with contextlib.ExitStack() as stack:
        if workers.is_chief:
            record = RunRecord(
                workspace.record, experiment.seed, resumed_from=saved.step if saved else None
            )
            stack.enter_context(note_end(record))
        stop = stack.enter_context(StopRequest())
        stack.enter_context(workers.loss_interrupts())
        chain = make_chain(
            experiment,
            workspace,
            open_log(workspace, saved) if workers.is_chief else None,
            checkpoint_rule=checkpoint_rule,
            save_seconds=save_seconds,
            **shown,
            stop=stop,
            extra=extra,
            saved=saved,
        )
        if epoch < experiment.epochs and not (saved and saved.state["stopped"]):
            with chain.profile:
                fit_from(experiment, epoch, step, chain.callbacks)
        else:
            restore_callbacks(chain.stateful, saved)
        return finish(experiment, workspace, checkpoint_rule, chain.metrics, stop)
