"""Checks of what a caller passes to the counters, with texts that say what to do instead."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from swapnas_ext._util import warn
from swapnas_ext.patterns.table_format import OVERFLOWED, SAW_NAN, STRAY_BITS

NanPolicy = Literal["raise", "ignore"]
"""What to do about NaN among activations: raise a `NanActivationError`, or count it as inactive."""

NAN_MESSAGE = (
    "the activations contain NaN; their patterns are not meaningful. Check the weights and inputs, or "
    'pass nan_policy="ignore" to count NaN as inactive'
)
_DTYPES = frozenset({torch.float32, torch.float64, torch.float16, torch.bfloat16})
_LARGEST_COUNT = 1 << 62  # of samples, groups or neurons: the kernels' integers hold no more


class NanActivationError(ValueError):
    """Activations contain NaN, so that their signs mean nothing."""


def check_count(name: str, value: int) -> int:
    """A number of samples, groups or neurons, as an int.

    Raises:
        TypeError: not an integer.
        ValueError: below 1, or more than the kernels' integers hold.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an int, got {type(value).__name__}")
    if not 1 <= value <= _LARGEST_COUNT:
        bound = "at least 1" if value < 1 else f"at most {_LARGEST_COUNT:,}"
        raise ValueError(f"{name} must be {bound}, got {value}")
    return int(value)


def check_nan_policy(policy: NanPolicy) -> NanPolicy:
    """The policy itself. Raises ValueError for anything but ``"raise"`` and ``"ignore"``."""
    if policy not in ("raise", "ignore"):
        raise ValueError(f'nan_policy must be "raise" or "ignore", got {policy!r}')
    return policy


def check_activations(x: Tensor, samples: int, groups: int = 1) -> None:
    """Checks one activation tensor ``[S * chunks, ...]``, or ``[R, S * chunks, ...]`` for R groups.

    Raises:
        TypeError: not a tensor, or not float32, float64, float16 or bfloat16.
        ValueError: nested, sparse, on the meta device, empty, or of a wrong shape.
    """
    if not isinstance(x, Tensor):
        raise TypeError(
            f"activations must be a torch.Tensor or NumPy array, got {type(x).__name__}"
        )
    if x.dtype not in _DTYPES:
        advice = "; call .dequantize()" if x.is_quantized else ""
        raise TypeError(
            f"activations must be float32, float64, float16 or bfloat16, got {x.dtype}{advice}"
        )
    if x.is_nested:
        raise ValueError(
            "activations must be dense, got a nested tensor; call torch.nested.to_padded_tensor(x, 0.0)"
        )
    if x.layout != torch.strided:
        raise ValueError(f"activations must be dense, got layout {x.layout}; call .to_dense()")
    if x.device.type == "meta":
        raise ValueError("activations on the meta device have no values to take patterns of")
    batch = 0 if groups == 1 else 1
    expected = "[samples * chunks, ...]" if batch == 0 else f"[{groups}, samples * chunks, ...]"
    if x.dim() <= batch or (batch and x.shape[0] != groups):
        raise ValueError(f"activations must be {expected}, got shape {list(x.shape)}")
    if x.numel() == 0:
        raise ValueError(f"the activations are empty: shape {list(x.shape)}")
    if x.shape[batch] % samples:
        raise ValueError(
            f"the activations have {x.shape[batch]} rows, which is not a multiple of "
            f"samples={samples}: shape {list(x.shape)}, expected {expected}"
        )


def check_packed(patterns: Tensor, bits: int) -> None:
    """Checks patterns of ``bits`` bits that `pack_patterns` should have made.

    Raises:
        TypeError: not a tensor.
        ValueError: not dense, or of a dtype or shape that `pack_patterns` does not return.
    """
    if not isinstance(patterns, Tensor):
        raise TypeError(f"patterns must be a torch.Tensor, got {type(patterns).__name__}")
    if patterns.layout is not torch.strided:
        raise ValueError(f"patterns must be dense, got layout {patterns.layout}")
    words = -(-bits // 64)
    dtype = torch.int32 if bits <= 32 else torch.int64
    shape = "[V]" if words == 1 else f"[V, {words}]"
    fits = patterns.shape[1:] == (() if words == 1 else (words,))
    if patterns.dtype != dtype or patterns.dim() == 0 or not fits:
        raise ValueError(
            f"patterns of {bits} bits are packed as {dtype} {shape}, got {patterns.dtype} "
            f"{list(patterns.shape)}"
        )


def has_stray_bits(patterns: Tensor, bits: int) -> bool:
    """Whether a packed pattern has a bit set beyond its ``bits`` bits."""
    last_word = patterns if patterns.dim() == 1 else patterns[:, -1]
    word_bits = 8 * patterns.dtype.itemsize
    used = (bits - 1) % word_bits + 1
    if used == word_bits:
        return False
    return bool((last_word & (-1 << used)).any())


def stray_bits_error(bits: int) -> ValueError:
    """The error for a packed pattern that has a bit set beyond its ``bits`` bits."""
    return ValueError(f"a packed pattern has a bit set beyond its {bits} bits")


def has_repeated_elements(x: Tensor) -> bool:
    """Whether elements of a dense tensor share memory, as after ``expand()``; the kernels refuse other layouts."""
    is_dense = x.layout is torch.strided and not x.is_nested
    return is_dense and any(
        stride == 0 and size > 1 for size, stride in zip(x.shape, x.stride(), strict=True)
    )


def check_flags(counts: list[list[int]], nan_policy: NanPolicy, bits: int) -> None:
    """Raises the errors that kernels could only note as flags.

    Args:
        counts: ``[count, flags]`` of each group, as ``torch.ops.swapnas.count`` returns them.
        bits: width of a pattern.
    """
    flags = 0
    for _, own in counts:
        flags |= own
    if flags & OVERFLOWED:
        raise RuntimeError(
            "the set overflowed: a CUDA graph was replayed until there was no room. Capture reset() in "
            "the graph, or reserve() room for the neurons of all replays before"
        )
    if flags & STRAY_BITS:
        raise stray_bits_error(bits)
    if flags & SAW_NAN and nan_policy == "raise":
        raise NanActivationError(NAN_MESSAGE)


def warn_of_slowness(device: torch.device) -> None:
    """Warns on a GPU that this build has no kernels for it."""
    if device.type == "cuda":
        warn(
            "this swapnas_ext was built without CUDA kernels, so patterns on the GPU are counted by "
            "the slow reference; reinstall it with nvcc on the PATH (SWAPNAS_CUDA=1 insists on it)"
        )
