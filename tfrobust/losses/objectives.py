"""Objectives that attacks maximise: numbers per example from logits."""

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.losses.bregman import Bregman
from tfrobust.losses.cross_entropy import cross_entropy
from tfrobust.spec import Spec, check_kind, register


@dataclasses.dataclass(frozen=True)
class Objective(Spec):
    """A number per example that grows as the prediction gets worse.

    Example:
    >>> objective = tfrobust.losses.CrossEntropy()
    >>> objective.needs_target, objective.flat_at_clean
    (False, False)
    """

    # What of it needs one class for each image, in words; "" if it is defined for soft labels (b, k).
    needs_class = ""
    # Whether of a soft label the likeliest class is attacked.
    of_likeliest_class = False

    @property
    def flat_at_clean(self) -> bool:
        """Whether the gradient is exactly zero at the clean image, so that no search may begin there."""
        return False

    @property
    def needs_target(self) -> bool:
        """Whether `reference` is a target class, shape (b,), which the attack chooses."""
        return False

    @property
    def compares_with_clean(self) -> bool:
        """Whether `reference` computes anything before the search: where a subclass overrides it."""
        return type(self).reference is not Objective.reference

    def reference(
        self, forward: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor, y: tf.Tensor
    ) -> Any:
        """What is computed once, before the search: tensors, constant in it, or None.

        Args:
            forward: function from images to logits.
            x, y: clean images and their labels.
        """
        return None

    def reference_from(self, logits: tf.Tensor) -> Any:
        """What `reference` returns, from the logits at the clean images, (b, k), alone.

        For searches that are begun without a pass through the model.

        Raises:
            UserError: if it needs more than these logits.
        """
        if self.compares_with_clean:
            raise UserError(
                f"{self!r} needs more of the clean image than its logits before the search begins. "
                "Searches that are begun row by row (an evaluation's, several restarts, any iterate "
                "counting) know the logits only. Use another objective, such as CrossEntropy()."
            )
        return None

    def __call__(
        self,
        y: tf.Tensor,
        logits: tf.Tensor,
        reference: Any = None,
        candidate: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """The objective, shape (b,).

        Args:
            y: labels, integers, shape (b,), or soft ones, (b, k), unless `needs_class`.
            logits: at the candidate images, shape (b, k).
            reference: what `reference` returned.
            candidate: the candidate images, which a tape watches.
        """
        raise NotImplementedError


@register
@dataclasses.dataclass(frozen=True)
class CrossEntropy(Objective):
    """logsumexp(z) - z_y. The usual choice; it loses its direction where the logit gap exceeds 16.

    Example:
    >>> print(tfrobust.losses.CrossEntropy()(tf.constant([0]), tf.zeros((1, 10))).numpy().round(3))
    [2.303]
    """

    def __call__(
        self,
        y: tf.Tensor,
        logits: tf.Tensor,
        reference: Any = None,
        candidate: tf.Tensor | None = None,
    ) -> tf.Tensor:
        return cross_entropy(y, logits)


@register
@dataclasses.dataclass(frozen=True)
class ToLabel(Objective):
    """The divergence D(one-hot(y), p(x_adv)): cross-entropy for KL, squared error for `SquaredNorm`.

    Args:
        divergence: a `Bregman`.

    Example:
    >>> squared_error = tfrobust.losses.ToLabel(tfrobust.losses.Bregman(tfrobust.losses.SquaredNorm()))
    >>> print(squared_error(tf.constant([0]), tf.zeros((1, 2))).numpy().round(3))
    [0.5]
    """

    divergence: Bregman = Bregman()

    def check(self) -> None:
        check_kind("divergence", self.divergence, Bregman)

    def __call__(
        self,
        y: tf.Tensor,
        logits: tf.Tensor,
        reference: Any = None,
        candidate: tf.Tensor | None = None,
    ) -> tf.Tensor:
        return self.divergence.from_label(y, logits)


@register
@dataclasses.dataclass(frozen=True)
class ToClean(Objective):
    """The divergence D(p(x), p(x_adv)) of TRADES and its family; p(x) is constant.

    Its gradient is exactly zero at x_adv = x, so the attack must start elsewhere.

    Args:
        divergence: a `Bregman`.

    Example:
    >>> objective = tfrobust.losses.ToClean()
    >>> logits = tf.constant([[1.0, 2.0]])
    >>> objective(tf.constant([0]), logits, reference=logits).numpy().tolist()
    [0.0]
    """

    divergence: Bregman = Bregman()

    def check(self) -> None:
        check_kind("divergence", self.divergence, Bregman)

    @property
    def flat_at_clean(self) -> bool:
        return True

    def reference(
        self, forward: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor, y: tf.Tensor
    ) -> Any:
        return forward(x)

    def reference_from(self, logits: tf.Tensor) -> Any:
        return logits

    def __call__(
        self,
        y: tf.Tensor,
        logits: tf.Tensor,
        reference: Any = None,
        candidate: tf.Tensor | None = None,
    ) -> tf.Tensor:
        return self.divergence(reference, logits)
