"""The logs of a run for TensorBoard."""

import os
import pathlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfrobust.data import evaluation_dataset
from tfrobust.data.base_split import BaseSplit
from tfrobust.ops.random.keys import ExampleKeys, content_keys, seed_pair
from tfrobust.ops.schedules import at


class TensorBoardLog(keras.callbacks.Callback):
    """Scalars of training and validation, learning rate, epsilon, the configuration, and image grids.

    A grid has a row each for clean images, their adversarial versions under the method's
    `eval_attack`, and the difference, amplified so that the radius spans the grey scale; all in pixel space.

    Args:
        folder: of the event files; training and validation have a folder each below it.
        examples: `data.Split` or `data.StoredSplit` of a few validation examples.
        text: the configuration.
        image_epochs: epochs between two grids, at least 1.
    """

    def __init__(
        self, folder: str | os.PathLike, examples: BaseSplit, text: str, image_epochs: int = 5
    ) -> None:
        super().__init__()
        self.folder = pathlib.Path(folder)
        self.images, self.labels, _ = next(iter(evaluation_dataset(examples, len(examples))))
        self.text = text
        self.image_epochs = image_epochs
        self._keys: ExampleKeys | None = None
        self._writers: dict[str, tf.summary.SummaryWriter] = {}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if not self._writers:
            for name in ("train", "validation"):
                self._writers[name] = tf.summary.create_file_writer(str(self.folder / name))
            with self._writers["train"].as_default(step=0):
                tf.summary.text("configuration", f"```\n{self.text}\n```")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = logs or {}
        with self._writers["train"].as_default(step=epoch):
            for name, value in logs.items():
                if not name.startswith("val_"):
                    tf.summary.scalar(name, value)
            tf.summary.scalar("learning_rate", self.model.optimizer.learning_rate)
            if self.model.attack is not None:
                radius = self.model.attack.threat_model.radius()
                tf.summary.scalar("epsilon", radius * at(self.model.scale, self.model.epoch()))
        with self._writers["validation"].as_default(step=epoch):
            for name, value in logs.items():
                if name.startswith("val_"):
                    tf.summary.scalar(name.removeprefix("val_"), value)
            if self.model.eval_attack is not None and epoch % self.image_epochs == 0:
                tf.summary.image("clean_adversarial_difference", self._grid()[None])
        for writer in self._writers.values():
            writer.flush()

    def _grid(self):
        attack = self.model.eval_attack
        if self._keys is None:
            # The same in each epoch, and made image by image.
            self._keys = content_keys(seed_pair(self.model.seed), self.images)
        found = attack(self.model.classifier, self.images, self.labels, seed=self._keys).x.numpy()
        return draw_grid(self.images.numpy(), found)


def draw_grid(clean: np.ndarray, adversarial: np.ndarray) -> np.ndarray:
    """Three rows of images: clean, adversarial, difference; shape (3h, nw, c), values in [0, 1].

    The difference is shown around middle grey, its largest value at black and white.
    """
    difference = adversarial - clean
    largest = max(float(np.abs(difference).max()), 1e-12)
    rows = (clean, adversarial, 0.5 + 0.5 * difference / largest)
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
