"""Layers that TensorFlow's forward mode cannot differentiate."""

import contextlib
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfrobust.compat import all_layers
from tfrobust.errors import UserError


def name_fault(classifier: keras.Model, along: Callable[[], Any], plain: Callable[[], Any]) -> Any:
    """`along()`, or an error that names the layer in which it failed.

    A loop or a condition inside a layer (a recurrent one, `SpectralNormalization`) is what forward mode
    fails on, in TensorFlow 2.21 with a message about dtypes.

    Args:
        classifier: Keras model.
        along: function that makes a pass with derivatives along a direction.
        plain: function that makes the same pass without; what fails in it too is its own fault.

    Raises:
        UserError: that names the innermost layer at work.
    """
    try:
        with _whole_tracebacks():
            return along()
    except UserError:
        raise
    except Exception as error:
        plain()
        layer = _innermost_layer(error, classifier)
        if layer is None and not tf.executing_eagerly():
            raise
        # An eager pass is a graph of its own, which fails as a whole.
        named = f"Layer {layer.name!r}, a {type(layer).__name__}," if layer else "A layer"
        told = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        raise UserError(
            f"{named} cannot be differentiated along the weights in forward mode, as TaylorTerms in exact "
            "form and GapLabels do. Use TaylorTerms(form='finite'), which takes differences, or another "
            f"layer{'' if layer else '; without run_eagerly this message names it'}. TensorFlow says: {told}"
        ) from error


@contextlib.contextmanager
def _whole_tracebacks():
    """Keras leaves its layers out of tracebacks; they are what is looked for."""
    filtered = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()
    try:
        yield
    finally:
        if filtered:
            keras.config.enable_traceback_filtering()


def _innermost_layer(error, classifier):
    layers = {id(layer) for layer in all_layers(classifier)}
    trace, found = error.__traceback__, None
    while trace is not None:
        owner = trace.tb_frame.f_locals.get("self")
        if id(owner) in layers and owner is not classifier:
            found = owner
        trace = trace.tb_next
    return found
