"""Runs batch normalisation, pooling and small convolutions by the package's own kernels.

torch's kernels are made for training on large tensors. On the small maps that searches score, they take several times
as long as reading and writing the maps. The results are equal up to rounding.

A layer is run this way where its class has torch's own ``forward``. Everything else runs as it is: a module with a
``forward`` of its own, a layer under autograd or ``torch.autocast``, another dtype, device or memory layout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any
from weakref import ref

import torch
from torch import Tensor, nn

from swapnas_ext._torch_private import (
    BATCH_NORM_FORWARD,
    Functorch,
    functorch,
    has_global_hooks,
    may_have_forward_hooks,
)
from swapnas_ext._util import ByClass
from swapnas_ext.forward.paying import pays

InsertingOperator = Callable[[Tensor, Tensor, int, bool], Tensor]
"""From a table of patterns, ``[S, R * C, ...]``, S, and whether patterns are ternary, to the output of a ReLU, whose
patterns it inserts."""
Insert = Callable[[InsertingOperator, Tensor], "Tensor | None"]
"""Calls an inserting operator on a tensor, for the set of the pass. None: there is no such set."""
InsertOf = Callable[[nn.Module], "Insert | None"]
"""What inserts the patterns of a ReLU of the network; None: it is not to be fused with anything."""

_operators = torch.ops.swapnas
_vmap = functorch


class _FastLayer:
    """The ``forward`` of one module for as long as it is scored."""

    __slots__ = ("_module", "_original")

    def __init__(self, module: Any) -> None:
        self._module = module
        self._original: Callable[[Tensor], Tensor] = module.forward

    def __call__(self, input: Tensor) -> Tensor:
        y = self.run(input)
        return self._original(input) if y is None else y

    def run(self, input: Tensor) -> Tensor | None:
        """The output; None where torch is to compute it."""
        if type(input) is not Tensor or torch.is_grad_enabled():
            return None
        try:
            if _vmap is not None and _vmap.is_wrapped(input):
                return self._of_replicates(input, _vmap)
            if input.dtype is torch.float32 and input.is_contiguous():
                return self._of_one(input)
        except RuntimeError:  # torch can do it, or says what is wrong
            pass
        return None

    def __deepcopy__(self, memo: dict[int, Any]) -> MethodType:
        """A copy of the module has the ``forward`` of its class."""
        return _forward_of_class(memo[id(self._module)])

    def __reduce__(self) -> tuple[Any, ...]:
        return _forward_of_class, (self._module,)

    def _of_one(self, x: Tensor) -> Tensor | None:
        """The output for ``[S, C, ...]``. None: torch is to compute it."""
        raise NotImplementedError

    def _of_replicates(self, x: Tensor, vmap: Functorch) -> Tensor | None:
        """The output where ``torch.func.vmap`` maps over replicates, which are further channels: each is
        ``[S, R * C, ...]``. None: torch is to compute it."""
        if not vmap.is_batched(x):
            return None
        level = vmap.level_of(x)
        folded, replicates = _folded(x, level, vmap)
        if vmap.is_wrapped(folded) or folded.dtype is not torch.float32:
            return None
        y = self._of_folded(folded, replicates, level, vmap)
        if y is None:
            return None
        return vmap.wrapped(y.view(y.shape[0], replicates, -1, *y.shape[2:]), 1, level)

    def _of_folded(self, x: Tensor, replicates: int, level: int, vmap: Functorch) -> Tensor | None:
        return self._of_one(x)


class _FastBatchNorm(_FastLayer):
    """Normalises by the statistics of the mini-batch."""

    __slots__ = ("_insert",)

    def __init__(self, module: nn.Module) -> None:
        super().__init__(module)
        self._insert: Insert | None = None

    def with_relu(self, input: Tensor, insert: Insert) -> Tensor | None:
        """`run`, followed by a ReLU and the insert of its patterns."""
        self._insert = insert
        try:
            return self.run(input)
        finally:
            self._insert = None

    def _of_one(self, x: Tensor) -> Tensor | None:
        return self._normalised(x, self._module.weight, self._module.bias)

    def _of_folded(self, x: Tensor, replicates: int, level: int, vmap: Functorch) -> Tensor | None:
        weight, bias = self._module.weight, self._module.bias
        if weight is None:
            return self._normalised(x, None, None)
        if not (vmap.is_batched(weight) and vmap.is_batched(bias)):
            return None
        weight, bias = (_stacked(tensor, level, vmap).flatten() for tensor in (weight, bias))
        return self._normalised(x, weight, bias)

    def _normalised(self, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor | None:
        module = self._module
        if not module.training or module.track_running_stats:
            return None
        if x.dim() not in _dimensions(module) or x.numel() <= x.shape[1]:  # torch raises an error
            return None
        eps = module.eps
        if self._insert is None:
            return _operators.batch_norm(x, weight, bias, eps)  # type: ignore[no-any-return] # torch has no types

        def normalise_and_insert(table: Tensor, x: Tensor, samples: int, ternary: bool) -> Tensor:
            return _operators.batch_norm_relu_insert(  # type: ignore[no-any-return] # likewise
                table, x, weight, bias, eps, samples, ternary
            )

        return self._insert(normalise_and_insert, x)


class _FastAveragePool(_FastLayer):
    __slots__ = ("_arguments",)

    def __init__(self, module: nn.AvgPool2d) -> None:
        super().__init__(module)
        self._arguments = (
            *_pair(module.kernel_size),
            *_pair(module.stride),
            *_pair(module.padding),
            module.ceil_mode,
            module.count_include_pad,
        )

    def _of_one(self, x: Tensor) -> Tensor | None:
        return _operators.avg_pool2d(x, *self._arguments) if x.dim() == 4 else None


class _FastMaximumPool(_FastLayer):
    __slots__ = ("_arguments",)

    def __init__(self, module: nn.MaxPool2d) -> None:
        super().__init__(module)
        self._arguments = (
            *_pair(module.kernel_size),
            *_pair(module.stride),
            *_pair(module.padding),
            *_pair(module.dilation),
            module.ceil_mode,
        )

    def _of_one(self, x: Tensor) -> Tensor | None:
        return _operators.max_pool2d(x, *self._arguments) if x.dim() == 4 else None


class _FastConvolution(_FastLayer):
    """A convolution of a size at which the package's own kernel `pays`."""

    __slots__ = ("_geometry", "_groups")

    def __init__(self, module: nn.Conv2d) -> None:
        super().__init__(module)
        self._geometry = (*_pair(module.stride), *_pair(module.padding), *_pair(module.dilation))
        self._groups = module.groups

    def _of_one(self, x: Tensor) -> Tensor | None:
        module = self._module
        return self._convolved(x, module.weight, module.bias, self._groups)

    def _of_folded(self, x: Tensor, replicates: int, level: int, vmap: Functorch) -> Tensor | None:
        weight, bias = self._module.weight, self._module.bias
        if not vmap.is_batched(weight):
            return None
        weight = _stacked(weight, level, vmap).flatten(0, 1)
        if bias is not None:
            if not vmap.is_batched(bias):
                return None
            bias = _stacked(bias, level, vmap).flatten()
        return self._convolved(x, weight, bias, replicates * self._groups)

    def _convolved(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int
    ) -> Tensor | None:
        if x.dim() != 4 or torch.is_autocast_enabled(x.device.type):
            return None
        if not pays(x.shape, weight.shape, *self._geometry, groups):
            return None
        y: Tensor = _operators.convolve(x, weight, bias, *self._geometry, groups)
        return y


def _forward_of_class(module: nn.Module) -> MethodType:
    return MethodType(type(module).forward, module)


class _FastSequence(_FastLayer):
    """Layers one after another, among them a batch normalisation that a ReLU follows: both run as one, with the insert
    of the patterns."""

    __slots__ = ("_children", "_insert_of", "_steps")

    def __init__(self, module: nn.Sequential, insert_of: InsertOf) -> None:
        super().__init__(module)
        self._insert_of = insert_of
        self._children = list(module)
        self._steps = _steps(module)

    def __call__(self, input: Tensor) -> Tensor:
        if list(self._module) != self._children:  # the model has put others there
            return self._original(input)
        for module, relu in self._steps:
            y = None if relu is None else self._with_relu(module, relu, input)
            if y is None:
                y = module(input)
                if relu is not None:
                    y = relu(y)
            input = y
        return input

    def _with_relu(self, norm: nn.Module, relu: nn.Module, x: Tensor) -> Tensor | None:
        fast = norm.__dict__.get("forward")
        if not isinstance(fast, _FastBatchNorm) or has_global_hooks():
            return None
        if may_have_forward_hooks(norm) or may_have_forward_hooks(relu):
            return None
        insert = self._insert_of(relu)
        return None if insert is None else fast.with_relu(x, insert)


def _steps(sequence: Iterable[nn.Module]) -> list[tuple[nn.Module, nn.Module | None]]:
    """The layers, each batch normalisation with the ReLU that follows it."""
    steps: list[tuple[nn.Module, nn.Module | None]] = []
    for module in sequence:
        if type(module).forward is nn.ReLU.forward and steps:
            before, relu = steps[-1]
            if relu is None and type(before).forward is BATCH_NORM_FORWARD:
                steps[-1] = before, module
                continue
        steps.append((module, None))
    return steps


def _inner_forward(kind: type[nn.Module]) -> Any:
    return getattr(kind, "_conv_forward", None)


def _folded(x: Tensor, level: int, vmap: Functorch) -> tuple[Tensor, int]:
    """``[S, R * C, ...]``, contiguous, and R."""
    stacked, dim = vmap.unwrapped(x, level)
    stacked = stacked.movedim(dim, 1)
    return stacked.flatten(1, 2).contiguous(), stacked.shape[1]


def _stacked(weight: Tensor, level: int, vmap: Functorch) -> Tensor:
    """``[R, ...]``."""
    stacked, dim = vmap.unwrapped(weight, level)
    return stacked.movedim(dim, 0)


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _dimensions(module: nn.Module) -> tuple[int, ...]:
    for kind, dimensions in _DIMENSIONS.items():
        if isinstance(module, kind):
            return dimensions
    return ()


_DIMENSIONS = {nn.BatchNorm2d: (4,), nn.BatchNorm1d: (2, 3), nn.BatchNorm3d: (5,)}


@ByClass
def _kind_of(kind: type[nn.Module]) -> type[_FastLayer] | None:
    """How modules of a class are run fast; None: as they are."""
    forward = getattr(kind, "forward", None)  # TorchScript has none
    if forward is BATCH_NORM_FORWARD:
        return _FastBatchNorm
    if forward is nn.AvgPool2d.forward:
        return _FastAveragePool
    if forward is nn.MaxPool2d.forward:
        return _FastMaximumPool
    if forward is nn.Conv2d.forward and _inner_forward(kind) is _inner_forward(nn.Conv2d):
        return _FastConvolution
    if forward is nn.Sequential.forward:
        return _FastSequence
    return None


def _fits(module: Any) -> bool:
    """Whether the arguments of a layer are among those of the kernels."""
    if isinstance(module, nn.AvgPool2d):
        return module.divisor_override is None
    if isinstance(module, nn.MaxPool2d):
        return not module.return_indices
    if isinstance(module, nn.Conv2d):
        return module.padding_mode == "zeros" and not isinstance(module.padding, str)
    if isinstance(module, nn.Sequential):
        return any(relu is not None for _, relu in _steps(module))
    return True


def _none_inserts(relu: nn.Module) -> None:
    """No ReLU is fused with the batch normalisation before it."""


@contextmanager
def fast_layers(
    modules: Iterable[nn.Module], insert_of: InsertOf = _none_inserts
) -> Iterator[None]:
    """A context in which layers among ``modules`` run by the package's own kernels, on a CPU.

    Args:
        insert_of: what inserts the patterns of a ReLU that follows a batch normalisation, so that both run as one.
    """
    patched: list[dict[str, object]] = []
    try:
        for module in modules:
            kind = _kind_of[ref(type(module))]
            attributes = module.__dict__
            if kind is not None and "forward" not in attributes and _fits(module):
                patched.append(attributes)
                if isinstance(module, nn.Sequential):
                    attributes["forward"] = _FastSequence(module, insert_of)
                else:
                    attributes["forward"] = kind(module)
        yield
    finally:
        for attributes in patched:
            attributes.pop("forward", None)
