"""What reads one example of a source by its position."""

from typing import Any, Protocol, Self

import numpy as np

from tfrobust.data.stored.crops import Crop


class Reader(Protocol):
    """Reads single examples, from several threads at once.

    A source of another kind than ours is one class more: `StoredSplit` needs nothing else.
    """

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(height, width, channels)."""
        ...

    @property
    def dtype(self) -> np.dtype:
        """uint8 or float32."""
        ...

    @property
    def words(self) -> int:
        """How many random words `read` needs for an example in training; 0 if it draws nothing."""
        ...

    @property
    def source(self) -> str:
        """Where the images are, for the plan of a run, such as "the files of pets/train"."""
        ...

    def __len__(self) -> int:
        """Number of examples."""
        ...

    def read(self, position: int, words: np.ndarray | None) -> tuple[np.ndarray, int | None]:
        """Returns an image (h, w, c), and its label where the reader alone knows it.

        Raises:
            UserError: names what cannot be read.
        """
        ...

    def with_crop(self, crop: Crop) -> Self:
        """Returns a reader of the same examples that cuts other parts out of them."""
        ...

    def update_digest(self, digest: Any, positions: np.ndarray, limit: int) -> None:
        """Adds to a hash what tells these examples from others, reading at most `limit` bytes of images."""
        ...
