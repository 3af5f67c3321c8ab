"""Runs batch normalisation, pooling and small convolutions by the package's own kernels.

torch's kernels are made for training on large tensors. On the small maps that searches score, they take several times
as long as reading and writing the maps. The results are equal up to rounding.

A layer is run this way where its class has torch's own ``forward``. Everything else runs as it is: a module with a
``forward`` of its own, a layer under autograd or ``torch.autocast``, another dtype, device or memory layout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from types import MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from swapnas_ext._torch_private import (
    BATCH_NORM_FORWARD,
    Functorch,
    convolves_as_torch,
    functorch,
    has_global_hooks,
    in_forward_ad,
    may_have_forward_hooks,
)
from swapnas_ext._util import to_the_end
from swapnas_ext.forward.paying import pays
from swapnas_ext.patterns import Insert

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
        if type(input) is not Tensor or torch.is_grad_enabled() or in_forward_ad():
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
        if not _are_of_replicates((weight, bias), level, vmap):
            return None
        if weight is not None:
            weight = _stacked(weight, level, vmap).flatten()
        if bias is not None:
            bias = _stacked(bias, level, vmap).flatten()
        return self._normalised(x, weight, bias)

    def _normalised(self, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor | None:
        module = self._module
        if not module.training or module.track_running_stats or not _are_plain(weight, bias):
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


class _FastWindowLayer(_FastLayer):
    """A layer whose windows move over a plane. A model may change its geometry while it runs."""

    __slots__ = ("_given", "_operands")
    _read: Callable[[Any], tuple[Any, ...]]
    """Reads the attributes that the arguments of the operator are made of."""

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self._given: tuple[Any, ...] = ()
        self._operands: tuple[int, ...] | None = None

    def _arguments(self) -> tuple[int, ...] | None:
        """Those of the operator; None where it has none like the layer's."""
        given = self._read(self._module)
        if given != self._given:
            self._operands = self._made_of(*given)
            self._given = given
        return self._operands

    def _made_of(self, *given: Any) -> tuple[int, ...] | None:
        raise NotImplementedError


class _FastAveragePool(_FastWindowLayer):
    __slots__ = ()
    _read = attrgetter(
        *("kernel_size", "stride", "padding"),
        *("ceil_mode", "count_include_pad", "divisor_override"),
    )

    def _made_of(self, *given: Any) -> tuple[int, ...] | None:
        *windows, ceil_mode, includes_padding, divisor = given
        pairs = _pairs(windows)
        if pairs is None or divisor is not None:
            return None
        return *pairs, bool(ceil_mode), bool(includes_padding)

    def _of_one(self, x: Tensor) -> Tensor | None:
        arguments = self._arguments()
        if arguments is None or x.dim() != 4:
            return None
        y: Tensor = _operators.avg_pool2d(x, *arguments)
        return y


class _FastMaximumPool(_FastWindowLayer):
    __slots__ = ()
    _read = attrgetter(
        *("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
    )

    def _made_of(self, *given: Any) -> tuple[int, ...] | None:
        *windows, ceil_mode, returns_indices = given
        pairs = _pairs(windows)
        return None if pairs is None or returns_indices else (*pairs, bool(ceil_mode))

    def _of_one(self, x: Tensor) -> Tensor | None:
        arguments = self._arguments()
        if arguments is None or x.dim() != 4:
            return None
        y: Tensor = _operators.max_pool2d(x, *arguments)
        return y


class _FastConvolution(_FastWindowLayer):
    """A convolution of a size at which the package's own kernel `pays`."""

    __slots__ = ()
    _read = attrgetter("stride", "padding", "dilation", "groups", "padding_mode")

    def _made_of(self, *given: Any) -> tuple[int, ...] | None:
        *windows, groups, padding_mode = given
        pairs = _pairs(windows)
        if pairs is None or padding_mode != "zeros":
            return None
        return *pairs, int(groups)

    def _of_one(self, x: Tensor) -> Tensor | None:
        module = self._module
        return self._convolved(x, module.weight, module.bias, 1)

    def _of_folded(self, x: Tensor, replicates: int, level: int, vmap: Functorch) -> Tensor | None:
        weight, bias = self._module.weight, self._module.bias
        if not _are_of_replicates((weight, bias), level, vmap):
            return None
        weight = _stacked(weight, level, vmap).flatten(0, 1)
        if bias is not None:
            bias = _stacked(bias, level, vmap).flatten()
        return self._convolved(x, weight, bias, replicates)

    def _convolved(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, replicates: int
    ) -> Tensor | None:
        arguments = self._arguments()
        if arguments is None or x.dim() != 4 or not _are_plain(weight, bias):
            return None
        if torch.is_autocast_enabled(x.device.type):
            return None
        *geometry, groups = arguments
        groups *= replicates
        if not pays(x.shape, weight.shape, geometry, groups):
            return None
        y: Tensor = _operators.convolve(x, weight, bias, *geometry, groups)
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
        if _forward_in(module) is _RELU_FORWARD and steps:
            before, relu = steps[-1]
            if relu is None and _forward_in(before) is BATCH_NORM_FORWARD:
                steps[-1] = before, module
                continue
        steps.append((module, None))
    return steps


def _forward_in(module: nn.Module) -> Any:
    """The forward of its class; TorchScript has none."""
    return getattr(type(module), "forward", None)


def _folded(x: Tensor, level: int, vmap: Functorch) -> tuple[Tensor, int]:
    """``[S, R * C, ...]``, contiguous, and R."""
    stacked, dim = vmap.unwrapped(x, level)
    stacked = stacked.movedim(dim, 1)
    return stacked.flatten(1, 2).contiguous(), stacked.shape[1]


def _stacked(weight: Tensor, level: int, vmap: Functorch) -> Tensor:
    """``[R, ...]``."""
    stacked, dim = vmap.unwrapped(weight, level)
    return stacked.movedim(dim, 0)


def _are_of_replicates(weights: tuple[Tensor | None, ...], level: int, vmap: Functorch) -> bool:
    """Whether each replicate has weights of its own, where there are weights at all."""
    return all(
        weight is None or (vmap.is_batched(weight) and vmap.level_of(weight) == level)
        for weight in weights
    )


def _are_plain(weight: Tensor | None, bias: Tensor | None) -> bool:
    """Whether none is of a class that may give torch's functions a meaning of its own."""
    return type(weight) in _PLAIN and type(bias) in _PLAIN


_PLAIN = (nn.Parameter, Tensor, type(None))


def _pairs(windows: Iterable[Any]) -> tuple[int, ...] | None:
    """Numbers, and pairs of them, as pairs in a row. None if something else is among them."""
    numbers: list[int] = []
    for window in windows:
        pair = window if type(window) is tuple and len(window) == 2 else (window, window)
        if not all(isinstance(number, int | np.integer) for number in pair):
            return None
        numbers += map(int, pair)
    return tuple(numbers)


def _dimensions(module: nn.Module) -> tuple[int, ...]:
    for kind, dimensions in _DIMENSIONS.items():
        if isinstance(module, kind):
            return dimensions
    return ()


_DIMENSIONS = {nn.BatchNorm2d: (4,), nn.BatchNorm1d: (2, 3), nn.BatchNorm3d: (5,)}


_KINDS: dict[object, type[_FastLayer]] = {
    BATCH_NORM_FORWARD: _FastBatchNorm,
    nn.AvgPool2d.forward: _FastAveragePool,
    nn.MaxPool2d.forward: _FastMaximumPool,
    nn.Conv2d.forward: _FastConvolution,
    nn.Sequential.forward: _FastSequence,
}
"""By the forward that torch gave a class. Somebody may have replaced it since."""
_RELU_FORWARD = nn.ReLU.forward


def _kind_of(module: nn.Module) -> type[_FastLayer] | None:
    """How a module is run fast; None: as it is."""
    kind = _KINDS.get(_forward_in(module))
    if kind is None or "forward" in module.__dict__:
        return None
    if kind is _FastConvolution:
        return kind if convolves_as_torch(module) else None
    if isinstance(module, nn.Sequential) and all(relu is None for _, relu in _steps(module)):
        return None
    return kind


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
            kind = _kind_of(module)
            if kind is not None:
                attributes = module.__dict__
                patched.append(attributes)
                if isinstance(module, nn.Sequential):
                    attributes["forward"] = _FastSequence(module, insert_of)
                else:
                    attributes["forward"] = kind(module)
        yield
    finally:
        to_the_end(lambda: [attributes.pop("forward", None) for attributes in patched])
