"""A few digits that tell one data set from another."""

import hashlib
import math

import numpy as np

LIMIT = 2**30


def fingerprint(splits, limit=LIMIT):
    """What a resumed run compares, so that it never goes on with other data.

    All labels, ids and shapes are hashed, and all images, up to `limit` bytes of each split; of a larger
    split every n-th image, with the smallest n that stays below, so that it costs two seconds or less.

    Args:
        splits: `Splits`.
        limit: bytes of images to hash in each split.

    Returns:
        A dict from "train", "validation" and "test" to 16 hexadecimal digits each.
    """
    return {name: _digest(getattr(splits, name), limit) for name in ("train", "validation", "test")}


def _digest(split, limit):
    digest = hashlib.sha256()
    every = max(1, math.ceil(split.images.nbytes / limit))
    for array in (split.images[::every], split.labels, split.ids):
        digest.update(f"{array.dtype.name}{array.shape}".encode())
        for row in np.array_split(array, max(1, array.nbytes // 2**24)):
            digest.update(np.ascontiguousarray(row).data)
    digest.update(str(split.images.shape).encode())
    return digest.hexdigest()[:16]
