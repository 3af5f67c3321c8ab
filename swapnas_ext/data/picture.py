"""Opens image files of any mode, cuts them, and makes a mini-batch of the cuts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from torch import Tensor

from swapnas_ext.data.pixels import Values, normalized, to_255, values_of, white_of

if TYPE_CHECKING:
    from PIL import Image

_EIGHT_BITS = Values(np.dtype(np.uint8), 0, 255)
_SIXTEEN_BITS = np.dtype(np.uint16)
_FROM_UPPER_BYTE = 257
"""Scales the upper byte of a 16-bit value to the whole range: 255 becomes 65,535."""


class Picture(NamedTuple):
    """An image of mode RGB, or of mode F with the file's own grey values. ``values`` describes the values in
    the file."""

    image: Image.Image
    values: Values


class Cut(NamedTuple):
    """A part of a picture, resized: uint8 ``[size, size, 3]``, or ``[size, size]`` with the file's own grey
    values. ``values`` describes the values of the whole picture."""

    pixels: np.ndarray[Any, Any]
    values: Values


def open_picture(path: Path) -> Picture:
    """Reads an image file.

    Raises:
        ValueError: not an image, or an image with values of an unknown range.
        ImportError: Pillow is missing.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("reading images needs Pillow; run: pip install pillow") from error
    try:
        with Image.open(path) as image:
            sixteen_bits = any(";16" in str(tile) for tile in image.tile)
            if image.mode != "F" and not image.mode.startswith("I"):
                return _picture_of_8_bits(image.convert("RGB"), sixteen_bits)
            pixels = np.asarray(image)
    except Exception as error:  # decoders raise many kinds of errors for damaged files
        raise ValueError(f"can't read {path} as an image: {error}") from error
    return Picture(Image.fromarray(pixels.astype(np.float32)), values_of(pixels, path))


def _picture_of_8_bits(image: Image.Image, sixteen_bits: bool) -> Picture:
    """Pillow keeps only the upper eight of 16 bits for each colour."""
    if not sixteen_bits:
        return Picture(image, _EIGHT_BITS)
    highest = max(high for _, high in image.getextrema())  # type: ignore[misc]
    return Picture(image, Values(_SIXTEEN_BITS, 0, highest * _FROM_UPPER_BYTE))


def cut(picture: Picture, box: tuple[int, int, int, int], size: int) -> Cut:
    from PIL import Image

    resized = picture.image.resize((size, size), Image.Resampling.BILINEAR, box=box)
    return Cut(np.asarray(resized), picture.values)


def central_square(picture: Picture, size: int) -> Cut:
    width, height = picture.image.size
    side = min(width, height)
    x, y = (width - side) // 2, (height - side) // 2
    return cut(picture, (x, y, x + side, y + side), size)


def patches(picture: Picture, samples: int, size: int, source: Path) -> Tensor:
    """A mini-batch of squares from the picture, row by row, as large as possible for ``samples`` of them.

    Raises:
        ValueError: the picture has fewer pixels than ``samples``.
    """
    width, height = picture.image.size
    side = math.isqrt(width * height // samples)
    while side > 0 and (width // side) * (height // side) < samples:
        side -= 1
    if side == 0:
        raise ValueError(f"an image of {width} x {height} pixels has no {samples} patches")
    columns = width // side
    corners = [(i % columns * side, i // columns * side) for i in range(samples)]
    return batch([cut(picture, (x, y, x + side, y + side), size) for x, y in corners], source)


def batch(cuts: Sequence[Cut], source: Path) -> Tensor:
    """A normalised mini-batch, float32 ``[N, 3, size, size]``, of the pixels that `scaled` returns.

    Raises:
        ValueError: it is unknown which value is white.
    """
    return normalized(np.stack(scaled(cuts, source)))


def scaled(cuts: Sequence[Cut], source: Path) -> list[np.ndarray[Any, Any]]:
    """The pixels of each cut, ``[size, size, 3]`` in 0..255, with the same white for all.

    Dark images then stay dark among brighter ones of the same camera.

    Raises:
        ValueError: it is unknown which value is white.
    """
    upper_bytes = [c.values for c in cuts if c.pixels.ndim == 3 and c.values.dtype == _SIXTEEN_BITS]
    if upper_bytes and white_of(upper_bytes, source) < 65535:
        raise ValueError(
            f"the images in {source} have 16 bits for each colour and use only the lower ones, which Pillow "
            "does not read: save them with 8 bits a colour, or as a uint16 array [N, H, W, 3] in an .npy "
            "file"
        )
    grey = [c.values for c in cuts if c.pixels.ndim == 2]
    whites = {
        floating: white_of([values for values in grey if _is_floating(values) == floating], source)
        for floating in {_is_floating(values) for values in grey}
    }
    pixels = []
    for part in cuts:
        if part.pixels.ndim == 3:
            pixels.append(part.pixels)
        else:
            grey_pixels = to_255(part.pixels, whites[_is_floating(part.values)])
            pixels.append(np.repeat(grey_pixels[..., None], 3, axis=2))
    return pixels


def _is_floating(values: Values) -> bool:
    return values.dtype.kind == "f"
