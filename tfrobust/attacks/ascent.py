"""The objective and its gradient, which every gradient attack follows."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.losses.objectives import Objective


def ascent(
    objective: Objective,
    forward: Callable[[tf.Tensor], tf.Tensor],
    candidate: tf.Tensor,
    y: tf.Tensor,
    reference: Any = None,
    eot: int = 1,
) -> tuple[tuple[tf.Tensor, ...], tf.Tensor, tf.Tensor]:
    """The objective at candidate images and its gradient, summed over the batch.

    Examples do not interact. An entry of the gradient that is not finite becomes zero: one NaN would
    never leave the iterate; without it the other pixels still move.

    Args:
        objective: `Objective`.
        forward: function from images to logits.
        candidate: images, (b, h, w, c).
        y: labels, int32 (b,).
        reference: of the objective: what is constant in the search, or the target classes.
        eot: evaluations whose gradients are averaged, for models with noise.

    Returns:
        Logits of each evaluation, a tuple of (b, k); the objective (b,) of the last one; and the mean
        gradient.

    Raises:
        UserError: if the objective has no gradient with respect to the pixels.
    """
    answers, gradients = [], []
    for _ in range(eot):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(candidate)
            logits = forward(candidate)
            value = objective(y, logits, reference, candidate)
            total = tf.reduce_sum(value)
        answers.append(logits)
        gradient = tape.gradient(total, candidate)
        if gradient is None:
            raise UserError(
                "The objective does not depend on the pixels by differentiable operations, so it has "
                "no gradient to follow. Is there an argmax, a rounding or a stop_gradient in the model?"
            )
        finite = tf.math.is_finite(gradient)
        gradients.append(tf.where(finite, gradient, tf.zeros_like(gradient)))
    return tuple(answers), value, gradients[0] if eot == 1 else tf.add_n(gradients) / eot
