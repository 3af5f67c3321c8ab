"""Folders with a subfolder of images for each class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.classes import COLOURS, write_classes

from swapnas_ext.data import classes as reader
from swapnas_ext.data import labelled_images


def test_images_and_their_classes(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "images", images=3)
    (folder / "red" / "more").mkdir()
    Image.new("L", (12, 6), 200).save(folder / "red" / "more" / "grey.jpg")
    (folder / ".hidden").mkdir()
    Image.new("RGB", (8, 8)).save(folder / ".hidden" / "a.png")
    Image.new("RGB", (8, 8)).save(folder / "beside.png")
    (folder / "empty").mkdir()
    (folder / "again").symlink_to(folder)
    calls: list[tuple[int, int]] = []
    found = labelled_images(folder, 8, on_progress=lambda *call: calls.append(call))
    assert found.classes == tuple(sorted(COLOURS))
    assert found.labels.tolist() == [0] * 3 + [1] * 3 + [2] * 4
    assert found.pixels.shape == (10, 3, 8, 8) and found.pixels.dtype == torch.uint8
    assert found.found == 10 and calls[-1] == (10, 10)
    for row, (label, channel) in enumerate(
        zip((0, 0, 0, 1, 1, 1), (2, 2, 2, 1, 1, 1), strict=True)
    ):
        assert found.pixels[row].float().mean((1, 2)).argmax() == channel, label
    exact = np.asarray(Image.open(folder / "blue" / "000.png")).transpose(2, 0, 1)
    assert np.array_equal(found.pixels[0].numpy(), exact)
    assert (found.pixels[-1].float() - 200).abs().max() <= 1


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    first = labelled_images(write_classes(tmp_path / "a"), 8)
    assert labelled_images(write_classes(tmp_path / "b"), 8).digest == first.digest
    assert labelled_images(write_classes(tmp_path / "c", seed=1), 8).digest != first.digest
    (tmp_path / "a" / "red").rename(tmp_path / "a" / "rot")
    assert labelled_images(tmp_path / "a", 8).digest != first.digest


def test_a_part_of_a_large_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_classes(tmp_path / "images", images=9)
    monkeypatch.setattr(reader, "_MOST_BYTES", 15 * 3 * 8 * 8)
    found = labelled_images(folder, 8)
    assert found.labels.bincount().tolist() == [5, 5, 5]
    assert found.found == 27
    assert labelled_images(folder, 8).digest == found.digest


def test_unreadable_images_are_left_out(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "images", images=4)
    (folder / "green" / "000.png").write_bytes(b"no image")
    with pytest.warns(UserWarning, match=r"left out of the images: can't read .*000\.png"):
        found = labelled_images(folder, 8)
    assert found.labels.bincount().tolist() == [4, 3, 4]
    with pytest.raises(
        ValueError, match=r"class 'green' of .* has 3 images that can be read: .* 4"
    ):
        labelled_images(folder, 8, at_least=4)


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"no images at .*subfolder of images for each class"
    ):
        labelled_images(tmp_path / "none", 8)
    folder = write_classes(tmp_path / "data" / "train", images=2)
    with pytest.raises(ValueError, match="is a file: expected a folder"):
        labelled_images(folder / "red" / "000.png", 8)
    with pytest.raises(ValueError, match="has no subfolders with images: expected"):
        labelled_images(folder / "red", 8)
    with pytest.raises(ValueError, match="has images of one class only, 'train'"):
        labelled_images(tmp_path / "data", 8)
    write_classes(tmp_path / "data" / "val", images=2)
    with pytest.raises(ValueError, match=r"are splits, not classes \(train, val\): .*data.train"):
        labelled_images(tmp_path / "data", 8)
