"""Looks inside ``torch.func.vmap``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from torch import Tensor

from swapnas_ext._torch_private.names import all_found, key_named

VMAP_KEY = "FuncTorchBatched"


@dataclass(frozen=True)
class Functorch:
    """What looks inside ``torch.func.vmap``.

    Attributes:
        is_batched: whether vmap maps over a tensor.
        is_wrapped: whether any transform of torch.func wraps a tensor.
        level_of: the nesting level of the transform that wraps a tensor.
        unwrapped: the tensor with all replicates, and their dimension, from a wrapped tensor and a level.
        wrapped: the wrapped tensor, from a tensor, the dimension of the replicates, and a level.
        is_fallback_enabled, set_fallback_enabled: whether vmap runs operators without a batching rule in a
            loop.
        batching_paused: a context in which vmap maps over nothing.
    """

    is_batched: Callable[[Tensor], bool]
    is_wrapped: Callable[[Tensor], bool]
    level_of: Callable[[Tensor], int]
    unwrapped: Callable[[Tensor, int], tuple[Tensor, int]]
    wrapped: Callable[[Tensor, int, int], Tensor]
    is_fallback_enabled: Callable[[], bool]
    set_fallback_enabled: Callable[[bool], None]
    batching_paused: Callable[[], AbstractContextManager[object]]


def _functorch() -> Functorch | None:
    names = all_found(
        "torch._C._functorch",
        "is_batchedtensor",
        "is_functorch_wrapped_tensor",
        "maybe_get_level",
        "_unwrap_batched",
        "_add_batch_dim",
        "_is_vmap_fallback_enabled",
        "_set_vmap_fallback_enabled",
    )
    keys = all_found(
        "torch._C", "DispatchKeySet", "_dispatch_key_parse", "_ExcludeDispatchKeyGuard"
    )
    if names is None or keys is None:
        return None
    key = key_named(keys._dispatch_key_parse, VMAP_KEY)
    if key is None:
        return None
    vmap_keys = keys.DispatchKeySet(key)
    return Functorch(
        is_batched=names.is_batchedtensor,
        is_wrapped=names.is_functorch_wrapped_tensor,
        level_of=names.maybe_get_level,
        unwrapped=names._unwrap_batched,
        wrapped=names._add_batch_dim,
        is_fallback_enabled=names._is_vmap_fallback_enabled,
        set_fallback_enabled=names._set_vmap_fallback_enabled,
        batching_paused=lambda: keys._ExcludeDispatchKeyGuard(vmap_keys),
    )


functorch = _functorch()
"""None where torch lacks a name."""
