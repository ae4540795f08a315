"""What every attack has in common."""

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.random import keys_of
from tfrobust.spec import Spec


class Perturbation(NamedTuple):
    """What an attack found. Nothing in it carries a gradient.

    Attributes:
        x: adversarial images, shape of the clean ones.
        survived: int32, shape (b,): in how many steps the incoming iterate was still classified
            right.
        path: tuple of the iterates that were asked for, each of the shape of `x`.
    """

    x: tf.Tensor
    survived: tf.Tensor
    path: tuple = ()


@dataclasses.dataclass(frozen=True)
class Attack(Spec):
    """Searches a threat model for a bad point.

    A subclass writes `search`, in graph operations. Attacks hold no data and no variables, see a
    Keras model in inference mode, never move its BatchNormalization statistics, and use no global
    random state.
    """

    def __call__(self, model, x, y, *, seed, scale=1.0):
        """Attacks the images.

        Args:
            model: Keras model or callable, images to logits (b, k). Pass the same object every
                time: for a new one the attack is traced anew.
            x: clean images in [0, 1], float32 (or float64), shape (b, h, w, c).
            y: labels, integers, shape (b,).
            seed: whole number, seed tensor of shape (2,), one seed per example of shape (b, 2), or
                keys of `tfrobust.ops.random`. The same seed gives the same result.
            scale: factor of the radius in [0, 1], for ramps.

        Returns:
            A `Perturbation`.

        Raises:
            UserError: if the images are not floating-point or the labels are not integers of shape
                (b,).
        """
        x, y = check_batch(x, y)
        keys = keys_of(seed)
        scale = tf.cast(tf.convert_to_tensor(scale), x.dtype)
        if tf.executing_eagerly() or self.jit_compile:
            return self._compiled()(model, x, y, keys, scale)
        return self.search(model, x, y, keys, scale)

    def search(self, model, x, y, keys, scale):
        """The attack itself: tensors in, `Perturbation` out, nothing watched by a tape from outside."""
        raise NotImplementedError

    def _compiled(self):
        if not hasattr(self, "_function"):
            function = tf.function(self.search, jit_compile=self.jit_compile, reduce_retracing=True)
            object.__setattr__(self, "_function", function)
        return self._function


def check_batch(x, y):
    """Images and labels as tensors, with messages for what is often mistaken."""
    x, y = tf.convert_to_tensor(x), tf.convert_to_tensor(y)
    if not x.dtype.is_floating:
        raise UserError(
            f"Images must be floating-point with pixels in [0, 1]. Received: dtype {x.dtype.name}. "
            "Divide by 255: tf.cast(images, tf.float32) / 255."
        )
    if not y.dtype.is_integer or y.shape.rank != 1:
        raise UserError(
            "Labels must be integers of shape (b,), not one-hot vectors or probabilities. "
            f"Received: dtype {y.dtype.name}, shape {tuple(y.shape)}."
        )
    return x, y
