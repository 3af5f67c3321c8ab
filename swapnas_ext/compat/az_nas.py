"""AZ-NAS: a proxy beside its own."""

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
    """``{"swap": score}``, called as the functions of that name in AZ-NAS, whose rankings are put together
    from whatever proxies such a dictionary has.

    The model stays as and where it is.

    Args:
        gpu: computes the score there; None: where the model is. Its AutoFormer search passes ``device``.
        trainloader: its first images are scored; None: patches of the bundled photograph, of ``resolution``,
            where AZ-NAS takes random numbers, on which this score ranks worse.
        batch_size: of the search; at least ``samples``.
        samples: how many images are scored.
        init, options: of `score`, such as ``measure``, ``repeats`` and ``seed``. For a network of shared
            weights, as AutoFormer's, ``init=None``.

    Raises:
        ValueError: fewer images than ``samples``, and as `score`.

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
