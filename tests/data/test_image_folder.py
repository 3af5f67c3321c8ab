"""Which images of a folder are taken."""

from __future__ import annotations

import shutil
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from swapnas_ext import data


def write(folder: Path, names: Iterable[str]) -> None:
    """Each another level of grey."""
    for level, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), level).save(path)


def taken(names: list[str], batch: Tensor) -> list[str]:
    levels = (batch[:, 0].mean((1, 2)) * data.STD[0] + data.MEAN[0]) * 255
    return [names[round(level)] for level in levels.tolist()]


def per_folder(names: Iterable[str]) -> list[int]:
    return sorted(Counter(name.rpartition("/")[0] for name in names).values())


CLASSES = [f"{name}/{i}.png" for name in ("ant", "bee", "cat", "dog", "eel") for i in range(20)]
CHOSEN = [
    "ant/8.png",
    "bee/1.png",
    "bee/7.png",
    "cat/0.png",
    "cat/4.png",
    "dog/3.png",
    "eel/15.png",
]


def test_as_many_of_each_class(tmp_path: Path) -> None:
    write(tmp_path, CLASSES)
    for samples, counts in ((5, [1] * 5), (16, [3, 3, 3, 3, 4]), (3, [1] * 3)):
        chosen = taken(CLASSES, data.images(tmp_path, samples, 8))
        assert per_folder(chosen) == counts
        assert len(set(chosen)) == samples
        assert chosen == sorted(chosen)
    assert {name.rpartition("/")[2] for name in chosen} != {"0.png"}  # not the first of each


def test_the_same_choice_everywhere(tmp_path: Path) -> None:
    """However the folder came to be; these names are what every machine must choose."""
    write(tmp_path / "a", CLASSES)
    for name in reversed(CLASSES):
        (tmp_path / "b" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / "a" / name, tmp_path / "b" / name)
    first, second = (data.images(tmp_path / name, 7, 8) for name in "ab")
    assert torch.equal(first, second)
    assert taken(CLASSES, first) == CHOSEN


def test_small_classes_are_made_up_for(tmp_path: Path) -> None:
    names = ["a/1.png", "b/x/1.png", "b/x/2.png", *(f"c/{i}.png" for i in range(9))]
    write(tmp_path, names)
    assert per_folder(taken(names, data.images(tmp_path, 9, 8))) == [1, 2, 6]
    assert per_folder(taken(names, data.images(tmp_path, 12, 8))) == [1, 2, 9]


def test_one_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    names = [f"only/{i:02}.png" for i in range(30)]
    write(tmp_path, names)
    assert taken(names, data.images(tmp_path, 16, 8)) == names[:16]


def test_hidden_files_are_no_images(tmp_path: Path) -> None:
    names = ["1.png", "2.png"]
    write(tmp_path, names)
    for hidden in ("._1.png", ".cache/1.png", "__MACOSX/1.png", "a/@eaDir/1.png", "a/.b/c/1.png"):
        write(tmp_path, [hidden])
    (tmp_path / "Thumbs.db").write_bytes(b"thumbnails")
    assert taken(names, data.images(tmp_path, 2, 8)) == names
    with pytest.raises(
        ValueError, match=r"has 2 images, 3 samples are wanted: expected files .*\.png"
    ):
        data.images(tmp_path, 3)


def test_a_hidden_folder_that_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path / ".photos", ["1.png"])
    assert data.images(tmp_path / ".photos", 1).shape == (1, 3, 32, 32)


def test_links_are_followed(tmp_path: Path) -> None:
    names = ["store/x/0.png", "store/x/1.png", "store/y/0.png", "store/y/1.png"]
    write(tmp_path, names)
    folder = tmp_path / "classes"
    folder.mkdir()
    (folder / "x").symlink_to(tmp_path / "store/x", target_is_directory=True)
    (folder / "y").symlink_to(tmp_path / "store/y", target_is_directory=True)
    assert taken(names, data.images(folder, 4, 8)) == names
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    assert taken(names, data.images(tmp_path / "link", 4, 8)) == names
    (tmp_path / "file.png").symlink_to(tmp_path / names[2])
    assert taken(names, data.images(tmp_path / "file.png", 1, 8)) == [names[2]]


def test_links_in_circles(tmp_path: Path) -> None:
    names = ["a/0.png", "b/1.png"]
    write(tmp_path, names)
    (tmp_path / "a/up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "b/again").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "self").symlink_to(tmp_path / "self", target_is_directory=True)
    assert taken(names, data.images(tmp_path, 2, 8)) == names
    with pytest.raises(ValueError, match="has 2 images, 3 samples"):
        data.images(tmp_path, 3)


def test_damaged_images_are_left_out_with_a_warning(tmp_path: Path) -> None:
    write(tmp_path, CLASSES)
    (tmp_path / "bee" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    for name in CLASSES[20:39]:  # all bees but one
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.warns(
        UserWarning, match=r"left out of the images: can't read .*bee.*\.png as an"
    ) as w:
        batch = data.images(tmp_path, 10, 8)
    assert w[0].filename == __file__
    assert per_folder(taken(CLASSES, batch)) == [1, 2, 2, 2, 3]
    with (
        warnings.catch_warnings(),
        pytest.raises(
            ValueError, match=r"has 81 images that can be read, 82 samples .*\(and 19 more\)"
        ),
    ):
        warnings.simplefilter("error")
        data.images(tmp_path, 82)


def test_values_of_unknown_range_are_left_out_too(tmp_path: Path) -> None:
    write(tmp_path, ["0.png", "1.png"])
    Image.new("F", (8, 8), -1.0).save(tmp_path / "00.tif")
    with pytest.warns(UserWarning, match=r"00\.tif have values from -1 to -1: expected"):
        assert taken(["0.png", "1.png"], data.images(tmp_path, 2, 8)) == ["0.png", "1.png"]
