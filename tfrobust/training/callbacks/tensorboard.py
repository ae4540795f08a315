"""The logs of a run for TensorBoard."""

import io
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfrobust.data import evaluation_dataset
from tfrobust.data.base_split import BaseSplit
from tfrobust.ops.random.keys import ExampleKeys, content_keys, seed_pair
from tfrobust.ops.schedules import at
from tfrobust.runs.events import drop_events, write_hparams

_TAGS = {
    "accuracy": "accuracy/clean",
    "adversarial_accuracy": "accuracy/robust",
    "loss": "loss/total",
    "val_accuracy": "accuracy/clean",
    "val_robust_accuracy": "accuracy/robust",
    # The cross-entropy at the clean images, whatever the method minimises.
    "val_loss": "loss/clean",
}


class TensorBoardLog(keras.callbacks.Callback):
    """Scalars of training and validation by group, settings for HParams, and images with predictions.

    Steps are epochs as the console counts them, from 1. Training and validation of one quantity have
    the same tag in two runs, "train" and "validation", and so one chart. Every `image_epochs` epochs a few
    images are shown clean, under the method's `eval_attack`, and their change, scaled; of the same
    images "attack/perturbation_norm" is the mean distance in the threat model's norm, and
    "attack/flipped_share" the share whose prediction the attack changed.

    Args:
        folder: of the event files; training and validation have a folder each below it.
        examples: `data.Split` or `data.StoredSplit` of a few validation examples.
        text: the configuration.
        image_epochs: epochs between two pictures, at least 1.
        first_epoch: the first epoch, from 0, that is trained now: what an interrupted run wrote of it and
            of later ones is removed.
        settings: setting -> value, for the HParams dashboard.
        class_names: a name for each class; numbers where there is none.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        examples: BaseSplit,
        text: str,
        image_epochs: int = 5,
        first_epoch: int = 0,
        settings: Mapping[str, object] | None = None,
        class_names: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.folder = pathlib.Path(folder)
        self.images, self.labels, _ = next(iter(evaluation_dataset(examples, len(examples))))
        self.text = text
        self.image_epochs = image_epochs
        self.first_epoch = first_epoch
        self.settings = dict(settings or {})
        self.class_names = tuple(class_names)
        self._keys: ExampleKeys | None = None
        self._writers: dict[str, tf.summary.SummaryWriter] = {}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        # A run that goes on in the middle of an epoch is fitted twice.
        if self._writers:
            return
        begun = drop_events(self.folder, self.first_epoch + 1 if self.first_epoch else 0) > 0
        for name in ("train", "validation"):
            self._writers[name] = tf.summary.create_file_writer(str(self.folder / name))
        if begun:
            return
        with self._writers["train"].as_default(step=0):
            tf.summary.text("configuration", f"```\n{self.text}\n```")
        # Above both, so that their accuracies are those of one line in the dashboard.
        writer = tf.summary.create_file_writer(str(self.folder))
        with writer.as_default(step=0):
            write_hparams(self.settings, self.folder.absolute().parent.name)
        writer.close()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = logs or {}
        with self._writers["train"].as_default(step=epoch + 1):
            _write_scalars({n: v for n, v in logs.items() if not n.startswith("val_")})
            tf.summary.scalar("schedule/learning_rate", self.model.optimizer.learning_rate)
            if self.model.attack is not None:
                radius = self.model.attack.threat_model.radius()
                scale = at(self.model.scale, self.model.epoch())
                tf.summary.scalar("schedule/epsilon", radius * scale)
        with self._writers["validation"].as_default(step=epoch + 1):
            _write_scalars({n: v for n, v in logs.items() if n.startswith("val_")})
            if self.model.eval_attack is not None and epoch % self.image_epochs == 0:
                self._show_attack()
        for writer in self._writers.values():
            writer.flush()

    def _show_attack(self):
        attack, classifier = self.model.eval_attack, self.model.classifier
        if self._keys is None:
            # The same in each epoch, and made image by image.
            self._keys = content_keys(seed_pair(self.model.seed), self.images)
        found = attack(classifier, self.images, self.labels, seed=self._keys).x
        before, after = (
            np.argmax(classifier(x, training=False), axis=-1) for x in (self.images, found)
        )
        distances = attack.threat_model.distance(found, self.images)
        tf.summary.scalar("attack/perturbation_norm", tf.reduce_mean(distances))
        tf.summary.scalar("attack/flipped_share", np.mean(before != after))
        clean, adversarial = self.images.numpy(), found.numpy()
        if clean.shape[-1] in (1, 3):
            labels = self.labels.numpy()
            captions = [
                [f"{self._name(label)}: {self._name(p)}" for label, p in zip(labels, predictions)]
                for predictions in (before, after)
            ]
            picture = draw_picture(clean, adversarial, *captions, attack.threat_model.radius())
            text = "label: prediction, clean and adversarial; below, the change, scaled"
            tf.summary.image("attack/images", picture[None], description=text)

    def _name(self, label):
        number = int(np.argmax(label)) if np.ndim(label) else int(label)
        return self.class_names[number] if number < len(self.class_names) else str(number)


def name_tag(name: str) -> str:
    """The tag of a number that Keras calls `name`, in training or, with "val_", in validation.

    Example:
    >>> from tfrobust.training.callbacks.tensorboard import name_tag
    >>> [name_tag(name) for name in ("val_robust_accuracy", "loss", "val_loss", "label_loss", "entropy")]
    ['accuracy/robust', 'loss/total', 'loss/clean', 'loss/label', 'measures/entropy']
    """
    if name in _TAGS:
        return _TAGS[name]
    plain = name.removeprefix("val_")
    return f"loss/{plain[:-5]}" if plain.endswith("_loss") else f"measures/{plain}"


def _write_scalars(logs):
    written = set()
    for name, value in logs.items():
        tag = name_tag(name)
        # Of two that would share a chart the second keeps its own name.
        tag = tag if tag not in written else f"measures/{name.removeprefix('val_')}"
        written.add(tag)
        tf.summary.scalar(tag, value)


def draw_picture(
    clean: np.ndarray,
    adversarial: np.ndarray,
    before: Sequence[str],
    after: Sequence[str],
    radius: float,
) -> np.ndarray:
    """`plots.plot_perturbations` as pixels, uint8 (h, w, 3)."""
    from tfrobust.plots.perturbations import plot_perturbations

    content = io.BytesIO()
    figure = plot_perturbations(clean, adversarial, before, after, radius)
    figure.savefig(content, format="png", dpi=200, facecolor="white")
    return tf.io.decode_png(content.getvalue(), channels=3).numpy()
