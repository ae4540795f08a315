"""The handwritten digits that come with scikit-learn."""

import numpy as np

from tfrobust.data.held_out import hold_out, make_splits
from tfrobust.data.splits import Split

TEST_EXAMPLES = 360
TEST_SEED = 0


def digits(validation=360, validation_seed=0):
    """Returns the 1797 digits of 8 by 8 pixels that scikit-learn ships; nothing is downloaded.

    For a first run and for tests. Pixels are k/16 with k = 0..16, exact in float32. The test split
    is always the same 360 images, stratified by class, whatever is held out for validation; with
    the defaults 1077 are left for training.

    Args:
      validation: count or fraction of the 1437 other images to hold out, stratified.
      validation_seed: seed of that choice; not the run's seed.

    Returns:
      `Splits` of float32 images (8, 8, 1).

    Raises:
      UserError: `validation` is not possible.
    """
    from sklearn.datasets import load_digits  # 1 s, of no use to other data sets

    bunch = load_digits()
    images = (bunch.images / 16).astype(np.float32)[..., None]
    train, test = hold_out(Split(images, bunch.target), TEST_EXAMPLES, TEST_SEED, "test")
    splits = make_splits(
        "digits",
        train,
        test,
        validation=validation,
        validation_seed=validation_seed,
        num_classes=10,
    )
    return splits.read_by(
        "digits",
        validation=validation,
        validation_seed=validation_seed,
    )
