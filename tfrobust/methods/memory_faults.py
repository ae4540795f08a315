"""Layers in whose gradient TensorFlow writes beyond its memory."""

import warnings

import keras
import tensorflow as tf

from tfrobust.compat import all_layers, onednn_is_on
from tfrobust.ops.onednn import writes_beyond_memory


def warn_of_narrow_convolutions(classifier: keras.Model) -> None:
    """Warns of convolutions whose training on CPUs can end in a segmentation fault.

    See `tfrobust.ops.onednn.writes_beyond_memory`. Layers that are not built yet are passed over.
    """
    if not onednn_is_on() or tf.config.list_physical_devices("GPU"):
        return
    for layer in all_layers(classifier):
        if isinstance(layer, keras.layers.Conv2D) and layer.built and _is_at_risk(layer):
            warnings.warn(
                f"Training can crash on CPUs: layer {layer.name!r} is a 1x1 convolution with strides on "
                f"{layer.kernel.shape[2]} channels, and for fewer than 16 oneDNN writes beyond its memory. "
                "Put keras.layers.AveragePooling2D(1, strides) in front and leave out the strides, or set "
                "TF_ENABLE_ONEDNN_OPTS=0 in the environment.",
                stacklevel=3,
            )
            return


def _is_at_risk(layer):
    return (
        layer.trainable
        and layer.compute_dtype != "float64"
        and writes_beyond_memory(layer.kernel_size, layer.strides, layer.kernel.shape[2])
    )
