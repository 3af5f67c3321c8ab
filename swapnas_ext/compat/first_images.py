"""The images that other code bases hand over: so many of them, on the device where they are to be scored."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext.scoring import SwapScore, score

SAMPLES = 16
"""As published. Batches of training, 64 images and more, make so many patterns possible that a score of all
their images tells little."""


def first_images(batches: Iterable[Any], samples: int) -> Tensor:
    """The first images of some batches, each of them images or a tuple that begins with them.

    Raises:
        TypeError: a batch of another kind.
        ValueError: all batches together have fewer images.
    """
    check_samples(samples)
    parts: list[Tensor] = []
    count = 0
    for batch in batches:
        images = batch[0] if isinstance(batch, tuple | list) else batch
        if not isinstance(images, Tensor):
            raise TypeError(
                "expected a data loader whose batches are images, or tuples that begin with images, "
                f"got a batch that is or begins with {type(images).__name__}"
            )
        parts.append(images)
        count += len(images)
        if count >= samples:
            return torch.cat(parts)[:samples]
    raise too_few(count, samples)


def check_samples(samples: int) -> None:
    if isinstance(samples, bool) or not isinstance(samples, int):
        raise TypeError(f"samples must be an int, got {type(samples).__name__}")
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")


def too_few(count: int, samples: int) -> ValueError:
    less = f", or pass samples={count}" if count else ""
    return ValueError(
        f"got {count} images, and {samples} are to be scored; give larger batches, or more{less}"
    )


def score_there(net: nn.Module, images: Tensor, **options: Any) -> SwapScore:
    """The score of ``net``, computed where the images are; of a copy there where ``net`` is elsewhere, so
    that it stays where it is."""
    first = next(net.parameters(), None)
    if first is None or first.device == images.device:
        return score(net, images, **options)
    return score(lambda: copy.deepcopy(net).to(images.device), images, **options)
