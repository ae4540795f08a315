"""FAB's step: towards the decision boundary of the linearised model."""

from collections.abc import Callable

import tensorflow as tf

from tfrobust.losses.margin import logit_difference
from tfrobust.ops import norms
from tfrobust.threat_models.base import ThreatModel, to_box


def linearise(
    threat_model: ThreatModel,
    forward: Callable[[tf.Tensor], tf.Tensor],
    point: tf.Tensor,
    y: tf.Tensor,
    target: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The hyperplane on which the linearised z_t - z_y is 0.

    Args:
        threat_model: whose norm decides which hyperplane is nearest.
        forward: function from images to logits (b, k).
        point: where the model is linearised, (b, h, w, c).
        y: labels, int32 (b,).
        target: the classes t, int32 (b,); where None, the class of the nearest hyperplane, at the cost of
            k backward passes.

    Returns:
        z_t - z_y at the point, (b,); its gradient, shape of `point`; and the logits.
    """
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(point)
        logits = forward(point)
        targets = [target]
        if target is None:
            targets = [tf.fill(tf.shape(y), c) for c in range(logits.shape[-1])]
        leads = [logit_difference(y, t, logits) for t in targets]
    gradients = [tape.gradient(lead, point) for lead in leads]
    gaps = [tf.cast(lead, point.dtype) for lead in leads]
    if target is not None:
        return gaps[0], gradients[0], logits
    return *_choose_nearest(threat_model, y, gaps, gradients), logits


def _choose_nearest(threat_model, y, gaps, gradients):
    gaps = _replace_non_finite(tf.stack(gaps, axis=1))
    gradients = [_replace_non_finite(gradient) for gradient in gradients]
    sizes = tf.stack([threat_model.dual_norm(gradient) for gradient in gradients], axis=1)
    is_label = tf.one_hot(y, len(gradients), True, False, dtype=tf.bool)
    distances = tf.where(is_label, gaps.dtype.max, tf.abs(gaps) / (1e-12 + sizes))
    nearest = tf.argmin(distances, axis=1, output_type=tf.int32)
    both = gaps, tf.stack(gradients, axis=1)
    return [tf.gather(values, nearest, batch_dims=1) for values in both]


def step_to_boundary(
    threat_model: ThreatModel,
    x: tf.Tensor,
    point: tf.Tensor,
    gap: tf.Tensor,
    normal: tf.Tensor,
    alpha_max: float,
    overshoot: float,
) -> tf.Tensor:
    """The point after a step towards a hyperplane, pulled towards the clean image; shape of `point`.

    Args:
        threat_model: whose norm decides what the shortest step is.
        x: clean images, (b, h, w, c).
        point: where the step begins, shape of `x`.
        gap: by how much <normal, .> must fall from `point` on to reach the hyperplane, (b,).
        normal: of the hyperplane, shape of `x`.
        alpha_max: largest pull, in [0, 1].
        overshoot: length of the step in units of the distance, at least 1.
    """
    gap, normal = _replace_non_finite(gap), _replace_non_finite(normal)
    from_x = gap + tf.reduce_sum(norms.flat(normal * (x - point)), axis=1)
    # Both at once: half as much to compile, and the same numbers, since rows do not interact.
    pairs = [(point, x), (normal, normal), (gap, from_x)]
    steps = threat_model.to_hyperplane(*(tf.concat(pair, axis=0) for pair in pairs))
    here, there = tf.split(steps, 2)
    zero = tf.zeros_like(x)
    lengths = [tf.maximum(threat_model.distance(d, zero), 1e-8) for d in (here, there)]
    pull = tf.minimum(lengths[0] / (lengths[0] + lengths[1]), alpha_max)
    pull = norms.expand(pull, x)
    ahead = point + overshoot * here
    return to_box((1.0 - pull) * ahead + pull * (x + overshoot * there))


def _replace_non_finite(values):
    # One NaN would never leave the iterate.
    return tf.where(tf.math.is_finite(values), values, tf.zeros_like(values))
