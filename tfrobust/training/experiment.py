"""What a run builds before it begins, and before anything is written."""

import dataclasses
from collections.abc import Callable, Collection, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfrobust import contract
from tfrobust import data as data_room
from tfrobust.attacks.base import Attack
from tfrobust.data.augmentation.soft_labels import split_soft_labels
from tfrobust.data.augmentation.transforms import check_augment
from tfrobust.data.fingerprint import fingerprint
from tfrobust.errors import UserError
from tfrobust.methods.base import AdversarialModel
from tfrobust.methods.data_checks import check_soft_labels
from tfrobust.ops.numbers import integer, number
from tfrobust.ops.replicas.workers import ALONE, Workers
from tfrobust.ops.schedules import Schedule
from tfrobust.spec import check_kind
from tfrobust.threat_models.base import ThreatModel
from tfrobust.training.callbacks.keep import KeepBest
from tfrobust.training.callbacks.protocols import NeedsExperiment, Remembers
from tfrobust.training.followed import check_follows, follow_data
from tfrobust.training.optimizers.learning_rate import make_learning_rate
from tfrobust.training.parts import check_function, check_functions, check_takes, make_part

MOST = 10**9
"""The largest number of epochs, and of images in a batch."""


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
        gin_files, gin_bindings: where the configuration was read from, and what overrides it.
        workers: the `Workers` that train together.
        fingerprint: digits that identify the data, as `data.fingerprint` gives them.
        pace: how many epochs of the settings pass in one of the run: more than 1 if it is shortened.
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
    gin_bindings: tuple = ()
    workers: Workers = ALONE
    fingerprint: dict = dataclasses.field(default_factory=dict)
    pace: float = 1.0

    def shorten(self, epochs: int) -> int:
        """How many epochs of the run stand for so many of the settings, rounded to the nearest."""
        return round(epochs / self.pace)

    def training_dataset(
        self,
        epoch: int = 0,
        step: int = 0,
        epochs: int | None = None,
        part: tuple[int, int] = (0, 1),
    ) -> tf.data.Dataset:
        """All training batches from a step of an epoch on."""
        return data_room.training_dataset(
            self.splits.train,
            self.batch_size,
            seed=self.seed,
            epochs=self.epochs if epochs is None else epochs,
            augment=self.augment,
            first_epoch=epoch,
            first_step=step,
            part=part,
            num_classes=self.splits.info.num_classes,
        )

    def evaluation_dataset(self, split: data_room.BaseSplit) -> tf.data.Dataset:
        """Every example of a split once, the last batch padded at weight 0."""
        return data_room.evaluation_dataset(
            split, min(self.evaluation_batch_size, _fill_replicas(len(split)))
        )


def check_plain(checkpoint_rule: str, save_seconds: float, image_epochs: int) -> None:
    """Raises `UserError` for settings of `train` that no part of a run is built from."""
    if not isinstance(checkpoint_rule, str) or checkpoint_rule not in KeepBest.RULES:
        raise UserError(
            f"`checkpoint_rule` must be one of {tuple(KeepBest.RULES)}. Received: {checkpoint_rule!r}."
        )
    number(save_seconds, "save_seconds", 0.0)
    integer(image_epochs, "image_epochs", 1)


def build(
    *,
    data: Callable[[], data_room.Splits],
    model: Callable[..., keras.Model],
    method: Callable[..., AdversarialModel],
    optimizer: Callable[..., keras.Optimizer],
    test_attack: Attack,
    epochs: int,
    shorten_to: int | None,
    batch_size: int,
    learning_rate: float | Schedule | Callable[..., Any],
    threat_model: ThreatModel | None,
    eval_attack: Attack | None,
    augment: Sequence[Callable] | None,
    evaluation_batch_size: int | None,
    checkpoint_rule: str,
    seed: int,
    compilation: dict[str, Any],
    gin_files: tuple[str, ...],
    gin_bindings: tuple[str, ...],
    workers: Workers = ALONE,
    bound: Collection[str] = (),
) -> Experiment:
    """Builds an `Experiment` from the settings of `run.train`, and checks each of them.

    Raises:
        UserError: names the setting that cannot work.
    """
    kinds = {"data": data_room.Splits, "model": keras.Model, "method": AdversarialModel}
    kinds["optimizer"] = keras.Optimizer
    given = {"data": data, "model": model, "method": method, "optimizer": optimizer}
    for name, kind in kinds.items():
        check_function(name, given[name], kind)
    check_kind("test_attack", test_attack, Attack)
    check_kind("eval_attack", eval_attack, Attack, optional=True)
    check_kind("threat_model", threat_model, ThreatModel, optional=True)
    epochs = integer(epochs, "epochs", 1, MOST)
    length = epochs if shorten_to is None else integer(shorten_to, "shorten_to", 1, epochs)
    pace = epochs / length
    batch_size = integer(batch_size, "batch_size", 1, MOST)
    if evaluation_batch_size is not None:
        integer(evaluation_batch_size, "evaluation_batch_size", 1, MOST)

    _check_replicas(batch_size, workers)
    with workers.refused_together():
        splits = make_part("data", data, data_room.Splits)
        hashes = fingerprint(splits)
    workers.check_same("data set", {"name": splits.info.name, **hashes})
    steps_per_epoch = data_room.steps_per_epoch(splits.train, batch_size)
    augment = splits.info.augment if augment is None else augment
    augment = check_augment(augment, splits.train.image_shape)
    classifier = make_part("model", model, None, **follow_data(model, splits.info, bound))
    _check(classifier, splits)
    settings = {"threat_model": threat_model, "eval_attack": eval_attack}
    settings = {name: value for name, value in settings.items() if value is not None}
    check_takes(method, settings)
    built = make_part("method", method, AdversarialModel, classifier, **settings, seed=seed)
    if split_soft_labels(augment).makes_soft_labels:
        check_soft_labels(built)
    updates = steps_per_epoch * built.updates_per_step
    if callable(learning_rate) and not isinstance(learning_rate, Schedule):
        rates = (Schedule, int, float)
        learning_rate = make_part("learning_rate", learning_rate, rates, epochs=epochs)
    rate = make_learning_rate(learning_rate, epochs, updates / pace if pace > 1.0 else updates)
    built.compile(
        make_part("optimizer", optimizer, keras.Optimizer, learning_rate=rate), **compilation
    )
    # Keras would make the optimizer's variables at the first step, too late to restore them.
    built.optimizer.build(built.classifier.trainable_variables)
    built.steps_per_epoch = steps_per_epoch
    built.clock.pace = pace
    if checkpoint_rule == "best_robust" and built.eval_attack is None:
        raise UserError(
            "checkpoint_rule='best_robust' needs the method's `eval_attack`. Give one, or choose "
            "'best_clean' or 'last'."
        )
    return Experiment(
        splits,
        built,
        steps_per_epoch,
        length,
        batch_size,
        evaluation_batch_size or batch_size,
        augment,
        test_attack,
        seed,
        gin_files,
        gin_bindings,
        workers,
        hashes,
        pace,
    )


def _check_replicas(batch_size, workers):
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if workers.count > 1 and batch_size % replicas:
        raise UserError(
            f"`batch_size` counts the images of all {workers.count} workers together, and must be a multiple "
            f"of their {replicas} replicas. Received: batch_size={batch_size}."
        )


def _check(classifier, splits):
    """Checks the classifier against the contract, on a few images of the training split."""
    contract.check_classifier(classifier, "model")
    check_follows(classifier, splits.info)
    images, _ = splits.train.read(np.arange(min(32, len(splits.train))))
    few = contract.as_images_of(classifier, images)
    contract.check_on_images(classifier, few, splits.info.num_classes)


def build_callbacks(
    callbacks: Sequence[Callable[[], keras.callbacks.Callback]], experiment: Experiment
) -> list[keras.callbacks.Callback]:
    """The Keras callbacks that the functions in `callbacks` return, with the method and the data.

    Raises:
        UserError: one is not a callback, refuses the experiment, or has the name of another one with a state.
    """
    check_functions("callbacks", callbacks, keras.callbacks.Callback)
    extra = [
        make_part(f"callbacks[{place}]", make, keras.callbacks.Callback)
        for place, make in enumerate(callbacks)
    ]
    names = ["best", "time", *(c.name for c in extra if isinstance(c, Remembers))]
    if len(set(names)) < len(names):
        raise UserError(
            "Callbacks with a state need different names, other than 'best' and 'time'. "
            f"Received: {', '.join(names[2:])}."
        )
    for callback in extra:
        callback.set_model(experiment.method)
        if isinstance(callback, NeedsExperiment):
            callback.set_experiment(experiment)
    return extra


def _fill_replicas(count):
    """Rounds a number of images up to a multiple of the number of replicas."""
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return -(-count // replicas) * replicas
