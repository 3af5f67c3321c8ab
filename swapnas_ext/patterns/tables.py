"""The memory of a set of patterns, called a table: its size, its limit, and whether a device has room for it.

A table is a zero-initialised int64 tensor ``[groups, words]``. Each row is the set of one group. The kernels of
each device choose what the words mean. On the CPU, and in the reference kernels, a row begins with a header:
see `table_format`.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor

from swapnas_ext.patterns.native import _C
from swapnas_ext.patterns.table_format import HEADER_WORDS

_KERNEL_DEVICES = frozenset({"cpu", "cuda"} if _C.cuda_architectures else {"cpu"})
_ALLOCATED_UNASKED = 64 << 20  # bytes
_UNKNOWN_MEMORY = 1 << 62  # bytes


def pattern_bits(samples: int, ternary: bool) -> int:
    """Bits of a pattern: S, or 2 S where ternary."""
    return 2 * samples if ternary else samples


def pattern_words(samples: int, ternary: bool) -> int:
    """64-bit words of a pattern."""
    return -(-pattern_bits(samples, ternary) // 64)


def neurons(x: Tensor, samples: int, groups: int = 1) -> int:
    """V: the elements of an activation tensor for each sample and group."""
    return x.numel() // (samples * groups)


def has_kernel(device: torch.device) -> bool:
    """Whether the device has kernels of its own; otherwise the reference kernels run."""
    return device.type in _KERNEL_DEVICES


def new_table(
    samples: int, ternary: bool, *, patterns: int, groups: int = 1, device: torch.device
) -> Tensor:
    """An empty table, int64 ``[groups, words]``, with room for ``patterns`` patterns in each group.

    Raises:
        RuntimeError: the device has too little memory; the text says how much the table needs.
    """
    check_memory(samples, ternary, patterns=patterns, groups=groups, device=device)
    words = _table_words(samples, ternary, patterns, device)
    return torch.zeros(groups, words, dtype=torch.int64, device=device)


def check_memory(
    samples: int, ternary: bool, *, patterns: int, groups: int = 1, device: torch.device
) -> None:
    """Checks that a table fits the device, before anything is allocated.

    Raises:
        RuntimeError: the device has too little memory.
    """
    try:
        size = 8 * groups * _table_words(samples, ternary, patterns, device)
    except (ValueError, OverflowError) as error:
        raise RuntimeError(f"{error}; use fewer samples, or fewer neurons at a time") from None
    if size <= _ALLOCATED_UNASKED:
        return
    available = _available_bytes(device)
    if size > available:
        raise RuntimeError(
            f"{groups} x {patterns:,} patterns of {pattern_bits(samples, ternary):,} bits need a set "
            f"of {size / 2**30:,.1f} GiB, and {device} has {available / 2**30:,.1f} GiB; use fewer "
            "samples, or fewer neurons at a time"
        )


def table_limit(samples: int, ternary: bool, table: Tensor) -> int:
    """The number of patterns that each group of the table can hold."""
    if not has_kernel(table.device):
        return (table.shape[1] - HEADER_WORDS) // pattern_words(samples, ternary)
    if table.device.type == "cuda":
        return _C.cuda_table_limit(samples, ternary, table.shape[1])
    return _C.table_limit(pattern_bits(samples, ternary), table.shape[1])


def holds_all(samples: int, ternary: bool, device: torch.device) -> bool:
    """Whether every table holds all possible patterns of this width, so that it never grows."""
    return has_kernel(device) and pattern_bits(samples, ternary) <= _C.max_direct_bits


def reference_table_words(samples: int, ternary: bool, patterns: int) -> int:
    """Words of a row where the reference kernels run: the header, then the patterns one after another."""
    return HEADER_WORDS + patterns * pattern_words(samples, ternary)


def _table_words(samples: int, ternary: bool, patterns: int, device: torch.device) -> int:
    if not has_kernel(device):
        return reference_table_words(samples, ternary, patterns)
    if device.type == "cuda":
        return _C.cuda_table_words(samples, ternary, patterns)
    return _C.table_words(pattern_bits(samples, ternary), patterns)


def _available_bytes(device: torch.device) -> int:
    """Bytes that could be allocated. On the CPU this is all memory, which the system gives page by page."""
    if device.type == "cuda":
        reusable = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + reusable
    if device.type == "cpu" and hasattr(os, "sysconf"):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return _UNKNOWN_MEMORY
