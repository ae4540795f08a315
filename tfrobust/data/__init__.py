"""Data sets in memory, and tf.data pipelines that depend on a seed only.

A source (`digits`, `tfds_images`, `arrays`, `npz`, `image_folder`) returns `Splits`: training, validation and
test images with their labels. `training_dataset` and `evaluation_dataset` make batches of a split.
"""

from tfrobust.data.arrays import arrays as arrays
from tfrobust.data.arrays import npz as npz
from tfrobust.data.augmentation.flip import Flip as Flip
from tfrobust.data.augmentation.pad_crop import PadCrop as PadCrop
from tfrobust.data.digits import digits as digits
from tfrobust.data.extra import MixedSplit as MixedSplit
from tfrobust.data.extra import with_extra as with_extra
from tfrobust.data.folder import image_folder as image_folder
from tfrobust.data.held_out import hold_out as hold_out
from tfrobust.data.pipeline import evaluation_dataset as evaluation_dataset
from tfrobust.data.pipeline import steps_per_epoch as steps_per_epoch
from tfrobust.data.pipeline import training_dataset as training_dataset
from tfrobust.data.splits import DatasetInfo as DatasetInfo
from tfrobust.data.splits import Split as Split
from tfrobust.data.splits import Splits as Splits
from tfrobust.data.tfds_images import tfds_images as tfds_images
from tfrobust.spec import public_names

__all__ = public_names(globals())
