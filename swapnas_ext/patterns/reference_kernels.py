"""The operators for devices without kernels of their own, in plain PyTorch.

A row of a table is a list here: the patterns follow the header, as int64 words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from swapnas_ext.patterns import reference
from swapnas_ext.patterns.ops import implement
from swapnas_ext.patterns.table_format import (
    HEADER_WORDS,
    NAN_WORD,
    OCCUPIED_WORD,
    ZERO_PATTERN_WORD,
)
from swapnas_ext.patterns.tables import pattern_words


def insert_(table: Tensor, x: Tensor, samples: int, ternary: bool) -> None:
    for row, activations in zip(table, x if len(table) > 1 else x[None], strict=True):
        patterns = reference.pack_patterns(activations, samples, ternary)
        _add(row, _as_words(patterns), activations.isnan().any())


def relu_insert(table: Tensor, x: Tensor, samples: int, ternary: bool) -> Tensor:
    y = torch.relu(x)
    insert_(table, y, samples, ternary)
    return y


def relu_insert_(table: Tensor, x: Tensor, samples: int, ternary: bool) -> None:
    insert_(table, x.relu_(), samples, ternary)


def insert_packed_(table: Tensor, patterns: Tensor, samples: int, ternary: bool) -> None:
    _add(table[0], _as_words(patterns), False)


def merge_(table: Tensor, other: Tensor, samples: int, ternary: bool) -> None:
    for row, source in zip(table, other, strict=True):
        _add(row, _patterns_in(source, pattern_words(samples, ternary)), source[NAN_WORD])


def count(table: Tensor, samples: int, ternary: bool) -> Tensor:
    patterns = table[:, OCCUPIED_WORD] + table[:, ZERO_PATTERN_WORD]
    return torch.stack([patterns, table[:, NAN_WORD]], dim=1)


def pack(x: Tensor, samples: int, ternary: bool) -> tuple[Tensor, Tensor]:
    nan = x.isnan().any().to(torch.int64).reshape(1)
    return reference.pack_patterns(x, samples, ternary), nan


def count_patterns(xs: list[Tensor], samples: int, ternary: bool) -> Tensor:
    patterns = reference.count_patterns(*xs, samples=samples, ternary=ternary)
    nan = any(bool(x.isnan().any()) for x in xs)
    return torch.tensor([[patterns, int(nan)]], dtype=torch.int64, device=xs[0].device)


def add_agreements_(agreements: Tensor, x: Tensor, samples: int) -> None:
    agreements += reference.agreements(x, samples=samples)


KERNELS: dict[str, Callable[..., Any]] = {
    "insert_": insert_,
    "relu_insert": relu_insert,
    "relu_insert_": relu_insert_,
    "insert_packed_": insert_packed_,
    "merge_": merge_,
    "count": count,
    "pack": pack,
    "count_patterns": count_patterns,
    "add_agreements_": add_agreements_,
}
for _name, _kernel in KERNELS.items():
    implement(_name, _kernel, "CompositeExplicitAutograd")


def _patterns_in(row: Tensor, words: int) -> Tensor:
    count = int(row[OCCUPIED_WORD])
    return row[HEADER_WORDS : HEADER_WORDS + count * words].view(count, words)


def _add(row: Tensor, patterns: Tensor, nan: Tensor | bool) -> None:
    """Adds patterns, int64 ``[n, words]``, to a row."""
    row[NAN_WORD] |= torch.as_tensor(nan, device=row.device).to(torch.int64)
    distinct = torch.unique(torch.cat([_patterns_in(row, patterns.shape[1]), patterns]), dim=0)
    row[HEADER_WORDS : HEADER_WORDS + distinct.numel()] = distinct.reshape(-1)
    row[OCCUPIED_WORD] = len(distinct)


def _as_words(patterns: Tensor) -> Tensor:
    """Packed patterns as int64 ``[V, words]``."""
    if patterns.dtype == torch.int32:
        patterns = patterns.to(torch.int64) & 0xFFFFFFFF
    return patterns.reshape(len(patterns), -1)
