"""What papers usually do with the data sets of TensorFlow Datasets."""

import dataclasses

from tfrobust.data.augmentation.flip import Flip
from tfrobust.data.augmentation.pad_crop import PadCrop
from tfrobust.data.stored.crops import CenterCrop, Crop, RandomResizedCrop


@dataclasses.dataclass(frozen=True)
class Usual:
    """The settings of `tfds_images` for a data set that a user leaves out.

    Args:
        augment: augmentation in training.
        train_crop: the part of a picture that training sees, or None for that of evaluation.
        resize: pixels of a picture's shorter side for an image of 224, of which evaluation sees the middle;
            None for the largest part.
        test_split: name of the split to test on.
    """

    augment: tuple = ()
    train_crop: Crop | None = None
    resize: int | None = None
    test_split: str = "test"

    def choose_test_crop(self, size: tuple[int, int]) -> Crop | None:
        """The part of a picture that evaluation sees of images of (height, width) `size`, or None."""
        return None if self.resize is None else CenterCrop(round(max(size) * self.resize / 224))


# Digits and house numbers must not be mirrored.
USUAL = {
    "cifar10": Usual((PadCrop(4), Flip())),
    "cifar100": Usual((PadCrop(4), Flip())),
    # Its test split has no labels.
    "imagenet2012": Usual((Flip(),), RandomResizedCrop(), 256, "validation"),
}
