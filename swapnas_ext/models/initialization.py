"""Weight initialisers: functions that overwrite the weights of a model in place.

Each draws from the generator that it is given, and leaves the global random state alone. It draws the weights
of convolutions and linear layers, of torch's bilinear, attention and recurrent layers, and of layers that
users and libraries write, where their declared sizes, a bias that fits, or their names identify them. A
weight that is computed (``parametrize``, ``weight_norm``, ``spectral_norm``, ``prune``) gets the value that
would have been drawn, as far as its computation allows. Embeddings, positions and other parameters keep their
values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from swapnas_ext.models import undrawn_weights
from swapnas_ext.models.inventory import Inventory
from swapnas_ext.models.weight_actions import Action, Draw, actions_of, assign, fill, solved

Initializer = Callable[[nn.Module, torch.Generator], None]


def gaussian_(model: nn.Module, generator: torch.Generator) -> None:
    """The published initialisation: N(0, 1) for the weights of convolutions and linear layers, zero
    biases, normalisation layers weight 1 and bias 0.

    For one seed it draws exactly the weights of the published code after ``torch.manual_seed(seed)``. Then it
    draws the weights of other layers, which the published code leaves as they are.
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
KEEP = "keep"
NAMES = (*_BY_NAME, KEEP)
OWN = "own"
"""Stands for the initialiser that a measure is defined for."""


def get(init: str | Initializer | None) -> Initializer | None:
    """The initialiser of a name, or a function itself; None for ``None`` and ``"keep"``.

    Raises:
        ValueError: an unknown name.
    """
    if init is None or init == KEEP:
        return None
    if callable(init):
        return init
    if init in _BY_NAME:
        return _BY_NAME[init]
    raise ValueError(f"init must be one of {', '.join(NAMES)}, or a function, got {init!r}")


def is_known(initialize: Initializer | None) -> bool:
    """Whether an initialiser is one of this module's."""
    return initialize in _DRAWS


@dataclass(frozen=True)
class Reach:
    """What an initialiser writes to.

    Attributes:
        overwritten: identities of the parameters that it overwrites without reading them.
        buffers: identities of the buffers that it sets along with computed weights.
    """

    overwritten: frozenset[int] = frozenset()
    buffers: frozenset[int] = frozenset()


def reach(initialize: Initializer | None, model: nn.Module) -> Reach:
    """What an initialiser of this module writes to in a model; nothing for others, which may read it first."""
    if not is_known(initialize):
        return Reach()
    overwritten: set[int] = set()
    buffers: set[int] = set()
    for weight, _, _ in actions_of(model):
        if isinstance(weight, Tensor):
            overwritten.add(id(weight))
        else:
            tensors = weight.tensors
            buffers.update(id(tensor) for tensor in tensors if type(tensor) is not nn.Parameter)
    return Reach(frozenset(overwritten), frozenset(buffers))


def draws(initialize: Initializer | None, model: nn.Module) -> bool:
    """Whether an initialiser draws any weight of a model; assumed of the user's own."""
    return not is_known(initialize) or any(action == "draw" for _, action, _ in actions_of(model))


def undrawn_note(
    initialize: Initializer | None, inventory: Inventory, model: nn.Module, reached: Reach
) -> str | None:
    """Names the weights of two or more dimensions that an initialiser of this module leaves as they are, and
    those that are pruned; None where there are none.

    Args:
        inventory, reached: of the model before it was changed; it may have other tensors by now.
    """
    if not is_known(initialize):
        return None
    return undrawn_weights.note(inventory, model, reached.overwritten)


@torch.no_grad()
def stacked(
    initialize: Initializer,
    model: nn.Module,
    parameters: Iterable[Tensor],
    generators: Sequence[torch.Generator],
) -> dict[int, Tensor]:
    """The parameters of a model, initialised once for each generator and stacked.

    The initialisers of this module leave the model as it is. One of the user's own overwrites its weights.

    Returns:
        ``[R, ...]`` for each parameter, by the parameter's identity. Replicate r has the values that
        ``initialize(model, generators[r])`` would write.
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
    for action in actions_of(model):
        weight, what, _ = action
        is_plain = isinstance(weight, Tensor)
        own: list[Tensor] = []
        for tensor in (weight,) if isinstance(weight, Tensor) else weight.tensors:
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
                values = solved(weight, what, draw, generator, fan_in)
                assign([each[replicate] for each in replicates], values)
    for parameter in parameters:
        if id(parameter) not in stacks:
            stacks[id(parameter)] = parameter.detach().expand(count, *parameter.shape)
    return stacks


@torch.no_grad()
def _initialize(model: nn.Module, draw: Draw, generator: torch.Generator) -> None:
    for weight, what, fan_in in actions_of(model):
        if isinstance(weight, Tensor):
            fill(weight, what, draw, generator, fan_in)
        else:
            assign(weight.tensors, solved(weight, what, draw, generator, fan_in))
