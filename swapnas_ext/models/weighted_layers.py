"""Finds the weights of layers, which are drawn and counted: of torch's layers, and of layers that libraries and
users write."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from swapnas_ext._torch_private import BATCH_NORMS, CONVOLUTIONS, children_of, parameters_of
from swapnas_ext._util import ByClass
from swapnas_ext.models.computed_weights import Computed, computed_weights

Kind = Literal["published", "normalisation", "of torch", "of others"]
"""Layers that the published initialisation draws; layers that it sets; other layers of torch; modules that may
be layers of a library or user."""

Weights = Mapping[str, tuple["Tensor | Computed", int | None]]
"""Weights by name, each with its fan-in; None for torch's fan-in: the product of all but the first dimension."""

_OTHERS_OF_TORCH = (nn.Bilinear, nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase)
_CONTAINERS_OF_TORCH = frozenset({nn.Module, nn.Sequential, nn.ModuleList, nn.ModuleDict})


@ByClass
def kind_of(kind: type[nn.Module]) -> Kind | None:
    """The kind of a class of modules; None for classes without weights to draw, such as embeddings."""
    if issubclass(kind, (*CONVOLUTIONS, nn.Linear)):
        return "published"
    if issubclass(kind, (*BATCH_NORMS, nn.GroupNorm)):
        return "normalisation"
    if issubclass(kind, _OTHERS_OF_TORCH):
        return "of torch"
    written = [base for base in kind.__mro__ if base.__module__ != "torch.nn.utils.parametrize"]
    of_torch = next(base for base in written if base.__module__.startswith("torch."))
    if written[0] is of_torch or of_torch not in _CONTAINERS_OF_TORCH:
        return None
    return None if _NO_LAYER.search(kind.__name__) else "of others"


def weights_of(module: nn.Module, kind: Kind | None) -> Weights:
    """The weights of a layer that the published initialisation does not know; empty for other modules."""
    if kind not in ("of torch", "of others") or not _holds_weights(module):
        return {}
    everything = parameters_and_computed(module)
    candidates = {
        name: weight
        for name, weight in everything.items()
        if "weight" in name and len(weight.shape) > 1 and is_of_real_numbers(weight)
    }
    if kind == "of torch":
        return {name: (weight, None) for name, weight in candidates.items()}
    if not candidates or _is_container(module):
        return {}
    found = {}
    for name, weight in candidates.items():
        fan_in = _fan_in(module, weight.shape, everything.get(name.replace("weight", "bias")))
        if fan_in is not None:
            found[name] = weight, fan_in
    return found


def parameters_and_computed(module: nn.Module) -> dict[str, Tensor | Computed]:
    """A module's own weights by name: its parameters, but computed weights instead of their sources."""
    computed = computed_weights(module)
    sources = {id(tensor) for weight in computed.values() for tensor in weight.tensors}
    plain = {
        name: value
        for name, value in parameters_of(module).items()
        if value is not None and id(value) not in sources
    }
    return {**plain, **computed}


@ByClass
def holds_quantized_weights(kind: type[nn.Module]) -> bool:
    """Whether a class is one of torch's quantised layers, whose packed weights are not parameters."""
    is_torchs = kind.__module__.startswith("torch.ao.nn.")
    return is_torchs and hasattr(kind, "set_weight_bias") and hasattr(kind, "from_float")


def is_of_real_numbers(weight: Tensor | Computed) -> bool:
    """Whether a weight is of floating-point or complex numbers. Quantised weights are integers, and not drawn."""
    return weight.dtype.is_floating_point or weight.dtype.is_complex


def _holds_weights(module: nn.Module) -> bool:
    return bool(parameters_of(module)) or "parametrizations" in children_of(module)


def _is_container(module: nn.Module) -> bool:
    """Whether a module has layers inside; its own parameters are then positions, queries or scales."""
    return any(
        next(child.parameters(), None) is not None
        for name, child in children_of(module).items()
        if child is not None and name != "parametrizations"
    )


# ---- layers of libraries and users -------------------------------------------------------------------

_NO_LAYER = re.compile("norm|embed|posit", re.IGNORECASE)
_LAYER = re.compile("linear|conv|dense", re.IGNORECASE)
_SIZES = (
    *(("in_features", "out_features"), ("in_channels", "out_channels"), ("in_feats", "out_feats")),
    *(("nx", "nf"), ("in_dim", "out_dim"), ("in_size", "out_size"), ("d_in", "d_out")),
    *(("input_dim", "output_dim"), ("input_size", "output_size")),
)


def _fan_in(module: nn.Module, shape: torch.Size, bias: Tensor | Computed | None) -> int | None:
    """The fan-in of a weight, if the module shows that it is a layer's: by the sizes that it declares, by a bias
    that fits, or by the name of its class. None otherwise."""
    sizes = _declared_sizes(module)
    if sizes is not None:
        inputs, outputs = sizes
        if len(shape) > 2 and shape[:2] == (outputs, inputs):
            return math.prod(shape[1:])
        if shape[-2:] in (
            (inputs, outputs),
            (outputs, inputs),
        ):  # earlier dimensions are types or experts
            return inputs
        if shape[0] == outputs:
            return math.prod(shape[1:])
    is_scale = sum(size > 1 for size in shape) < 2
    if bias is not None and len(bias.shape) == 1 and not is_scale:
        if shape[0] == bias.shape[0]:
            return math.prod(shape[1:])
        if shape[-1] == bias.shape[0]:
            return math.prod(shape[:-1])
    return math.prod(shape[1:]) if _LAYER.search(type(module).__name__) else None


def _declared_sizes(module: nn.Module) -> tuple[int, int] | None:
    attributes = vars(module)
    for names in _SIZES:
        inputs, outputs = (attributes.get(name, attributes.get(f"_{name}")) for name in names)
        if isinstance(inputs, int) and isinstance(outputs, int):
            return inputs, outputs
    return None
