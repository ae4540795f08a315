"""What is asked of a classifier and its examples before they are attacked."""

from collections.abc import Callable, Iterable

import keras
import numpy as np

from tfrobust import contract
from tfrobust.errors import UserError
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.evaluation.subject import Subject


def get_seen(subject: Subject) -> keras.layers.Layer | Callable:
    """The classifier as the checks see it: of a Keras model they see the precision of its layers too."""
    return subject.model if isinstance(subject.model, keras.layers.Layer) else subject.forward


def count_classes(
    model: keras.layers.Layer | Callable, few: np.ndarray, labels: np.ndarray, force: bool = False
) -> int:
    """The number of logits, after a look at what the classifier gives for a few images.

    Args:
        model: Keras model or callable, images to logits.
        few: images, float32 (m, h, w, c).
        labels: of all examples, int (n,).
        force: accept probabilities.

    Raises:
        UserError: the classifier, or a label, breaks the contract.

    Example:
    >>> count_classes(lambda x: 3.0 * x[:, 0, 0] - 1, np.zeros((2, 1, 1, 3), "float32"), np.array([0, 2]))
    3
    """
    contract.check_model(model, probabilities=force)
    images = contract.as_images_of(model, few)
    logits = contract.check_on_images(model, images, probabilities=force)
    contract.check_labels(labels, "labels", logits.shape[1])
    return logits.shape[1]


def stop_at_errors(findings: Iterable[Finding], force: bool = False) -> None:
    """Raises `UserError` if checks before the attacks found an error, unless that is forced."""
    errors = [finding for finding in findings if finding.level == "error"]
    if errors and not force:
        told = " ".join(f"{finding.id}: {finding.text}" for finding in errors)
        raise UserError(
            f"{told} Nothing was attacked. Give force (--force) to evaluate all the same."
        )
