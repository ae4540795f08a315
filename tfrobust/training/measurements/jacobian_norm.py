"""The Jacobian norm at adversarial images, after each epoch."""

import numpy as np
import tensorflow as tf

from tfrobust.attacks.base import Attack
from tfrobust.ops.logits import inference
from tfrobust.ops.random.keys import content_keys, seed_pair
from tfrobust.spec import check_kind
from tfrobust.training.measurements.base import Measurement


class RecordJacobianNorm(Measurement):
    """Logs the mean Frobenius norm of dz/dx at adversarial images, "jacobian_norm".

        mean over examples of || J(x') ||_F,   J of shape (classes, pixels)

    exactly, by a backward pass for each class. Use it to see a one-step method collapse: the norm rises
    steeply before robust accuracy falls.

    Args:
        attack: that makes x'. None: that of the training, or of the validation if the training has none.
        examples, data: see `Measurement`.

    Example:
        >>> method = tfrobust.recipes.adv(tfrobust.models.digits_cnn(), "Linf", 0.15)
        >>> method.compile(keras.optimizers.SGD(0.1))
        >>> x, y = np.full((4, 8, 8, 1), 0.5, "float32"), np.arange(4)
        >>> record = tfrobust.training.RecordJacobianNorm(data=(x, y))
        >>> history = method.fit(x, y, verbose=0, callbacks=[record])
        >>> len(history.history["jacobian_norm"])
        1

    Reference: Lu and Kumar, ATLAS, figure 11.
    """

    def __init__(
        self,
        attack: Attack | None = None,
        examples: int = 1000,
        data: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        super().__init__(examples, data)
        check_kind("attack", attack, Attack, optional=True)
        self.attack = attack

    def measure(self, x: tf.Tensor, y: tf.Tensor) -> dict[str, tf.Tensor]:
        forward = inference(self.model.classifier)
        attack = self.attack or self.find_attack()
        found = attack(self.model.classifier, x, y, seed=content_keys(seed_pair(0), x)).x
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(found)
            columns = tf.unstack(forward(found), axis=1)
        squares = tf.add_n(
            [tf.reduce_sum(tape.gradient(column, found) ** 2, axis=[1, 2, 3]) for column in columns]
        )
        return {"jacobian_norm": tf.sqrt(squares)}
