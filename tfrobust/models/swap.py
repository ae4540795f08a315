"""Exchanging BatchNormalization and Dropout: Keras's for export, those of tfrobust for training."""

import keras

from tfrobust.compat import all_layers
from tfrobust.errors import UserError
from tfrobust.models.batch_normalization import BatchNormalization
from tfrobust.models.dropout import Dropout

_SHARED = ("name", "trainable", "dtype", "momentum", "epsilon", "center", "scale") + tuple(
    f"{weight}_{kind}"
    for weight in ("beta", "gamma")
    for kind in ("initializer", "regularizer", "constraint")
)

_DROPOUT = {BatchNormalization: Dropout, keras.layers.BatchNormalization: keras.layers.Dropout}


def with_stock_batch_normalization(model: keras.Model) -> keras.Model:
    """Copies a model with Keras's BatchNormalization and Dropout, so that it loads without tfrobust.

    Use it for export and for comparisons. In inference the logits are the same; in training they are
    not, because Keras's layer averages the biased variance, normalises by the batch of one replica,
    and has wrong second derivatives.

    Args:
        model: a built functional or sequential model; models inside it are copied too.

    Returns:
        A new model with the same weights, not compiled.

    Raises:
        UserError: the model is of another kind, whose layers cannot be exchanged.

    Example:
        >>> model = tfrobust.models.digits_cnn()
        >>> stock = tfrobust.models.with_stock_batch_normalization(model)
        >>> sum(type(layer) is keras.layers.BatchNormalization for layer in stock.layers)
        3
    """
    return _swap(model, BatchNormalization, keras.layers.BatchNormalization)


def with_exact_batch_normalization(model: keras.Model) -> keras.Model:
    """Copies a model with tfrobust's BatchNormalization and Dropout, and the settings of Keras's.

    Use it for a classifier that was built with Keras's layers and will be trained by a method with a
    derivative in its loss, or on several devices.

    Args:
        model: a built functional or sequential model; models inside it are copied too.

    Returns:
        A new model with the same weights, not compiled.

    Raises:
        UserError: the model is of another kind, or a layer normalises another axis than the last or
            uses renorm.

    Example:
        >>> layers = [keras.Input((8, 8, 1)), keras.layers.BatchNormalization(momentum=0.99)]
        >>> exact = tfrobust.models.with_exact_batch_normalization(keras.Sequential(layers))
        >>> exact.layers[0].momentum, isinstance(exact.layers[0], tfrobust.models.BatchNormalization)
        (0.99, True)
    """
    return _swap(model, keras.layers.BatchNormalization, BatchNormalization)


def _swap(model, old, new):
    if not isinstance(model, keras.Model) or not model.built:
        raise UserError(
            f"`model` must be a built Keras model: call it once on an image first. Received: {model!r}."
        )
    _check(model, old, new)
    copy = keras.models.clone_model(
        model, clone_function=lambda layer: _exchange(layer, old, new), recursive=True
    )
    copy.set_weights(model.get_weights())
    return copy


def exact_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    """A new layer in the place of one, tfrobust's where it is Keras's BatchNormalization or Dropout."""
    return _exchange(layer, keras.layers.BatchNormalization, BatchNormalization)


def _exchange(layer, old, new):
    if type(layer) is old:
        return _translate(layer, new)
    if type(layer) is _DROPOUT[old] and not getattr(layer, "noise_shape", None):
        config = layer.get_config()
        names = ("name", "trainable", "dtype", "rate", "seed")
        return _DROPOUT[new].from_config({name: config[name] for name in names})
    return type(layer).from_config(layer.get_config())


def _check(model, old, new):
    pixels = keras.Input((1,))
    known = (keras.Sequential, type(keras.Model(pixels, pixels)))
    if not isinstance(model, known):
        raise UserError(_explain(model, old, new))
    for layer in model.layers:
        if isinstance(layer, known):
            _check(layer, old, new)
        elif any(type(inner) is old for inner in all_layers(layer, include_self=False)):
            raise UserError(_explain(layer, old, new))


def _explain(layer, old, new):
    ours = "tfrobust.models.BatchNormalization"
    names = {BatchNormalization: ours}
    theirs = "keras.layers.BatchNormalization"
    return (
        f"{layer.name!r} is a {type(layer).__name__}: layers can be exchanged in functional and sequential "
        f"models only. Use {names.get(new, theirs)} instead of {names.get(old, theirs)} in its own code."
    )


def _translate(layer, new):
    config = layer.get_config()
    if config.get("renorm") or config.get("axis", -1) not in (-1, layer.input_spec.ndim - 1):
        raise UserError(
            f"Layer {layer.name!r} normalises another axis than the last, or uses renorm, which the "
            "BatchNormalization of tfrobust does not support. Build the model without them."
        )
    return new.from_config({name: config[name] for name in _SHARED})
