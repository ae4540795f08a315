"""What the engine asks of a classifier."""

from collections.abc import Callable
from typing import Any, Protocol

import tensorflow as tf


class Classifier(Protocol):
    """What the engine asks of a classifier; see `evaluation.Subject`, which is one."""

    @property
    def forward(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """Function from images in [0, 1] to full-precision logits."""

    @property
    def description(self) -> str:
        """What it is, in words."""

    @property
    def has_gradient(self) -> bool:
        """Whether TensorFlow can differentiate it."""

    @property
    def has_scores(self) -> bool:
        """Whether its logits say more than the predicted class."""

    @property
    def model(self) -> Any:
        """What holds the variables."""
