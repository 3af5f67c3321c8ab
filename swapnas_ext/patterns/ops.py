"""The torch operators ``torch.ops.swapnas.*``: their schemas, and their shapes for tracing.

Operators (``samples`` is S, and the first dimension of an activation is a multiple of S):

* ``insert_(table, x, samples, ternary)``: adds the patterns of x;
* ``relu_insert(table, x, samples, ternary) -> y``: y = relu(x), and adds the patterns of y;
* ``relu_insert_(table, x, samples, ternary)``: the same in place;
* ``insert_packed_(table, patterns, samples, ternary)``: adds patterns that ``pack`` returned;
* ``merge_(table, other, samples, ternary)``: adds the patterns of another table;
* ``count(table, samples, ternary) -> [groups, 2]``: number of patterns, and flags: ``SAW_NAN``,
  and on CUDA, where an insert can't report to the host, ``OVERFLOWED`` and ``STRAY_BITS``;
* ``pack(x, samples, ternary) -> (patterns, nan)``;
* ``count_patterns(xs, samples, ternary) -> [1, 2]``: like ``count``, of the patterns of all xs;
* ``add_agreements_(agreements, x, samples)``: adds to ``[S, S]``, for each two samples, the neurons of x that
  are positive on both or on neither.

The three inserts also run under ``torch.func.vmap`` (`vmap_rules`), on a table with one group for each
replicate. `tables` describes tables.

A kernel that refuses its arguments raises RuntimeError. The callers (`counter`, `one_call`) then find the
argument at fault and raise the right error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from swapnas_ext.patterns.tables import neurons, pattern_bits, pattern_words

SCHEMAS = (
    "insert_(Tensor(a!) table, Tensor x, int samples, bool ternary) -> ()",
    "relu_insert(Tensor(a!) table, Tensor x, int samples, bool ternary) -> Tensor",
    "relu_insert_(Tensor(a!) table, Tensor(b!) x, int samples, bool ternary) -> ()",
    "insert_packed_(Tensor(a!) table, Tensor patterns, int samples, bool ternary) -> ()",
    "merge_(Tensor(a!) table, Tensor other, int samples, bool ternary) -> ()",
    "count(Tensor table, int samples, bool ternary) -> Tensor",
    "pack(Tensor x, int samples, bool ternary) -> (Tensor, Tensor)",
    "count_patterns(Tensor[] xs, int samples, bool ternary) -> Tensor",
    "add_agreements_(Tensor(a!) agreements, Tensor x, int samples) -> ()",
)
_library: Any = torch.library.Library("swapnas", "DEF")  # type: ignore[no-untyped-call] # torch has no types
for _schema in SCHEMAS:
    _library.define(_schema, tags=(torch.Tag.pt2_compliant_tag,))


def implement(name: str, implementation: Callable[..., Any], dispatch_key: str) -> None:
    """Registers an implementation of ``swapnas::name`` for a dispatch key of torch."""
    _library.impl(name, implementation, dispatch_key)


def _fake_nothing(*_: object) -> None:
    return None


def _fake_relu_insert(table: Tensor, x: Tensor, samples: int, ternary: bool) -> Tensor:
    return torch.empty_like(x)


def _fake_count(table: Tensor, samples: int, ternary: bool) -> Tensor:
    return table.new_empty(table.shape[0], 2)


def _fake_pack(x: Tensor, samples: int, ternary: bool) -> tuple[Tensor, Tensor]:
    dtype = torch.int32 if pattern_bits(samples, ternary) <= 32 else torch.int64
    words = pattern_words(samples, ternary)
    count = neurons(x, samples)
    shape = (count,) if words == 1 else (count, words)
    return x.new_empty(shape, dtype=dtype), x.new_empty(1, dtype=torch.int64)


def _fake_count_patterns(xs: list[Tensor], samples: int, ternary: bool) -> Tensor:
    return xs[0].new_empty(1, 2, dtype=torch.int64)


_FAKES: dict[str, Callable[..., Any]] = {
    "insert_": _fake_nothing,
    "relu_insert": _fake_relu_insert,
    "relu_insert_": _fake_nothing,
    "insert_packed_": _fake_nothing,
    "merge_": _fake_nothing,
    "count": _fake_count,
    "pack": _fake_pack,
    "count_patterns": _fake_count_patterns,
    "add_agreements_": _fake_nothing,
}
for _name, _fake in _FAKES.items():
    torch.library.register_fake(f"swapnas::{_name}", _fake, lib=_library)
