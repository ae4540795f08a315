"""Images and figures as files, and differences of images that can be seen."""

import io
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

# Of files: fonts, and what else would differ from one time to the next.
_FILES: dict[Any, Any] = {"pdf.fonttype": 42, "ps.fonttype": 42, "svg.hashsalt": "tfrobust"}
_NO_DATE = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "svgz": {"Date": None}}


def find_factor(delta: np.ndarray) -> float:
    """Finds the factor that makes the largest entry of a difference half of the pixel range.

    Example:
        >>> find_factor(np.array([0.1, -0.05]))
        5.0
    """
    largest = float(np.abs(delta).max())
    return 0.5 / largest if largest > 0 else 1.0


def amplify(delta: np.ndarray) -> np.ndarray:
    """Makes an image of a difference: grey where nothing changed, its largest entry black or white.

    Args:
        delta: (h, w, c), of any size.

    Returns:
        (h, w, c) in [0, 1].

    Example:
        >>> amplify(np.array([0.1, -0.05, 0.0])).tolist()
        [1.0, 0.25, 0.5]
    """
    return 0.5 + find_factor(delta) * np.asarray(delta, float)


def encode_png(image: np.ndarray) -> bytes:
    """Encodes an image as a PNG file.

    Args:
        image: (h, w, c) in [0, 1]. If it has neither one nor three channels, their mean is shown.

    Returns:
        The bytes of the file.

    Example:
        >>> encode_png(np.zeros((8, 8, 1)))[1:4]
        b'PNG'
    """
    image = np.clip(np.nan_to_num(np.asarray(image, float)), 0.0, 1.0)
    if image.shape[-1] not in (1, 3):
        image = image.mean(axis=-1, keepdims=True)
    levels = np.round(255.0 * image).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels).save(content, "PNG")
    return content.getvalue()


def encode_figure(figure: Figure, ending: str, dpi: int = 200) -> bytes:
    """The bytes of a figure's file; the same PNG, PDF and SVG for the same figure.

    Text in PDF and PostScript stays text, in TrueType, which publishers ask for.

    Args:
        figure: to write.
        ending: of the file, such as "pdf".
        dpi: of pictures of pixels.

    Example:
        >>> from tfrobust.plots.pixels import encode_figure
        >>> encode_figure(Figure((1.0, 1.0)), "pdf")[:4]
        b'%PDF'
    """
    written = io.BytesIO()
    with matplotlib.rc_context(_FILES):
        figure.savefig(written, format=ending, dpi=dpi, metadata=_NO_DATE.get(ending))
    return written.getvalue()
