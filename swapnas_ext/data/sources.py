"""Makes mini-batches of images from the bundled photograph, or from a path."""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor

from swapnas_ext.data.array_file import read_arrays
from swapnas_ext.data.folder import read_folder
from swapnas_ext.data.picture import open_picture, patches

DEFAULT_SIZE = 32
"""Height and width of images in pixels, where none is given."""
DEFAULT_SAMPLES = 16
"""S, where none is given: the published number."""
_ARRAY_SUFFIXES = frozenset({".npz", ".npy"})
_NAMED_ARRAY = re.compile(r"(?P<file>.+?\.npz):(?P<name>.+)", re.IGNORECASE)


def photograph(samples: int = DEFAULT_SAMPLES, size: int = DEFAULT_SIZE) -> Tensor:
    """Patches of the photograph that matplotlib bundles (``grace_hopper.jpg``), always the same.

    Returns float32 ``[samples, 3, size, size]``, ``size`` in pixels. The photograph is cut into a grid of
    equal squares, as large as possible for ``samples`` of them. The squares are taken row by row and resized.

    Raises:
        ValueError: ``samples`` or ``size`` below 1, or more samples than the photograph has pixels for.
        ImportError: matplotlib or Pillow is missing.
    """
    _check_counts(samples, size)
    try:
        import matplotlib
    except ImportError as error:
        raise ImportError(
            "the bundled photograph comes with matplotlib; run: pip install matplotlib"
        ) from error
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return patches(open_picture(path), samples, size, path)


def images(path: str | Path, samples: int = 16, size: int | None = None) -> Tensor:
    """Images of a folder, images of a NumPy file, or patches of one image file.

    Returns float32 ``[samples, 3, H, W]``; H and W are ``size`` in pixels, where it is given.

    **A folder** is read with its subfolders and with the folders that it links to. Names that begin with a
    dot and folders of thumbnails (``__MACOSX``, ``@eaDir``) are left out. If all images are in one folder,
    the first ``samples`` by name are taken. If they are in several, the same number is taken from each, at
    random, and the same images on every machine. An image that can't be read is left out with a warning.
    Images are cropped to their central square and resized (to 32 by default).

    **A file** ``.npz`` holds one array, or one named ``images``; ``file.npz:key`` names another. ``.npy``
    holds one array. An array is uint8 ``[N, H, W, 3]``; or of other numbers; or channels first; or grey:
    ``[N, H, W]``, ``[N, H, W, 1]``, ``[N, 1, H, W]``. The first ``samples`` images are taken, and resized
    only if ``size`` is given. The rest of an ``.npz`` file is not unpacked, so its checksum is not
    verified. An image file is cut as in `photograph`.

    **Black is 0.** White is 255 for values of eight bits. For other whole numbers (16-bit images) it is the
    smallest of 1, 255, 1023, 4095, 16383 and 65535 that no value of the mini-batch exceeds. For
    floating-point numbers it is 1 or 255. All other values are refused: below 0, as in images that are
    already normalised; NaN; and floating-point numbers that fit neither range.

    Raises:
        FileNotFoundError: nothing at ``path``.
        ValueError: an unreadable image or array (the message names it), values of an unknown range, or
            fewer images than ``samples``.
    """
    _check_counts(samples, size)
    path = Path(path)
    name = None
    if not path.exists() and (named := _NAMED_ARRAY.fullmatch(str(path))):
        path, name = Path(named["file"]), named["name"]
    if path.is_dir():
        if name is not None:
            raise ValueError(
                f"{path} is a folder, and has no array {name!r}: expected an .npz file"
            )
        return read_folder(path, samples, size or DEFAULT_SIZE)
    if not path.exists():
        raise FileNotFoundError(
            f"no images at {path}: expected a folder, an image file, or an .npz or .npy file"
        )
    if path.suffix.lower() in _ARRAY_SUFFIXES:
        return read_arrays(path, name, samples, size)
    return patches(open_picture(path), samples, size or DEFAULT_SIZE, path)


def _check_counts(samples: int, size: int | None) -> None:
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
    if size is not None and size < 1:
        raise ValueError(f"size must be at least 1 pixel, got {size}")
