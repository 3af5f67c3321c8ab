"""Counts or packs the patterns of activations in one call, without a counter."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from swapnas_ext.patterns import tables
from swapnas_ext.patterns.checks import (
    NanActivationError,
    NanPolicy,
    check_activations,
    check_count,
    check_flags,
    check_nan_policy,
    warn_of_slowness,
)

_NUMPY_DTYPES = frozenset(map(np.dtype, (np.float32, np.float64, np.float16)))


def count_patterns(
    *activations: Tensor | np.ndarray[Any, Any],
    samples: int | None = None,
    ternary: bool = False,
    nan_policy: NanPolicy = "raise",
) -> int:
    """Number of distinct patterns over all neurons of all the activations, exactly.

    Args:
        activations: torch tensors or NumPy arrays ``[S * chunks, ...]``, all on one device; read
            where they are, without a copy.
        samples: S; by default the first dimension of the first activation.
        ternary: count the patterns of ``torch.sign`` instead of those of "is positive".
        nan_policy: ``"raise"`` a `NanActivationError` on NaN, or ``"ignore"``.

    Raises:
        TypeError, ValueError: as `PatternCounter.update`.

    Source: the SWAP-Score of Peng et al., ICLR 2024, arXiv 2403.04161.

    Equivalent to::

        rows = torch.cat([x.reshape(samples, -1) for x in activations], dim=1)
        torch.unique(torch.sign(rows).T, dim=0).size(0)
    """
    tensors = [x if isinstance(x, Tensor) else _as_tensor(x) for x in activations]
    if not tensors:
        raise ValueError("count_patterns needs at least one activation tensor")
    if samples is None:
        if tensors[0].dim() == 0:
            raise ValueError("activations need a first dimension of samples, got a scalar")
        samples = tensors[0].size(0)  # a nested tensor has a size, and no shape
    check_count("samples", samples)
    check_nan_policy(nan_policy)
    device = tensors[0].device
    # The operator checks the rest: a full check of small tensors takes longer than counting.
    for x in tensors:
        if x.device != device:
            raise ValueError(f"the activations are on different devices: {device} and {x.device}")
        if x.layout is not torch.strided or x.is_meta or x.is_nested:
            check_activations(x, samples)
    if not tables.has_kernel(device):
        warn_of_slowness(device)
    elif device.type == "cuda":
        tables.check_memory(
            samples, ternary, patterns=sum(x.numel() for x in tensors) // samples, device=device
        )
    try:
        counted = torch.ops.swapnas.count_patterns(tensors, samples, ternary)
    except Exception:
        for x in tensors:
            check_activations(x, samples)
        raise
    counts: list[list[int]] = counted.tolist()
    check_flags(counts, nan_policy, tables.pattern_bits(samples, ternary))
    return counts[0][0]


def pack_patterns(
    x: Tensor | np.ndarray[Any, Any],
    *,
    samples: int | None = None,
    ternary: bool = False,
    nan_policy: NanPolicy = "raise",
) -> Tensor:
    """The patterns of ``x`` themselves, as integers, one for each neuron in the order of ``x[0]``.

    Returns int32 ``[V]`` for patterns of up to 32 bits, int64 ``[V]`` up to 64, and int64
    ``[V, words]`` above: bit b is bit ``b % 64`` of word ``b // 64``, and says "positive on sample b"
    (for b >= S, where ternary, "negative on sample b - S").

    Args and errors as in `count_patterns`. Equivalent to ``reference.pack_patterns``.
    """
    x = x if isinstance(x, Tensor) else _as_tensor(x)
    if samples is None:
        samples = x.size(0) if x.dim() else 1
    check_count("samples", samples)
    check_nan_policy(nan_policy)
    check_activations(x, samples)
    patterns: Tensor
    patterns, nan = torch.ops.swapnas.pack(x.detach(), samples, ternary)
    if nan_policy == "raise" and nan.item():
        raise NanActivationError(
            'the activations contain NaN; pass nan_policy="ignore" to pack NaN as inactive'
        )
    return patterns


def _as_tensor(x: Tensor | np.ndarray[Any, Any]) -> Tensor:
    if not isinstance(x, np.ndarray):
        raise TypeError(
            f"activations must be a torch.Tensor or NumPy array, got {type(x).__name__}"
        )
    if x.dtype.newbyteorder("=") not in _NUMPY_DTYPES:
        raise TypeError(
            f"activations must be float32, float64 or float16 where they are NumPy arrays, got {x.dtype}; "
            "convert them, as with .astype(np.float32)"
        )
    if not _is_shareable(x):
        x = x.astype(x.dtype.newbyteorder("="), order="C")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(x)


def _is_shareable(x: np.ndarray[Any, Any]) -> bool:
    """Whether torch can use the memory of an array: in this machine's byte order, with strides of whole elements,
    none of them negative (even along a dimension of size 1)."""
    return x.dtype.isnative and all(
        stride >= 0 and stride % x.itemsize == 0 for stride in x.strides
    )
