"""How far from linear the loss is within a ball."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfrobust.attacks import PGD
from tfrobust.losses.cross_entropy import cross_entropy
from tfrobust.losses.input_gradient import loss_and_gradient
from tfrobust.losses.linearity import LinearityError, inner_product
from tfrobust.ops.random.keys import content_keys, seed_pair
from tfrobust.threat_models.base import ThreatModel

_ROWS = 128


def measure_linearity_errors(
    forward: Callable[[tf.Tensor], tf.Tensor],
    images: np.ndarray,
    labels: np.ndarray,
    threat_model: ThreatModel,
    steps: int = 50,
    seed: int = 0,
    on_batch: Callable[[float], None] = lambda share: None,
) -> np.ndarray:
    """Computes gamma, the largest error of the linear approximation of the loss, for each image.

        gamma(x) = max over d in the ball of |l(x + d) - l(x) - d . grad l(x)|

    with the cross-entropy l, and the maximum as PGD on that error finds it; so it is a lower bound. Gradient
    masking shows as a large gamma. Zero for a loss that is linear in the ball.

    Args:
        forward: function from images to logits (b, k).
        images: (n, h, w, c), float in [0, 1].
        labels: (n,).
        threat_model: `ThreatModel`; LLR looks at Linf("8/255").
        steps: of PGD.
        seed: whole number.
        on_batch: called with the share that is done, in [0, 1], after each batch.

    Returns:
        float32 (n,).

    Example:
        >>> def forward(x):
        ...     return tf.reshape(x, (-1, 4)) * 1e-6
        >>> images = np.full((3, 2, 2, 1), 0.5, np.float32)
        >>> gamma = measure_linearity_errors(
        ...     forward, images, np.array([0, 1, 2]), tfrobust.Linf("8/255"), steps=2)
        >>> bool((gamma < 1e-6).all())
        True

    Reference: Qin et al., "Adversarial Robustness through Local Linearization", 2019.
    """
    attack = PGD(threat_model, LinearityError(), steps=steps)

    @tf.function(autograph=False)
    def measure(x, y):
        found = attack(forward, x, y, seed=content_keys(seed_pair(seed), x)).x
        loss, gradient = loss_and_gradient(forward, x, y)
        return tf.abs(cross_entropy(y, forward(found)) - loss - inner_product(found - x, gradient))

    results = []
    for begin in range(0, len(images), _ROWS):
        part = np.arange(begin, min(begin + _ROWS, len(images)))
        filled = np.resize(part, min(_ROWS, len(images)))
        x, y = tf.constant(images[filled], tf.float32), tf.constant(labels[filled], tf.int32)
        results.append(np.asarray(measure(x, y))[: len(part)])
        on_batch((part[-1] + 1) / len(images))
    return np.concatenate(results)
