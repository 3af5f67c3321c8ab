"""Weight initialisers: functions that overwrite the weights of a model in place.

Each draws from the generator that it is given and leaves the global random state alone. It draws the weights of
convolutions and linear layers, of torch's bilinear, attention and recurrent layers, and of layers of others
that tell what they are: by the sizes that they declare, by a bias that fits, or by their name. Weights
that are computed (``parametrize``, ``weight_norm``, ``spectral_norm``, ``prune``) become what would have been
drawn, as far as that can be. Embeddings, positions and what else lies beside layers keep their values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from weakref import ref

import torch
from torch import Tensor, nn

from swapnas_ext._torch_private import children_of, parameters_of
from swapnas_ext.models.computed_weights import Computed, Pruned
from swapnas_ext.models.inventory import Inventory, name_of
from swapnas_ext.models.weighted_layers import (
    Weights,
    holds_quantized_weights,
    is_of_real_numbers,
    kind_of,
    parameters_and_computed,
    weights_of,
)

Initializer = Callable[[nn.Module, torch.Generator], None]
Draw = Callable[[Tensor, torch.Generator, "int | None"], object]

_NAMED = 3  # weights in a note


def gaussian_(model: nn.Module, generator: torch.Generator) -> None:
    """The published initialisation: N(0, 1) for the weights of convolutions and linear layers, zero
    biases, normalisation layers weight 1 and bias 0.

    For one seed it gives the very weights of the published code after ``torch.manual_seed(seed)``. After
    them it draws the weights of other layers, which the published code leaves as they are.
    """
    _initialize(model, _draw_gaussian, generator)


def kaiming_(model: nn.Module, generator: torch.Generator) -> None:
    """Kaiming normal (He et al., ICCV 2015, fan-in, ReLU gain) where `gaussian_` draws N(0, 1)."""
    _initialize(model, _draw_kaiming, generator)


def _draw_gaussian(weight: Tensor, generator: torch.Generator, fan_in: int | None) -> object:
    return weight.normal_(generator=generator)


def _draw_kaiming(weight: Tensor, generator: torch.Generator, fan_in: int | None) -> object:
    if fan_in is None:
        return nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
    return weight.normal_(0, math.sqrt(2 / fan_in), generator=generator)


_BY_NAME: dict[str, Initializer] = {"gaussian": gaussian_, "kaiming": kaiming_}
_DRAWS: dict[Initializer, Draw] = {gaussian_: _draw_gaussian, kaiming_: _draw_kaiming}
NAMES = (*_BY_NAME, "keep")


def get(init: str | Initializer | None) -> Initializer | None:
    """The initialiser of a name; None for ``None`` and ``"keep"``, a function as it is."""
    if init is None or init == "keep":
        return None
    if callable(init):
        return init
    if init in _BY_NAME:
        return _BY_NAME[init]
    raise ValueError(f"init must be one of {', '.join(NAMES)}, or a function, got {init!r}")


def is_known(initialize: Initializer | None) -> bool:
    """Whether it is one of this module's."""
    return initialize in _DRAWS


@dataclass(frozen=True)
class Reach:
    """What an initialiser writes to, by identity.

    Attributes:
        overwritten: parameters whose values are of no matter to it.
        buffers: that it sets along with computed weights.
    """

    overwritten: frozenset[int] = frozenset()
    buffers: frozenset[int] = frozenset()


def reach(initialize: Initializer | None, model: nn.Module) -> Reach:
    if not is_known(initialize):
        return Reach()
    overwritten, buffers = set(), set()
    for weight, _, _ in _actions(model):
        if isinstance(weight, Tensor):
            overwritten.add(id(weight))
        else:
            tensors = weight.tensors
            buffers.update(id(tensor) for tensor in tensors if type(tensor) is not nn.Parameter)
    return Reach(frozenset(overwritten), frozenset(buffers))


def draws(initialize: Initializer | None, model: nn.Module) -> bool:
    """Whether an initialiser draws any weight of a model; one of the user's own is taken to."""
    return not is_known(initialize) or any(action == "draw" for _, action, _ in _actions(model))


@torch.no_grad()
def undrawn_note(
    initialize: Initializer | None, found: Inventory, model: nn.Module, reached: Reach
) -> str | None:
    """Names the weights of two or more dimensions that an initialiser leaves as they are, and those that
    are pruned; None where there are none.

    Args:
        model: that ``found`` and ``reached`` are of; it may have other tensors by now.
    """
    if not is_known(initialize):
        return None
    quantized = [
        name_of(path) or "the model itself"
        for module, path in zip(found.modules, found.paths, strict=True)
        if holds_quantized_weights[ref(type(module))]
    ]
    if not (found.held or quantized or _is_anything_left(found, reached)):
        return None
    drawn: set[int] = set()
    pruned: set[int] = set()
    count = 0
    for weight, _, fan_in in _actions(model):
        if isinstance(weight, Tensor):
            tensors: Sequence[Tensor] = (weight,)
        else:
            tensors = weight.tensors
            trial = _valued(weight, "draw", _draw_gaussian, _trial_generator(weight), fan_in)
            if trial is None:
                continue
            if isinstance(weight, Pruned):
                pruned.add(id(tensors[0]))
        count += len(weight.shape) > 1 and drawn.isdisjoint(map(id, tensors))
        drawn.update(map(id, tensors))
    weights = [(_plain_name(name), weight) for name, weight in _named(model, found)]
    undrawn = [name for name, weight in weights if weight.dim() > 1 and id(weight) not in drawn]
    masked = [name for name, weight in weights if id(weight) in pruned]
    undrawn = list(dict.fromkeys(undrawn))
    notes = []
    if undrawn:
        notes.append(
            f"init drew {count} of {count + len(undrawn)} weights of two or more dimensions; these kept "
            f"their values: {_some(undrawn)}"
        )
    if quantized:
        notes.append(f"init draws no quantised weights; these kept theirs: {_some(quantized)}")
    if masked:
        notes.append(f"init drew pruned weights, whose masks were kept: {_some(masked)}")
    return "; ".join(notes) or None


def _is_anything_left(found: Inventory, reached: Reach) -> bool:
    return any(
        weight.dim() > 1 and identity not in reached.overwritten
        for identity, weight in found.parameters.items()
    )


def _trial_generator(weight: Computed) -> torch.Generator:
    return torch.Generator(weight.tensors[0].device).manual_seed(0)


def _named(model: nn.Module, found: Inventory) -> Iterable[tuple[str, Tensor]]:
    yield from model.named_parameters()
    for module in found.held:
        for name, weight in module.named_parameters(recurse=False):
            yield (
                f"{name} of a {type(module).__name__} that is no child (in a list, say)",
                weight,
            )


def _plain_name(name: str) -> str:
    """``conv.weight`` for ``conv.parametrizations.weight.original0``, and for ``conv.weight_orig``."""
    owner, parametrized, original = name.rpartition("parametrizations.")
    if parametrized:
        return owner + original.partition(".original")[0]
    return name.removesuffix("_orig")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


@torch.no_grad()
def stacked(
    initialize: Initializer,
    model: nn.Module,
    parameters: Iterable[Tensor],
    generators: Sequence[torch.Generator],
) -> dict[int, Tensor]:
    """The parameters of ``model``, initialised once for each generator and stacked: ``[R, ...]`` each,
    by their identity. The model is left as it is by the initialisers of this module; one of the user's own
    overwrites its weights.

    Replicate r gets the values that ``initialize(model, generators[r])`` would write.
    """
    count = len(generators)
    draw = _DRAWS.get(initialize)
    if draw is None:
        stacks = {id(p): p.new_empty(count, *p.shape) for p in parameters}
        for replicate, generator in enumerate(generators):
            initialize(model, generator)
            for parameter in parameters:
                stacks[id(parameter)][replicate] = parameter
        return stacks

    stacks = {}
    drawn: list[tuple[Action, list[Sequence[Tensor]]]] = []
    for action in _actions(model):
        weight, what, _ = action
        is_plain = isinstance(weight, Tensor)
        own: list[Tensor] = []
        for tensor in (weight,) if is_plain else weight.tensors:
            stack = stacks.get(id(tensor))
            if stack is None:
                stack = stacks[id(tensor)] = tensor.new_empty(count, *tensor.shape)
                if not is_plain:
                    stack.copy_(tensor)
            own.append(stack)
        if is_plain and what != "draw":
            own[0].fill_(1.0 if what == "one" else 0.0)
        else:
            drawn.append((action, [stack.unbind() for stack in own]))
    for replicate, generator in enumerate(generators):
        for (weight, what, fan_in), replicates in drawn:
            if isinstance(weight, Tensor):
                draw(replicates[0][replicate], generator, fan_in)
            else:
                values = _valued(weight, what, draw, generator, fan_in)
                _assign([each[replicate] for each in replicates], values)
    for parameter in parameters:
        if id(parameter) not in stacks:
            stacks[id(parameter)] = parameter.detach().expand(count, *parameter.shape)
    return stacks


@torch.no_grad()
def _initialize(model: nn.Module, draw: Draw, generator: torch.Generator) -> None:
    for weight, what, fan_in in _actions(model):
        if isinstance(weight, Tensor):
            _fill(weight, what, draw, generator, fan_in)
        else:
            _assign(weight.tensors, _valued(weight, what, draw, generator, fan_in))


def _fill(
    weight: Tensor, what: What, draw: Draw, generator: torch.Generator, fan_in: int | None
) -> None:
    if what == "draw":
        draw(weight, generator, fan_in)
    else:
        weight.fill_(1.0 if what == "one" else 0.0)


def _valued(
    weight: Computed, what: What, draw: Draw, generator: torch.Generator, fan_in: int | None
) -> Sequence[Tensor] | None:
    """What a weight is to be computed from, or None where nothing makes it what is drawn."""
    value = weight.empty()
    _fill(value, what, draw, generator, fan_in)
    return weight.solved(value, generator.initial_seed())


def _assign(tensors: Sequence[Tensor], values: Sequence[Tensor] | None) -> None:
    for tensor, value in zip(tensors, values or (), strict=values is not None):
        tensor.copy_(value)


def _modules(model: nn.Module) -> Iterable[nn.Module]:
    """As ``model.modules()``, which also makes the names."""
    seen: set[int] = set()
    pending = [model]
    while pending:
        module = pending.pop()
        if id(module) not in seen:
            seen.add(id(module))
            yield module
            scripted = isinstance(module, torch.jit.ScriptModule)  # none of it is of a known class
            children = None if scripted else children_of(module)
            if children:
                pending += [child for child in reversed(children.values()) if child is not None]


What = Literal["draw", "one", "zero"]
Action = tuple[Tensor | Computed, What, int | None]
"""A weight, what is to happen to it, and its fan-in; None where that is torch's."""


def _actions(model: nn.Module) -> list[Action]:
    """First those of the published initialisation, in its order."""
    actions: list[Action] = []
    others: list[tuple[nn.Module, Weights]] = []
    for module in _modules(model):
        kind = kind_of[ref(type(module))]
        if kind is None:
            continue
        if kind in ("of torch", "of others"):
            weights = weights_of(module, kind)
            if weights:
                others.append((module, weights))
            continue
        own: Mapping[str, Tensor | Computed | None] = parameters_of(module)
        if "weight" not in own or "bias" not in own:
            own = parameters_and_computed(module)
        weight, bias = own.get("weight"), own.get("bias")
        if weight is not None and is_of_real_numbers(weight):
            actions.append((weight, "draw" if kind == "published" else "one", None))
        if bias is not None:
            actions.append((bias, "zero", None))
    if others:
        known = {id(weight) for weight, _, _ in actions}
        for module, weights in others:
            actions += [(w, "draw", fan_in) for w, fan_in in weights.values() if id(w) not in known]
            actions += [(bias, "zero", None) for bias in _biases(module) if id(bias) not in known]
    return actions


def _biases(module: nn.Module) -> Iterable[Tensor | Computed]:
    for name, value in parameters_and_computed(module).items():
        if ("bias" in name or name == "b") and is_of_real_numbers(value):
            yield value
