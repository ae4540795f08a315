"""What must be true of a classifier and its data before a run begins."""

import numpy as np
import tensorflow as tf

from tfrobust.data import evaluation_dataset
from tfrobust.errors import UserError
from tfrobust.ops.logits import inference


def check_classifier(classifier, split, num_classes, examples=32):
    """Looks at a classifier's outputs for a few images; raises `UserError` if they cannot be logits.

    Args:
        classifier: Keras model.
        split: `data.Split` of which the first images are taken.
        num_classes: k.
        examples: how many images to try.
    """
    x, _, _ = next(iter(evaluation_dataset(split, min(examples, len(split)))))
    try:
        outputs = inference(classifier)(x)
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"The model does not take images of shape {split.image_shape}. Give the model the "
            f"`input_shape` of the data, or choose other data. Keras says: {reason}"
        ) from error
    check_logits(outputs.numpy(), num_classes)


def check_logits(outputs, num_classes):
    """Raises `UserError` unless `outputs` may be logits of `num_classes` classes, shape (b, k)."""
    if outputs.ndim != 2 or outputs.shape[1] != num_classes:
        raise UserError(
            f"The model must give {num_classes} logits per image, one per class. "
            f"Received outputs of shape {outputs.shape}: set the model's `num_classes`."
        )
    if not np.isfinite(outputs).all():
        raise UserError(
            "The model's outputs are not finite before training has begun. "
            "Look at its weights and at the division in its normalisation."
        )
    sums = outputs.sum(axis=1)
    if (outputs >= 0).all() and (np.abs(sums - 1.0) < 1e-3).all():
        raise UserError(
            "The model gives probabilities (rows of non-negative numbers that sum to 1), and losses "
            "here are computed from logits. Remove the softmax of the last layer."
        )
