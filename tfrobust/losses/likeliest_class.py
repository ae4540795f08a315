"""Soft labels as hard ones, for an attack."""

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfrobust.losses.objectives import CrossEntropy, Objective
from tfrobust.ops.logits import likeliest_class
from tfrobust.spec import check_kind, register


@register
@dataclasses.dataclass(frozen=True)
class OfLikeliestClass(Objective):
    """An objective that sees the arg max of a soft label, the class with the largest share, in its place.

    Use it in the attack of a training on soft labels (mixup, smoothed or distilled ones), which
    otherwise climbs its objective at the distribution itself: with an objective or a rule that is
    defined for one class only, such as `Margin()` or `EarlyStop()`; or to attack the class that a
    prediction is judged by. Class numbers stay as they are, and the attack with them.

    Args:
        objective: `Objective`.

    Example:
    >>> objective = tfrobust.losses.OfLikeliestClass(tfrobust.losses.Margin())
    >>> objective(tf.constant([[0.2, 0.8]]), tf.constant([[1.0, 4.0]])).numpy().tolist()
    [-3.0]
    """

    objective: Objective = CrossEntropy()

    of_likeliest_class = True

    def check(self) -> None:
        check_kind("objective", self.objective, Objective)

    @property
    def flat_at_clean(self) -> bool:
        return self.objective.flat_at_clean

    @property
    def needs_target(self) -> bool:
        return self.objective.needs_target

    @property
    def compares_with_clean(self) -> bool:
        return self.objective.compares_with_clean

    def reference(
        self, forward: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor, y: tf.Tensor
    ) -> Any:
        return self.objective.reference(forward, x, likeliest_class(y))

    def reference_from(self, logits: tf.Tensor) -> Any:
        return self.objective.reference_from(logits)

    def __call__(
        self,
        y: tf.Tensor,
        logits: tf.Tensor,
        reference: Any = None,
        candidate: tf.Tensor | None = None,
    ) -> tf.Tensor:
        return self.objective(likeliest_class(y), logits, reference, candidate)
