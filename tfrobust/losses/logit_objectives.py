"""Objectives that compare logits: the margin, differences of logits, and their scale-free ratios."""

import dataclasses
from typing import Any

import tensorflow as tf

from tfrobust.losses.margin import (
    difference_of_logits_ratio,
    logit_difference,
    margin,
    targeted_difference_of_logits_ratio,
)
from tfrobust.losses.objectives import Objective
from tfrobust.ops.numbers import parse_number
from tfrobust.spec import register

_NEEDS_CLASS = "the difference between its logit and others"


@register
@dataclasses.dataclass(frozen=True)
class Margin(Objective):
    """min(M - confidence, 0) + confidence, with M the largest wrong logit minus the label's.

    M > 0 is a misclassification. With a confidence the attack stops pushing once M exceeds it
    (Carlini-Wagner with kappa, written so that the value stays M); None never stops.

    Args:
        confidence: where the objective saturates, in logits, or None.

    Example:
    >>> y, logits = tf.constant([0]), tf.constant([[1.0, 4.0]])
    >>> tfrobust.losses.Margin()(y, logits).numpy().tolist()
    [3.0]
    >>> tfrobust.losses.Margin(confidence=2.0)(y, logits).numpy().tolist()
    [2.0]
    """

    needs_class = _NEEDS_CLASS

    confidence: float | None = None

    def check(self) -> None:
        if self.confidence is not None:
            self.store(confidence=parse_number(self.confidence, "confidence", 0.0))

    def __call__(
        self,
        y: tf.Tensor,
        logits: tf.Tensor,
        reference: Any = None,
        candidate: tf.Tensor | None = None,
    ) -> tf.Tensor:
        value = margin(y, logits)
        if self.confidence is None:
            return value
        return tf.minimum(value, self.confidence)


@register
@dataclasses.dataclass(frozen=True)
class LogitDifference(Objective):
    """z_t - z_y: the logit of the target class, which the attack chooses, minus the label's.

    Example:
    >>> objective = tfrobust.losses.LogitDifference()
    >>> objective(tf.constant([0]), tf.constant([[3.0, 1.0]]), reference=tf.constant([1])).numpy().tolist()
    [-2.0]
    """

    needs_class = _NEEDS_CLASS

    @property
    def needs_target(self) -> bool:
        return True

    def __call__(
        self,
        y: tf.Tensor,
        logits: tf.Tensor,
        reference: Any = None,
        candidate: tf.Tensor | None = None,
    ) -> tf.Tensor:
        return logit_difference(y, reference, logits)


@register
@dataclasses.dataclass(frozen=True)
class DLR(Objective):
    """The difference-of-logits ratio of AutoAttack: the margin, independent of the logits' scale.

    Example:
    >>> tfrobust.losses.DLR()(tf.constant([0]), tf.constant([[3.0, 1.0, 2.0]])).numpy().tolist()
    [-0.5]
    """

    needs_class = _NEEDS_CLASS

    def __call__(
        self,
        y: tf.Tensor,
        logits: tf.Tensor,
        reference: Any = None,
        candidate: tf.Tensor | None = None,
    ) -> tf.Tensor:
        return difference_of_logits_ratio(y, logits)


@register
@dataclasses.dataclass(frozen=True)
class TargetedDLR(Objective):
    """AutoAttack's targeted difference-of-logits ratio; the attack chooses the target class.

    Example:
    >>> objective, logits = tfrobust.losses.TargetedDLR(), tf.constant([[3.0, 1.0, 2.0]])
    >>> objective(tf.constant([0]), logits, reference=tf.constant([1])).numpy().tolist()
    [-1.0]
    """

    needs_class = _NEEDS_CLASS

    @property
    def needs_target(self) -> bool:
        return True

    def __call__(
        self,
        y: tf.Tensor,
        logits: tf.Tensor,
        reference: Any = None,
        candidate: tf.Tensor | None = None,
    ) -> tf.Tensor:
        return targeted_difference_of_logits_ratio(y, reference, logits)
