"""Weight initialisers: functions that overwrite the weights of a model in place.

Each draws from the generator that it is given and leaves the global random state alone. Parameters
of layers that it does not know keep their values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

import torch
from torch import Tensor, nn

from swapnas_ext._torch_private import BATCH_NORMS, CONVOLUTIONS, children_of, parameters_of

Initializer = Callable[[nn.Module, torch.Generator], None]
Draw = Callable[[Tensor, torch.Generator], object]


def gaussian_(model: nn.Module, generator: torch.Generator) -> None:
    """The published initialisation: N(0, 1) for the weights of convolutions and linear layers, zero
    biases, normalisation layers weight 1 and bias 0.

    For one seed it gives the very weights of the published code after ``torch.manual_seed(seed)``.
    """
    _initialize(model, _draw_gaussian, generator)


def kaiming_(model: nn.Module, generator: torch.Generator) -> None:
    """Kaiming normal (He et al., ICCV 2015, fan-in, ReLU gain) where `gaussian_` draws N(0, 1)."""
    _initialize(model, _draw_kaiming, generator)


def _draw_gaussian(weight: Tensor, generator: torch.Generator) -> object:
    return weight.normal_(generator=generator)


def _draw_kaiming(weight: Tensor, generator: torch.Generator) -> object:
    return nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)


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


def overwritten(initialize: Initializer | None, model: nn.Module) -> frozenset[int]:
    """By identity, the parameters of a model whose values are of no matter to an initialiser."""
    if not is_known(initialize):
        return frozenset()
    return frozenset(id(parameter) for parameter, _ in _actions(model))


def draws(initialize: Initializer | None, model: nn.Module) -> bool:
    """Whether an initialiser draws any weight of a model; one of the user's own is taken to."""
    return not is_known(initialize) or any(action == "draw" for _, action in _actions(model))


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
    drawn: list[Sequence[Tensor]] = []
    for parameter, action in _actions(model):
        stack = stacks.get(id(parameter))
        if stack is None:
            stack = stacks[id(parameter)] = parameter.new_empty(count, *parameter.shape)
        if action == "draw":
            drawn.append(stack.unbind())
        else:
            stack.fill_(1.0 if action == "one" else 0.0)
    for replicate, generator in enumerate(generators):
        for replicates in drawn:
            draw(replicates[replicate], generator)
    for parameter in parameters:
        if id(parameter) not in stacks:
            stacks[id(parameter)] = parameter.detach().expand(count, *parameter.shape)
    return stacks


@torch.no_grad()
def _initialize(model: nn.Module, draw: Draw, generator: torch.Generator) -> None:
    for parameter, action in _actions(model):
        if action == "draw":
            draw(parameter, generator)
        else:
            parameter.fill_(1.0 if action == "one" else 0.0)


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


def _actions(model: nn.Module) -> Iterable[tuple[nn.Parameter, str]]:
    """What is to happen to which parameters, in the order of the modules: draw, one, or zero."""
    for module in _modules(model):
        kind = _layer_kind(type(module))
        if kind is None:
            continue
        # A weight that is computed from others, as by spectral_norm, is no parameter.
        weight, bias = (parameters_of(module).get(name) for name in ("weight", "bias"))
        if weight is not None:
            yield weight, "draw" if kind == "weighted" else "one"
        if bias is not None:
            yield bias, "zero"


@cache
def _layer_kind(kind: type[nn.Module]) -> str | None:
    if issubclass(kind, (*CONVOLUTIONS, nn.Linear)):
        return "weighted"
    return "normalisation" if issubclass(kind, (*BATCH_NORMS, nn.GroupNorm)) else None
