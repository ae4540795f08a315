"""Robust accuracy on a fixed set of examples, once or in the course of a training."""

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfrobust import contract
from tfrobust.attacks.base import Attack
from tfrobust.data.held_out import hold_out
from tfrobust.data.pipeline import evaluation_dataset
from tfrobust.data.splits import Split
from tfrobust.errors import UserError
from tfrobust.evaluation.accuracy import Judge, measure
from tfrobust.evaluation.examples.load import as_examples
from tfrobust.methods.wrapper import ClassifierWrapper
from tfrobust.ops.numbers import integer
from tfrobust.ops.random.seeds import check_seed
from tfrobust.spec import check_kind

_FEW = 32


def robust_accuracy(
    model: keras.Model | Callable[[tf.Tensor], tf.Tensor],
    images: np.ndarray,
    labels: np.ndarray,
    attack: Attack,
    *,
    batch_size: int = 256,
    seed: int = 0,
) -> float:
    """The share of examples that a model classifies right as they are and under one attack.

    Use it to watch a training or to compare settings. A number for others to believe is `evaluate`'s, which
    runs several attacks and looks for what makes them fail.

    Args:
        model: Keras model, or function, from images in [0, 1] to logits.
        images: (n, h, w, c), uint8 in 0..255 or float in [0, 1].
        labels: (n,) integers.
        attack: `Attack` such as `PGD(Linf("8/255"), steps=20)`.
        batch_size: examples that are attacked at once; the result does not depend on it, but for rounding.
        seed: of the attack's random numbers, which belong to the examples.

    Returns:
        A number in [0, 1]. Every adversarial image is looked at again: its distance, its pixels, and the
        prediction in a pass of its own.

    Raises:
        UserError: the model gives no logits, images or labels are out of range, or a logit is not finite.

    Example:
        >>> x, y = np.full((4, 2, 2, 1), 0.5, "float32"), np.array([0, 0, 0, 1])
        >>> model = lambda x: tf.reduce_mean(x, (1, 2)) * [-1.0, 1.0] + [1.2, 0.0]
        >>> for radius in (0.09, 0.11):
        ...     attack = tfrobust.PGD(tfrobust.Linf(radius), steps=5, relative_step_size=0.5)
        ...     print(tfrobust.robust_accuracy(model, x, y, attack))
        0.75
        0.0
    """
    check_kind("attack", attack, Attack)
    return _Watch(model, Split(images, labels), attack, batch_size, seed).count()


class _Watch:
    """A classifier, an attack that is traced once, and the examples."""

    def __init__(self, model, split, attack, batch_size, seed):
        contract.check_model(model)
        few = contract.as_images_of(model, split.images[:_FEW])
        contract.check_on_images(model, few)
        self.model = model
        self.judge = Judge(model, attack, check_seed(seed))
        size = min(integer(batch_size, "batch_size", 1), len(split))
        self._dataset = evaluation_dataset(split, size)

    def count(self):
        return float(measure(self.judge, self._dataset).robust.mean())


class RobustAccuracy(keras.callbacks.Callback):
    """A Keras callback that puts the robust accuracy on fixed examples into the logs of an epoch.

    Use it in the `fit` of any Keras model, before the callbacks that read the logs. `EarlyStopping` and
    `ModelCheckpoint` watch it by `monitor="val_robust_accuracy", mode="max"`. An epoch without a measurement
    has the number NaN, which is no improvement: `ModelCheckpoint(save_best_only=True)` keeps what it has,
    where it would save whatever has no number at all, and the patience of `EarlyStopping` counts every epoch,
    so that it must be `every` at least. The attack is traced once, draws by the examples only, and moves no
    weight, statistic or random state: training is that without it, and one that was interrupted goes on with
    the same numbers.

    Args:
        attack: `Attack` such as `PGD(Linf("8/255"), steps=10)`.
        data: pair of images, uint8 or float in [0, 1], and labels; or a `data.Split`, `evaluation.Examples`
            or finite tf.data.Dataset, which is read into memory. None for the validation split in
            `training.train`.
        every: it is measured after every so many epochs, and after the first one of a `fit`. In the runs of
            `training.train`, whose tables have empty cells, after the others the number is left out.
        examples: how many are used, the same for ever and of all classes alike; None for all.
        classifier: the model from images in [0, 1] to logits that is attacked, such as
            `tfrobust.adapt(model, input_range=(0, 255))`, which shares the weights of a model with a
            softmax. None for the model that is fitted, or for the classifier in a method.
        name: of the number in the logs.
        batch_size, seed: see `robust_accuracy`.
        verbose: 1 to print each measurement, and what it took, in a line; 0 for silence.

    Raises:
        UserError: an argument is out of range; at the start of a training: no data, a model that gives no
            logits, or a number of this name that the method reports itself.

    Example:
        >>> splits = tfrobust.data.digits()
        >>> model = tfrobust.models.digits_cnn()
        >>> model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> attack = tfrobust.PGD(tfrobust.Linf(0.1), steps=2)
        >>> watch = tfrobust.RobustAccuracy(attack, splits.validation, every=2)
        >>> x, y = splits.train.images, splits.train.labels
        >>> model.fit(x, y, epochs=2, verbose=0, callbacks=[watch]).epoch, watch.log_name
        ([0, 1], 'val_robust_accuracy')
    """

    def __init__(
        self,
        attack: Attack,
        data: Any = None,
        every: int = 1,
        *,
        examples: int | None = None,
        classifier: keras.Model | None = None,
        name: str = "val_robust_accuracy",
        batch_size: int = 256,
        seed: int = 0,
        verbose: int = 0,
    ) -> None:
        super().__init__()
        check_kind("attack", attack, Attack)
        self.attack, self.every = attack, integer(every, "every", 1)
        self.examples = None if examples is None else integer(examples, "examples", 1)
        self.batch_size = integer(batch_size, "batch_size", 1)
        self.seed, self.log_name, self.classifier = check_seed(seed), name, classifier
        self.verbose = integer(verbose, "verbose", 0, 1)
        self._split = None if data is None else self._choose(as_examples(data).load())
        self._watch: _Watch | None = None
        # In `fit`, no epoch is without the number, and the first has one to compare others with.
        self._fills, self._is_first = True, True

    def set_experiment(self, experiment: Any) -> None:
        """Called by `train`: the validation split, where no data were given."""
        self._fills = False
        if self._split is None:
            self._split = self._choose(experiment.splits.validation.load())

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        model = self.model
        reported = isinstance(model, ClassifierWrapper) and model.eval_attack is not None
        if reported and self.log_name == "val_robust_accuracy":
            raise UserError(
                "The method reports val_robust_accuracy under its `eval_attack` itself. Give the number of "
                "RobustAccuracy another name, such as name='val_pgd_20_accuracy'."
            )
        if self._split is None:
            raise UserError(
                "RobustAccuracy needs examples: give `data=(images, labels)` outside of `training.train`."
            )
        self._is_first = True
        inner = model.classifier if isinstance(model, ClassifierWrapper) else model
        attacked = inner if self.classifier is None else self.classifier
        # A second `fit` of the same model goes on with what is traced.
        if self._watch is None or self._watch.model is not attacked:
            self._watch = _Watch(attacked, self._split, self.attack, self.batch_size, self.seed)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is None or self._watch is None:
            return
        is_first, self._is_first = self._is_first and self._fills, False
        if (epoch + 1) % self.every and not is_first:
            if self._fills:
                logs[self.log_name] = float("nan")
            return
        began = time.monotonic()
        logs[self.log_name] = found = self._watch.count()
        if self.verbose:
            took = time.monotonic() - began
            print(f"\nEpoch {epoch + 1}: {self.log_name} {found:.4f} in {took:.1f} s")

    def _choose(self, found):
        split = found if isinstance(found, Split) else Split(found.x, found.y, found.ids)
        if self.examples is None or self.examples >= len(split):
            return split
        return hold_out(split, self.examples, 0, "examples")[1]
