"""The three inserting operators under ``torch.func.vmap``: each replicate inserts into a group of the table.

The dimension of the replicates becomes that of the groups, as a view. vmap itself puts the replicates inside
the channels. The kernels take the stride between groups as an argument, so nothing is copied.
"""

from __future__ import annotations

import torch
from torch import Tensor

from swapnas_ext._torch_private import VMAP_KEY, Functorch, functorch
from swapnas_ext.patterns.ops import implement


def _add_rule(name: str, vmap: Functorch, *, returns_tensor: bool) -> None:
    operator = getattr(torch.ops.swapnas, name)

    def rule(table: Tensor, x: Tensor, samples: int, ternary: bool) -> Tensor | None:
        if vmap.is_batched(table):
            raise ValueError(
                f"swapnas::{name} under vmap needs one table, with a group for each replicate"
            )
        level = vmap.level_of(x)
        physical, dim = vmap.unwrapped(x, level)
        if physical.shape[dim] != table.shape[0]:
            raise ValueError(
                f"torch.func.vmap maps over {physical.shape[dim]} and the set has {table.shape[0]} "
                "groups: under a vmap of the model's own, it is unknown which dimension holds the samples"
            )
        with vmap.batching_paused():
            y = operator(table, physical.movedim(dim, 0), samples, ternary)
            return vmap.wrapped(y, 0, level) if returns_tensor else None

    implement(name, rule, VMAP_KEY)


if functorch is not None:
    for _name in ("insert_", "relu_insert", "relu_insert_"):
        _add_rule(_name, functorch, returns_tensor=_name == "relu_insert")
