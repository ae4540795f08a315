"""A few digits that identify a data set."""

import hashlib

from tfrobust.data.splits import Splits

LIMIT = 2**30


def fingerprint(splits: Splits, limit: int = LIMIT) -> dict[str, str]:
    """Hashes the splits of a data set.

    A resumed run compares it, so that it never continues with other data. All labels, ids and shapes
    are hashed, and all images up to `limit` bytes in each split; of a larger split every n-th image,
    with the smallest n that stays below the limit, which takes two seconds at most. Of a split that is read
    from files all names and sizes are hashed, and every n-th file.

    Args:
        splits: `Splits`.
        limit: bytes of images to hash in each split.

    Returns:
        A dict from "train", "validation" and "test" to 16 hexadecimal digits each.

    Example:
        >>> one, other = tfrobust.data.digits(), tfrobust.data.digits(validation_seed=1)
        >>> hashes, others = fingerprint(one), fingerprint(other)
        >>> hashes["test"] == others["test"], hashes["train"] == others["train"]
        (True, False)
    """
    return {
        name: _hash_split(getattr(splits, name), limit) for name in ("train", "validation", "test")
    }


def _hash_split(split, limit):
    digest = hashlib.sha256()
    split.update_digest(digest, limit)
    return digest.hexdigest()[:16]
