"""The numbers in which bounds are computed, and the rounding of the network that they enclose."""

import dataclasses

import tensorflow as tf

_SMALLEST, _LARGEST = 2.0**-126, 2.0**120


@dataclasses.dataclass(frozen=True)
class Arithmetic:
    """A floating-point type for bounds, and the unit roundoff of the network.

    A proof is worth what it says of the network as it runs. A float32 sum of n products, in any order,
    differs from the exact one by at most gamma(n) times the sum of their absolute values, with

        gamma(n) = n u / (1 - n u),  u = 2^-24

    Bounds for proofs are therefore computed in float64, and every layer's are widened by that error,
    for the largest values that its inputs can have. What float64 itself rounds off is 2^29 times
    smaller; two more terms in n cover it, and the few operations after the sum. Products below 2^-126
    may become 0, as TensorFlow flushes them: so much more room for each term. Sums that may exceed 2^120,
    near which float32 overflows, have no bound at all.

    Args:
        dtype: "float64", or "float32" for training.
        unit: the network's unit roundoff; 0.0 for bounds of exact arithmetic, as in training.

    Example:
    >>> from tfrobust.bounds.arithmetic import PROOF, TRAINING
    >>> PROOF.gamma(100) > 100 * 2**-24, TRAINING.gamma(100)
    (True, 0.0)

    Reference: Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1. It holds for
        sums, so not for convolutions by Winograd's or Fourier's transform, nor for TensorFloat-32.
    """

    dtype: str
    unit: float

    def gamma(self, terms: int) -> float:
        """The relative error of a sum of so many products."""
        share = (terms + 2) * self.unit
        return share / (1.0 - share)

    def bound_error(self, terms: int, size: tf.Tensor, *inputs: tf.Tensor) -> tf.Tensor | None:
        """How far the network's sum of products may be from the exact one; None in exact arithmetic.

        Args:
            terms: how many products.
            size: (b, ...), at least the sum of their absolute values.
            *inputs: (b, ...) each, at least the absolute values that go into the products.

        Returns:
            (b, ...), infinite where the sum may overflow.

        Example:
        >>> from tfrobust.bounds.arithmetic import PROOF
        >>> size = tf.constant([[1.0], [2.0**121]], tf.float64)
        >>> PROOF.bound_error(2, size, size).numpy().tolist() == [[PROOF.gamma(2)], [np.inf]]
        True
        """
        if not self.unit:
            return None
        largest = tf.add_n(
            [tf.reduce_max(tf.reshape(part, (tf.shape(part)[0], -1)), axis=1) for part in inputs]
        )
        # Factors may be flushed too, which counts as much as the other factor is large.
        flushed = (terms + 2) * _SMALLEST * (1.0 + largest)
        flushed = tf.reshape(flushed, (-1, *[1] * (len(size.shape) - 1)))
        return self.cut(size, self.gamma(terms) * size + flushed)

    def cut(self, size: tf.Tensor, error: tf.Tensor) -> tf.Tensor:
        """The error, infinite where numbers of this size may overflow."""
        return tf.where(size < _LARGEST, error, tf.constant(float("inf"), size.dtype))

    def cast(self, value: object) -> tf.Tensor:
        """A tensor or a variable in this type."""
        return tf.cast(tf.convert_to_tensor(value), self.dtype)

    @property
    def slack(self) -> float:
        """Relative room for what float64 rounds off in lines over activations."""
        return 1e-12 if self.unit else 0.0


PROOF = Arithmetic("float64", 2.0**-24)
TRAINING = Arithmetic("float32", 0.0)
