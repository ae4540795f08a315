"""A callback whose numbers go into the logs of each epoch."""

import abc
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfrobust import contract
from tfrobust.attacks.base import Attack
from tfrobust.contract.labels import as_labels, check_counts
from tfrobust.errors import UserError
from tfrobust.methods.base import AdversarialModel
from tfrobust.ops.numbers import integer
from tfrobust.spec import check_kind

# Examples of a pass.
_ROWS = 128


class Measurement(keras.callbacks.Callback, abc.ABC):
    """Measures something of the classifier on fixed training examples after each epoch.

    `train` calls it before it writes the epoch's metrics, so that the numbers stand in `metrics.csv`, in
    TensorBoard and in figures. In a `fit` of your own put it before callbacks that read the logs. It draws no
    random numbers of training and moves no statistics: the weights are those of a run without it.

    Args:
        examples: how many of the first training examples are used, at least 1.
        data: pair of images, (n, h, w, c), uint8 or floating-point in [0, 1], and labels, (n,) or soft ones,
            (n, k), to use in place of them; needed outside of `train`.

    Raises:
        UserError: at the start of training, without images or for images or labels of another kind.

    Example:
        >>> class Confidence(tfrobust.training.Measurement):
        ...     def measure(self, x, y):
        ...         probabilities = tf.nn.softmax(self.model.classifier(x, training=False))
        ...         return {"confidence": tf.reduce_max(probabilities, axis=1)}
        >>> Confidence(examples=100).examples
        100
    """

    def __init__(
        self, examples: int = 1000, data: tuple[np.ndarray, np.ndarray] | None = None
    ) -> None:
        super().__init__()
        self.examples = integer(examples, "examples", 1)
        self._data = data

    def set_experiment(self, experiment: Any) -> None:
        """Called by `train`: the training examples."""
        if self._data is None:
            split = experiment.splits.train
            split = split.take(np.arange(min(self.examples, len(split)))).load()
            self._data = split.images, split.labels

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self._data is None:
            raise UserError(
                f"`{type(self).__name__}` needs images: give `data=(images, labels)` outside of `train`."
            )
        images, labels = (np.asarray(part)[: self.examples] for part in self._data)
        check_counts(len(images), len(labels))
        self._x = contract.array_from_uint8(contract.check_images(images))
        of_method = isinstance(self.model, AdversarialModel)
        classifier = self.model.classifier if of_method else self.model
        self._y = as_labels(labels, contract.num_classes(classifier)).numpy()
        self._compiled = tf.function(self.measure, autograph=False)
        rows = min(_ROWS, len(self._x))
        specs = [tf.TensorSpec((rows, *part.shape[1:]), part.dtype) for part in (self._x, self._y)]
        traced = self._compiled.get_concrete_function(*specs).structured_outputs
        for name, values in traced.items():
            _check_shape(values, name, rows)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        parts: dict[str, list[np.ndarray]] = {}
        for begin in range(0, len(self._x), _ROWS):
            # All of one size, so that there is one trace; what fills the last one does not count.
            part = np.arange(begin, min(begin + _ROWS, len(self._x)))
            filled = np.resize(part, min(_ROWS, len(self._x)))
            found = self._compiled(tf.constant(self._x[filled]), tf.constant(self._y[filled]))
            for name, values in found.items():
                parts.setdefault(name, []).append(np.asarray(values, np.float64)[: len(part)])
        if logs is not None:
            logs.update({name: float(np.mean(np.concatenate(p))) for name, p in parts.items()})

    def find_attack(self) -> Attack:
        """The attack of the training, or that of its validation for methods that attack no image.

        Raises:
            UserError: there is neither, or what is trained is no method of `tfrobust.methods`.
        """
        check_kind("model", self.model, AdversarialModel)
        attack = self.model.attack or self.model.eval_attack
        if attack is None:
            raise UserError(
                f"`{type(self).__name__}` found no attack: {type(self.model).__name__} has none, and its "
                "`eval_attack` is None. Give one of them, or the callback its own."
            )
        return attack

    @abc.abstractmethod
    def measure(self, x: tf.Tensor, y: tf.Tensor) -> dict[str, tf.Tensor]:
        """Numbers of each example, (n,), by their names in the logs, which get the means over all examples.

        Args:
            x: images, (n, h, w, c): some of the examples, so that networks of any size fit into memory.
            y: labels, (n,), or soft labels, (n, k).
        """


def _check_shape(values, name, rows):
    if not values.shape.is_compatible_with((rows,)):
        raise UserError(
            f"`measure` must give a number for each example, of shape ({rows},). Received: {name} of shape "
            f"{tuple(values.shape)}."
        )
