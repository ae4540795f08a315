"""Nothing counts before it has been looked at once more."""

from typing import NamedTuple

import tensorflow as tf

from tfrobust.ops.logits import correct


class Second(NamedTuple):
    """A second look at adversarial images, boolean tensors of shape (b,).

    Attributes:
        right: the label has the largest logit in a fresh pass.
        inside: the image lies in the ball (relative slack 1e-6 and absolute 1e-7, for rounding) and
            in the pixel box.
        finite: image and logits are finite.
    """

    right: tf.Tensor
    inside: tf.Tensor
    finite: tf.Tensor


def second_look(forward, threat_model, found, x, y, scale=1.0):
    """Looks at adversarial images as at any other ones: distance, box, fresh logits.

    Args:
        forward: function from images to full-precision logits in inference mode.
        threat_model: that the images should belong to.
        found: adversarial images, (b, h, w, c).
        x: clean images, (b, h, w, c).
        y: labels, (b,).
        scale: of the radius.

    Returns:
        `Second`.
    """
    logits = forward(found)
    limit = threat_model.radius(scale) * (1.0 + 1e-6) + 1e-7
    near = threat_model.distance(found, x) <= limit
    pixels = tf.range(1, tf.rank(x))
    # A NaN fails every comparison.
    boxed = tf.reduce_all((found >= 0.0) & (found <= 1.0), axis=pixels)
    finite = tf.reduce_all(tf.math.is_finite(found), axis=pixels)
    finite &= tf.reduce_all(tf.math.is_finite(logits), axis=1)
    return Second(correct(y, logits), near & boxed, finite)
