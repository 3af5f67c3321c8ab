"""The values of pixels: which range they are of, and their normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)

_WHITES = (1, 255, 1023, 4095, 16383, 65535)
"""Of whole numbers: yes or no, and 8, 10, 12, 14 and 16 bits."""
_HALF_A_STEP = 0.5
"""Of 255. Floating-point values exceed their range by rounding."""
_UNCLEAR = 16
"""Floating-point images whose brightest value lies between 1 and this could be overexposed or very dark."""
_EXPECTED = (
    "expected 8 bits, whole numbers from 0 to at most 65,535, or floating-point numbers from 0 to 1 or from "
    "0 to 255; rescale them, or, where they are normalised already, pass them as a tensor in place of "
    "a path"
)


class Values(NamedTuple):
    """What the values of some pixels are: their type, the least, and the largest."""

    dtype: np.dtype[Any]
    low: float
    high: float


def values_of(pixels: np.ndarray[Any, Any], source: Path) -> Values:
    """Raises ValueError where they are of no known range, whatever other images have."""
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
    """What is white in all images of one mini-batch. Raises ValueError where that can't be told."""
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
    """Of 8 bits as they are; else in floating point."""
    if pixels.dtype == np.uint8 and white == 255:
        return pixels
    exact = pixels.astype(np.float64 if pixels.dtype.itemsize > 4 else np.float32)
    return np.clip(exact * (255.0 / white), 0, 255)


def normalized(pixels: np.ndarray[Any, Any]) -> Tensor:
    """[N, H, W, 3] in 0..255 -> [N, 3, H, W]."""
    # On the CPU and in float32 whatever torch's defaults are.
    pixels_, mean, std = (
        torch.tensor(values, dtype=torch.float32, device="cpu") for values in (pixels, MEAN, STD)
    )
    return ((pixels_ / 255 - mean) / std).permute(0, 3, 1, 2).contiguous()
