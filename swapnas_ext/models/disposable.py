"""Finds out whether a model may be changed for good, because nobody else can reach any part of it."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import islice

import torch
from torch import nn

from swapnas_ext._torch_private import buffers_of, is_shared, parameters_of
from swapnas_ext.models.frequent_modules import FREQUENT, NORMS
from swapnas_ext.models.inventory import OF_EVERY_MODULE, Inventory
from swapnas_ext.models.saved_state import IMMUTABLE


def _references_of_a_variable() -> int:
    probe = object()
    return sys.getrefcount(probe)


OF_A_VARIABLE = _references_of_a_variable()
"""What sys.getrefcount returns for an object that one variable holds: 2, or 1 where Python 3.14 borrows it."""


def is_disposable(inventory: Inventory) -> bool:
    """Whether nobody but the inventory and the owner of the model refers to the modules, parameters and buffers
    of the model."""
    if inventory.held or not all(map(_is_plain, inventory.everything)):
        return False
    listed = {id(module) for module in inventory.modules}
    times_parameter: Counter[int] = Counter()
    for module in inventory.everything:
        if isinstance(module, torch.jit.ScriptModule):
            return False
        for parameter in parameters_of(module).values():
            times_parameter[id(parameter)] += 1
        if type(module) in NORMS:  # they don't write to their buffers while they are scored
            continue
        for buffer in buffers_of(module).values():
            if buffer is not None and (
                sys.getrefcount(buffer) > 1 + OF_A_VARIABLE or is_shared(buffer)
            ):
                return False
    for module in islice(inventory.everything, 1, None):
        expected = 1 + (id(module) in listed) + inventory.times_child[id(module)] + OF_A_VARIABLE
        if sys.getrefcount(module) > expected:
            return False
    for parameter in inventory.parameters.values():
        if sys.getrefcount(parameter) > 1 + times_parameter[
            id(parameter)
        ] + OF_A_VARIABLE or is_shared(parameter):
            return False
    return True


def _is_plain(module: nn.Module) -> bool:
    """Whether the other attributes of a module, beside parameters, buffers, hooks and children, are immutable,
    or containers of immutable values that nobody else refers to."""
    attributes = module.__dict__
    if len(attributes) == len(FREQUENT.get(type(module), ())):
        return True
    for name in attributes.keys() - OF_EVERY_MODULE:
        value = attributes[name]
        if type(value) in IMMUTABLE:
            continue
        own = type(value) is tuple or (
            type(value) in (list, set) and sys.getrefcount(value) <= 1 + OF_A_VARIABLE
        )
        if not own or any(type(item) not in IMMUTABLE for item in value):
            return False
    return True
