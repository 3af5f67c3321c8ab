"""Sets weights that a module computes from parameters: by ``torch.nn.utils.parametrize``, the older weight_norm
and spectral_norm, and prune."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from swapnas_ext._torch_private import (
    buffers_of,
    children_of,
    forward_pre_hooks_of,
    parameters_of,
    singular_vectors_of,
)
from swapnas_ext.models.random_state import own_random_state

_PARAMETRIZATIONS_OF_TORCH = "torch.nn.utils.parametrizations"
_POWER_ITERATIONS = 15  # as in torch for a new spectral norm


@dataclass
class Computed(ABC):
    """A weight that is computed from tensors.

    Attributes:
        shape: shape of the weight.
        tensors: the tensors that the weight is computed from, and buffers that are set along with them.
    """

    shape: torch.Size
    tensors: Sequence[Tensor]

    @property
    def dtype(self) -> torch.dtype:
        return self.tensors[0].dtype

    def empty(self) -> Tensor:
        """An uninitialised tensor of the weight's shape, dtype and device."""
        return self.tensors[0].new_empty(self.shape)

    def solved(self, weight: Tensor, seed: int) -> Sequence[Tensor] | None:
        """Values for ``tensors`` that make the computed weight equal to ``weight``, or as close as possible.

        Args:
            seed: for parametrizations that draw random numbers.

        Returns:
            None where no values are known.
        """
        with torch.autocast(weight.device.type, enabled=False):
            values = self._solved(weight, seed)
        fits = values is not None and all(
            value.shape == tensor.shape and bool(torch.isfinite(value).all())
            for value, tensor in zip(values, self.tensors, strict=True)
        )
        return values if fits else None

    @abstractmethod
    def _solved(self, weight: Tensor, seed: int) -> Sequence[Tensor] | None: ...


def computed_weights(module: nn.Module) -> dict[str, Computed]:
    """The computed weights of a module, by their names, such as ``weight``."""
    computed: dict[str, Computed] = {}
    parametrized = children_of(module).get("parametrizations")
    if isinstance(parametrized, nn.ModuleDict):
        for name, parts in parametrized.items():
            if isinstance(parts, ParametrizationList) and (shape := _shape(parts)) is not None:
                tensors = *_originals(parts), *(buffer for _, _, buffer in _buffers(parts))
                computed[name] = Parametrized(shape, tensors, parts)
    parameters, buffers = parameters_of(module), buffers_of(module)
    for key, parameter in parameters.items():
        if parameter is None:
            continue
        name, _, ending = key.rpartition("_")
        if ending == "v" and (length := parameters.get(f"{name}_g")) is not None:
            computed[name] = WeightNormed(parameter.shape, (parameter, length))
        elif ending == "orig" and f"{name}_mask" in buffers:
            computed[name] = Pruned(parameter.shape, (parameter,))
        elif ending == "orig" and (hook := _spectral_hook(module, name)) is not None:
            u, v = buffers.get(f"{name}_u"), buffers.get(f"{name}_v")
            if u is not None and v is not None:
                computed[name] = SpectralNormed(parameter.shape, (parameter, u, v), hook)
    return computed


@dataclass
class Pruned(Computed):
    """By ``prune``: the mask stays as it is."""

    def _solved(self, weight: Tensor, seed: int) -> Sequence[Tensor]:
        return (weight,)


@dataclass
class WeightNormed(Computed):
    """By the older ``weight_norm``: a direction, and its length over all dimensions in which the length has size 1."""

    def _solved(self, weight: Tensor, seed: int) -> Sequence[Tensor]:
        length = self.tensors[1]
        along = [dim for dim, size in enumerate(length.shape) if size == 1]
        if length.dim() == 0:
            return weight, torch.linalg.vector_norm(weight)
        return weight, torch.linalg.vector_norm(weight, dim=along, keepdim=True)


@dataclass
class SpectralNormed(Computed):
    """By a hook of the older ``spectral_norm``."""

    hook: Any

    def _solved(self, weight: Tensor, seed: int) -> Sequence[Tensor]:
        return weight, *_singular_vectors(self.hook.reshape_weight_to_matrix(weight))


@dataclass
class Parametrized(Computed):
    """By parametrizations, solved with their right inverses. Their buffers are set too."""

    parts: ParametrizationList

    def _solved(self, weight: Tensor, seed: int) -> Sequence[Tensor] | None:
        kept = [
            (module, name, buffer, buffer.clone()) for module, name, buffer in _buffers(self.parts)
        ]
        vectors: dict[int, Tensor] = {}  # by the identity of the buffer
        value: Any = weight
        try:
            with own_random_state(weight.device) as start:
                start(seed)
                part: Any  # a parametrization has what nn.Module does not declare
                for part in reversed(list(self.parts.children())):
                    own = singular_vectors_of(part)
                    if own is not None and isinstance(value, Tensor):
                        matrix = value.movedim(part.dim, 0).flatten(1)
                        new = _singular_vectors(matrix)
                        vectors.update(zip(map(id, own), new, strict=True))
                    value = part.right_inverse(value)
            values = (value,) if isinstance(value, Tensor) else tuple(value)
            new_buffers: list[Any] = [buffers_of(module)[name] for module, name, _, _ in kept]
            new_buffers = [
                vectors.get(id(before), after.clone())
                for (_, _, before, _), after in zip(kept, new_buffers, strict=True)
            ]
        except Exception:  # a user's code may refuse any weight
            return None
        finally:
            for module, name, buffer, before in kept:
                buffer.copy_(before)
                setattr(module, name, buffer)
        solution = (*values, *new_buffers)
        return solution if len(solution) == len(self.tensors) else None


def _originals(parts: ParametrizationList) -> list[Tensor]:
    if parts.is_tensor:
        return [parts.original]
    return [getattr(parts, f"original{number}") for number in range(parts.ntensors)]


def _buffers(parts: ParametrizationList) -> Iterator[tuple[nn.Module, str, Tensor]]:
    for part in parts.children():
        for module in part.modules():
            for name, buffer in buffers_of(module).items():
                if buffer is not None:
                    yield module, name, buffer


def _shape(parts: ParametrizationList) -> torch.Size | None:
    """The shape of the weight; None where it is unknown."""
    try:
        shape: torch.Size
        if all(type(part).__module__ == _PARAMETRIZATIONS_OF_TORCH for part in parts.children()):
            shape = max(_originals(parts), key=Tensor.numel).shape
        else:
            shape = copy.deepcopy(parts).eval()().shape  # a copy, since a run may change it
        return shape
    except Exception:  # a user's code may raise anything
        return None


def _singular_vectors(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """The first left and right singular vectors, by the power method, as in torch."""
    u = F.normalize(matrix.sum(1), dim=0)
    for _ in range(_POWER_ITERATIONS):
        v = F.normalize(matrix.mH @ u, dim=0)
        u = F.normalize(matrix @ v, dim=0)
    return u, v


def _spectral_hook(module: nn.Module, name: str) -> Any:
    for hook in forward_pre_hooks_of(module):
        if hasattr(hook, "reshape_weight_to_matrix") and getattr(hook, "name", None) == name:
            return hook
    return None
