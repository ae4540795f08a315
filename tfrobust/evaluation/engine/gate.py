"""Nothing counts before it has been looked at once more."""

from typing import NamedTuple

import tensorflow as tf

from tfrobust.ops.logits import all_finite, correct


class Second(NamedTuple):
    """A second look at adversarial images, boolean tensors of shape (b,).

    Attributes:
        right: the label has the largest logit in a fresh pass, or in more than half of several.
        inside: the image lies in the ball (`ThreatModel.contains`) and in the pixel box.
        finite: the image is finite.
        answered: the logits of all passes are finite.
    """

    right: tf.Tensor
    inside: tf.Tensor
    finite: tf.Tensor
    answered: tf.Tensor


def look_again(forward, threat_model, found, x, y, scale=1.0, passes=1):
    """Looks at adversarial images as at any other ones: distance, box, fresh logits.

    Args:
        forward: function from images to full-precision logits in inference mode.
        threat_model: that the images should belong to.
        found: adversarial images, (b, h, w, c).
        x: clean images, (b, h, w, c).
        y: labels, (b,).
        scale: of the radius.
        passes: how many; with several, for models with noise, the label must win more than half.

    Returns:
        `Second`.
    """
    near = threat_model.contains(found, x, threat_model.radius(scale))
    pixels = tf.range(1, tf.rank(x))
    # A NaN fails every comparison.
    boxed = tf.reduce_all((found >= 0.0) & (found <= 1.0), axis=pixels)
    finite = tf.reduce_all(tf.math.is_finite(found), axis=pixels)
    right, is_answer = vote(forward, found, y, passes)
    return Second(right, near & boxed, finite, is_answer)


def vote(forward, x, y, passes):
    """Whether the label wins more than half of some passes, and whether all had finite logits, (b,)."""

    def once(wins, is_answer):
        logits = forward(x)
        return wins + tf.cast(correct(y, logits), tf.int32), is_answer & all_finite(logits)

    none = tf.zeros_like(y, tf.int32)
    wins, is_answer = once(none, tf.ones_like(none, tf.bool))
    if passes > 1:
        _, wins, is_answer = tf.while_loop(
            lambda number, *_: number < passes,
            lambda number, *so_far: (number + 1, *once(*so_far)),
            (tf.constant(1), wins, is_answer),
        )
    return 2 * wins > passes, is_answer
