"""Names the weights that an initialiser of this package leaves as they are, for the notes of a score."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from weakref import ref

import torch
from torch import Tensor, nn

from swapnas_ext.models.computed_weights import Computed, Pruned
from swapnas_ext.models.inventory import Inventory, name_of
from swapnas_ext.models.weight_actions import actions_of, solved
from swapnas_ext.models.weighted_layers import holds_quantized_weights

_NAMED = 3  # weights in a note


@torch.no_grad()
def note(inventory: Inventory, model: nn.Module, overwritten: frozenset[int]) -> str | None:
    """Names the weights of two or more dimensions that are not drawn, and those that are pruned; None where
    there are none.

    Args:
        inventory: of the model when ``overwritten`` was determined; the model may have other tensors by now.
        overwritten: identities of the parameters that the initialiser overwrites.
    """
    quantized = [
        name_of(path) or "the model itself"
        for module, path in zip(inventory.modules, inventory.paths, strict=True)
        if holds_quantized_weights[ref(type(module))]
    ]
    if not (inventory.held or quantized or _is_any_left(inventory, overwritten)):
        return None
    drawn: set[int] = set()
    pruned: set[int] = set()
    count = 0
    for weight, _, fan_in in actions_of(model):
        if isinstance(weight, Tensor):
            tensors: Sequence[Tensor] = (weight,)
        else:
            tensors = weight.tensors
            trial = solved(weight, "draw", _draw_trial, _trial_generator(weight), fan_in)
            if trial is None:
                continue
            if isinstance(weight, Pruned):
                pruned.add(id(tensors[0]))
        count += len(weight.shape) > 1 and drawn.isdisjoint(map(id, tensors))
        drawn.update(map(id, tensors))
    weights = [(_plain_name(name), weight) for name, weight in _named(model, inventory)]
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


def _is_any_left(inventory: Inventory, overwritten: frozenset[int]) -> bool:
    return any(
        weight.dim() > 1 and identity not in overwritten
        for identity, weight in inventory.parameters.items()
    )


def _draw_trial(weight: Tensor, generator: torch.Generator, fan_in: int | None) -> object:
    return weight.normal_(generator=generator)


def _trial_generator(weight: Computed) -> torch.Generator:
    return torch.Generator(weight.tensors[0].device).manual_seed(0)


def _named(model: nn.Module, inventory: Inventory) -> Iterable[tuple[str, Tensor]]:
    yield from model.named_parameters()
    for module in inventory.held:
        for name, weight in module.named_parameters(recurse=False):
            yield (
                f"{name} of a {type(module).__name__} that is not a child module (but in a list, for example)",
                weight,
            )


def _plain_name(name: str) -> str:
    """``conv.weight`` for ``conv.parametrizations.weight.original0`` and for ``conv.weight_orig``."""
    owner, parametrized, original = name.rpartition("parametrizations.")
    if parametrized:
        return owner + original.partition(".original")[0]
    return name.removesuffix("_orig")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
