"""Clean and robust accuracy of a classifier, counted example by example."""

import dataclasses
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tfrobust import contract
from tfrobust.attacks.base import Attack
from tfrobust.errors import UserError
from tfrobust.evaluation.engine.gate import look_again
from tfrobust.ops.logits import correct, inference
from tfrobust.ops.random.keys import content_keys, seed_pair


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
    """Attacks batches of one classifier with one attack, and says which examples are robust. Traced once.

    Args:
        classifier: Keras model or callable, images in [0, 1] to logits.
        attack: `Attack` with a `threat_model`.
        seed: whole number in [0, 2**62).

    Example:
    >>> from tfrobust.evaluation.accuracy import Judge
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> judge = Judge(model, tfrobust.PGD(tfrobust.Linf("8/255"), steps=2))
    >>> is_right, is_robust = judge(tf.fill((4, 2, 2, 1), 0.5), tf.constant([0, 0, 1, 1]))
    >>> int(is_right.sum())
    2
    """

    def __init__(self, classifier: keras.Model | Callable, attack: Attack, seed: int = 0):
        self.attack = attack
        self._forward = inference(classifier)
        self._classifier = classifier
        self._seed = seed
        # Without AutoGraph, as in a Keras training step.
        self._judge = tf.function(self._judge_batch, autograph=False)

    def __call__(self, x: tf.Tensor, y: tf.Tensor, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Says which examples are right at the clean image, and which also at the adversarial one.

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

    def _judge_batch(self, x, y):
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


def measure(
    judges: Judge | Sequence[Judge],
    dataset: tf.data.Dataset,
    on_batch: Callable[[], None] = lambda: None,
) -> Measured:
    """Measures clean accuracy, and robust accuracy under the worst of several attacks, example by example.

    Every adversarial image is checked before it counts: inside the ball
    (`ThreatModel.contains`), inside the pixel box, finite logits; and the prediction is
    that of a fresh forward pass in inference mode. Noise is keyed by the image, so that neither the
    batch size nor the order matters.

    Args:
        judges: a `Judge`, or several of one classifier; an example is robust if it is robust to all.
        dataset: `tf.data.Dataset` of (x, y, sample_weight); examples of weight 0 are left out.
        on_batch: called after every batch, and may raise to stop.

    Returns:
        `Measured`, in the order of the dataset.

    Raises:
        UserError: an attack left its threat model, or a logit is not finite.
    """
    judges = [judges] if isinstance(judges, Judge) else list(judges)
    clean, robust, count = [], [], 0
    with contract.as_user_error():
        for x, y, weight in dataset:
            verdicts = [judge(x, y, count) for judge in judges]
            kept = weight.numpy() > 0
            count += int(kept.sum())
            clean.append(verdicts[0][0][kept])
            robust.append(np.all([is_robust for _, is_robust in verdicts], axis=0)[kept])
            on_batch()
    return Measured(np.concatenate(clean), np.concatenate(robust))
