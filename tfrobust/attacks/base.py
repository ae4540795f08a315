"""What every attack has in common."""

import dataclasses
from typing import NamedTuple

import keras
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

    def __call__(self, model, x, y, *, seed, scale=1.0, epoch=0.0):
        """Attacks the images.

        Args:
            model: Keras model or callable, images to logits (b, k). Pass the same object every
                time: for a new one the attack is traced anew.
            x: clean images in [0, 1], float32 (or float64), shape (b, h, w, c).
            y: labels, integers, shape (b,).
            seed: whole number, seed tensor of shape (2,), one seed per example of shape (b, 2), or
                keys of `tfrobust.ops.random`. The same seed gives the same result.
            scale: factor of the radius in [0, 1], for ramps.
            epoch: epochs of training that have passed, for settings that are schedules.

        Returns:
            A `Perturbation`.

        Raises:
            UserError: if the images are not floating-point or the labels are not integers of shape
                (b,).
        """
        x, y = check_batch(x, y)
        keys = keys_of(seed)
        scale = tf.cast(tf.convert_to_tensor(scale), x.dtype)
        epoch = tf.cast(tf.convert_to_tensor(epoch), tf.float32)
        if not tf.executing_eagerly():
            return self.search(model, x, y, keys, scale, epoch)
        if isinstance(model, keras.layers.Layer) and not model.built:
            model(x[:1], training=False)  # Variables cannot be born inside a graph's loop.
        return self._function("search", self.search)(model, x, y, keys, scale, epoch)

    def search(self, model, x, y, keys, scale, epoch):
        """The attack itself: tensors in, `Perturbation` out, nothing watched by a tape from outside."""
        raise NotImplementedError

    def _function(self, name, function, **options):
        """`function` as a `tf.function`, made once, so that it is traced once for a model."""
        functions = self.__dict__.setdefault("_functions", {})
        if name not in functions:
            # Without AutoGraph, as in a Keras training step; it would hide our own errors, too.
            options = {"autograph": False, "reduce_retracing": True, **options}
            functions[name] = tf.function(function, **options)
        return functions[name]


def check_batch(x, y):
    """Images and labels (as int32) as tensors, with messages for what is often mistaken."""
    x, y = tf.convert_to_tensor(x), tf.convert_to_tensor(y)
    check_specs(x, y)
    return x, tf.cast(y, tf.int32)


def check_specs(x, y):
    """What dtypes and ranks tell about images and labels, which may be tensors or their specs."""
    if not x.dtype.is_floating:
        raise UserError(
            f"Images must be floating-point with pixels in [0, 1]. Received: dtype {x.dtype.name}. "
            "Divide by 255: tf.cast(images, tf.float32) / 255."
        )
    if not y.dtype.is_integer or y.shape.rank not in (None, 1):
        raise UserError(
            "Labels must be integers of shape (b,), not one-hot vectors, probabilities or columns. "
            f"Received: dtype {y.dtype.name}, shape {y.shape}."
        )
