"""Mini-batches to score on: the bundled photograph, image files, arrays, data loaders.

Images come back as float32 ``[samples, 3, size, size]``, normalised with CIFAR-10's mean and standard
deviation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL import Image

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)
DEFAULT_SIZE = 32
_IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)


def photograph(samples: int = 16, size: int = DEFAULT_SIZE) -> Tensor:
    """Patches of the photograph that matplotlib bundles (``grace_hopper.jpg``), always the same.

    The photograph is cut into a grid of equal squares, as large as ``samples`` of them fit; they are
    taken row by row and resized to ``size``.

    Raises:
        ValueError: ``samples`` or ``size`` below 1, or more samples than the photograph has pixels for.
        ImportError: matplotlib or Pillow is missing.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise ImportError(
            "the bundled photograph comes with matplotlib; run: pip install matplotlib"
        ) from error
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return _patches(_open(path), samples, size)


def images(path: str | Path, samples: int = 16, size: int | None = None) -> Tensor:
    """The first ``samples`` images of a folder or ``.npz`` file, or patches of one image file.

    A folder is read with its subfolders, in the order of the names; images are cropped to their
    central square and resized (to 32 by default). An ``.npz`` file holds one array, or one named
    ``images``: uint8 ``[N, H, W, 3]``, or floating-point ``[N, 3, H, W]`` in [0, 1]; it is resized
    only if ``size`` is given. An image file is cut as `photograph` is.

    Raises:
        FileNotFoundError: nothing at ``path``.
        ValueError: an unreadable image or array (named), or fewer images than ``samples``.
    """
    path = Path(path)
    _check_counts(samples, size)
    if path.is_dir():
        return _folder(path, samples, size or DEFAULT_SIZE)
    if not path.exists():
        raise FileNotFoundError(f"no images at {path}: expected a folder, an .npz or an image file")
    if path.suffix == ".npz":
        return _npz(path, samples, size)
    return _patches(_open(path), samples, size or DEFAULT_SIZE)


def first_batch(loader: Iterable[Any], samples: int | None = None) -> Any:
    """The inputs of the first batch of a data loader: the batch itself where it is a tensor or a
    mapping, its first element where it is a tuple or list; cut to ``samples`` where it is a tensor.

    Raises:
        ValueError: an empty loader, or a batch of fewer than ``samples``.
    """
    for batch in loader:
        inputs = batch[0] if isinstance(batch, tuple | list) else batch
        if isinstance(inputs, Tensor) and samples is not None:
            if len(inputs) < samples:
                raise ValueError(
                    f"the first batch has {len(inputs)} samples, {samples} are wanted; "
                    f"use batch_size={samples} or more"
                )
            inputs = inputs[:samples]
        return inputs
    raise ValueError("the data loader is empty")


def _check_counts(samples: int, size: int | None) -> None:
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
    if size is not None and size < 1:
        raise ValueError(f"size must be at least 1 pixel, got {size}")


def _open(path: Path) -> Image.Image:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise ImportError("reading images needs Pillow; run: pip install pillow") from error
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ValueError(f"can't read {path} as an image: {error}") from error


def _resized(image: Image.Image, box: tuple[int, int, int, int], size: int) -> np.ndarray[Any, Any]:
    from PIL import Image

    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box=box))


def _patches(image: Image.Image, samples: int, size: int) -> Tensor:
    _check_counts(samples, size)
    width, height = image.size
    # The largest side of which at least `samples` squares fit into the image.
    side = math.isqrt(width * height // samples)
    while side > 0 and (width // side) * (height // side) < samples:
        side -= 1
    if side == 0:
        raise ValueError(f"an image of {width} x {height} pixels has no {samples} patches")
    columns = width // side
    corners = [(i % columns * side, i // columns * side) for i in range(samples)]
    patches = [_resized(image, (x, y, x + side, y + side), size) for x, y in corners]
    return _normalized(np.stack(patches))


def _folder(path: Path, samples: int, size: int) -> Tensor:
    files = sorted(f for f in path.rglob("*") if f.suffix.lower() in _IMAGE_SUFFIXES)
    if len(files) < samples:
        raise ValueError(f"{path} has {len(files)} images, {samples} samples are wanted")
    squares = []
    for file in files[:samples]:
        image = _open(file)
        side = min(image.size)
        x, y = (image.width - side) // 2, (image.height - side) // 2
        squares.append(_resized(image, (x, y, x + side, y + side), size))
    return _normalized(np.stack(squares))


def _npz(path: Path, samples: int, size: int | None) -> Tensor:
    try:
        with np.load(path, allow_pickle=False) as archive:
            name = "images" if "images" in archive.files else None
            if name is None and len(archive.files) == 1:
                name = archive.files[0]
            if name is None:
                raise ValueError(f"it has the arrays {archive.files}, none of them named 'images'")
            array = archive[name]
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"can't read images from {path}: {error}") from error
    uint8 = array.dtype == np.uint8 and array.ndim == 4 and array.shape[3] == 3
    floating = array.dtype.kind == "f" and array.ndim == 4 and array.shape[1] == 3
    if not uint8 and not floating:
        raise ValueError(
            f"images in {path} must be uint8 [N, H, W, 3] or floating-point [N, 3, H, W], got "
            f"{array.dtype} {list(array.shape)}"
        )
    if len(array) < samples:
        raise ValueError(f"{path} has {len(array)} images, {samples} samples are wanted")
    array = array[:samples]
    if floating:
        array = np.moveaxis(array, 1, 3) * 255.0
    batch = _normalized(array)
    if size is not None and batch.shape[2:] != (size, size):
        batch = torch.nn.functional.interpolate(
            batch, (size, size), mode="bilinear", antialias=True, align_corners=False
        )
    return batch


def _normalized(pixels: np.ndarray[Any, Any]) -> Tensor:
    """[N, H, W, 3] in 0..255 -> [N, 3, H, W]."""
    scaled = torch.from_numpy(np.ascontiguousarray(pixels)).to(torch.float32) / 255
    return ((scaled - torch.tensor(MEAN)) / torch.tensor(STD)).permute(0, 3, 1, 2).contiguous()
