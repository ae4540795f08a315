"""The cost of a run, estimated from a few steps."""

import contextlib
import io
import pathlib
import tempfile
import time

import keras
import tensorflow as tf

from tfrobust.benchmarks.measuring.memory import measure_process_peak
from tfrobust.ops import onednn
from tfrobust.runs.duration import format_duration
from tfrobust.runs.workspace import Workspace
from tfrobust.training import memory_plan
from tfrobust.training.callbacks.metrics_log import MetricsLog
from tfrobust.training.chain import make_chain
from tfrobust.training.experiment import Experiment
from tfrobust.training.report import describe_attack

# Epochs between two grids of images, as in `train`: one of them is among those that are timed.
_IMAGE_EPOCHS = 5


class _StepTimes(keras.callbacks.Callback):
    """Notes when each batch ended, and stops after some seconds."""

    def __init__(self, seconds, workers):
        super().__init__()
        self.seconds = seconds
        self.workers = workers
        self.times = [time.monotonic()]

    def on_train_batch_end(self, batch, logs=None):
        self.times.append(time.monotonic())
        # All workers stop after the same batch.
        (enough,) = self.workers.any_of(self.times[-1] - self.times[1] > self.seconds)
        if enough and batch >= 1:
            self.model.stop_training = True

    on_test_batch_end = on_train_batch_end


def print_plan(experiment: Experiment, seconds: float = 5.0, most_steps: int = 50) -> None:
    """Traces and times a few training and validation steps and prints what the whole run would take.

    The classifier's weights change in memory; nothing is written.

    Args:
        experiment: `experiment.Experiment`.
        seconds: time to spend on training steps, after tracing.
        most_steps: the largest number of them.
    """
    method = experiment.method
    memory = memory_plan.estimate(experiment)
    advice = memory and memory_plan.advise(
        memory, method, experiment.batch_size, memory_plan.measure_available()
    )
    advice = next(filter(None, experiment.workers.exchange(advice)), None)
    if advice:
        if not experiment.workers.is_chief:
            return
        print(f"{advice}\nNo step of a whole batch was made, and nothing was written.")
        return
    training = _StepTimes(seconds, experiment.workers)
    steps = min(most_steps, experiment.steps_per_epoch * experiment.epochs)
    with memory_plan.naming_what_helps(method, experiment.batch_size):
        logs = method.fit(
            experiment.training_dataset().take(steps).repeat(2 if steps == 1 else 1),
            steps_per_epoch=max(steps, 2),
            verbose=0,
            callbacks=[training],
        ).history
    tracing = training.times[1] - training.times[0]
    step = _take_median_gap(training.times)
    validation = experiment.evaluation_dataset(experiment.splits.validation)
    batches = int(validation.cardinality())
    judging = _StepTimes(seconds, experiment.workers)
    found = method.evaluate(
        validation.take(1).repeat(3), verbose=0, callbacks=[judging], return_dict=True
    )
    batch = _take_median_gap(judging.times)
    began = time.monotonic()
    method.evaluate(validation.take(1), verbose=0)
    passes = batch * batches
    judged = passes + max(0.0, time.monotonic() - began - batch)
    logs = {name: values[-1] for name, values in logs.items()}
    logs |= {f"val_{name}": number for name, number in found.items()}
    # Of several workers, the chief alone writes.
    keeping = time_keeping(experiment, logs) if experiment.workers.count == 1 else 0.0
    parts = {
        "training": step * experiment.steps_per_epoch,
        "validation": judged,
        "logging and saving": keeping,
    }
    epoch = sum(parts.values())
    shares = ", ".join(f"{name} {part / epoch:.1%}" for name, part in parts.items())
    classifier = method.classifier
    count = sum(int(tf.size(v)) for v in classifier.trainable_variables)
    if not experiment.workers.is_chief:
        return
    print(
        f"method            {method.describe()}\n"
        f"attack            {_describe_training(method)}\n"
        f"test attack       {describe_attack(experiment.test_attack)}\n"
        f"parameters        {count:,}\n"
        f"training examples {len(experiment.splits.train):,}\n"
        f"images            {experiment.splits.describe_storage()}\n"
        f"steps             {experiment.steps_per_epoch:,} an epoch, {_describe_epochs(experiment)}\n"
        f"devices           {_describe_replicas(experiment)}\n"
        f"tracing           {tracing:.1f} s\n"
        f"training step     {step:.4f} s (batch {experiment.batch_size})\n"
        f"validation        {judged:.3g} s an epoch, of which its steps {passes:.3g} s\n"
        f"logging, saving   {_describe_keeping(keeping)}\n"
        f"an epoch          {epoch:.3g} s: {shares}\n"
        f"estimated time    {format_duration(tracing + epoch * experiment.epochs)}, "
        f"without the final test\n"
        f"peak memory       {_describe_memory()}\n"
        "Nothing was written."
    )


def _describe_training(method):
    return "none" if method.attack is None else describe_attack(method.attack)


def time_keeping(experiment: Experiment, logs: dict[str, float]) -> float:
    """Seconds of an epoch in which a run logs and saves, measured in a folder that is removed again.

    Every epoch is taken to be the best so far. Callbacks of the user's own are not called.

    Args:
        experiment: `experiment.Experiment`.
        logs: the numbers of an epoch, as Keras gives them to callbacks.
    """
    steps, took = experiment.steps_per_epoch, 0.0
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        workspace = Workspace(pathlib.Path(folder, "run"), "", "never")
        chain = make_chain(
            experiment,
            workspace,
            MetricsLog(workspace.path),
            checkpoint_rule="last",
            save_seconds=float("inf"),
            image_epochs=_IMAGE_EPOCHS,
            stop=False,
        )
        calls = keras.callbacks.CallbackList(chain.callbacks, model=experiment.method)
        calls.on_train_begin()
        # The first round traces, opens files and finds no checkpoint to replace.
        for epoch in range(2 * _IMAGE_EPOCHS):
            began = time.monotonic()
            calls.on_epoch_begin(epoch)
            # The last steps of the epoch, where the state before the last one is kept.
            for batch in range(max(0, steps - 16), steps):
                calls.on_train_batch_begin(batch, {})
                calls.on_train_batch_end(batch, logs)
            calls.on_epoch_end(epoch, logs)
            took += time.monotonic() - began if epoch >= _IMAGE_EPOCHS else 0.0
        calls.on_train_end()
    return took / _IMAGE_EPOCHS


def _describe_epochs(experiment):
    whole = round(experiment.epochs * experiment.pace)
    shortened = f", shortened from {whole}" if whole > experiment.epochs else ""
    return f"{experiment.epochs} epochs{shortened}"


def _describe_keeping(seconds):
    return f"{seconds:.3g} s an epoch" if seconds else "not measured on several workers"


def _describe_replicas(experiment):
    replicas = experiment.method.distribute_strategy.num_replicas_in_sync
    share = -(-experiment.batch_size // replicas)
    told = (
        f"{replicas} with {share} images of a batch each, on {experiment.workers.count} "
        f"{'worker' if experiment.workers.count == 1 else 'workers'}"
    )
    if onednn.is_left_off():
        told += (
            f"\n                  TensorFlow leaves oneDNN off here; {onednn.VARIABLE}=1 may make a step "
            "faster, and\n                  `tfrobust doctor` measures how much"
        )
    return told


def _take_median_gap(times):
    # The first gap is tracing.
    gaps = sorted(after - before for before, after in zip(times[1:-1], times[2:], strict=True))
    return gaps[len(gaps) // 2]


def _describe_memory():
    parts = [f"{measure_process_peak() / 2**30:.2f} GiB of this process"]
    for device in tf.config.list_logical_devices("GPU"):
        peak = tf.config.experimental.get_memory_info(device.name.removeprefix("/device:"))["peak"]
        parts.append(f"{peak / 2**30:.2f} GiB on {device.name}")
    return ", ".join(parts)
