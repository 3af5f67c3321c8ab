"""Detects changes, tangents and shared memory of tensors; makes copies that share memory until they are written to."""

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


_lazy_clone = found("torch._lazy_clone")
_is_lazy = found("torch._C._is_cow_tensor")
_has_lazy_copies = None not in (_lazy_clone, _is_lazy)


def copies_lazily(tensor: Tensor) -> bool:
    """Whether `lazy_copy` may copy a tensor."""
    return _has_lazy_copies and tensor.device.type == "cpu"


def lazy_copy(tensor: Tensor) -> Tensor | None:
    """A copy that shares its memory with the original until either is written to, by whatever code of torch: that one
    then moves to memory of its own. None where torch can't make such a copy, as of memory that NumPy owns.

    While the copy lives, whatever asks for the address of the original moves that one: see
    `move_if_shared`.
    """
    if not copies_lazily(tensor) or tensor.is_inference() or not tensor.numel():
        return None
    try:
        copy: Tensor = _lazy_clone(tensor)
    except RuntimeError:  # the memory is not of torch's allocator
        return None
    return copy


def lazy_memory(copy: Tensor) -> object:
    """What a `lazy_copy` shows of the memory that it shares; None once it was written to. The same again tells that its
    values are the same."""
    if not _has_lazy_copies or not _is_lazy(copy):
        return None
    storage = copy.untyped_storage()._cdata
    return storage, copy.storage_offset(), copy.shape, copy.stride(), copy.dtype


def move_if_shared(copy: Tensor, *, has_users: bool) -> None:
    """Gives a `lazy_copy` that somebody keeps memory of its own, so that the original stays where it is.

    Args:
        has_users: whether there are references to it beside the caller's; other tensors may have its memory too.
    """
    if _is_lazy(copy) and (has_users or is_shared(copy)):
        copy.untyped_storage().data_ptr()
