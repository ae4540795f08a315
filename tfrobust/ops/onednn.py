"""oneDNN, TensorFlow's library for CPUs: whether it computes, and what it gets wrong."""

import os
from collections.abc import Sequence

import tensorflow as tf

from tfrobust.compat import onednn_is_on

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"
"""The variable of the environment that TensorFlow asks, once, whether oneDNN is to compute."""

# Numbers of float32 in a register of AVX-512.
_REGISTER = 16


def is_left_off() -> bool:
    """Whether oneDNN does not compute here though nobody asked for that, and there is no GPU.

    By itself TensorFlow 2.21 has it compute on processors with AVX512-VNNI, AVX-VNNI or AMX only; on
    others a ResNet's step takes 1.2 to 1.6 times as long without it.
    """
    return not (onednn_is_on() or VARIABLE in os.environ or tf.config.list_physical_devices("GPU"))


def writes_beyond_memory(kernel_size: Sequence[int], strides: Sequence[int], channels: int) -> bool:
    """Whether a convolution's gradient by its weights may write beyond its memory.

    That of a 1x1 convolution with strides does in TensorFlow 2.21 on processors with AVX-512, by some KiB,
    where the input has fewer than 16 channels and threads share a batch unevenly: training ends in a
    segmentation fault or `double free or corruption`, now or later. Forward passes and gradients by images
    are sound, and so is `keras.layers.AveragePooling2D(1, strides)` before the convolution without strides.

    Args:
        kernel_size, strides: of the convolution.
        channels: of its input.

    Example:
    >>> from tfrobust.ops.onednn import writes_beyond_memory
    >>> writes_beyond_memory((1, 1), (2, 2), 8), writes_beyond_memory((1, 1), (2, 2), 16)
    (True, False)
    """
    return max(kernel_size) == 1 and max(strides) > 1 and channels < _REGISTER
