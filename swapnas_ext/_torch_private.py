"""Every private name of torch that the package uses; no other file has one.

torch may drop or rename any of them. The package still imports and scores then, by a slower way through
torch's public interface, and says so in the notes of each score (`notes`).

The environment variable SWAPNAS_HIDE_TORCH_NAMES hides names, separated by commas: the tests hide each in
turn.
"""

from __future__ import annotations

import os
import sys
from collections import OrderedDict
from collections.abc import Iterable, Mapping
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
        purpose: what the package does with it.
        since: the oldest of torch 1.13, 2.0 and 2.1 that was seen to have it.
        without: what happens where it is missing; ends a sentence.
    """

    purpose: str
    since: str
    without: str


_ALL_SEEN = (
    "every call of an activation operator on a thread is seen, at no cost to other operators"
)
_BY_MODE = "activations that are called as functions were found through a TorchDispatchMode, which is slower"
_UNDER_VMAP = "several repeats run in one forward pass, under torch.func.vmap"
_ONE_BY_ONE = "repeats ran one after another"
_BY_CLASS = "subclasses of torch's own classes are told from others"
_PUBLIC_CLASSES = "only subclasses of the public classes are known"
_WALK = "what a module holds is looked up without a generator a module"
_PUBLIC_WALK = "models were walked through methods, which is slower"

NAMES: Mapping[str, PrivateName] = {
    "torch._C.DispatchKeySet": PrivateName(_ALL_SEEN, "1.13", _BY_MODE),
    "torch._C._dispatch_key_parse": PrivateName(_ALL_SEEN, "1.13", _BY_MODE),
    "torch._C._dispatch_tls_is_dispatch_key_included": PrivateName(_ALL_SEEN, "2.0", _BY_MODE),
    "torch._C._dispatch_tls_set_dispatch_key_included": PrivateName(_ALL_SEEN, "2.0", _BY_MODE),
    "torch._C._ExcludeDispatchKeyGuard": PrivateName(_ALL_SEEN, "2.1", _BY_MODE),
    "TESTING_ONLY_GenericMode": PrivateName(  # a dispatch key
        f"{_ALL_SEEN}: named for the tests of the dispatcher, which do not run here",
        "1.8",
        _BY_MODE,
    ),
    "torch.utils._python_dispatch.TorchDispatchMode": PrivateName(
        "sees calls of operators where the names above are missing",
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
        "networks are built from copies of their parts, but not under a mode, whose tensors may be of "
        "another kind",
        "1.13",
        "networks of a space were built anew, part by part",
    ),
    "torch.Tensor._version": PrivateName(
        "a tensor that was changed in place is told from one that was not",
        "1.13",
        "tensors counted as changed: inputs were copied for each forward pass, weights for each "
        "repeat, and repeats ran one after another",
    ),
    "torch._C._storage_Use_Count": PrivateName(
        "a tensor whose memory nobody else has is told from one that shares it",
        "2.1",
        "models that a function builds were scored as if somebody kept them",
    ),
    "torch.autograd.forward_ad._current_level": PrivateName(
        "a model that differentiates forwards itself keeps its tangents",
        "1.13",
        "ReLUs were not fused with counting",
    ),
    "torch._dynamo": PrivateName(
        "whether anything was compiled: if not, there is nothing to undo",
        "2.0",
        "torch's compiler was imported",
    ),
    "torch._dynamo.OptimizedModule._orig_mod": PrivateName(
        "what torch.compile wrapped is scored, not the wrapper",
        "2.0",
        "what was compiled was scored with its wrapper",
    ),
    "torch.nn.Module._parameters": PrivateName(_WALK, "1.13", _PUBLIC_WALK),
    "torch.nn.Module._buffers": PrivateName(_WALK, "1.13", _PUBLIC_WALK),
    "torch.nn.Module._modules": PrivateName(_WALK, "1.13", _PUBLIC_WALK),
    "torch.nn.Module._forward_hooks": PrivateName(_WALK, "1.13", _PUBLIC_WALK),
    "torch.nn.Module._forward_pre_hooks": PrivateName(_WALK, "1.13", _PUBLIC_WALK),
    "torch.nn.utils.parametrizations._SpectralNorm": PrivateName(
        "what parametrizations.spectral_norm divides by is of the weights that init= draws",
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
    """What has this name, or None."""
    if name in _HIDDEN:
        return None
    first, *rest = name.split(".")
    value: Any = sys.modules[first]
    for part in rest:
        value = getattr(value, part, None)
    return value


def _all_found(prefix: str, *names: str) -> SimpleNamespace | None:
    values = {name: _found(f"{prefix}.{name}") for name in names}
    return None if None in values.values() else SimpleNamespace(**values)


# ---- the dispatcher ------------------------------------------------------------------------------

# Above functorch's keys, so that a call under vmap is seen as the model makes it.
INTERCEPTION_KEY = "TESTING_ONLY_GenericMode"
VMAP_KEY = "FuncTorchBatched"


def _key(parse: Any, name: str) -> Any:
    """A dispatch key, or None."""
    try:
        return None if name in _HIDDEN else parse(name)
    except RuntimeError:  # of another name in this torch
        return None


def _dispatch_keys() -> SimpleNamespace | None:
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
    return SimpleNamespace(
        key=key,
        key_set=found.DispatchKeySet(key),
        is_included=found._dispatch_tls_is_dispatch_key_included,
        set_included=found._dispatch_tls_set_dispatch_key_included,
        excluded=found._ExcludeDispatchKeyGuard,
    )


dispatch_keys = _dispatch_keys()
"""``key``, ``key_set``, ``is_included(key)``, ``set_included(key, on)`` and the context manager
``excluded(key_set)``; None where one is missing."""

TorchDispatchMode: Any = _found("torch.utils._python_dispatch.TorchDispatchMode")
"""The class, or None."""


def may_be_under_dispatch_mode() -> bool:
    depth = _found("torch._C._len_torch_dispatch_stack")
    return depth is None or depth() > 0


# ---- vmap ----------------------------------------------------------------------------------------


def _functorch() -> SimpleNamespace | None:
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
    key = keys and _key(keys._dispatch_key_parse, VMAP_KEY)
    if found is None or key is None:
        return None
    vmap_keys = keys.DispatchKeySet(key)
    return SimpleNamespace(
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
"""What is needed to look inside of ``torch.func.vmap``; None where a part is missing."""


# ---- tensors -------------------------------------------------------------------------------------


def version_of(tensor: Tensor) -> int | None:
    """Another number after each change in place; None where that is not known, as in inference mode."""
    try:
        return tensor._version
    except RuntimeError:
        return None


def _unknown_version(tensor: Tensor) -> None:
    return None


def in_forward_ad() -> bool:
    """Whether tensors may have tangents."""
    return forward_ad._current_level >= 0


def _perhaps() -> bool:
    return True


if _found("torch.Tensor._version") is None:
    version_of = _unknown_version
if _found("torch.autograd.forward_ad._current_level") is None:
    in_forward_ad = _perhaps


_storage_users = _found("torch._C._storage_Use_Count")


def _unshared_users() -> int:
    # It has to be there as long as its address is used.
    storage = torch.empty(1, device="cpu").untyped_storage()
    return _storage_users(storage._cdata) + 1  # and the tensor


_UNSHARED = 0 if _storage_users is None else _unshared_users()


def is_shared(tensor: Tensor) -> bool:
    """Whether another tensor, or something outside of torch, may see what is written to a tensor."""
    if _storage_users is None:
        return True
    storage = tensor.untyped_storage()
    return _storage_users(storage._cdata) > _UNSHARED or not storage.resizable()


# ---- torch.compile -------------------------------------------------------------------------------


def may_be_compiled() -> bool:
    """Whether anything may have been compiled in this process."""
    return "torch._dynamo" in _HIDDEN or "torch._dynamo" in sys.modules


def uncompiled(module: nn.Module) -> nn.Module:
    """What torch.compile wraps, or the module itself."""
    if "torch._dynamo.OptimizedModule._orig_mod" in _HIDDEN:
        return module
    return getattr(module, "_orig_mod", module)


# ---- modules -------------------------------------------------------------------------------------

_SLOTS = ("_parameters", "_buffers", "_modules", "_forward_hooks", "_forward_pre_hooks")
HELD_SLOTS = _SLOTS[:3]
"""Attributes of a module that hold its tensors and parts."""
_EMPTY = nn.Module()
_has_slots = all(
    f"torch.nn.Module.{slot}" not in _HIDDEN and slot in _EMPTY.__dict__ for slot in _SLOTS
)
COPIED_SLOTS = frozenset({dict, OrderedDict, set, list}) if _has_slots else None
"""Types of attributes that a copy of a module must not share; None: modules can't be copied so."""

if _has_slots:

    def parameters_of(module: nn.Module) -> Mapping[str, nn.Parameter | None]:
        """A module's own, without its children's, by name."""
        return module.__dict__["_parameters"]

    def buffers_of(module: nn.Module) -> Mapping[str, Tensor | None]:
        """A module's own, by name."""
        return module.__dict__["_buffers"]

    def children_of(module: nn.Module) -> Mapping[str, nn.Module | None]:
        """By name."""
        return module.__dict__["_modules"]

    def may_have_forward_hooks(module: nn.Module) -> bool:
        attributes = module.__dict__
        return bool(attributes["_forward_hooks"] or attributes["_forward_pre_hooks"])

else:

    def parameters_of(module: nn.Module) -> Mapping[str, nn.Parameter | None]:
        return dict(nn.Module.named_parameters(module, recurse=False, remove_duplicate=False))

    def buffers_of(module: nn.Module) -> Mapping[str, Tensor | None]:
        return dict(nn.Module.named_buffers(module, recurse=False, remove_duplicate=False))

    def children_of(module: nn.Module) -> Mapping[str, nn.Module | None]:
        return dict(nn.Module.named_children(module))

    def may_have_forward_hooks(module: nn.Module) -> bool:
        return True


def forward_pre_hooks_of(module: nn.Module) -> Iterable[Any]:
    return getattr(module, "_forward_pre_hooks", {}).values()


_SpectralNorm = _found("torch.nn.utils.parametrizations._SpectralNorm")


def singular_vectors_of(parametrization: nn.Module) -> tuple[Tensor, Tensor] | None:
    """What a spectral norm takes for the first singular vectors of its weight. None of what is none, and of
    a vector's.

    Raises:
        LookupError: it is one of this torch's, where these are not known.
    """
    buffers = buffers_of(parametrization)
    if _SpectralNorm is None:
        if type(parametrization).__name__ == "_SpectralNorm" and buffers:
            raise LookupError("the vectors of spectral_norm")
        return None
    if not isinstance(parametrization, _SpectralNorm) or not buffers:
        return None
    return buffers["_u"], buffers["_v"]


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
"""That of every batch normalisation of torch's own."""


# ---- what to say ---------------------------------------------------------------------------------


@cache
def notes() -> tuple[str, ...]:
    """For each name that is missing, what a score is to say of it."""
    return tuple(
        f"torch {torch.__version__} has no {name}: {private.without}"
        for name, private in NAMES.items()
        if _is_missing(name)
    )


def _is_missing(name: str) -> bool:
    if name.startswith("torch.nn.Module."):
        return name in _HIDDEN or name.rpartition(".")[2] not in _EMPTY.__dict__
    if name.startswith("torch._dynamo"):  # not imported before it is used
        return name in _HIDDEN
    if not name.startswith("torch."):
        parse = _found("torch._C._dispatch_key_parse")
        return parse is not None and _key(parse, name) is None
    return _found(name) is None
