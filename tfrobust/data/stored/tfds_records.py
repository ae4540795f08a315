"""Reading the examples of a data set that TFDS has prepared, by their position."""

import copy
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import tensorflow as tf

from tfrobust.data.stored.crops import CenterCrop, Crop
from tfrobust.data.stored.pictures import decode_by_tensorflow, read_image
from tfrobust.data.stored.tfrecords import TFRecords
from tfrobust.errors import UserError

if TYPE_CHECKING:
    import tensorflow_datasets as tfds


class TFDSRecords:
    """A `Reader` of a split of TFDS: of ArrayRecord where there is any, otherwise of TFRecord by an index.

    Args:
        builder: `tfds.core.DatasetBuilder` of a prepared data set.
        split: name of the split, or a part of it.
        keys: names of the image and of the label.
        image_shape: (height, width, channels) of the images.
        crop: the part of a picture that becomes an image.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        builder: "tfds.core.DatasetBuilder",
        split: str,
        keys: tuple[str, str],
        image_shape: tuple[int, ...],
        crop: Crop | None = None,
    ) -> None:
        self.builder, self.split, self.keys = builder, split, keys
        self.image_shape = image_shape
        self.crop = CenterCrop() if crop is None else crop
        self.crop.check_size((image_shape[0], image_shape[1]))
        self.records, kind = _open_records(builder, split)
        self.source = f"{builder.info.full_name}, split {split}, {kind}"

    @property
    def words(self) -> int:
        return self.crop.words

    def __len__(self) -> int:
        return len(self.records)

    def read(self, position: int, words: np.ndarray | None = None) -> tuple[np.ndarray, int]:
        name = f"Example {position} of {self.source}"
        try:
            example = tf.train.Example.FromString(self.records[position])
            features = example.features.feature
            (data,) = features[self.keys[0]].bytes_list.value
            (label,) = features[self.keys[1]].int64_list.value
        # Protocol buffers and readers of records raise errors of their own kinds.
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise UserError(
                f"{name} cannot be read: {reason}. Remove {self.builder.data_dir} and prepare it again with "
                f"`tfds build {self.builder.info.full_name}`."
            ) from error
        height, width, channels = self.image_shape
        size = height, width
        return (
            read_image(data, name, size, channels, self.crop, words, decode_by_tensorflow),
            label,
        )

    def with_crop(self, crop: Crop) -> Self:
        crop.check_size((self.image_shape[0], self.image_shape[1]))
        other = copy.copy(self)
        other.crop = crop
        return other

    def update_digest(self, digest: Any, positions: np.ndarray, limit: int) -> None:
        """Adds name, version, crop, sizes of all files, and records evenly spaced, up to `limit` bytes."""
        digest.update(f"{self.source}{self.crop}".encode())
        files = self.builder.info.splits[self.split].file_instructions
        sizes = [os.path.getsize(one.filename) for one in files]
        digest.update(f"{[os.path.basename(one.filename) for one in files]}{sizes}".encode())
        whole = sum(one.examples_in_shard for one in files)
        size = sum(sizes) * len(positions) // max(1, whole)
        for position in positions[:: max(1, -(-size // limit))]:
            digest.update(self.records[position])


def has_random_access(builder: "tfds.core.DatasetBuilder") -> bool:
    """Whether a data set is prepared as ArrayRecord."""
    import tensorflow_datasets as tfds

    return tfds.core.FileFormat.ARRAY_RECORD in builder.info.available_file_formats()


def _open_records(builder, split) -> tuple[Sequence[bytes], str]:
    import tensorflow_datasets as tfds

    if has_random_access(builder):
        options = {
            "deserialize_method": tfds.decode.DeserializeMethod.RAW_BYTES,
            "file_format": tfds.core.FileFormat.ARRAY_RECORD,
        }
        return builder.as_data_source(split, **options), "ArrayRecord"
    files = builder.info.splits[split].file_instructions
    in_order = bool(builder.info.disable_shuffling)
    records = TFRecords(files, builder.info.name, in_order)
    return records, "TFRecord, indexed at each start (ArrayRecord needs no index)"
