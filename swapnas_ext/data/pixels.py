"""Finds the range of pixel values and normalises them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

MEAN = (0.4914, 0.4822, 0.4465)
"""Subtracted from red, green and blue, of which 1 is white: the means of CIFAR-10."""
STD = (0.2470, 0.2435, 0.2616)
"""What red, green and blue are then divided by: the standard deviations of CIFAR-10."""

_WHITES = (1, 255, 1023, 4095, 16383, 65535)
"""White in images of whole numbers: booleans, and 8, 10, 12, 14 and 16 bits."""
_HALF_A_STEP = 0.5
"""Out of 255. Floating-point values exceed their range by rounding."""
_UNCLEAR = 16
"""Floating-point images whose largest value is between 1 and this: either overexposed or very dark."""
_EXPECTED = (
    "expected 8 bits, whole numbers from 0 to at most 65,535, or floating-point numbers from 0 to 1 or from "
    "0 to 255; rescale them, or, where they are normalised already, pass them as a tensor in place of "
    "a path"
)


class Values(NamedTuple):
    """The type of some pixel values, the smallest one and the largest one."""

    dtype: np.dtype[Any]
    low: float
    high: float


def values_of(pixels: np.ndarray[Any, Any], source: Path) -> Values:
    """Describes the values of one image.

    Raises:
        ValueError: not numbers, NaN, infinite, or outside every known range.
    """
    dtype = pixels.dtype
    if dtype.kind not in "buif":
        raise ValueError(f"the images in {source} are of type {dtype}: {_EXPECTED}")
    if dtype.kind == "f" and not np.isfinite(pixels).all():
        raise ValueError(
            f"the images in {source} have values that are NaN or infinite: replace them, or leave those "
            "images out"
        )
    values = Values(dtype, float(pixels.min()), float(pixels.max()))
    slack = _HALF_A_STEP if dtype.kind == "f" else 0
    largest = 255 if dtype.kind == "f" else _WHITES[-1]
    if values.low < -slack or values.high > largest + slack:
        raise _unknown(values.low, values.high, source)
    return values


def white_of(values: Sequence[Values], source: Path) -> float:
    """The value of white in all images of one mini-batch: 1, 255, 1023, 4095, 16383 or 65535.

    Raises:
        ValueError: the values fit several ranges.
    """
    if all(value.dtype == np.bool_ for value in values):
        return 1
    if all(value.dtype == np.uint8 for value in values):
        return 255
    low, high = min(value.low for value in values), max(value.high for value in values)
    if all(value.dtype.kind != "f" for value in values):
        return next(white for white in _WHITES if high <= white)
    slack = _HALF_A_STEP / 255
    if low >= -slack and high <= 1 + slack:
        return 1
    if high < _UNCLEAR:
        raise _unknown(low, high, source)
    return 255


def _unknown(low: float, high: float, source: Path) -> ValueError:
    return ValueError(f"the images in {source} have values from {low:g} to {high:g}: {_EXPECTED}")


def to_255(pixels: np.ndarray[Any, Any], white: float) -> np.ndarray[Any, Any]:
    """Pixels scaled to 0..255: those of 8 bits unchanged, all others as floating-point numbers."""
    if pixels.dtype == np.uint8 and white == 255:
        return pixels
    floating: np.ndarray[Any, np.dtype[np.floating[Any]]] = pixels.astype(
        np.float64 if pixels.dtype.itemsize > 4 else np.float32
    )
    scaled: np.ndarray[Any, Any] = np.clip(floating * (255.0 / white), 0, 255)
    return scaled


def normalized(pixels: np.ndarray[Any, Any]) -> Tensor:
    """Normalises with CIFAR-10's mean and standard deviation: ``[N, H, W, 3]`` in 0..255 -> float32
    ``[N, 3, H, W]`` on the CPU, whatever torch's defaults are."""
    values, mean, std = (
        torch.tensor(numbers, dtype=torch.float32, device="cpu") for numbers in (pixels, MEAN, STD)
    )
    return ((values / 255 - mean) / std).permute(0, 3, 1, 2).contiguous()
