"""Which part of a stored picture becomes an image, chosen before the picture is decoded."""

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from tfrobust.errors import UserError
from tfrobust.ops.numbers import integer
from tfrobust.spec import Spec, register

TRIES = 10


class Box(NamedTuple):
    """A rectangle in pixels of a picture, whose sides may lie between pixels."""

    top: float
    left: float
    height: float
    width: float


@register
@dataclasses.dataclass(frozen=True)
class CenterCrop(Spec):
    """The central part of a picture.

    Use it for evaluation, and for training without random crops. Without `resize` it is the largest part
    with the image's proportions, as for data sets in memory. With it, a picture is resized so that its
    shorter side has `resize` pixels, and the image's size is cut out of its middle; both happen in one
    operation. ImageNet is evaluated so, at 224 of 256 pixels.

    Args:
        resize: pixels of the shorter side before cropping, at least the image's sides; None for the
            largest part.

    Raises:
        UserError: `resize` is no such number.

    Example:
        >>> tfrobust.data.CenterCrop(resize=256).choose_box(512, 1024, (224, 224))
        Box(top=32.0, left=288.0, height=448.0, width=448.0)
    """

    resize: int | None = None
    words = 0

    def check(self) -> None:
        if self.resize is not None:
            integer(self.resize, "resize", minimum=1)

    @property
    def whole_pixels(self) -> bool:
        """Whether images are cut at whole pixels and resized as they always were in memory."""
        return self.resize is None

    def check_size(self, size: tuple[int, int]) -> None:
        """Raises `UserError` if an image of (height, width) `size` cannot be cut out."""
        if self.resize is not None and self.resize < max(size):
            raise UserError(
                f"`resize` of CenterCrop must be at least the image's larger side, {max(size)}. Received: "
                f"resize={self.resize}."
            )

    def choose_box(
        self, height: int, width: int, size: tuple[int, int], words: np.ndarray | None = None
    ) -> Box:
        """Chooses the part of a picture of height by width.

        Args:
            height, width: of the picture, pixels.
            size: (height, width) of the image.
            words: not used.

        Returns:
            `Box`.
        """
        if self.resize is None:
            cut_height = min(height, max(1, width * size[0] // size[1]))
            cut_width = min(width, max(1, height * size[1] // size[0]))
            return Box((height - cut_height) // 2, (width - cut_width) // 2, cut_height, cut_width)
        scale = min(height, width) / self.resize
        box_height, box_width = size[0] * scale, size[1] * scale
        return Box((height - box_height) / 2, (width - box_width) / 2, box_height, box_width)


@register
@dataclasses.dataclass(frozen=True)
class RandomResizedCrop(Spec):
    """A random part of a picture, resized to the image's size.

    Use it to train on photographs such as ImageNet's. A part of the picture's area and the logarithm of
    its aspect ratio are drawn uniformly until they fit, ten times at most; after that the largest central
    part with a ratio in range is taken. All places are equally likely. The draws of an example depend on
    (seed, epoch, id) only.

    Args:
        scale: (least, most) part of the picture's area, in (0, 1].
        ratio: (least, most) width divided by height.

    Raises:
        UserError: a range is empty or out of range.

    Example:
        >>> words = np.arange(40, dtype=np.uint64) << np.uint64(57)
        >>> tfrobust.data.RandomResizedCrop().choose_box(300, 400, (224, 224), words)
        Box(top=2, left=7, height=113, width=85)

    Paper: Szegedy et al., "Going Deeper with Convolutions", 2015.
    """

    scale: tuple = (0.08, 1.0)
    ratio: tuple = (3 / 4, 4 / 3)
    words = 4 * TRIES
    whole_pixels = False

    def check(self) -> None:
        for name, most in (("scale", 1.0), ("ratio", math.inf)):
            value = getattr(self, name)
            fits = isinstance(value, tuple) and len(value) == 2
            fits = fits and all(
                isinstance(v, (int, float)) and not isinstance(v, bool) for v in value
            )
            if not fits or not 0 < value[0] <= value[1] <= most or math.isinf(value[1]):
                upper = "at most 1" if most == 1.0 else "finite"
                raise UserError(
                    f"`{name}` of RandomResizedCrop must be two numbers (least, most) above 0, {upper}. "
                    f"Received: {name}={value!r}."
                )

    def check_size(self, size: tuple[int, int]) -> None:
        """Any size can be cut out."""

    def choose_box(
        self, height: int, width: int, size: tuple[int, int], words: np.ndarray | None = None
    ) -> Box:
        """Chooses the part of a picture of height by width.

        Args:
            height, width: of the picture, pixels.
            size: (height, width) of the image, which does not matter.
            words: (40,) uint64, random; None for the central part.

        Returns:
            `Box` of whole pixels.
        """
        words = np.zeros(0, np.uint64) if words is None else words
        draws = (words >> np.uint64(11)).reshape(-1, 4) * 2.0**-53
        low, high = map(math.log, self.ratio)
        for part, shape, down, right in draws:
            area = height * width * (self.scale[0] + part * (self.scale[1] - self.scale[0]))
            ratio = math.exp(low + shape * (high - low))
            cut_width, cut_height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < cut_width <= width and 0 < cut_height <= height:
                top = int(down * (height - cut_height + 1))
                return Box(top, int(right * (width - cut_width + 1)), cut_height, cut_width)
        cut_height = min(height, max(1, round(width / self.ratio[0])))
        cut_width = min(width, max(1, round(height * self.ratio[1])))
        return Box((height - cut_height) // 2, (width - cut_width) // 2, cut_height, cut_width)


Crop = CenterCrop | RandomResizedCrop
