"""A copy of a Keras model that computes in float32."""

import keras


def copy_in_full_precision(model: keras.Model) -> keras.Model | None:
    """The model with all of its layers in float32 and the same weights, or None if it cannot be copied.

    Example:
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, dtype="mixed_float16")])
    >>> copy_in_full_precision(model).layers[-1].compute_dtype
    'float32'
    """
    try:
        copy = type(model).from_config(_full(model.get_config()))
        copy.build(model.input_shape)
        copy.set_weights(model.get_weights())
    except (TypeError, ValueError, AttributeError, NotImplementedError):
        # A subclassed model need not be described by a configuration.
        return None
    return copy


def _full(config):
    """The configuration with every policy of dtypes replaced."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return keras.saving.serialize_keras_object(keras.DTypePolicy("float32"))
        return {key: _full(value) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_full(value) for value in config)
    return config
