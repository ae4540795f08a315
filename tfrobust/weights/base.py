"""Another point in weight space at which the loss is taken."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from tfrobust.ops.random.keys import BatchKeys
from tfrobust.spec import Spec


@dataclasses.dataclass(frozen=True)
class WeightPerturbation(Spec):
    """Moves the weights for the length of one loss; nothing is ever assigned.

    Penalties on the weights, and coupled weight decay, are of the moved weights.

    Example:
        >>> import dataclasses
        >>> @dataclasses.dataclass(frozen=True)
        ... class Shrink(tfrobust.WeightPerturbation):
        ...     def __call__(self, loss_at, weights, keys, epoch):
        ...         return [-0.5 * weight for weight in weights]
        >>> Shrink()(None, [tf.ones([2])], None, 0.0)[0].numpy().tolist()
        [-0.5, -0.5]
    """

    def __call__(
        self,
        loss_at: Callable[[list[tf.Tensor]], tf.Tensor],
        weights: list[tf.Tensor],
        keys: BatchKeys,
        epoch: tf.Tensor,
    ) -> list[tf.Tensor]:
        """The shift of every weight, a list of tensors, constant for the gradient that follows.

        Args:
            loss_at: function of a list of weight tensors that returns this replica's share of the
                method's loss, without weight penalties; a tape that watches the tensors sees it.
            weights: the trainable weights, a list of tensors.
            keys: random keys of this step, the same on all replicas.
            epoch: epochs that have passed, a float32 scalar.
        """
        raise NotImplementedError
