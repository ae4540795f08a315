"""How far the loss is from linear around an image."""

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfrobust.losses.cross_entropy import cross_entropy
from tfrobust.losses.input_gradient import loss_and_gradient
from tfrobust.losses.objectives import Objective
from tfrobust.spec import register


def inner_product(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """<a, b> per example, shape (b,), of two tensors of the shape of the images."""
    return tf.reduce_sum(a * b, axis=list(range(1, a.shape.rank)))


@register
@dataclasses.dataclass(frozen=True)
class LinearityError(Objective):
    """|e(d)| with  e(d) = l(x + d) - l(x) - d . grad l(x)  and l the cross-entropy.

    Its gradient is sign(e) (grad l(x + d) - grad l(x)), which is zero at d = 0, so the attack must
    start elsewhere. LLR's attack maximises it.

    Args:
        reference_inner_gradient: leave out the part - grad l(x) of the gradient, as LLR's code does,
            which holds d . grad l(x) constant. Use it to reproduce that code's numbers.

    Example:
    >>> attack = tfrobust.PGD(tfrobust.Linf("8/255"), tfrobust.losses.LinearityError(), steps=2)
    >>> attack.objective.flat_at_clean
    True

    Reference: Qin et al., "Adversarial Robustness through Local Linearization", 2019.
    """

    reference_inner_gradient: bool = False

    @property
    def flat_at_clean(self) -> bool:
        return True

    def reference(
        self, forward: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor, y: tf.Tensor
    ) -> Any:
        return x, *loss_and_gradient(forward, x, y)

    def __call__(
        self,
        y: tf.Tensor,
        logits: tf.Tensor,
        reference: Any = None,
        candidate: tf.Tensor | None = None,
    ) -> tf.Tensor:
        x, loss, gradient = reference
        linear = inner_product(candidate - x, gradient)
        if self.reference_inner_gradient:
            linear = tf.stop_gradient(linear)
        return tf.abs(cross_entropy(y, logits) - loss - linear)
