"""Chooses images from a folder and makes a mini-batch of them."""

from __future__ import annotations

import os
import random
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from torch import Tensor

from swapnas_ext._util import warn
from swapnas_ext.data.picture import Cut, batch, central_square, open_picture

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
_OF_SYSTEMS = frozenset({"__MACOSX", "@eaDir"})
"""Folders of thumbnails and the like, which macOS archives and Synology servers add."""
_SEED = 0


def read_folder(folder: Path, samples: int, size: int) -> Tensor:
    """A mini-batch of the central squares of images, float32 ``[samples, 3, size, size]``.

    Raises:
        ValueError: fewer than ``samples`` images can be read.
    """
    folders = list(image_files(folder))
    count = sum(map(len, folders))
    if count < samples:
        raise ValueError(
            f"{folder} has {count} images, {samples} samples are wanted: expected files that end in "
            f"{', '.join(sorted(SUFFIXES))}, in it or in its subfolders; names that begin with a dot are left out"
        )
    if len(folders) > 1:
        rng = random.Random(_SEED)
        rng.shuffle(folders)
        for files in folders:
            rng.shuffle(files)
    unreadable: list[str] = []
    taken: list[tuple[Path, Cut]] = []
    turns = deque(_readable(files, size, unreadable) for files in folders)
    while turns and len(taken) < samples:
        turn = turns.popleft()
        found = next(turn, None)
        if found is not None:
            taken.append(found)
            turns.append(turn)
    if unreadable:
        more = f" (and {len(unreadable) - 1} more)" if len(unreadable) > 1 else ""
        if len(taken) < samples:
            raise ValueError(
                f"{folder} has {len(taken)} images that can be read, {samples} samples are wanted; "
                f"{unreadable[0]}{more}"
            )
        warn(f"left out of the images: {unreadable[0]}{more}")
    taken.sort(key=lambda pair: pair[0].relative_to(folder).parts)
    return batch([square for _, square in taken], folder)


def image_files(folder: Path) -> Iterator[list[Path]]:
    """The image files of each folder, sorted by name. A folder that several links lead to comes once."""
    seen: set[str] = set()
    for place, subfolders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if is_shown(name))
        files = [Path(place, name) for name in sorted(names) if _is_image(name)]
        if files:
            yield files


def is_shown(name: str) -> bool:
    return not name.startswith(".") and name not in _OF_SYSTEMS


def _is_image(name: str) -> bool:
    return is_shown(name) and os.path.splitext(name)[1].lower() in SUFFIXES


def _readable(
    files: Sequence[Path], size: int, unreadable: list[str]
) -> Iterator[tuple[Path, Cut]]:
    for file in files:
        try:
            picture = open_picture(file)
        except ValueError as error:
            unreadable.append(str(error))
        else:
            yield file, central_square(picture, size)
