"""Runs a model the way scores need it, and hands it back exactly as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm


@contextmanager
def scoring_mode(model: nn.Module) -> Iterator[None]:
    """Everything in evaluation mode (no dropout), but normalisation layers with the statistics of
    the mini-batch, as in the published code, whose networks run in training mode. Running statistics
    are neither used nor changed."""
    changed: list[tuple[nn.Module, str, bool]] = []

    def change(module: nn.Module, name: str, value: bool) -> None:
        old = getattr(module, name)
        if old != value:
            changed.append((module, name, old))
            setattr(module, name, value)

    try:
        for module in model.modules():
            change(module, "training", isinstance(module, _BatchNorm | _InstanceNorm))
            if isinstance(module, _BatchNorm):
                change(module, "track_running_stats", False)
        yield
    finally:
        for module, name, old in reversed(changed):
            setattr(module, name, old)


@contextmanager
def restored_buffers(model: nn.Module, *, batch_norm: bool) -> Iterator[None]:
    """Puts back every buffer that is changed or replaced meanwhile. ``batch_norm=False`` leaves out
    those of batch normalisation, which `scoring_mode` protects for less."""
    saved: list[tuple[nn.Module, str, Tensor, Tensor]] = [
        (module, name, buffer, buffer.clone())
        for module in model.modules()
        if batch_norm or not isinstance(module, _BatchNorm)
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    try:
        yield
    finally:
        with torch.no_grad():
            for module, name, buffer, value in saved:
                buffer.copy_(value)  # unasked: batch_norm does not tell a buffer's version counter
                module._buffers[name] = buffer


@contextmanager
def borrowed_weights(model: nn.Module) -> Iterator[None]:
    """Lets the weights be overwritten meanwhile: they are copies, and the caller's come back."""
    saved = [(parameter, parameter.data) for parameter in model.parameters()]
    try:
        for parameter, data in saved:
            parameter.data = data.clone()
        yield
    finally:
        for parameter, data in saved:
            parameter.data = data


@contextmanager
def own_random_state(device: torch.device, seed: int) -> Iterator[None]:
    """Random numbers from ``seed``, and the caller's random state afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
