"""The same classifier with the other BatchNormalization and Dropout: Keras's to export, ours to train."""

import keras

from tfrobust.errors import UserError
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.models.dropout import Dropout

_SHARED = ("name", "trainable", "dtype", "momentum", "epsilon", "center", "scale") + tuple(
    f"{weight}_{kind}"
    for weight in ("beta", "gamma")
    for kind in ("initializer", "regularizer", "constraint")
)

_DROPOUT = {BatchNormalization: Dropout, keras.layers.BatchNormalization: keras.layers.Dropout}


def with_stock_batch_normalization(model):
    """A copy whose BatchNormalization and Dropout are Keras's: its `.keras` file loads without tfrobust.

    For export and for comparisons. Inference gives the same logits; training does not, because
    Keras's layer keeps the biased variance, sees one replica's batch, and has wrong second
    derivatives.

    Args:
        model: a built functional or sequential model; models inside it are copied too.

    Returns:
        A new model with the same weights, not compiled.

    Raises:
        UserError: for a model of another kind, which cannot be taken apart.
    """
    return _swapped(model, BatchNormalization, keras.layers.BatchNormalization)


def with_exact_batch_normalization(model):
    """A copy whose BatchNormalization and Dropout are tfrobust's, with the settings that they had.

    For a classifier that was built with Keras's layers and is to be trained by a method with a
    derivative in its loss, or on several devices.

    Args:
        model: a built functional or sequential model; models inside it are copied too.

    Returns:
        A new model with the same weights, not compiled.

    Raises:
        UserError: for a model of another kind, and for layers with another axis than the last or
            with renorm.
    """
    return _swapped(model, keras.layers.BatchNormalization, BatchNormalization)


def _swapped(model, old, new):
    if not isinstance(model, keras.Model) or not model.built:
        raise UserError(
            f"A built Keras model is needed. Received: {model!r}; call it once on an image first."
        )
    _check(model, old, new)

    def clone(layer):
        if type(layer) is old:
            return _translated(layer, new)
        if type(layer) is _DROPOUT[old] and not getattr(layer, "noise_shape", None):
            config = layer.get_config()
            names = ("name", "trainable", "dtype", "rate", "seed")
            return _DROPOUT[new].from_config({name: config[name] for name in names})
        return type(layer).from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=clone, recursive=True)
    copy.set_weights(model.get_weights())
    return copy


def _check(model, old, new):
    pixels = keras.Input((1,))
    known = (keras.Sequential, type(keras.Model(pixels, pixels)))
    if not isinstance(model, known):
        raise UserError(_advice(model, old, new))
    for layer in model.layers:
        if isinstance(layer, known):
            _check(layer, old, new)
        elif any(type(inner) is old for inner in layer._flatten_layers(include_self=False)):
            raise UserError(_advice(layer, old, new))


def _advice(layer, old, new):
    ours = "tfrobust.models.BatchNormalization"
    names = {BatchNormalization: ours}
    theirs = "keras.layers.BatchNormalization"
    return (
        f"{layer.name!r} is a {type(layer).__name__}: only functional and sequential models can be "
        f"rebuilt. Write {names.get(new, theirs)} for {names.get(old, theirs)} in its own code."
    )


def _translated(layer, new):
    config = layer.get_config()
    if config.get("renorm") or config.get("axis", -1) not in (-1, layer.input_spec.ndim - 1):
        raise UserError(
            f"Layer {layer.name!r} normalises another axis than the last, or uses renorm: "
            "the exact BatchNormalization has neither."
        )
    return new.from_config({name: config[name] for name in _SHARED})
