"""The loop of a run, from the place where it was saved."""

from collections.abc import Sequence

import keras

from tfrobust.ops.replicas.rows import split_batches
from tfrobust.training.experiment import Experiment


def fit_from(
    experiment: Experiment, epoch: int, step: int, callbacks: Sequence[keras.callbacks.Callback]
) -> None:
    """Fits the method of an experiment from a step of an epoch to the end of the run.

    Args:
        experiment: what the run has built.
        epoch: the first epoch to train, from 0.
        step: the first step of that epoch; what comes before it in the epoch is not trained again.
        callbacks: Keras callbacks, in their order.
    """
    options = {
        "validation_data": experiment.evaluation_dataset(experiment.splits.validation),
        "callbacks": callbacks,
        "verbose": 0,
    }
    method, steps = experiment.method, experiment.steps_per_epoch
    if step:
        # The rest of an epoch that was interrupted, so that the epochs after it have their full length.
        rest = _read_batches(experiment, epoch, step, epoch + 1)
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
            _read_batches(experiment, epoch),
            steps_per_epoch=steps,
            initial_epoch=epoch,
            epochs=experiment.epochs,
            **options,
        )


def _read_batches(experiment, epoch, step=0, epochs=None):
    """The training batches; of several workers, each reads its own rows of them only."""
    workers = experiment.workers
    if workers.count == 1:
        return experiment.training_dataset(epoch, step, epochs)
    own = experiment.training_dataset(epoch, step, epochs, (workers.index, workers.count))
    # Where a dataset has no end, workers need not ask each other before each step whether it came.
    return split_batches(own.repeat(), experiment.method.distribute_strategy, of_worker=True)
