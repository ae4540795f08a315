"""Data sets in memory, and tf.data pipelines that are functions of a seed."""

from tfrobust.data.arrays import arrays, npz
from tfrobust.data.augment import Flip, PadCrop
from tfrobust.data.digits import digits
from tfrobust.data.extra import MixedSplit, with_extra
from tfrobust.data.folder import image_folder
from tfrobust.data.held_out import hold_out
from tfrobust.data.pipeline import evaluation_dataset, steps_per_epoch, training_dataset
from tfrobust.data.splits import DatasetInfo, Split, Splits
from tfrobust.data.tfds_images import tfds_images

__all__ = [
    "DatasetInfo",
    "Flip",
    "MixedSplit",
    "PadCrop",
    "Split",
    "Splits",
    "arrays",
    "digits",
    "evaluation_dataset",
    "hold_out",
    "image_folder",
    "npz",
    "steps_per_epoch",
    "tfds_images",
    "training_dataset",
    "with_extra",
]
