"""What a classifier, its images and its labels must be: every door asks here, none checks by itself."""

from tfrobust.contract.adapt import adapt
from tfrobust.contract.arrays import check_arrays, check_images, check_labels
from tfrobust.contract.assertions import after, as_user_error
from tfrobust.contract.batch import as_batch, as_images_of, check_attacked_batch, unpack
from tfrobust.contract.classifier import (
    check_classifier,
    check_model,
    check_trainable,
    image_dtype,
    num_classes,
)
from tfrobust.contract.datasets import as_pairs
from tfrobust.contract.images import array_from_uint8, as_images, from_uint8
from tfrobust.contract.labels import check_takes_soft_labels, has_soft_labels
from tfrobust.contract.outputs import (
    are_probabilities,
    check_on_images,
    check_output_shape,
    check_outputs,
    require_logits,
)

__all__ = [
    "adapt",
    "after",
    "array_from_uint8",
    "are_probabilities",
    "as_batch",
    "as_images",
    "as_images_of",
    "as_pairs",
    "as_user_error",
    "check_attacked_batch",
    "check_arrays",
    "check_classifier",
    "check_images",
    "check_labels",
    "check_model",
    "check_on_images",
    "check_output_shape",
    "check_outputs",
    "check_takes_soft_labels",
    "check_trainable",
    "from_uint8",
    "has_soft_labels",
    "image_dtype",
    "num_classes",
    "require_logits",
    "unpack",
]
