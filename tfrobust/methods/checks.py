"""What is refused before any work is done, and why."""

import keras
import tensorflow as tf

from tfrobust.compat import all_layers, seed_states
from tfrobust.errors import UserError
from tfrobust.methods.update import clips, unwrap


def check_strategy(strategy: tf.distribute.Strategy, jit_compile: bool | str) -> None:
    """Refuses other strategies for several devices, and XLA around the whole step on several."""
    multiple = strategy.num_replicas_in_sync > 1
    known = tf.distribute.MirroredStrategy, tf.distribute.MultiWorkerMirroredStrategy
    if multiple and not isinstance(strategy, known):
        raise UserError(
            "Several devices are supported through tf.distribute.MirroredStrategy, and on several machines "
            f"MultiWorkerMirroredStrategy. Received: {type(strategy).__name__}."
        )
    if multiple and jit_compile is True:
        raise UserError(
            "XLA cannot compile the whole step on several replicas. Call compile with "
            "jit_compile=False and give jit_compile=True to the attack instead."
        )


def check_precision(method: keras.Model) -> None:
    """Refuses float16 without loss scaling, which Keras adds by the policy of the outermost model."""
    half = [layer.name for layer in all_layers(method) if layer.compute_dtype == "float16"]
    if half and method.dtype_policy.name != "mixed_float16":
        raise UserError(
            f"Layer {half[0]!r} computes in float16, but the method does not, so no loss would be scaled. "
            "Call keras.config.set_dtype_policy('mixed_float16') before building both."
        )


def check_replicas(method: keras.Model) -> None:
    """Refuses layers and optimizers of Keras with which several replicas train a different model than one."""
    if method.distribute_strategy.num_replicas_in_sync == 1:
        return
    for layer in all_layers(method.classifier):
        if is_stock_batch_normalization(layer) and layer.trainable:
            raise UserError(
                f"Layer {layer.name!r}, a keras.layers.BatchNormalization, normalises by each replica's "
                "own part of the batch, so that several replicas would train a different model "
                "than one. Use tfrobust.models.with_exact_batch_normalization(classifier)."
            )
        if seed_states(layer) and not getattr(layer, "draws_by_row", False):
            raise UserError(
                f"Layer {layer.name!r}, a {type(layer).__name__}, draws the same numbers on every "
                "replica, so that several replicas would train a different model than one. Use "
                "tfrobust.models.with_exact_batch_normalization(classifier) for dropout, and augment "
                "images in the dataset."
            )
    if method.steps_per_execution > 1:
        raise UserError(
            "tf.distribute.MirroredStrategy cannot run several steps of a Keras 3 model in one call. "
            f"Leave out steps_per_execution, or use one device. Received: {method.steps_per_execution}."
        )
    if method.optimizer.gradient_accumulation_steps:
        raise UserError(
            "Keras cannot accumulate gradients on several replicas. Leave out "
            "gradient_accumulation_steps, or use one device."
        )
    if unwrap(method.optimizer) is not method.optimizer and clips(unwrap(method.optimizer)):
        raise UserError(
            "In float16 several replicas cannot clip gradients as one device does. Use "
            "mixed_bfloat16, leave out the clipping, or use one device."
        )


def is_stock_batch_normalization(layer: keras.layers.Layer) -> bool:
    """Whether a layer is Keras's own, which ignores `tfrobust.ops.statistics`."""
    return isinstance(layer, keras.layers.BatchNormalization)
