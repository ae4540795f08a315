"""Layers in whose gradient TensorFlow writes beyond its memory."""

import os
import warnings

import keras
import tensorflow as tf

from tfrobust.compat import all_layers

# Below so many input channels, in float32 vectors of AVX-512.
_CHANNELS = 16


def warn_of_narrow_convolutions(classifier: keras.Model) -> None:
    """Warns of convolutions whose training on CPUs can end in a segmentation fault.

    oneDNN's gradient by the weights of a 1x1 convolution with strides (TensorFlow 2.21, processors with
    AVX-512) writes some KiB beyond its memory where the input has fewer than 16 channels and threads
    share a batch unevenly. Forward passes and gradients by images are sound.
    """
    if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0" or tf.config.list_physical_devices("GPU"):
        return
    for layer in all_layers(classifier):
        if isinstance(layer, keras.layers.Conv2D) and layer.built and _is_narrow(layer):
            warnings.warn(
                f"Layer {layer.name!r}, a 1x1 convolution with strides of {layer.kernel.shape[2]} channels, "
                f"can crash in training on CPUs: for fewer than {_CHANNELS} channels oneDNN writes beyond "
                "its memory. Put keras.layers.AveragePooling2D(1, strides) in front and leave out the "
                "strides, or set the environment variable TF_ENABLE_ONEDNN_OPTS=0.",
                stacklevel=4,
            )
            return


def _is_narrow(layer):
    return (
        layer.kernel_size == (1, 1)
        and max(layer.strides) > 1
        and layer.trainable
        and layer.compute_dtype != "float64"
        and layer.kernel.shape[2] < _CHANNELS
    )
