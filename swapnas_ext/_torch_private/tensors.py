"""Detects changes, tangents and shared memory of tensors."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import forward_ad

from swapnas_ext._torch_private.names import found


def version_of(tensor: Tensor) -> int | None:
    """A number that grows with each change in place. None where it is unknown, as in inference mode."""
    try:
        return tensor._version
    except RuntimeError:
        return None


def _unknown_version(tensor: Tensor) -> None:
    return None


def in_forward_ad() -> bool:
    """Whether tensors may have tangents, of forward-mode differentiation."""
    return forward_ad._current_level >= 0


def _perhaps() -> bool:
    return True


if found("torch.Tensor._version") is None:
    version_of = _unknown_version
if found("torch.autograd.forward_ad._current_level") is None:
    in_forward_ad = _perhaps


_storage_users = found("torch._C._storage_Use_Count")


def _unshared_users() -> int:
    # The variable keeps the storage alive while its address is used.
    storage = torch.empty(1, device="cpu").untyped_storage()
    users: int = _storage_users(storage._cdata)
    return users + 1  # and the tensor


_UNSHARED = 0 if _storage_users is None else _unshared_users()


def is_shared(tensor: Tensor) -> bool:
    """Whether another tensor, or an object outside torch, may use the memory of a tensor."""
    if _storage_users is None:
        return True
    storage = tensor.untyped_storage()
    return _storage_users(storage._cdata) > _UNSHARED or not storage.resizable()
