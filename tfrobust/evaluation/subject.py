"""What can be evaluated: a run, a file, a SavedModel, a Keras model, a function."""

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfrobust import contract
from tfrobust.contract.keras_file import read_keras_file
from tfrobust.errors import UserError
from tfrobust.models.saved_model import load_saved_model
from tfrobust.ops.logits import full_precision, inference
from tfrobust.runs.exported import find_classifier
from tfrobust.runs.origin import Origin, read_origin


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A classifier as the attacks see it.

    Args:
        forward: function from float32 images (b, h, w, c) in [0, 1] to full-precision logits (b, k),
            in graph operations and inference mode.
        description: what it is, in words, for the report.
        has_gradient: whether TensorFlow can differentiate it.
        has_scores: whether its logits say more than the predicted class.
        model: what holds the variables; the Keras model, if it is one.
        folder: of the run it comes from, or None.
        origin: what is known of the data that it was made for.

    Example:
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    >>> subject = tfrobust.evaluation.Subject.of(model)
    >>> subject.has_gradient, subject.forward(tf.zeros((5, 2, 2, 1))).shape[1]
    (True, 3)
    """

    forward: Callable[[tf.Tensor], tf.Tensor]
    description: str
    has_gradient: bool = True
    has_scores: bool = True
    model: Any = None
    folder: pathlib.Path | None = None
    origin: Origin = Origin()

    @property
    def traits(self) -> dict[str, bool]:
        """What the checks must know of it: "has_gradient" and "has_scores"."""
        return {"has_gradient": self.has_gradient, "has_scores": self.has_scores}

    @staticmethod
    def of(model: Any, trust: bool = False) -> "Subject":
        """Makes a `Subject` of a model, a function or a path.

        Args:
            model: `Subject`; Keras model; function in TensorFlow from images to logits; or a path of
                a run's folder, of a `.keras` file, or of a SavedModel's folder. For a function that
                is not in TensorFlow or gives labels only see `of_numpy`.
            trust: also load a SavedModel whose graph does more than calculate; see
                `models.saved_model.load_saved_model`.

        Returns:
            `Subject`.

        Raises:
            UserError: for anything else, a path that holds no model, a SavedModel without a signature
                from float32 images to logits, or one that is not trusted.
        """
        if isinstance(model, Subject):
            return model
        if isinstance(model, (str, os.PathLike)):
            return _of_path(pathlib.Path(model), trust)
        contract.check_model(model, probabilities=True)
        if isinstance(model, keras.layers.Layer):
            return _of_keras_model(model, f"Keras model {model.name}")
        name = getattr(model, "__name__", type(model).__name__)
        return Subject(inference(model), f"function {name}", model=model)

    @staticmethod
    def of_numpy(
        function: Callable[[np.ndarray], np.ndarray],
        num_classes: int,
        labels_only: bool = False,
        description: str | None = None,
    ) -> "Subject":
        """Makes a `Subject` of a function outside TensorFlow, such as another library or a remote service.

        It has no gradient, so that only attacks that need none can be run on it.

        Args:
            function: float32 array (b, h, w, c) in [0, 1] to logits, float array (b, k); or, with
                `labels_only`, to classes, int array (b,).
            num_classes: k.
            labels_only: whether it gives classes instead of logits.
            description: what it is, for the report.

        Returns:
            `Subject`.

        Example:
        >>> def classify(x):
        ...     return (x.mean(axis=(1, 2, 3)) > 0.5).astype(int)
        >>> subject = tfrobust.evaluation.Subject.of_numpy(classify, 2, labels_only=True)
        >>> subject.forward(tf.ones((1, 2, 2, 1))).numpy().tolist()
        [[0.0, 1.0]]
        """

        def logits(x):
            if not labels_only:
                return np.asarray(function(x), np.float32)
            return np.eye(num_classes, dtype=np.float32)[np.asarray(function(x), np.int64)]

        def forward(x):
            result = tf.numpy_function(logits, [x], tf.float32, stateful=False)
            return tf.ensure_shape(result, (x.shape[0], num_classes))

        named = description or f"function {getattr(function, '__name__', type(function).__name__)}"
        return Subject(forward, named, False, not labels_only, function)


def _of_path(path, trust):
    found = find_classifier(path)
    if found.is_saved_model:
        subject = _of_saved_model(found.path, trust)
    else:
        subject = _of_keras_file(found.path, found.run)
    known = read_origin(found)
    shape = known.image_shape or subject.origin.image_shape
    return dataclasses.replace(subject, origin=dataclasses.replace(known, image_shape=shape))


def _of_keras_file(file, run):
    model = read_keras_file(file)
    named = f"Keras file {file.name}" if run is None else f"run {run.absolute().name}"
    return dataclasses.replace(_of_keras_model(model, named), folder=run)


def _of_keras_model(model, description):
    shape = getattr(model, "input_shape", None)
    shape = shape[1:] if isinstance(shape, tuple) else None
    return Subject(inference(model), description, model=model, origin=Origin(shape))


def _of_saved_model(path, trust):
    loaded = load_saved_model(path, trust)
    seen = []
    for name, signature in sorted(loaded.signatures.items(), key=lambda item: item[0] != "pixels"):
        arguments = signature.structured_input_signature[1]
        outputs = signature.structured_outputs
        seen.append(f"{name}({', '.join(arguments)}) -> {', '.join(sorted(outputs))}")
        output = "logits" if "logits" in outputs else next(iter(outputs))
        fits = len(arguments) == 1 and ("logits" in outputs or len(outputs) == 1)
        if fits and next(iter(arguments.values())).dtype == tf.float32:
            ((argument, spec),) = arguments.items()
            if spec.shape.rank and spec.shape[0] is not None:
                raise UserError(
                    f"The signature {name} of the SavedModel in {path} takes batches of exactly "
                    f"{spec.shape[0]}, and attacks need any size. Export it with None as the first dimension."
                )

            def forward(x, signature=signature, argument=argument, output=output):
                return full_precision(signature(**{argument: x})[output])

            shape = tuple(spec.shape[1:]) if spec.shape.rank else None
            named = f"SavedModel {path.name}, signature {name}"
            return Subject(forward, named, model=loaded, origin=Origin(shape))
    raise UserError(
        f"No signature of the SavedModel in {path} goes from one float32 batch of images to logits (an "
        f"output of that name, or a single one). It has: {'; '.join(seen) or 'none'}. Export it with "
        "tfrobust.serving.export_classifier, or evaluate the Keras model."
    )
