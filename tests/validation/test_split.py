"""Images for training, and images to judge by."""

from __future__ import annotations

import torch

from swapnas_ext.data import LabelledImages
from swapnas_ext.validation.split import split


def images(counts: list[int]) -> LabelledImages:
    total = sum(counts)
    pixels = torch.randint(
        256, (total, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    pixels[:, 0, 0, 0] = torch.arange(total)  # each has its number
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return LabelledImages(pixels, labels, tuple(map(str, range(len(counts)))), total)


def test_a_fifth_of_each_class_is_held_out() -> None:
    given = images([50, 20, 5])
    parts = split(given, 3)
    assert parts.held_out_labels.bincount().tolist() == [10, 4, 1]
    assert parts.train_labels.bincount().tolist() == [40, 16, 4]
    train, held = (pixels[:, 0, 0, 0].tolist() for pixels in (parts.train, parts.held_out))
    assert sorted(train + held) == list(range(75))
    assert given.labels[train].tolist() == parts.train_labels.tolist()
    assert given.labels[held].tolist() == parts.held_out_labels.tolist()
    assert held != sorted(held)  # not simply the first of each class
    again = split(given, 3)
    assert all(
        torch.equal(one, other)
        for one, other in zip(vars(parts).values(), vars(again).values(), strict=True)
    )


def test_normalised_by_the_training_images() -> None:
    parts = split(images([50, 50]), 3)
    normal = parts.normalized(parts.train)
    assert normal.dtype == torch.float32
    torch.testing.assert_close(normal.mean((0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        normal.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-3, rtol=0
    )
    assert parts.normalized(parts.held_out).mean((0, 2, 3)).abs().max() > 1e-3


def test_grey_and_constant_images() -> None:
    given = images([10, 10])
    grey = split(given, 1)
    assert grey.train.shape[1:] == (1, 4, 4)
    flat = LabelledImages(torch.full_like(given.pixels, 9), given.labels, given.classes, 20)
    parts = split(flat, 3)
    assert parts.normalized(parts.train).abs().max() < 1e-3


def test_large_folders_hold_out_no_more_than_needed() -> None:
    parts = split(images([9000, 6000]), 3)
    assert parts.held_out_labels.bincount().tolist() == [1200, 800]
    assert len(parts.train) == 13_000
