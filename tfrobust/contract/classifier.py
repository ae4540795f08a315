"""What a classifier is: one input of images, one output of logits (b, k), weights that can be trained."""

from collections.abc import Callable

import keras
import tensorflow as tf

from tfrobust.contract.outputs import PROBABILITIES, check_output_shape
from tfrobust.contract.tail import find_tail, has_graph
from tfrobust.errors import UserError


def check_model(
    model: keras.layers.Layer | Callable[[tf.Tensor], tf.Tensor],
    name: str = "model",
    probabilities: bool = False,
) -> None:
    """Looks at the structure of a classifier, as far as it can be seen without a pass.

    Args:
        model: Keras model or layer, or a function from images to logits.
        name: what the caller calls it.
        probabilities: whether a softmax or sigmoid at the end may stay.

    Raises:
        UserError: for a model of another library, a bound method such as `model.predict`, two inputs, two
            outputs or a dictionary of them, outputs that are not (b, k), and a softmax or sigmoid at the
            end.

    Example:
    >>> from tfrobust import contract
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    >>> contract.check_model(model)
    Traceback (most recent call last):
    tfrobust.errors.UserError: The model gives probabilities, ...
    """
    if not isinstance(model, keras.layers.Layer):
        _check_function(model, name)
        return
    _check_graph(model)
    end = find_tail(model)
    if end.kind == "probabilities" and not probabilities:
        raise UserError(
            f"{PROBABILITIES} Received: {model.name!r}, which ends with the {end.activation} of "
            f"{end.name!r}."
        )


def check_classifier(classifier: keras.Model, name: str = "classifier") -> None:
    """As `check_model`, of what is to be trained: it must be a Keras model.

    Example:
    >>> from tfrobust import contract
    >>> contract.check_classifier(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]))
    >>> contract.check_classifier(keras.Model)
    Traceback (most recent call last):
    tfrobust.errors.UserError: `classifier` must be a keras.Model ...
    """
    if not isinstance(classifier, keras.Model):
        _check_library(classifier, name)
        raise UserError(
            f"`{name}` must be a keras.Model that maps images in [0, 1] to logits. "
            f"Received: {_describe(classifier)}."
        )
    check_model(classifier, name)


def _describe(value):
    if isinstance(value, type):
        return f"the class {value.__name__} itself; did you forget to call it?"
    return type(value).__name__


def check_trainable(classifier: keras.Model) -> None:
    """Raises `UserError` if a classifier that is built has no weight to train.

    Example:
    >>> from tfrobust import contract
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    >>> model.trainable = False
    >>> contract.check_trainable(model)
    Traceback (most recent call last):
    tfrobust.errors.UserError: The classifier ... has no trainable weight: ...
    """
    if classifier.built and not classifier.trainable_variables:
        raise UserError(
            f"The classifier {classifier.name!r} has no trainable weight: nothing could be trained. Set "
            "`trainable = True` on it or on some of its layers."
        )


def _check_library(model, name):
    bases = [base.__module__.split(".")[0] for base in type(model).__mro__]
    if "tf_keras" in bases:
        raise UserError(
            f"`{name}` is a model of tf_keras (Keras 2), and tfrobust works with Keras 3. Build it with "
            "`import keras` and copy the weights: model.set_weights(old.get_weights()). "
            f"Received: {type(model).__name__}."
        )
    if "torch" in bases:
        raise UserError(
            f"`{name}` is a model of PyTorch. Give a Keras model; evaluation.Subject.of_numpy evaluates any "
            f"function without its gradients. Received: {type(model).__name__}."
        )


def _check_function(model, name):
    _check_library(model, name)
    owner = getattr(model, "__self__", None)
    if isinstance(owner, keras.layers.Layer):
        raise UserError(
            f"Give the model itself, in place of its method: a method such as `predict` has no gradient. "
            f"Received: {name}={owner.name}.{model.__name__}."
        )
    if isinstance(model, type) or not callable(model):
        raise UserError(
            f"`{name}` must be a Keras model, a function from images to logits, or, where a model is "
            f"evaluated, the path of one. Received: {model!r}."
        )


def _check_graph(model):
    if has_graph(model) and model.built:
        check_structure(model)
        check_output_shape(model.outputs[0].shape)


def check_structure(model: keras.Model) -> None:
    """Raises `UserError` if the graph of a model has several inputs or outputs, or takes whole numbers."""
    if len(model.inputs) != 1:
        raise UserError(
            f"A classifier has one input, images (b, h, w, c). Received: {model.name!r} with "
            f"{len(model.inputs)} inputs. Fix the others: keras.Model(images, model([images, ...]))."
        )
    if not tf.as_dtype(model.inputs[0].dtype).is_floating:
        raise UserError(
            "A classifier takes floating-point pixels in [0, 1], which have a gradient. Received: "
            f"{model.name!r}, whose input is of dtype {model.inputs[0].dtype}. Build it with a float "
            "Input, then let tfrobust.adapt(model, input_range=(0, 255)) rescale."
        )
    if len(model.outputs) != 1:
        raise UserError(
            f"A classifier has one output, logits of shape (b, k). Received: {model.name!r} with "
            f"{len(model.outputs)} outputs. Choose one: keras.Model(model.inputs, model.outputs[0])."
        )
    if isinstance(model, keras.Model) and isinstance(_read_structure(model), dict):
        raise UserError(
            "A classifier has one output, logits of shape (b, k). Received: "
            f"{model.name!r}, which gives a dictionary with the key {list(_read_structure(model))[0]!r}. "
            "Take the tensor out: keras.Model(model.inputs, model.outputs[0])."
        )


def _read_structure(model):
    return None if isinstance(model, keras.Sequential) else model.output


def num_classes(model: keras.layers.Layer | Callable[[tf.Tensor], tf.Tensor]) -> int | None:
    """The number of logits, or None where a model or function does not tell before a pass.

    Example:
    >>> from tfrobust import contract
    >>> contract.num_classes(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]))
    3
    """
    shape = _read_shape(model, "output_shape")
    return shape[-1] if shape and isinstance(shape[-1], int) else None


def image_shape(
    model: keras.layers.Layer | Callable[[tf.Tensor], tf.Tensor],
) -> tuple[int | None, ...] | None:
    """The shape (h, w, c) of the images that a model takes, None where any size or not known."""
    shape = _read_shape(model, "input_shape")
    return tuple(shape[1:]) if shape and not isinstance(shape[0], tuple) else None


def _read_shape(model, attribute):
    if not isinstance(model, keras.layers.Layer):
        return None
    try:
        return getattr(model, attribute)
    except (AttributeError, TypeError, ValueError):
        # Not called yet, or with code of its own.
        return None


def image_dtype(model: keras.layers.Layer | Callable[[tf.Tensor], tf.Tensor]) -> tf.DType | None:
    """The dtype in which images enter: float64 where the classifier computes in it, float32 otherwise.

    A classifier in half precision gets float32 images and rounds them itself: an attack's small steps
    would be lost in bfloat16, of which one is 1/256 wide next to 1. None for functions, which take what
    they are given.

    Example:
    >>> from tfrobust import contract
    >>> contract.image_dtype(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])).name
    'float32'
    """
    if not isinstance(model, keras.layers.Layer):
        return None
    known = has_graph(model) and model.built
    dtype = model.outputs[0].dtype if known else model.compute_dtype
    return tf.float64 if dtype == "float64" else tf.float32
