"""Records of TFRecord files by their position, from an index of where each begins."""

import concurrent.futures
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfrobust.errors import UserError
from tfrobust.ops.datasets import without_autotune

# A record is its length (8 bytes), a checksum of it (4), the data, and a checksum of these (4).
_BEFORE, _AFTER = 12, 4
# As TFDS reads several files in turn: the order in which it numbers examples.
_CYCLE, _BLOCK = 16, 16


class TFRecords(Sequence[bytes]):
    """The records of a TFDS split, in the order in which TFDS reads them, at random access.

    The files say nothing of where their records begin: making the index reads 8 bytes of each record, once,
    at the start of a run. ArrayRecord holds such an index, and needs no look at each record.

    Args:
        instructions: what TFDS says of a split's files, each with `filename`, `skip`, `take` and
            `examples_in_shard`.
        name: of the data set, for messages.
        in_order: whether TFDS reads one file after the other, and not several in turn.
    """

    def __init__(self, instructions: Sequence[Any], name: str, in_order: bool = False) -> None:
        self.files = [os.fspath(one.filename) for one in instructions]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            found = list(pool.map(_index_file, self.files))
        for one, index in zip(instructions, found, strict=True):
            if len(index) != one.examples_in_shard:
                raise UserError(
                    f"{name!r} is damaged: {one.filename} has {len(index)} of {one.examples_in_shard} "
                    f"examples. Remove the folder and prepare it again with `tfds build {name}`."
                )
        taken = [i[one.skip :][: one.take] for one, i in zip(instructions, found, strict=True)]
        counts = [len(index) for index in taken]
        file = np.repeat(np.arange(len(taken)), counts)
        order = _interleave(counts, 1 if in_order else _CYCLE)
        self.file, self.spans = file[order], np.concatenate(taken)[order]

    def __len__(self) -> int:
        return len(self.file)

    def __getitem__(self, position):
        start, length = self.spans[position]
        with open(self.files[self.file[position]], "rb", buffering=0) as file:
            data = os.pread(file.fileno(), int(length), int(start))
        if len(data) != length:
            raise OSError(f"it ends within record {position}")
        return data


def _index_file(path):
    """Where each whole record of a file begins, and its length: (n, 2)."""
    found, place = [], 0
    try:
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            while place + _BEFORE + _AFTER <= size:
                length = int.from_bytes(os.pread(file.fileno(), 8, place), "little")
                end = place + _BEFORE + length + _AFTER
                if end > size:
                    break
                found.append((place + _BEFORE, length))
                place = end
    except FileNotFoundError:
        pass
    return np.array(found, np.int64).reshape(-1, 2)


def _interleave(counts, cycle):
    """The order in which tf.data takes `counts` elements from several files in turn."""
    starts = np.cumsum([0, *counts[:-1]])
    if cycle == 1 or len(counts) == 1:
        return np.arange(sum(counts))
    files = tf.data.Dataset.from_tensor_slices((starts, np.asarray(counts, np.int64)))
    taken = files.interleave(
        lambda start, count: tf.data.Dataset.range(start, start + count),
        cycle_length=cycle,
        block_length=_BLOCK,
    )
    taken = without_autotune(taken.batch(2**16))
    return np.concatenate([*taken.as_numpy_iterator(), np.zeros(0, np.int64)])
