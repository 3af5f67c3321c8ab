"""Lists every private name of torch that the package uses, and what happens where torch lacks it.

No file outside this folder uses a private name. torch may drop or rename any of them. The package then still
imports and scores, more slowly, through torch's public interface, and the notes of each score say so (`notes`).

The environment variable SWAPNAS_HIDE_TORCH_NAMES hides names, separated by commas. The tests hide each name
in turn.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn


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
_LAZY_COPIES = (
    "protects weights by copies that share their memory until one of the two is written to"
)
_WHOLE_COPIES = "weights were copied for each score"
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
    "torch._lazy_clone": PrivateName(_LAZY_COPIES, "2.2", _WHOLE_COPIES),
    "torch._C._is_cow_tensor": PrivateName(_LAZY_COPIES, "2.2", _WHOLE_COPIES),
    "torch.autograd.forward_ad._current_level": PrivateName(
        "keeps the tangents of a model that uses forward-mode differentiation itself",
        "1.13",
        "ReLUs were not fused with counting, and all layers ran by torch's kernels",
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
    "torch.nn.modules.module._has_any_global_hook": PrivateName(
        "detects hooks of all modules, which may do anything in a forward pass",
        "2.0",
        "networks that only compute were protected as others are",
    ),
    "torch.nn.modules.batchnorm._BatchNorm": PrivateName(_BY_CLASS, "1.13", _PUBLIC_CLASSES),
    "torch.nn.modules.instancenorm._InstanceNorm": PrivateName(_BY_CLASS, "1.13", _PUBLIC_CLASSES),
    "torch.nn.Conv2d._conv_forward": PrivateName(
        "runs small convolutions by kernels of the package, unless a class or a module convolves in its own way",
        "1.5",
        "convolutions were torch's, which is slower",
    ),
    "torch.nn.modules.conv._ConvNd": PrivateName(_BY_CLASS, "1.13", _PUBLIC_CLASSES),
    "torch.nn.modules.conv._ConvTransposeNd": PrivateName(_BY_CLASS, "1.13", _PUBLIC_CLASSES),
}

HIDDEN = frozenset(filter(None, os.environ.get("SWAPNAS_HIDE_TORCH_NAMES", "").split(",")))
if not NAMES.keys() >= HIDDEN:
    raise ValueError(
        f"SWAPNAS_HIDE_TORCH_NAMES has {', '.join(sorted(HIDDEN - NAMES.keys()))}; expected names of "
        f"{', '.join(NAMES)}"
    )


def found(name: str) -> Any:
    """The object of this name, or None where torch lacks it."""
    if name in HIDDEN:
        return None
    first, *rest = name.split(".")
    value: Any = sys.modules[first]
    for part in rest:
        value = getattr(value, part, None)
    return value


def all_found(prefix: str, *names: str) -> SimpleNamespace | None:
    """The objects of these names, or None where torch lacks one of them."""
    values = {name: found(f"{prefix}.{name}") for name in names}
    return None if None in values.values() else SimpleNamespace(**values)


def key_named(parse: Callable[[str], Any], name: str) -> Any:
    """A dispatch key, or None where torch lacks it."""
    try:
        return None if name in HIDDEN else parse(name)
    except RuntimeError:  # torch has no such key
        return None


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
        return name in HIDDEN or name.rpartition(".")[2] not in nn.Module().__dict__
    if name.startswith("torch._dynamo"):  # imported only when it is used
        return name in HIDDEN
    if not name.startswith("torch."):
        parse = found("torch._C._dispatch_key_parse")
        return parse is not None and key_named(parse, name) is None
    return found(name) is None
