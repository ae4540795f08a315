"""Half the squared distance of two vectors, for vectors that are not logits."""

import dataclasses

import tensorflow as tf

from tfrobust.spec import Spec, register


@register
@dataclasses.dataclass(frozen=True)
class HalfSquaredDifference(Spec):
    """1/2 ||a - b||^2, shape (b,), of vectors of shape (b, k).

    Use it for derivatives of logits where expected values in closed form matter, as in
    `regularizers.TaylorTerms`; unlike a `Bregman` it depends on a constant added to all k.

    Example:
    >>> tfrobust.losses.HalfSquaredDifference()(tf.constant([[1.0, 2.0]]), tf.zeros((1, 2))).numpy().tolist()
    [2.5]
    """

    def __call__(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return 0.5 * tf.reduce_sum(tf.math.squared_difference(a, b), axis=-1)
