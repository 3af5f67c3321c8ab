"""Every private name of torch that the package uses, and what happens where torch lacks it.

No other file uses a private name. torch may drop or rename any of them. The package then still imports and
scores, more slowly, through torch's public interface, and the notes of each score say so (`notes`).

The environment variable SWAPNAS_HIDE_TORCH_NAMES hides names, separated by commas. The tests hide each name
in turn.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad


@dataclass(frozen=True)
class PrivateName:
    """A private name of torch.

    Attributes:
        purpose: what the package uses it for.
        since: the oldest version of torch that is known to have it.
        without: what happens where it is missing; completes "torch has no NAME: ...".
    """

    purpose: str
    since: str
    without: str


_ALL_SEEN = (
    "intercepts every call of an activation operator on a thread, without slowing other operators"
)
_BY_MODE = "activations that are called as functions were found through a TorchDispatchMode, which is slower"
_UNDER_VMAP = "runs several repeats in one forward pass, under torch.func.vmap"
_ONE_BY_ONE = "repeats ran one after another"
_BY_CLASS = "recognises subclasses of torch's own classes"
_PUBLIC_CLASSES = "only subclasses of the public classes are known"
_WALK = "looks up what a module holds, faster than through a generator for each module"
_PUBLIC_WALK = "models were walked through methods, which is slower"

NAMES: Mapping[str, PrivateName] = {
    "torch._C.DispatchKeySet": PrivateName(_ALL_SEEN, "1.13", _BY_MODE),
    "torch._C._dispatch_key_parse": PrivateName(_ALL_SEEN, "1.13", _BY_MODE),
    "torch._C._dispatch_tls_is_dispatch_key_included": PrivateName(_ALL_SEEN, "2.0", _BY_MODE),
    "torch._C._dispatch_tls_set_dispatch_key_included": PrivateName(_ALL_SEEN, "2.0", _BY_MODE),
    "torch._C._ExcludeDispatchKeyGuard": PrivateName(_ALL_SEEN, "2.1", _BY_MODE),
    "TESTING_ONLY_GenericMode": PrivateName(  # a dispatch key
        f"{_ALL_SEEN}; only torch's own tests use this key otherwise",
        "1.8",
        _BY_MODE,
    ),
    "torch.utils._python_dispatch.TorchDispatchMode": PrivateName(
        "intercepts calls of operators where the names above are missing",
        "1.13",
        "where those are missing too, activations that are called as functions were not found",
    ),
    "torch._C._functorch.is_batchedtensor": PrivateName(_UNDER_VMAP, "1.13", _ONE_BY_ONE),
    "torch._C._functorch.is_functorch_wrapped_tensor": PrivateName(
        _UNDER_VMAP, "1.13", _ONE_BY_ONE
    ),
    "torch._C._functorch.maybe_get_level": PrivateName(_UNDER_VMAP, "1.13", _ONE_BY_ONE),
    "torch._C._functorch._unwrap_batched": PrivateName(_UNDER_VMAP, "2.0", _ONE_BY_ONE),
    "torch._C._functorch._add_batch_dim": PrivateName(_UNDER_VMAP, "1.13", _ONE_BY_ONE),
    "torch._C._functorch._is_vmap_fallback_enabled": PrivateName(_UNDER_VMAP, "1.13", _ONE_BY_ONE),
    "torch._C._functorch._set_vmap_fallback_enabled": PrivateName(_UNDER_VMAP, "1.13", _ONE_BY_ONE),
    "FuncTorchBatched": PrivateName(_UNDER_VMAP, "1.13", _ONE_BY_ONE),  # a dispatch key
    "torch._C._len_torch_dispatch_stack": PrivateName(
        "builds networks from copies of their parts, unless a mode is active that may replace tensors",
        "1.13",
        "networks of a space were built anew, part by part",
    ),
    "torch.Tensor._version": PrivateName(
        "detects tensors that were changed in place",
        "1.13",
        "tensors counted as changed: inputs were copied for each forward pass, weights for each "
        "repeat, and repeats ran one after another",
    ),
    "torch._C._storage_Use_Count": PrivateName(
        "detects tensors that share their memory with another",
        "2.1",
        "models that a function builds were scored as if somebody kept them",
    ),
    "torch.autograd.forward_ad._current_level": PrivateName(
        "keeps the tangents of a model that uses forward-mode differentiation itself",
        "1.13",
        "ReLUs were not fused with counting",
    ),
    "torch._dynamo": PrivateName(
        "detects that nothing was compiled, so that there is nothing to undo",
        "2.0",
        "torch's compiler was imported",
    ),
    "torch._dynamo.OptimizedModule._orig_mod": PrivateName(
        "scores the module that torch.compile wrapped, not the wrapper",
        "2.0",
        "what was compiled was scored with its wrapper",
    ),
    "torch.nn.Module._parameters": PrivateName(_WALK, "1.13", _PUBLIC_WALK),
    "torch.nn.Module._buffers": PrivateName(_WALK, "1.13", _PUBLIC_WALK),
    "torch.nn.Module._modules": PrivateName(_WALK, "1.13", _PUBLIC_WALK),
    "torch.nn.Module._forward_hooks": PrivateName(_WALK, "1.13", _PUBLIC_WALK),
    "torch.nn.Module._forward_pre_hooks": PrivateName(_WALK, "1.13", _PUBLIC_WALK),
    "torch.nn.utils.parametrizations._SpectralNorm": PrivateName(
        "computes the singular vectors of parametrizations.spectral_norm from the weights that init= draws",
        "1.9",
        "init= does not draw weights under parametrizations.spectral_norm",
    ),
    "torch.nn.modules.batchnorm._BatchNorm": PrivateName(_BY_CLASS, "1.13", _PUBLIC_CLASSES),
    "torch.nn.modules.instancenorm._InstanceNorm": PrivateName(_BY_CLASS, "1.13", _PUBLIC_CLASSES),
    "torch.nn.modules.conv._ConvNd": PrivateName(_BY_CLASS, "1.13", _PUBLIC_CLASSES),
    "torch.nn.modules.conv._ConvTransposeNd": PrivateName(_BY_CLASS, "1.13", _PUBLIC_CLASSES),
}

_HIDDEN = frozenset(filter(None, os.environ.get("SWAPNAS_HIDE_TORCH_NAMES", "").split(",")))
if not NAMES.keys() >= _HIDDEN:
    raise ValueError(
        f"SWAPNAS_HIDE_TORCH_NAMES has {', '.join(sorted(_HIDDEN - NAMES.keys()))}; expected names of "
        f"{', '.join(NAMES)}"
    )


def _found(name: str) -> Any:
    """The object of this name, or None where torch lacks it."""
    if name in _HIDDEN:
        return None
    first, *rest = name.split(".")
    value: Any = sys.modules[first]
    for part in rest:
        value = getattr(value, part, None)
    return value


def _all_found(prefix: str, *names: str) -> SimpleNamespace | None:
    """The objects of these names, or None where torch lacks one of them."""
    values = {name: _found(f"{prefix}.{name}") for name in names}
    return None if None in values.values() else SimpleNamespace(**values)


# ---- the dispatcher ------------------------------------------------------------------------------

INTERCEPTION_KEY = "TESTING_ONLY_GenericMode"
"""Comes before functorch's keys, so that calls under vmap are intercepted as the model makes them."""
VMAP_KEY = "FuncTorchBatched"


@dataclass(frozen=True)
class DispatchKeys:
    """What intercepts operators on a thread.

    Attributes:
        key: the dispatch key of the interception.
        key_set: the key as a set.
        is_included: whether a key is on for this thread.
        set_included: turns a key on or off for this thread.
        excluded: a context in which the keys of a set are off.
    """

    key: Any
    key_set: Any
    is_included: Callable[[Any], bool]
    set_included: Callable[[Any, bool], None]
    excluded: Callable[[Any], AbstractContextManager[object]]


def _key(parse: Callable[[str], Any], name: str) -> Any:
    """A dispatch key, or None where torch lacks it."""
    try:
        return None if name in _HIDDEN else parse(name)
    except RuntimeError:  # torch has no such key
        return None


def _dispatch_keys() -> DispatchKeys | None:
    found = _all_found(
        "torch._C",
        "DispatchKeySet",
        "_dispatch_key_parse",
        "_dispatch_tls_is_dispatch_key_included",
        "_dispatch_tls_set_dispatch_key_included",
        "_ExcludeDispatchKeyGuard",
    )
    if found is None:
        return None
    key = _key(found._dispatch_key_parse, INTERCEPTION_KEY)
    if key is None:
        return None
    return DispatchKeys(
        key=key,
        key_set=found.DispatchKeySet(key),
        is_included=found._dispatch_tls_is_dispatch_key_included,
        set_included=found._dispatch_tls_set_dispatch_key_included,
        excluded=found._ExcludeDispatchKeyGuard,
    )


dispatch_keys = _dispatch_keys()
"""None where torch lacks a name."""

TorchDispatchMode: Any = _found("torch.utils._python_dispatch.TorchDispatchMode")
"""The class, or None where torch lacks it."""


def may_be_under_dispatch_mode() -> bool:
    """Whether a TorchDispatchMode may be active."""
    depth = _found("torch._C._len_torch_dispatch_stack")
    return depth is None or depth() > 0


# ---- vmap ----------------------------------------------------------------------------------------


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
    found = _all_found(
        "torch._C._functorch",
        "is_batchedtensor",
        "is_functorch_wrapped_tensor",
        "maybe_get_level",
        "_unwrap_batched",
        "_add_batch_dim",
        "_is_vmap_fallback_enabled",
        "_set_vmap_fallback_enabled",
    )
    keys = _all_found(
        "torch._C", "DispatchKeySet", "_dispatch_key_parse", "_ExcludeDispatchKeyGuard"
    )
    if found is None or keys is None:
        return None
    key = _key(keys._dispatch_key_parse, VMAP_KEY)
    if key is None:
        return None
    vmap_keys = keys.DispatchKeySet(key)
    return Functorch(
        is_batched=found.is_batchedtensor,
        is_wrapped=found.is_functorch_wrapped_tensor,
        level_of=found.maybe_get_level,
        unwrapped=found._unwrap_batched,
        wrapped=found._add_batch_dim,
        is_fallback_enabled=found._is_vmap_fallback_enabled,
        set_fallback_enabled=found._set_vmap_fallback_enabled,
        batching_paused=lambda: keys._ExcludeDispatchKeyGuard(vmap_keys),
    )


functorch = _functorch()
"""None where torch lacks a name."""


# ---- tensors -------------------------------------------------------------------------------------


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


if _found("torch.Tensor._version") is None:
    version_of = _unknown_version
if _found("torch.autograd.forward_ad._current_level") is None:
    in_forward_ad = _perhaps


_storage_users = _found("torch._C._storage_Use_Count")


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


# ---- torch.compile -------------------------------------------------------------------------------


def may_be_compiled() -> bool:
    """Whether ``torch.compile`` may have been used in this process."""
    return "torch._dynamo" in _HIDDEN or "torch._dynamo" in sys.modules


def uncompiled(module: nn.Module) -> nn.Module:
    """The module that torch.compile wrapped; any other module itself."""
    if "torch._dynamo.OptimizedModule._orig_mod" in _HIDDEN:
        return module
    original: nn.Module = getattr(module, "_orig_mod", module)
    return original


# ---- modules -------------------------------------------------------------------------------------

_SLOTS = ("_parameters", "_buffers", "_modules", "_forward_hooks", "_forward_pre_hooks")
HELD_SLOTS = _SLOTS[:3]
"""Attributes of a module that hold its parameters, buffers and children."""
_EMPTY = nn.Module()
_has_slots = all(
    f"torch.nn.Module.{slot}" not in _HIDDEN and slot in _EMPTY.__dict__ for slot in _SLOTS
)
can_copy_modules = _has_slots
"""Whether a module can be copied attribute by attribute."""

if _has_slots:

    def parameters_of(module: nn.Module) -> dict[str, nn.Parameter | None]:
        """A module's own parameters by name, without its children's."""
        parameters: dict[str, nn.Parameter | None] = module.__dict__["_parameters"]
        return parameters

    def buffers_of(module: nn.Module) -> dict[str, Tensor | None]:
        """A module's own buffers by name, without its children's."""
        buffers: dict[str, Tensor | None] = module.__dict__["_buffers"]
        return buffers

    def children_of(module: nn.Module) -> dict[str, nn.Module | None]:
        """A module's children by name."""
        children: dict[str, nn.Module | None] = module.__dict__["_modules"]
        return children

    def may_have_forward_hooks(module: nn.Module) -> bool:
        """Whether a module may have hooks that run before or after its forward pass."""
        attributes = module.__dict__
        return bool(attributes["_forward_hooks"] or attributes["_forward_pre_hooks"])

else:

    def parameters_of(module: nn.Module) -> dict[str, nn.Parameter | None]:
        return dict(nn.Module.named_parameters(module, recurse=False, remove_duplicate=False))

    def buffers_of(module: nn.Module) -> dict[str, Tensor | None]:
        return dict(nn.Module.named_buffers(module, recurse=False, remove_duplicate=False))

    def children_of(module: nn.Module) -> dict[str, nn.Module | None]:
        return dict(nn.Module.named_children(module))

    def may_have_forward_hooks(module: nn.Module) -> bool:
        return True


def forward_pre_hooks_of(module: nn.Module) -> Iterable[Any]:
    """The hooks that run before the forward pass of a module."""
    return getattr(module, "_forward_pre_hooks", {}).values()


_SpectralNorm: Any = _found("torch.nn.utils.parametrizations._SpectralNorm")


def singular_vectors_of(parametrization: nn.Module) -> tuple[Tensor, Tensor] | None:
    """The buffers in which a spectral norm keeps the first left and right singular vectors of its weight.

    None for any other parametrization, and for the spectral norm of a vector, which has no buffers.

    Raises:
        LookupError: a spectral norm whose buffers this torch does not show.
    """
    buffers = buffers_of(parametrization)
    if _SpectralNorm is None:
        if type(parametrization).__name__ == "_SpectralNorm" and buffers:
            raise LookupError("the vectors of spectral_norm")
        return None
    if not isinstance(parametrization, _SpectralNorm):
        return None
    left, right = buffers.get("_u"), buffers.get("_v")
    return None if left is None or right is None else (left, right)


def _class_or(name: str, *public: type[nn.Module]) -> tuple[type[nn.Module], ...]:
    found = _found(f"torch.nn.modules.{name}")
    return public if found is None else (found,)


BATCH_NORMS = _class_or(
    "batchnorm._BatchNorm", nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm
)
INSTANCE_NORMS = _class_or(
    "instancenorm._InstanceNorm", nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d
)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
TRANSPOSED_CONVOLUTIONS = _class_or("conv._ConvTransposeNd", *_TRANSPOSED)
CONVOLUTIONS = _class_or("conv._ConvNd", nn.Conv1d, nn.Conv2d, nn.Conv3d, *_TRANSPOSED)
BATCH_NORM_FORWARD = nn.BatchNorm2d.forward
"""The forward of every batch normalisation of torch."""


# ---- notes ---------------------------------------------------------------------------------------


@cache
def notes() -> tuple[str, ...]:
    """One note for each missing name, for the notes of a score."""
    return tuple(
        f"torch {torch.__version__} has no {name}: {private.without}"
        for name, private in NAMES.items()
        if _is_missing(name)
    )


def _is_missing(name: str) -> bool:
    if name.startswith("torch.nn.Module."):
        return name in _HIDDEN or name.rpartition(".")[2] not in _EMPTY.__dict__
    if name.startswith("torch._dynamo"):  # imported only when it is used
        return name in _HIDDEN
    if not name.startswith("torch."):
        parse = _found("torch._C._dispatch_key_parse")
        return parse is not None and _key(parse, name) is None
    return _found(name) is None
