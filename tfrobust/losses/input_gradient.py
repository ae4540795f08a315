"""The cross-entropy and its gradient with respect to the pixels."""

from collections.abc import Callable

import tensorflow as tf

from tfrobust.losses.cross_entropy import cross_entropy


def loss_and_gradient(
    forward: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor, y: tf.Tensor, scale: float = 1.0
) -> tuple[tf.Tensor, tf.Tensor]:
    """Cross-entropy per example, and the gradient of its sum with respect to the images.

    Both can be differentiated again. Where a forward pass makes the images of a batch depend on each other
    (BatchNormalization by the batch), the gradient contains the effect of an image on the others.

    Args:
        forward: function from images to logits (b, k).
        x: images, (b, h, w, c).
        y: labels, as for `cross_entropy`.
        scale: factor of the loss on its way back, `ops.half_precision.inner_scale`; it is divided out.

    Returns:
        Losses, shape (b,), and gradients, of the shape of `x`.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        loss = cross_entropy(y, forward(x))
        total = tf.reduce_sum(loss) * scale
    return loss, tape.gradient(total, x, unconnected_gradients="zero") / scale
