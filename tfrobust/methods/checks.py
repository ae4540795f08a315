"""What is refused before any work is done, and why."""

import keras
import numpy as np
import tensorflow as tf

from tfrobust.attacks.base import check_specs
from tfrobust.errors import UserError
from tfrobust.methods.update import clips, inner

_SOME_LABELS = tf.TensorSpec([None], tf.int32)


def check_data(x, y, num_classes=None):
    """Arrays are looked at whole, datasets by the types of their elements; batches are checked again.

    Args:
        x: array, tensor, `tf.data.Dataset`, or what else Keras takes, which is left alone.
        y: labels, or None.
        num_classes: number of the classifier's logits if it is known.
    """
    if isinstance(x, tf.data.Dataset):
        spec = x.element_spec
        images, *rest = spec if isinstance(spec, tuple) else (spec,)
        labels = rest[0] if rest else _SOME_LABELS
        if isinstance(images, tf.TensorSpec) and isinstance(labels, tf.TensorSpec):
            check_specs(images, labels)
    elif isinstance(x, (np.ndarray, tf.Tensor)):
        check_specs(tf.convert_to_tensor(x[:1]), _SOME_LABELS if y is None else _spec(y))
        _check_pixels(np.asarray(x))
        if y is not None and num_classes:
            _check_labels(np.asarray(y), num_classes)


def _spec(y):
    y = np.asarray(y)
    return tf.TensorSpec(y.shape, y.dtype)


def _check_pixels(x):
    if x.size and not (np.min(x) >= 0.0 and np.max(x) <= 1.0):
        raise UserError(
            "Images must have all pixels in [0, 1], without NaN; normalisation belongs into the "
            f"model. Received: minimum {np.min(x):g}, maximum {np.max(x):g}. Divide by 255?"
        )


def _check_labels(y, num_classes):
    if y.size and not (np.min(y) >= 0 and np.max(y) < num_classes):
        raise UserError(
            f"Labels must lie between 0 and {num_classes - 1}, since the classifier has {num_classes} "
            f"logits. Received: minimum {np.min(y)}, maximum {np.max(y)}."
        )


def num_classes(classifier):
    """The number of logits, or None where the classifier does not know its output's shape yet."""
    try:
        return classifier.output_shape[-1]
    except (AttributeError, TypeError, ValueError):
        return None


def check_strategy(strategy, jit_compile):
    """Several devices: MirroredStrategy, and no XLA around the whole step."""
    multiple = strategy.num_replicas_in_sync > 1
    if multiple and not isinstance(strategy, tf.distribute.MirroredStrategy):
        raise UserError(
            "Several devices are supported through tf.distribute.MirroredStrategy. "
            f"Received: {type(strategy).__name__}."
        )
    if multiple and jit_compile:
        raise UserError(
            "XLA cannot compile the whole step on several replicas. Call compile with "
            "jit_compile=False and give jit_compile=True to the attack instead."
        )


def check_precision(method):
    """Float16 needs loss scaling, which Keras gives by the policy of the outermost model."""
    half = [layer.name for layer in method._flatten_layers() if layer.compute_dtype == "float16"]
    if half and method.dtype_policy.name != "mixed_float16":
        raise UserError(
            f"Layer {half[0]!r} computes in float16, but the method does not, so no loss would be scaled. "
            "Call keras.config.set_dtype_policy('mixed_float16') before building both."
        )


def check_replicas(method):
    """Layers and optimizers of Keras with which several replicas would train another model than one."""
    if method.distribute_strategy.num_replicas_in_sync == 1:
        return
    for layer in method.classifier._flatten_layers():
        if is_stock_batch_normalization(layer) and layer.trainable:
            raise UserError(
                f"Layer {layer.name!r}, a keras.layers.BatchNormalization, normalises by each replica's "
                "own part of the batch, so that several replicas would train another model than "
                "one. Use tfrobust.models.with_exact_batch_normalization(classifier)."
            )
        if getattr(layer, "_seed_generators", ()) and not getattr(layer, "draws_by_row", False):
            raise UserError(
                f"Layer {layer.name!r}, a {type(layer).__name__}, draws the same numbers on every "
                "replica, so that several replicas would train another model than one. Use "
                "tfrobust.models.with_exact_batch_normalization(classifier) for dropout, and augment "
                "images in the dataset."
            )
    if method.optimizer.gradient_accumulation_steps:
        raise UserError(
            "Keras cannot accumulate gradients on several replicas. Leave "
            "gradient_accumulation_steps away, or use one device."
        )
    if inner(method.optimizer) is not method.optimizer and clips(inner(method.optimizer)):
        raise UserError(
            "Gradients cannot be clipped as on one device on several replicas in float16. Use "
            "mixed_bfloat16, leave the clipping away, or use one device."
        )


def is_stock_batch_normalization(layer):
    """Whether a layer is Keras's own, which ignores `tfrobust.ops.statistics`."""
    return isinstance(layer, keras.layers.BatchNormalization)
