"""The handwritten digits that come with scikit-learn."""

import numpy as np

from tfrobust.data.held_out import hold_out, make_splits
from tfrobust.data.splits import Split, Splits

TEST_EXAMPLES = 360
TEST_SEED = 0


def digits(validation: float = 360, validation_seed: int = 0) -> Splits:
    """Returns the 1797 digits of 8 by 8 pixels that scikit-learn ships; nothing is downloaded.

    Use it for a first run and for tests. Pixels are k/16 with k = 0..16, exact in float32. The test
    split is always the same 360 images, stratified by class, whatever is held out for validation;
    with the defaults 1077 images are used for training.

    Args:
        validation: count, or fraction in (0, 1), of the 1437 other images to hold out, stratified by
            class.
        validation_seed: seed of that choice; it does not depend on the seed of the run.

    Returns:
        `Splits` of float32 images (8, 8, 1).

    Raises:
        UserError: `validation` is out of range.

    Example:
        >>> splits = tfrobust.data.digits(validation=0.25)
        >>> len(splits.train), len(splits.validation), len(splits.test)
        (1078, 359, 360)
    """
    from sklearn.datasets import load_digits  # takes 1 s, and no other data set needs it

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
    return splits.record_source(
        "digits",
        validation=validation,
        validation_seed=validation_seed,
    )
