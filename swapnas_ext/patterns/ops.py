"""The torch operators ``torch.ops.swapnas.*``: schemas, shapes for tracing, and the reference
implementation for devices that have no kernel.

A set of patterns is a *table*: a zero-initialised int64 tensor ``[groups, words]``, each row the set
of one group. What the words mean is its device's own affair, except that those of the CPU and of the
reference begin with a header: the number of patterns is ``OCCUPIED_WORD`` plus ``ZERO_PATTERN_WORD``,
and ``NAN_WORD`` is ``SAW_NAN`` if a NaN was seen. ``new_table`` gives the right size, ``count`` the
number of patterns.

Operators (``samples`` is S, the first dimension of an activation a multiple of it):

* ``insert_(table, x, samples, ternary)``: adds the patterns of x;
* ``relu_insert(table, x, samples, ternary) -> y``: y = relu(x), and adds the patterns of y;
* ``relu_insert_(table, x, samples, ternary)``: the same in place;
* ``insert_packed_(table, patterns, samples, ternary)``: adds patterns that ``pack`` gave;
* ``merge_(table, other, samples, ternary)``: adds the patterns of another table;
* ``count(table, samples, ternary) -> [groups, 2]``: number of patterns, and flags: ``SAW_NAN``,
  and on CUDA, where an insert can't tell the host, ``OVERFLOWED`` and ``STRAY_BITS``;
* ``pack(x, samples, ternary) -> (patterns, nan)``;
* ``count_patterns(xs, samples, ternary) -> [1, 2]``: like ``count``, of the patterns of all xs.

The three inserts can be called under ``torch.func.vmap``, with a table of one group a replicate.

A kernel that refuses its arguments raises a RuntimeError: which argument is to blame, and with which error,
is said by who calls it (`counter`).
"""

from __future__ import annotations

import os

import torch
from torch import Tensor

from swapnas_ext._torch_private import VMAP_KEY, functorch
from swapnas_ext.patterns import reference
from swapnas_ext.patterns.native import _C

# Defined in csrc/pattern_table.h.
HEADER_WORDS: int = _C.header_words
OCCUPIED_WORD: int = _C.occupied_word
ZERO_PATTERN_WORD: int = _C.zero_pattern_word
NAN_WORD: int = _C.nan_word
SAW_NAN: int = _C.saw_nan
OVERFLOWED: int = _C.overflowed
STRAY_BITS: int = _C.stray_bits
_KERNEL_DEVICES = frozenset({"cpu", "cuda"} if _C.cuda_architectures else {"cpu"})
_SURELY_THERE = 64 << 20  # bytes that are allocated without asking first whether they can be

SCHEMAS = (
    "insert_(Tensor(a!) table, Tensor x, int samples, bool ternary) -> ()",
    "relu_insert(Tensor(a!) table, Tensor x, int samples, bool ternary) -> Tensor",
    "relu_insert_(Tensor(a!) table, Tensor(b!) x, int samples, bool ternary) -> ()",
    "insert_packed_(Tensor(a!) table, Tensor patterns, int samples, bool ternary) -> ()",
    "merge_(Tensor(a!) table, Tensor other, int samples, bool ternary) -> ()",
    "count(Tensor table, int samples, bool ternary) -> Tensor",
    "pack(Tensor x, int samples, bool ternary) -> (Tensor, Tensor)",
    "count_patterns(Tensor[] xs, int samples, bool ternary) -> Tensor",
)
_library = torch.library.Library("swapnas", "DEF")
for _schema in SCHEMAS:
    _library.define(_schema, tags=(torch.Tag.pt2_compliant_tag,))


def pattern_bits(samples: int, ternary: bool) -> int:
    """Width of a pattern: S bits, or 2 S where ternary."""
    return 2 * samples if ternary else samples


def has_kernel(device: torch.device) -> bool:
    """Whether the device has a kernel of its own (else the reference answers)."""
    return device.type in _KERNEL_DEVICES


def new_table(
    samples: int, ternary: bool, *, patterns: int, groups: int = 1, device: torch.device
) -> Tensor:
    """An empty table with room for ``patterns`` patterns in each group.

    Raises:
        RuntimeError: the device has not the memory; says how much it takes.
    """
    check_memory(samples, ternary, patterns=patterns, groups=groups, device=device)
    words = _table_words(samples, ternary, patterns, device)
    return torch.zeros(groups, words, dtype=torch.int64, device=device)


def _table_words(samples: int, ternary: bool, patterns: int, device: torch.device) -> int:
    if not has_kernel(device):
        return reference_table_words(samples, ternary, patterns)
    if device.type == "cuda":
        return _C.cuda_table_words(samples, ternary, patterns)
    return _C.table_words(pattern_bits(samples, ternary), patterns)


def check_memory(
    samples: int, ternary: bool, *, patterns: int, groups: int = 1, device: torch.device
) -> None:
    """Raises RuntimeError, before anything is allocated, where a table can't fit the device."""
    try:
        size = 8 * groups * _table_words(samples, ternary, patterns, device)
    except (ValueError, OverflowError) as error:
        raise RuntimeError(f"{error}; use fewer samples, or fewer neurons at a time") from None
    if size <= _SURELY_THERE:
        return
    available = _available_bytes(device)
    if size > available:
        raise RuntimeError(
            f"{groups} x {patterns:,} patterns of {pattern_bits(samples, ternary):,} bits need a set "
            f"of {size / 2**30:,.1f} GiB, and {device} has {available / 2**30:,.1f} GiB; use fewer "
            "samples, or fewer neurons at a time"
        )


def _available_bytes(device: torch.device) -> int:
    """What could be allocated: on the CPU, where memory is given lazily, all there is."""
    if device.type == "cuda":
        reusable = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + reusable
    if device.type == "cpu" and hasattr(os, "sysconf"):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 1 << 62


def table_limit(samples: int, ternary: bool, table: Tensor) -> int:
    """How many patterns each group of the table can hold."""
    if not has_kernel(table.device):
        return (table.shape[1] - HEADER_WORDS) // _words(samples, ternary)
    if table.device.type == "cuda":
        return _C.cuda_table_limit(samples, ternary, table.shape[1])
    return _C.table_limit(pattern_bits(samples, ternary), table.shape[1])


def holds_all(samples: int, ternary: bool, device: torch.device) -> bool:
    """Whether any table of such patterns holds all that are possible, and so never grows."""
    return has_kernel(device) and pattern_bits(samples, ternary) <= _C.max_direct_bits


def _words(samples: int, ternary: bool) -> int:
    return -(-pattern_bits(samples, ternary) // 64)


def neurons(x: Tensor, samples: int, groups: int = 1) -> int:
    """V of one activation tensor: its elements for each sample and group."""
    return x.numel() // (samples * groups)


# ---- shapes for tracing --------------------------------------------------------------------------


def _fake_nothing(*_: object) -> None:
    return None


def _fake_relu_insert(table: Tensor, x: Tensor, samples: int, ternary: bool) -> Tensor:
    return torch.empty_like(x)


def _fake_count(table: Tensor, samples: int, ternary: bool) -> Tensor:
    return table.new_empty(table.shape[0], 2)


def _fake_pack(x: Tensor, samples: int, ternary: bool) -> tuple[Tensor, Tensor]:
    bits = pattern_bits(samples, ternary)
    dtype = torch.int32 if bits <= 32 else torch.int64
    words = -(-bits // 64)
    count = neurons(x, samples)
    shape = (count,) if words == 1 else (count, words)
    return x.new_empty(shape, dtype=dtype), x.new_empty(1, dtype=torch.int64)


def _fake_count_patterns(xs: list[Tensor], samples: int, ternary: bool) -> Tensor:
    return xs[0].new_empty(1, 2, dtype=torch.int64)


for _name, _fake in {
    "insert_": _fake_nothing,
    "relu_insert": _fake_relu_insert,
    "relu_insert_": _fake_nothing,
    "insert_packed_": _fake_nothing,
    "merge_": _fake_nothing,
    "count": _fake_count,
    "pack": _fake_pack,
    "count_patterns": _fake_count_patterns,
}.items():
    torch.library.register_fake(f"swapnas::{_name}", _fake, lib=_library)


# ---- under torch.func.vmap -----------------------------------------------------------------------
# Each replicate has its own set: the table has a group for each, and the dimension of the replicates
# becomes that of the groups, as a view. vmap itself keeps the replicates inside the channels; the
# kernels take a group stride, so nothing is copied.


def _batched(name: str, wraps_result: bool) -> None:
    operator = getattr(torch.ops.swapnas, name)

    def rule(table: Tensor, x: Tensor, samples: int, ternary: bool) -> Tensor | None:
        if functorch.is_batched(table):
            raise ValueError(
                f"swapnas::{name} under vmap needs one table, with a group a replicate"
            )
        level = functorch.level_of(x)
        physical, dim = functorch.unwrapped(x, level)
        if physical.shape[dim] != table.shape[0]:
            raise ValueError(
                f"torch.func.vmap maps over {physical.shape[dim]} and the set has {table.shape[0]} "
                "groups: under a vmap of the model's own, samples can't be told from what it maps over"
            )
        with functorch.batching_paused():
            y = operator(table, physical.movedim(dim, 0), samples, ternary)
            return functorch.wrapped(y, 0, level) if wraps_result else None

    _library.impl(name, rule, VMAP_KEY)


if functorch is not None:
    for _name in ("insert_", "relu_insert", "relu_insert_"):
        _batched(_name, wraps_result=_name == "relu_insert")


# ---- the reference, where a device has no kernel -------------------------------------------------
# Its table is a list: the patterns follow the header, int64 words each.


def reference_table_words(samples: int, ternary: bool, patterns: int) -> int:
    return HEADER_WORDS + patterns * _words(samples, ternary)


def _stored(row: Tensor, words: int) -> Tensor:
    count = int(row[OCCUPIED_WORD])
    return row[HEADER_WORDS : HEADER_WORDS + count * words].view(count, words)


def _store(row: Tensor, patterns: Tensor, nan: Tensor | bool) -> None:
    """Adds patterns, int64 [n, words], to a row."""
    row[NAN_WORD] |= torch.as_tensor(nan, device=row.device).to(torch.int64)
    distinct = torch.unique(torch.cat([_stored(row, patterns.shape[1]), patterns]), dim=0)
    row[HEADER_WORDS : HEADER_WORDS + distinct.numel()] = distinct.reshape(-1)
    row[OCCUPIED_WORD] = len(distinct)


def _packed_rows(patterns: Tensor) -> Tensor:
    if patterns.dtype == torch.int32:
        patterns = patterns.to(torch.int64) & 0xFFFFFFFF
    return patterns.reshape(len(patterns), -1)


def reference_insert_(table: Tensor, x: Tensor, samples: int, ternary: bool) -> None:
    for row, activations in zip(table, x if len(table) > 1 else x[None], strict=True):
        patterns = reference.pack_patterns(activations, samples, ternary)
        _store(row, _packed_rows(patterns), activations.isnan().any())


def reference_relu_insert(table: Tensor, x: Tensor, samples: int, ternary: bool) -> Tensor:
    y = torch.relu(x)
    reference_insert_(table, y, samples, ternary)
    return y


def reference_relu_insert_(table: Tensor, x: Tensor, samples: int, ternary: bool) -> None:
    reference_insert_(table, x.relu_(), samples, ternary)


def reference_insert_packed_(table: Tensor, patterns: Tensor, samples: int, ternary: bool) -> None:
    _store(table[0], _packed_rows(patterns), False)


def reference_merge_(table: Tensor, other: Tensor, samples: int, ternary: bool) -> None:
    for row, source in zip(table, other, strict=True):
        _store(row, _stored(source, _words(samples, ternary)), source[NAN_WORD])


def reference_count(table: Tensor, samples: int, ternary: bool) -> Tensor:
    patterns = table[:, OCCUPIED_WORD] + table[:, ZERO_PATTERN_WORD]
    return torch.stack([patterns, table[:, NAN_WORD]], dim=1)


def reference_pack(x: Tensor, samples: int, ternary: bool) -> tuple[Tensor, Tensor]:
    nan = x.isnan().any().to(torch.int64).reshape(1)
    return reference.pack_patterns(x, samples, ternary), nan


def reference_count_patterns(xs: list[Tensor], samples: int, ternary: bool) -> Tensor:
    count = reference.count_patterns(*xs, samples=samples, ternary=ternary)
    nan = any(bool(x.isnan().any()) for x in xs)
    return torch.tensor([[count, int(nan)]], dtype=torch.int64, device=xs[0].device)


REFERENCE = {
    "insert_": reference_insert_,
    "relu_insert": reference_relu_insert,
    "relu_insert_": reference_relu_insert_,
    "insert_packed_": reference_insert_packed_,
    "merge_": reference_merge_,
    "count": reference_count,
    "pack": reference_pack,
    "count_patterns": reference_count_patterns,
}
for _name, _implementation in REFERENCE.items():
    _library.impl(_name, _implementation, "CompositeExplicitAutograd")
