"""Copies tensors so that copies share memory where their originals do."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def copy_of_storage(tensor: Tensor) -> torch.UntypedStorage:
    """A copy of all the memory that a tensor is a view of."""
    copy: torch.UntypedStorage = tensor.untyped_storage().clone()  # type: ignore[no-untyped-call] # torch
    return copy


def view_like(original: Tensor, storage: torch.UntypedStorage) -> Tensor:
    """The tensor that lies in a copy of the storage where the original lies in its own."""
    view = torch.empty(0, dtype=original.dtype, device=original.device)
    return view.set_(storage, original.storage_offset(), original.shape, original.stride())


def tensor_like(original: Tensor, values: Tensor) -> Tensor:
    """A tensor of the same kind as the original, with other values, that can take its place in a module."""
    if type(original) is nn.Parameter:
        like: Tensor = nn.Parameter(values, original.requires_grad)
    else:
        like = values
        if original.is_leaf and original.requires_grad:
            like.requires_grad_()
    if original.__dict__:
        like.__dict__.update(original.__dict__)
    return like
