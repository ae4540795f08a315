"""Dropout that is the same on one device and on several."""

from typing import Any

import keras
import tensorflow as tf

from tfrobust.compat import build_now
from tfrobust.errors import UserError
from tfrobust.ops.numbers import number
from tfrobust.ops.random.keys import BatchKeys
from tfrobust.ops.replicas.global_batch import global_batch


@keras.saving.register_keras_serializable(package="tfrobust")
class Dropout(keras.layers.Layer):
    """Sets inputs to zero with probability `rate` in training, and divides the others by 1 - rate.

    Use it instead of `keras.layers.Dropout` where several devices train one model: its mask is drawn
    for the global batch, of which every replica takes its rows, while Keras's layer draws the same
    masks on every replica.

    Args:
        rate: probability in [0, 1).
        seed: whole number, or None to take one from Keras's global seed.

    Call arguments:
        inputs: (b, ...).
        training: whether to drop anything.

    Returns:
        A tensor of the shape of `inputs`.

    Raises:
        UserError: `rate` is out of range.

    Example:
        >>> layer = tfrobust.models.Dropout(0.5, seed=0)
        >>> sorted(set(layer(tf.ones((4, 100)), training=True).numpy().ravel().tolist()))
        [0.0, 2.0]
        >>> float(tf.reduce_max(layer(tf.ones((4, 100)))))
        1.0
    """

    # Methods read this before they train on several replicas.
    draws_by_row = True

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate = number(rate, "rate", 0.0, 1.0)
        if self.rate == 1.0:
            raise UserError(f"`rate` must be below 1. Received: rate={rate!r}.")
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        build_now(self)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training or self.rate == 0.0:
            return inputs
        seed = tf.cast(self.seed_generator.next(), tf.int32)
        draws = BatchKeys(seed, global_batch(inputs).offset).uniform(tf.shape(inputs))
        return tf.where(draws >= self.rate, inputs / (1.0 - self.rate), tf.zeros_like(inputs))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def save_own_variables(self, store: dict) -> None:
        # Keras does not save the state of a seed generator: a run that continues from a file would
        # draw other masks than one that was never interrupted.
        store["seed_generator_state"] = self.seed_generator.state.numpy()

    def load_own_variables(self, store: dict) -> None:
        self.seed_generator.state.assign(store["seed_generator_state"])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
