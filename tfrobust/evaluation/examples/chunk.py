"""Parts of the examples that fit into memory."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tfrobust.errors import UserError
from tfrobust.ops.numbers import integer

# Bytes of a chunk's images in float32; an evaluation takes about seven times as much.
BYTES = 2**28


class Chunk(NamedTuple):
    """Some of the examples, whose images are read when they are asked for.

    Attributes:
        number: from 0.
        ids: int (m,).
        read: function that returns the images, float32 (m, h, w, c) in [0, 1], and labels, int (m,).
        digest: what tells them from others, where nothing but the images themselves does; else "".
    """

    number: int
    ids: np.ndarray
    read: Callable[[], tuple[np.ndarray, np.ndarray]]
    digest: str = ""


def count_rows(image_shape: tuple[int, ...], chunk: int | str = "auto") -> int:
    """The most examples of a chunk: as given, or as many as take 256 MiB in float32.

    Example:
    >>> count_rows((32, 32, 3)), count_rows((224, 224, 3)), count_rows((8, 8, 1), 100)
    (21845, 445, 100)
    """
    if not isinstance(chunk, str):
        return integer(chunk, "chunk", 1)
    if chunk != "auto":
        raise UserError(f"`chunk` must be 'auto' or a whole number. Received: chunk={chunk!r}.")
    return max(1, BYTES // (4 * int(np.prod(image_shape))))


def cut_evenly(count: int, rows: int) -> list[slice]:
    """As few slices of at most `rows` as hold `count` places, of almost equal lengths.

    Example:
    >>> cut_evenly(10, 4)
    [slice(0, 4, None), slice(4, 7, None), slice(7, 10, None)]
    """
    parts = max(1, -(-count // rows))
    ends = [len(part) for part in np.array_split(np.arange(count), parts)]
    stops = np.cumsum(ends).tolist()
    return [slice(stop - length, stop) for stop, length in zip(stops, ends, strict=True)]
