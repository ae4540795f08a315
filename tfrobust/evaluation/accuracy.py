"""Clean and robust accuracy of a classifier, counted example by example."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.evaluation.engine.gate import look_again
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


class Judge:
    """Attacks batches of one classifier with one attack and says which examples stand. Traced once.

    Args:
        classifier: Keras model or callable, images in [0, 1] to logits.
        attack: `Attack` with a `threat_model`.
        seed: whole number.
    """

    def __init__(self, classifier, attack, seed=0):
        self.attack = attack
        self._forward = inference(classifier)
        self._classifier = classifier
        self._seed = seed
        # Without AutoGraph, as in a Keras training step.
        self._judge = tf.function(self._judged, autograph=False)

    def __call__(self, x, y, first=0):
        """Which examples are right at the clean image, and which also at the adversarial one.

        Args:
            x: images, float32 (b, h, w, c) in [0, 1].
            y: labels, (b,).
            first: number of the first example, for messages.

        Returns:
            Two boolean arrays of shape (b,).

        Raises:
            UserError: the attack left its threat model, or a logit is not finite.
        """
        is_right, is_robust, inside, finite = (t.numpy() for t in self._judge(x, y))
        for name, holds in (
            ("lies outside its threat model", inside),
            ("has logits that are not finite", finite),
        ):
            if not holds.all():
                raise UserError(
                    f"The adversarial image of example {first + int(np.argmin(holds))} {name}; nothing "
                    f"was counted. The attack was {self.attack!r}."
                )
        return is_right, is_robust

    def _judged(self, x, y):
        attack, threat_model = self.attack, self.attack.threat_model
        keys = content_keys(seed_pair(self._seed), x)
        found = attack(self._classifier, x, y, seed=keys).x
        clean_logits = self._forward(x)
        second = look_again(self._forward, threat_model, found, x, y)
        finite = (
            second.finite & second.answered & tf.reduce_all(tf.math.is_finite(clean_logits), axis=1)
        )
        is_right = correct(y, clean_logits)
        return is_right, is_right & second.right, second.inside, finite


def measure(judges, dataset, on_batch=lambda: None):
    """Clean accuracy, and robust accuracy under the worst of several attacks, example by example.

    Every adversarial image is checked before it counts: inside the ball
    (`ThreatModel.contains`), inside the pixel box, finite logits; and the prediction is
    that of a fresh forward pass in inference mode. Noise is keyed by the image, so that neither the
    batch size nor the order matters.

    Args:
        judges: a `Judge`, or several of one classifier; an example stands if it stands before all.
        dataset: `tf.data.Dataset` of (x, y, sample_weight); examples of weight 0 are left out.
        on_batch: called after every batch, and may raise to stop.

    Returns:
        `Measured`, in the order of the dataset.

    Raises:
        UserError: an attack left its threat model, or a logit is not finite.
    """
    judges = [judges] if isinstance(judges, Judge) else list(judges)
    clean, robust, count = [], [], 0
    for x, y, weight in dataset:
        verdicts = [judge(x, y, count) for judge in judges]
        kept = weight.numpy() > 0
        count += int(kept.sum())
        clean.append(verdicts[0][0][kept])
        robust.append(np.all([is_robust for _, is_robust in verdicts], axis=0)[kept])
        on_batch()
    return Measured(np.concatenate(clean), np.concatenate(robust))
