"""Splits images into those to train on and those to judge by."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from swapnas_ext.data import LabelledImages

FEWEST_OF_A_CLASS = 5
"""Images that each class needs at least."""
_HELD_OUT = 0.2
_MOST_HELD_OUT = 2000
"""Which tell an accuracy to one point; more would take the time from training."""
_SEED = 0
_MINIMUM_STD = 1e-3
"""Out of 1: a channel that is the same everywhere is not divided by zero."""


@dataclass(frozen=True, eq=False)
class Split:
    """Images for training, and others that no network is trained on.

    Attributes:
        train, held_out: uint8 ``[N, channels, size, size]``.
        train_labels, held_out_labels: int64 ``[N]``.
        mean, std: float32 ``[channels, 1, 1]``, of the training images, with white as 1.
    """

    train: Tensor
    train_labels: Tensor
    held_out: Tensor
    held_out_labels: Tensor
    mean: Tensor
    std: Tensor

    def normalized(self, pixels: Tensor) -> Tensor:
        """float32 with mean 0 and standard deviation 1 for each channel of the training images."""
        return (pixels.float() / 255 - self.mean) / self.std

    def to(self, device: torch.device) -> Split:
        """The same images on that device."""
        return Split(*(tensor.to(device) for tensor in vars(self).values()))


def split(images: LabelledImages, channels: int) -> Split:
    """A fifth of the images of each class is held out, always the same ones: at least one of each, and of more than
    10,000 images about 2,000 in all.

    Args:
        channels: 3, or 1 for grey images.
    """
    generator = torch.Generator().manual_seed(_SEED)
    train, held_out = [], []
    share = min(_HELD_OUT, _MOST_HELD_OUT / len(images.labels))
    for label in range(len(images.classes)):
        mine = (images.labels == label).nonzero().flatten()
        mine = mine[torch.randperm(len(mine), generator=generator)]
        count = max(1, round(share * len(mine)))
        held_out.append(mine[:count])
        train.append(mine[count:])
    pixels = images.pixels
    if channels == 1:
        pixels = pixels.float().mean(1, keepdim=True).round().to(torch.uint8)
    rows, held = torch.cat(train), torch.cat(held_out)
    mean, std = _statistics(pixels[rows])
    return Split(pixels[rows], images.labels[rows], pixels[held], images.labels[held], mean, std)


def _statistics(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel, from histograms, so that no float copy of all images is made."""
    values = torch.arange(256, dtype=torch.float64) / 255
    means, stds = [], []
    for channel in range(pixels.shape[1]):
        counts = torch.bincount(pixels[:, channel].flatten().long(), minlength=256).double()
        mean = (counts * values).sum() / counts.sum()
        variance = (counts * (values - mean) ** 2).sum() / counts.sum()
        means.append(mean)
        stds.append(variance.sqrt().clamp_min(_MINIMUM_STD))
    return tuple(torch.stack(parts).float().view(-1, 1, 1) for parts in (means, stds))  # type: ignore[return-value]
