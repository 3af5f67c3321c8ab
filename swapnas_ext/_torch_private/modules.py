"""Looks into modules: what they hold, what torch.compile wrapped, and which classes of torch they are of."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from operator import itemgetter
from typing import Any

from torch import Tensor, nn

from swapnas_ext._torch_private.names import HIDDEN, found


def may_be_compiled() -> bool:
    """Whether ``torch.compile`` may have been used in this process."""
    return "torch._dynamo" in HIDDEN or "torch._dynamo" in sys.modules


def uncompiled(module: nn.Module) -> nn.Module:
    """The module that torch.compile wrapped; any other module itself."""
    if "torch._dynamo.OptimizedModule._orig_mod" in HIDDEN:
        return module
    original: nn.Module = getattr(module, "_orig_mod", module)
    return original


_SLOTS = ("_parameters", "_buffers", "_modules", "_forward_hooks", "_forward_pre_hooks")
HELD_SLOTS = _SLOTS[:3]
"""Attributes of a module that hold its parameters, buffers and children."""
_EMPTY = nn.Module()
_has_slots = all(
    f"torch.nn.Module.{slot}" not in HIDDEN and slot in _EMPTY.__dict__ for slot in _SLOTS
)
can_copy_modules = _has_slots
"""Whether a module can be copied attribute by attribute."""

_Contents = tuple[
    dict[str, nn.Parameter | None], dict[str, Tensor | None], dict[str, nn.Module | None], bool
]

# Called for every module of every score: not even a variable for the type.
if _has_slots:

    def parameters_of(module: nn.Module) -> dict[str, nn.Parameter | None]:
        """A module's own parameters by name, without its children's."""
        return module.__dict__["_parameters"]  # type: ignore[no-any-return]

    def buffers_of(module: nn.Module) -> dict[str, Tensor | None]:
        """A module's own buffers by name, without its children's."""
        return module.__dict__["_buffers"]  # type: ignore[no-any-return]

    def children_of(module: nn.Module) -> dict[str, nn.Module | None]:
        """A module's children by name."""
        return module.__dict__["_modules"]  # type: ignore[no-any-return]

    def may_have_forward_hooks(module: nn.Module) -> bool:
        """Whether a module may have hooks that run before or after its forward pass."""
        attributes = module.__dict__
        return bool(attributes["_forward_hooks"] or attributes["_forward_pre_hooks"])

    _slots_of = itemgetter(*_SLOTS)

    def contents_of(module: nn.Module) -> _Contents:
        """A module's own parameters, buffers and children by name, and whether it may have forward hooks."""
        parameters, buffers, children, hooks, pre_hooks = _slots_of(module.__dict__)
        return parameters, buffers, children, bool(hooks or pre_hooks)

else:

    def parameters_of(module: nn.Module) -> dict[str, nn.Parameter | None]:
        return dict(nn.Module.named_parameters(module, recurse=False, remove_duplicate=False))

    def buffers_of(module: nn.Module) -> dict[str, Tensor | None]:
        return dict(nn.Module.named_buffers(module, recurse=False, remove_duplicate=False))

    def children_of(module: nn.Module) -> dict[str, nn.Module | None]:
        return dict(nn.Module.named_children(module))

    def may_have_forward_hooks(module: nn.Module) -> bool:
        return True

    def contents_of(module: nn.Module) -> _Contents:
        return parameters_of(module), buffers_of(module), children_of(module), True


_has_any_global_hook = found("torch.nn.modules.module._has_any_global_hook")


def has_global_hooks() -> bool:
    """Whether there may be hooks that run for every module."""
    return _has_any_global_hook is None or bool(_has_any_global_hook())


def forward_pre_hooks_of(module: nn.Module) -> Iterable[Any]:
    """The hooks that run before the forward pass of a module."""
    return getattr(module, "_forward_pre_hooks", {}).values()


_SpectralNorm: Any = found("torch.nn.utils.parametrizations._SpectralNorm")


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
    kind = found(f"torch.nn.modules.{name}")
    return public if kind is None else (kind,)


BATCH_NORMS = _class_or(
    "batchnorm._BatchNorm", nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm
)
INSTANCE_NORMS = _class_or(
    "instancenorm._InstanceNorm", nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d
)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
TRANSPOSED_CONVOLUTIONS = _class_or("conv._ConvTransposeNd", *_TRANSPOSED)
CONVOLUTIONS = _class_or("conv._ConvNd", nn.Conv1d, nn.Conv2d, nn.Conv3d, *_TRANSPOSED)
_CONVOLVE = found("torch.nn.Conv2d._conv_forward")


def convolves_as_torch(module: nn.Module) -> bool:
    """Whether nobody has changed how a module with the forward of torch's own Conv2d convolves; False where that is not
    known."""
    own = "_conv_forward" in module.__dict__
    return _CONVOLVE is not None and not own and type(module)._conv_forward is _CONVOLVE  # type: ignore[attr-defined]


BATCH_NORM_FORWARD = nn.BatchNorm2d.forward
"""The forward of every batch normalisation of torch."""
