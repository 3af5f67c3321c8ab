"""For AZ-NAS: a proxy to add to its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from swapnas_ext import data
from swapnas_ext.compat.first_images import SAMPLES, first_images, score_there, too_few


def compute_nas_score(
    model: nn.Module,
    gpu: int | None = None,
    trainloader: Iterable[Any] | None = None,
    resolution: int = data.DEFAULT_SIZE,
    batch_size: int = SAMPLES,
    *,
    device: torch.device | str | None = None,
    samples: int = SAMPLES,
    init: Any = "gaussian",
    **options: Any,
) -> dict[str, float]:
    """``{"swap": score}``. AZ-NAS has functions of this name, and ranks by all proxies that they return.

    The model is not changed, and stays on its device.

    Args:
        gpu: number of the GPU that computes the score; by default, the model's device does. AutoFormer's search passes
            ``device`` instead.
        trainloader: the score is that of its first images. By default, of patches of the bundled photograph, which are
            ``resolution`` pixels wide. AZ-NAS takes random numbers there, on which this score ranks worse.
        batch_size: batch size of the search; at least ``samples``.
        samples: how many images are scored.
        init, options: options of `score`, such as ``measure``, ``repeats`` and ``seed``. Pass ``init=None`` for a
            network of shared weights, such as AutoFormer's.

    Raises:
        ValueError: there are fewer images than ``samples``, or `score` raises it.

    Example::

        from swapnas_ext.compat import az_nas

        info = compute_az_nas_score.compute_nas_score(model, gpu, None, 32, 64)
        info |= az_nas.compute_nas_score(model, gpu, None, 32, 64)
    """
    if batch_size < samples:
        raise too_few(batch_size, samples)
    images = (
        data.photograph(samples, resolution)
        if trainloader is None
        else first_images(trainloader, samples)
    )
    if gpu is not None:
        device = f"cuda:{gpu}"
    if device is None:
        device = next((parameter.device for parameter in model.parameters()), images.device)
    return {"swap": float(score_there(model, images.to(device), init=init, **options))}


__all__ = ["compute_nas_score"]
