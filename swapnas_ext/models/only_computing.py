"""Finds out whether a forward pass of a model computes its output and does nothing else, so that nothing has to be
protected from it."""

from __future__ import annotations

from weakref import ref

from torch import nn

from swapnas_ext._torch_private import has_global_hooks, may_have_forward_hooks
from swapnas_ext._util import ByClass
from swapnas_ext.models.frequent_modules import FREQUENT, have_own_forwards
from swapnas_ext.models.inventory import Inventory

_OUR_NETWORKS = "swapnas_ext.spaces."
_MAY_WRITE = frozenset({nn.Embedding})  # renormalises its weights where max_norm says so


def only_computes(inventory: Inventory) -> bool:
    """Whether a forward pass in scoring mode writes to no tensor, attribute or container of the model and draws no
    random numbers: all its modules are frequent ones of torch or of the networks of this package's spaces, and have no
    hooks. Of other code, nobody knows."""
    if inventory.held or has_global_hooks() or not have_own_forwards():
        return False
    known = _known_attributes
    for module in inventory.everything:
        attributes = module.__dict__
        expected = known[ref(type(module))]
        if expected is None or may_have_forward_hooks(module):
            return False
        if len(attributes) != expected if expected else "forward" in attributes:
            return False
    return True


@ByClass
def _known_attributes(kind: type[nn.Module]) -> int | None:
    """How many attributes a module of this class has; 0: any number. None for a class that may do more than compute."""
    if kind in FREQUENT and kind not in _MAY_WRITE:
        return len(FREQUENT[kind])
    return 0 if kind.__module__.startswith(_OUR_NETWORKS) else None
