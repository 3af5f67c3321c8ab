"""Takes images from the batches of other code bases, and scores a network on them."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext.scoring import SwapScore, score

SAMPLES = 16
"""As published. Training batches have 64 images and more. So many images make so many patterns possible that their
score says little."""


def first_images(batches: Iterable[Any], samples: int) -> Tensor:
    """The first images of some batches. A batch is a tensor of images, or a tuple or list that begins with one.

    Raises:
        TypeError: a batch is something else, or ``samples`` is not an int.
        ValueError: all batches together have fewer images, or ``samples`` is below 1.
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
    """Raises TypeError or ValueError where ``samples`` is not a number of images."""
    if isinstance(samples, bool) or not isinstance(samples, int):
        raise TypeError(f"samples must be an int, got {type(samples).__name__}")
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")


def too_few(count: int, samples: int) -> ValueError:
    """The error for fewer images than are to be scored."""
    less = f", or pass samples={count}" if count else ""
    return ValueError(
        f"got {count} images, and {samples} are to be scored; give larger batches, or more{less}"
    )


def score_there(net: nn.Module, images: Tensor, **options: Any) -> SwapScore:
    """The score of ``net``, computed on the images' device.

    Where ``net`` is on another device, a copy of it is scored, so that ``net`` stays there.
    """
    first = next(net.parameters(), None)
    if first is None or first.device == images.device:
        return score(net, images, **options)
    return score(lambda: copy.deepcopy(net).to(images.device), images, **options)
