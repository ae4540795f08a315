"""What the engine asks of a classifier, and whether that is enough for some attacks."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.errors import UserError


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


def check_needs(subject: Classifier, attacks: Sequence[tuple[str, Attack]]) -> None:
    """Raises `UserError` for names that repeat, and for attacks that need more than the subject gives."""
    names = [name for name, _ in attacks]
    if len(set(names)) < len(names):
        raise UserError(f"Attacks of a suite need different names. Received: {names}.")
    for name, attack in attacks:
        lacks = attack.needs_gradient and not subject.has_gradient
        if lacks or (attack.needs_scores and not subject.has_scores):
            raise UserError(
                f"The attack {name} needs {'gradients' if lacks else 'scores'}, which the "
                f"{subject.description} does not give. Choose attacks that need less, such as "
                f"{'square or rays' if subject.has_scores else 'rays'}."
            )
