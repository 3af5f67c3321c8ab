"""Reads images from NumPy's files, ``.npz`` and ``.npy``."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from swapnas_ext.data.pixels import normalized, to_255, values_of, white_of

_IMAGES = "images"
_LONGEST_REASON = 100  # characters
_MOST_BYTES = 2 << 30
_PORTION = 1 << 24  # bytes
_EXPECTED = "uint8 [N, H, W, 3] or floating-point [N, 3, H, W], or grey [N, H, W], [N, H, W, 1] or [N, 1, H, W]"


def read_arrays(path: Path, name: str | None, samples: int, size: int | None) -> Tensor:
    """A mini-batch of the first ``samples`` images of an array, float32 ``[samples, 3, H, W]``.

    Args:
        name: the array of an ``.npz`` file; None for its only one, or the one named ``images``.
        size: H and W of the mini-batch; None for those of the images.

    Raises:
        ValueError: no such array, not images, values of an unknown range, or fewer than ``samples`` images.
    """
    found = _first(path, name, samples)
    last = _channels_last(found.rows)
    if last is None:
        raise ValueError(
            f"images in {path} must be {_EXPECTED}, got {found.rows.dtype} {list(found.shape)}"
        )
    if len(last) < samples:
        raise ValueError(f"{path} has {len(last)} images, {samples} samples are wanted")
    pixels = np.asarray(last)
    pixels = to_255(pixels, white_of([values_of(pixels, path)], path))
    batch = normalized(np.broadcast_to(pixels, (*pixels.shape[:3], 3)))
    if size is not None and batch.shape[2:] != (size, size):
        batch = torch.nn.functional.interpolate(
            batch, (size, size), mode="bilinear", antialias=True, align_corners=False
        )
    return batch


class _First(NamedTuple):
    """The first rows of an array, and the shape of all of it."""

    rows: np.ndarray[Any, Any]
    shape: tuple[int, ...]


def _first(path: Path, name: str | None, count: int) -> _First:
    """Reads only these rows of the file, since a small file may unpack to more than the memory holds."""
    names: list[str] = []
    try:
        if not zipfile.is_zipfile(path):
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            if name is None:
                return _First(array[:count] if array.ndim else array, array.shape)
        else:
            with zipfile.ZipFile(path) as archive:
                members = {member.removesuffix(".npy"): member for member in archive.namelist()}
                names = list(members)
                wanted = name or (names[0] if len(names) == 1 else _IMAGES)
                if wanted in members:
                    with archive.open(members[wanted]) as file:
                        return _first_of_stream(file, count)
    except Exception as error:  # NumPy, zipfile and zlib raise different errors for damaged files
        raise ValueError(f"can't read images from {path}: {_reason(error)}") from error
    raise ValueError(
        f"can't read images from {path}: it has the arrays {names}, none of them named "
        f"{name or _IMAGES!r}; choose one, as in {path.name}:{names[0] if names else 'key'}"
    )


def _first_of_stream(file: IO[bytes], count: int) -> _First:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, columns_first, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, columns_first, dtype = np.lib.format.read_array_header_2_0(file)
    else:  # later formats hold records with names
        raise ValueError(f"an array of format {version[0]}.{version[1]} holds no images")
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    if not shape or not dtype.itemsize or not math.prod(shape):
        return _First(np.empty((0,) * len(shape), dtype), shape)
    rows = min(count, shape[0])
    per_row = math.prod(shape[1:])
    if rows * per_row * dtype.itemsize > _MOST_BYTES:
        raise _TooLargeError(
            f"its first {rows} of shape {list(shape[1:])} take more than {_MOST_BYTES >> 30} GiB; save smaller "
            "images"
        )
    if not columns_first:
        content = _exactly(file, rows * per_row * dtype.itemsize)
        return _First(np.frombuffer(content, dtype).reshape(rows, *shape[1:]), shape)
    size = shape[0] * dtype.itemsize  # bytes of one column, which holds a value of every row
    parts = []
    for values in _in_portions(per_row, size):
        if values == 1 and size > _PORTION:
            parts.append(np.frombuffer(_exactly(file, rows * dtype.itemsize), dtype))
            file.seek((shape[0] - rows) * dtype.itemsize, os.SEEK_CUR)
            continue
        columns = np.frombuffer(_exactly(file, values * size), dtype)
        parts.append(columns.reshape(values, shape[0])[:, :rows].ravel())
    return _First(np.concatenate(parts).reshape((rows, *shape[1:]), order="F"), shape)


def _in_portions(count: int, size: int) -> Iterator[int]:
    """Splits ``count`` items of ``size`` bytes into portions, and yields the number in each."""
    most = max(1, _PORTION // size)
    while count:
        now = min(most, count)
        yield now
        count -= now


def _exactly(file: IO[bytes], count: int) -> bytes:
    content = file.read(count)
    if len(content) < count:
        raise EOFError("it ends too early")
    return content


class _TooLargeError(ValueError):
    pass


def _reason(error: Exception) -> str:
    """What is wrong with a file, in one sentence. The errors of zipfile may quote whole files."""
    if isinstance(error, _TooLargeError):
        return str(error)
    text = " ".join(str(error).split())
    if "pickle" in text or "object" in text:
        return "it is not a NumPy file, or it holds Python objects; save numbers with numpy.savez"
    short = text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}..."
    return f"it is damaged, or not a NumPy file ({short or type(error).__name__}); save it again"


def _channels_last(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    """The array as ``[N, H, W, 3]`` or ``[N, H, W, 1]``; None where its shape is not one of images."""
    if 0 in array.shape[1:]:
        return None
    if array.ndim == 3 and array.shape[2] != 3:  # else one image, without a dimension N
        return array[..., None]
    if array.ndim != 4:
        return None
    first, last = array.shape[1] in (1, 3), array.shape[3] in (1, 3)
    if first and (not last or array.dtype.kind == "f"):
        return np.moveaxis(array, 1, 3)
    return array if last else None
