"""What is asked of a classifier and its examples before they are attacked."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np

from tfrobust import contract
from tfrobust.errors import UserError
from tfrobust.evaluation.checks.before.inputs import check_sample
from tfrobust.evaluation.checks.check import Limits
from tfrobust.evaluation.checks.finding import Finding
from tfrobust.evaluation.examples import AnyExamples, StreamedExamples
from tfrobust.evaluation.subject import Subject

CHOICES = {"checks": ("auto", "full", "contract", "none"), "nan_counts": ("broken", "robust")}


def check_choices(**values: str) -> None:
    """Raises `UserError` unless every argument is one of `CHOICES`."""
    for name, value in values.items():
        if value not in CHOICES[name]:
            raise UserError(f"`{name}` must be one of {CHOICES[name]}. Received: {value!r}.")


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


def check_merge(merge: Sequence[Any], examples: AnyExamples, many_images: bool) -> None:
    """Raises `UserError` if shards cannot be merged to what is asked for.

    Args:
        merge: folders of shards, or none.
        examples: of the whole evaluation.
        many_images: whether the adversarial images of several chunks are asked for.
    """
    if merge and isinstance(examples, StreamedExamples):
        raise UserError(
            "Shards are merged by the examples' ids, which a stream has not. Give arrays, or a source with "
            "`__len__` and `read(places)`."
        )
    if merge and many_images:
        raise UserError(
            "Shards of several chunks have their images in their own folders. Merge without keep_images "
            "(--images)."
        )


def count_sample(
    findings: Iterable[Finding], labels: np.ndarray, num_classes: int, limits: Limits
) -> tuple[Finding, ...]:
    """The findings, with C28 of all labels, where these became known with the images only."""
    sample = check_sample(labels, num_classes, limits)
    return tuple(sample if finding.id == sample.id else finding for finding in findings)
