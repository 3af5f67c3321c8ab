"""Reads a folder that has a subfolder of images for each class."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from swapnas_ext._util import warn
from swapnas_ext.data.folder import SUFFIXES, image_files, is_shown
from swapnas_ext.data.picture import Cut, central_square, open_picture, scaled

_SEED = 0
_MOST_BYTES = 512 << 20
"""Of all images in memory. Of larger folders a part is read."""
_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "dev", "test", "testing"})


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images with their classes, class by class.

    Attributes:
        pixels: uint8 ``[N, 3, size, size]``, on the CPU.
        labels: int64 ``[N]``: indices into ``classes``.
        classes: the names of the subfolders, sorted.
        found: how many image files the folder has, which may be more than N.
    """

    pixels: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    found: int

    @property
    def digest(self) -> str:
        """The same for the same pixels and classes, wherever the folder is."""
        digest = hashlib.sha256("\n".join(self.classes).encode())
        digest.update(self.labels.numpy().tobytes())
        digest.update(self.pixels.numpy().tobytes())
        return digest.hexdigest()[:16]


def labelled_images(
    folder: str | Path,
    size: int,
    *,
    at_least: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> LabelledImages:
    """The images of a folder, with the subfolder that each is in as its class.

    Images are cropped to their central square, resized, and rounded to eight bits a colour. Images in subfolders of a
    class's folder belong to the class; images beside the classes are left out, and so are names that begin with a dot.
    An image that can't be read is left out with a warning. Of a folder of more than 512 MiB in pixels, a random part
    is read, the same on every machine, with equally many images of each class that has them.

    Args:
        size: width and height of the result, in pixels.
        at_least: images that each class needs.
        on_progress: called with the number of files that were read, and that of all to read.

    Raises:
        FileNotFoundError: nothing at ``folder``.
        ValueError: not a folder, fewer than two classes, a class with too few images, or values of an unknown range.
    """
    folder = Path(folder)
    files = _files_of_classes(folder)
    found = sum(map(len, files.values()))
    most = max(at_least, _MOST_BYTES // (3 * size**2) // len(files))
    chosen = {name: _some(paths, most) for name, paths in files.items()}
    total = sum(map(len, chosen.values()))
    done, unreadable = 0, []
    cuts: list[Cut] = []
    labels: list[int] = []
    for label, (name, paths) in enumerate(chosen.items()):
        before = len(cuts)
        for path in paths:
            try:
                cuts.append(central_square(open_picture(path), size))
                labels.append(label)
            except ValueError as error:
                unreadable.append(str(error))
            done += 1
            if on_progress is not None:
                on_progress(done, total)
        if len(cuts) - before < at_least:
            raise ValueError(
                f"the class {name!r} of {folder} has {len(cuts) - before} images that can be read: expected at least "
                f"{at_least}; add some, or leave its folder out"
            )
    if unreadable:
        more = f" (and {len(unreadable) - 1} more)" if len(unreadable) > 1 else ""
        warn(f"left out of the images: {unreadable[0]}{more}")
    return LabelledImages(_pixels(cuts, folder), torch.tensor(labels), tuple(chosen), found)


def _files_of_classes(folder: Path) -> dict[str, list[Path]]:
    """The image files of each class, by its name."""
    if not folder.exists():
        raise FileNotFoundError(
            f"no images at {folder}: expected a folder with a subfolder of images for each class"
        )
    if not folder.is_dir():
        raise ValueError(
            f"{folder} is a file: expected a folder with a subfolder of images for each class"
        )
    around = (folder.resolve(), *folder.resolve().parents)  # a link to one of them is no class
    subfolders = sorted(
        path
        for path in folder.iterdir()
        if path.is_dir() and is_shown(path.name) and path.resolve() not in around
    )
    inside = {
        path.name: [file for files in image_files(path) for file in files] for path in subfolders
    }
    files = {name: found for name, found in inside.items() if found}
    if len(files) < 2:
        raise ValueError(
            f"{folder} has {_count(files)}: expected a subfolder for each of at least two classes, with files that end "
            f"in {', '.join(sorted(SUFFIXES))}"
        )
    if all(name.lower() in _SPLITS for name in files):
        raise ValueError(
            f"the subfolders of {folder} are splits, not classes ({', '.join(files)}): give one of them, such as "
            f"{folder / next(iter(files))}"
        )
    return files


def _count(files: dict[str, list[Path]]) -> str:
    return (
        f"images of one class only, {next(iter(files))!r}" if files else "no subfolders with images"
    )


def _some(paths: Sequence[Path], most: int) -> list[Path]:
    if len(paths) <= most:
        return list(paths)
    return sorted(random.Random(_SEED).sample(paths, most))


def _pixels(cuts: Sequence[Cut], folder: Path) -> Tensor:
    rounded = [
        pixels if pixels.dtype == np.uint8 else np.rint(pixels).astype(np.uint8)
        for pixels in scaled(cuts, folder)
    ]
    return torch.from_numpy(np.stack(rounded)).permute(0, 3, 1, 2).contiguous()
