"""Clean and robust accuracy of a classifier, counted example by example."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.logits import correct, inference
from tfrobust.ops.random import content_keys, seed_pair


@dataclasses.dataclass(frozen=True)
class Measured:
    """Which examples are classified right.

    Args:
        clean: boolean array (n,): at the clean image.
        robust: boolean array (n,): at the clean image and at the adversarial one.
    """

    clean: np.ndarray
    robust: np.ndarray


def measure(classifier, dataset, attack, seed=0, on_batch=lambda: None):
    """Attacks every example once and counts only what a fresh forward pass confirms.

    Every adversarial image is checked before it counts: inside the ball (relative slack 1e-6, absolute 1e-7,
    for float32 rounding), inside the pixel box, finite. Noise is keyed by the image, so that
    neither the batch size nor the order matters.

    Args:
        classifier: Keras model or callable, images in [0, 1] to logits.
        dataset: `tf.data.Dataset` of (x, y, sample_weight); examples of weight 0 are left out.
        attack: `Attack` with a `threat_model`.
        seed: whole number.
        on_batch: called after every batch, and may raise to stop.

    Returns:
        `Measured`, in the order of the dataset.

    Raises:
        UserError: an attack left its threat model, or a logit is not finite.
    """
    forward = inference(classifier)
    threat_model = attack.threat_model

    @tf.function
    def judge(x, y):
        found = attack(classifier, x, y, seed=content_keys(seed_pair(seed), x)).x
        clean_logits, logits = forward(x), forward(found)
        limit = threat_model.radius() * (1.0 + 1e-6) + 1e-7
        near = threat_model.distance(found, x) <= limit
        boxed = tf.reduce_all((found >= 0.0) & (found <= 1.0), axis=tf.range(1, tf.rank(x)))
        finite = tf.reduce_all(tf.math.is_finite(clean_logits) & tf.math.is_finite(logits), axis=1)
        is_right = correct(y, clean_logits)
        return is_right, is_right & correct(y, logits), near & boxed, finite

    clean, robust = [], []
    for x, y, weight in dataset:
        is_right, is_robust, inside, finite = (t.numpy() for t in judge(x, y))
        for name, holds in (
            ("lies outside its threat model", inside),
            ("has logits that are not finite", finite),
        ):
            if not holds.all():
                number = sum(map(len, clean)) + int(np.argmin(holds))
                raise UserError(
                    f"The adversarial image of example {number} {name}; nothing was counted. "
                    f"The attack was {attack!r}."
                )
        kept = weight.numpy() > 0
        clean.append(is_right[kept])
        robust.append(is_robust[kept])
        on_batch()
    return Measured(np.concatenate(clean), np.concatenate(robust))
