"""Data sets in memory or read as they are needed, and tf.data pipelines that depend on a seed only.

A source (`digits`, `tfds_images`, `arrays`, `npz`, `npy`, `image_folder`, `image_list`) returns `Splits`:
training, validation and test images with their labels. `training_dataset` and `evaluation_dataset` make
batches of a split.
"""

from tfrobust.data.augmentation.cut_mix import CutMix as CutMix
from tfrobust.data.augmentation.flip import Flip as Flip
from tfrobust.data.augmentation.mixup import Mixup as Mixup
from tfrobust.data.augmentation.pad_crop import PadCrop as PadCrop
from tfrobust.data.augmentation.soft_labels import LabelSmoothing as LabelSmoothing
from tfrobust.data.augmentation.soft_labels import Mixing as Mixing
from tfrobust.data.augmentation.soft_labels import SoftLabels as SoftLabels
from tfrobust.data.base_split import BaseSplit as BaseSplit
from tfrobust.data.held_out import hold_out as hold_out
from tfrobust.data.pipeline import evaluation_dataset as evaluation_dataset
from tfrobust.data.pipeline import steps_per_epoch as steps_per_epoch
from tfrobust.data.pipeline import training_dataset as training_dataset
from tfrobust.data.sources.arrays import arrays as arrays
from tfrobust.data.sources.arrays import npz as npz
from tfrobust.data.sources.digits import digits as digits
from tfrobust.data.sources.extra import MixedSplit as MixedSplit
from tfrobust.data.sources.extra import with_extra as with_extra
from tfrobust.data.sources.image_folder import image_folder as image_folder
from tfrobust.data.sources.image_list import image_list as image_list
from tfrobust.data.sources.npy import npy as npy
from tfrobust.data.sources.tfds_images import tfds_images as tfds_images
from tfrobust.data.splits import DatasetInfo as DatasetInfo
from tfrobust.data.splits import Split as Split
from tfrobust.data.splits import Splits as Splits
from tfrobust.data.stored.crops import CenterCrop as CenterCrop
from tfrobust.data.stored.crops import RandomResizedCrop as RandomResizedCrop
from tfrobust.data.stored.split import StoredSplit as StoredSplit
from tfrobust.spec import public_names

__all__ = public_names(globals())
