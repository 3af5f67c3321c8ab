"""Random activations of every dtype, layout and edge size, as hypothesis strategies."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor

EDGE_SIZES = (1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 1000)
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
LAYOUTS = ("contiguous", "channels_last", "samples_second", "sliced", "transposed", "offset")


def random_values(shape: tuple[int, ...], dtype: torch.dtype, seed: int) -> Tensor:
    """Few distinct values, so that patterns repeat: both signs, zeros of both signs, infinities."""
    generator = torch.Generator().manual_seed(seed)
    levels = torch.tensor([-torch.inf, -2.5, -1e-3, -0.0, 0.0, 1e-3, 0.7, torch.inf])
    return levels[torch.randint(len(levels), shape, generator=generator)].to(dtype)


def lay_out(x: Tensor, layout: str) -> Tensor:
    """The same values at other places in memory. ``x`` is [rows, channels, height, width]."""
    if layout == "channels_last":
        return x.contiguous(memory_format=torch.channels_last)
    if layout == "samples_second":  # such as a view of [time, samples, features] as [samples, ...]
        return x.transpose(0, 1).contiguous().transpose(0, 1)
    if layout == "sliced":
        wide = torch.zeros(*x.shape[:-1], 2 * x.shape[-1] + 1, dtype=x.dtype)
        wide[..., : 2 * x.shape[-1] : 2] = x
        return wide[..., : 2 * x.shape[-1] : 2]
    if layout == "transposed":  # samples innermost
        return x.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
    if layout == "offset":  # not aligned to anything
        flat = torch.zeros(x.numel() + 3, dtype=x.dtype)
        flat[3:] = x.reshape(-1)
        return flat[3:].view(x.shape)
    return x.contiguous()


def on_device(x: Tensor, device: torch.device) -> Tensor:
    """The same on another device, with the same strides and offset (``to`` would change them)."""
    if device.type == "cpu":
        return x
    storage = torch.empty(0, dtype=x.dtype).set_(x.untyped_storage())
    return storage.to(device).as_strided(x.shape, x.stride(), x.storage_offset())


@st.composite
def activations(draw: st.DrawFn) -> tuple[Tensor, int]:
    """Activations [samples * chunks, channels, height, width], and samples."""
    samples = draw(st.sampled_from(EDGE_SIZES))
    chunks = draw(st.sampled_from((1, 1, 1, 2, 3)))
    width = draw(st.sampled_from(EDGE_SIZES))
    channels, height = draw(st.sampled_from(((1, 1), (2, 3), (5, 1))))
    if samples * chunks * channels * height * width > 2_000_000:
        width = 17
    shape = (samples * chunks, channels, height, width)
    x = random_values(shape, draw(st.sampled_from(DTYPES)), draw(st.integers(0, 2**31)))
    return lay_out(x, draw(st.sampled_from(LAYOUTS))), samples
