"""Keeps all private names of torch that the package uses in one place; `names` lists them."""

from __future__ import annotations

from swapnas_ext._torch_private.dispatcher import (
    INTERCEPTION_KEY,
    TorchDispatchMode,
    dispatch_keys,
    may_be_under_dispatch_mode,
)
from swapnas_ext._torch_private.modules import (
    BATCH_NORM_FORWARD,
    BATCH_NORMS,
    CONVOLUTIONS,
    HELD_SLOTS,
    INSTANCE_NORMS,
    TRANSPOSED_CONVOLUTIONS,
    buffers_of,
    can_copy_modules,
    children_of,
    contents_of,
    forward_pre_hooks_of,
    has_global_hooks,
    may_be_compiled,
    may_have_forward_hooks,
    parameters_of,
    singular_vectors_of,
    uncompiled,
)
from swapnas_ext._torch_private.names import NAMES, notes
from swapnas_ext._torch_private.tensors import (
    copies_lazily,
    in_forward_ad,
    is_shared,
    lazy_copy,
    lazy_memory,
    move_if_shared,
    version_of,
)
from swapnas_ext._torch_private.vmap import VMAP_KEY, Functorch, functorch

__all__ = [
    "BATCH_NORMS",
    "BATCH_NORM_FORWARD",
    "CONVOLUTIONS",
    "HELD_SLOTS",
    "INSTANCE_NORMS",
    "INTERCEPTION_KEY",
    "NAMES",
    "TRANSPOSED_CONVOLUTIONS",
    "VMAP_KEY",
    "Functorch",
    "TorchDispatchMode",
    "buffers_of",
    "can_copy_modules",
    "children_of",
    "contents_of",
    "copies_lazily",
    "dispatch_keys",
    "forward_pre_hooks_of",
    "functorch",
    "has_global_hooks",
    "in_forward_ad",
    "is_shared",
    "lazy_copy",
    "lazy_memory",
    "may_be_compiled",
    "may_be_under_dispatch_mode",
    "may_have_forward_hooks",
    "move_if_shared",
    "notes",
    "parameters_of",
    "singular_vectors_of",
    "uncompiled",
    "version_of",
]
