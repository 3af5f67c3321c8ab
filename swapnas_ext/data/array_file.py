"""Images in NumPy's files, ``.npz`` and ``.npy``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from swapnas_ext.data.pixels import normalized, to_255, values_of, white_of

_IMAGES = "images"
_LONGEST = 100
_EXPECTED = "uint8 [N, H, W, 3] or floating-point [N, 3, H, W], or grey [N, H, W], [N, H, W, 1] or [N, 1, H, W]"


def read_arrays(path: Path, name: str | None, samples: int, size: int | None) -> Tensor:
    """A mini-batch of the first ``samples`` images. Raises ValueError."""
    array = _loaded(path, name)
    last = _channels_last(array)
    if last is None:
        raise ValueError(
            f"images in {path} must be {_EXPECTED}, got {array.dtype} {list(array.shape)}"
        )
    if len(last) < samples:
        raise ValueError(f"{path} has {len(last)} images, {samples} samples are wanted")
    pixels = np.asarray(last[:samples])
    pixels = to_255(pixels, white_of([values_of(pixels, path)], path))
    batch = normalized(np.broadcast_to(pixels, (*pixels.shape[:3], 3)))
    if size is not None and batch.shape[2:] != (size, size):
        batch = torch.nn.functional.interpolate(
            batch, (size, size), mode="bilinear", antialias=True, align_corners=False
        )
    return batch


def _loaded(path: Path, name: str | None) -> np.ndarray[Any, Any]:
    names: list[str] = []
    try:
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            if name is None:
                return loaded
        else:
            with loaded:
                names = list(loaded.files)
                wanted = name or (names[0] if len(names) == 1 else _IMAGES)
                if wanted in names and isinstance(array := loaded[wanted], np.ndarray):
                    return array
    except Exception as error:  # NumPy, zipfile and zlib have errors of their own for damaged files
        raise ValueError(f"can't read images from {path}: {_reason(error)}") from error
    raise ValueError(
        f"can't read images from {path}: it has the arrays {names}, none of them named "
        f"{name or _IMAGES!r}; choose one, as in {path.name}:{names[0] if names else 'key'}"
    )


def _reason(error: Exception) -> str:
    """In one sentence; those of zipfile may quote whole files."""
    told = " ".join(str(error).split())
    if "pickle" in told or "object" in told:
        return "it is no NumPy file, or holds Python objects; save numbers with numpy.savez"
    short = told if len(told) <= _LONGEST else f"{told[:_LONGEST]}..."
    return f"it is damaged, or no NumPy file ({short or type(error).__name__}); save it again"


def _channels_last(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    """[N, H, W, 3] or [N, H, W, 1]; None where the shape is another."""
    if 0 in array.shape[1:]:
        return None
    if array.ndim == 3 and array.shape[2] != 3:  # else one image, whose first dimension is no N
        return array[..., None]
    if array.ndim != 4:
        return None
    first, last = array.shape[1] in (1, 3), array.shape[3] in (1, 3)
    if first and (not last or array.dtype.kind == "f"):
        return np.moveaxis(array, 1, 3)
    return array if last else None
