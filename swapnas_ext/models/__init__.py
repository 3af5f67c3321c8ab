"""Prepares a model for scoring and restores it: its modules, its weights, its inputs, its state."""

from __future__ import annotations

from swapnas_ext.models import initialization, running_statistics
from swapnas_ext.models.block_state import Arguments, BlockState
from swapnas_ext.models.disposable import OF_A_VARIABLE, is_disposable
from swapnas_ext.models.flops import FlopCount
from swapnas_ext.models.initialization import KEEP, OWN, Initializer, Reach
from swapnas_ext.models.inputs import Inputs, MiniBatch
from swapnas_ext.models.inventory import Inventory, Path, name_of, take_inventory
from swapnas_ext.models.nested import (
    attributes_with_tensors,
    first_tensor,
    main_input,
    mapped,
    tensors_in,
)
from swapnas_ext.models.only_computing import only_computes
from swapnas_ext.models.random_state import RandomState, own_random_state
from swapnas_ext.models.restoring import ModesToRestore, NothingToRestore, Restoring
from swapnas_ext.models.scoring_mode import set_scoring_mode, uncompiled

__all__ = [
    "KEEP",
    "OF_A_VARIABLE",
    "OWN",
    "Arguments",
    "BlockState",
    "FlopCount",
    "Initializer",
    "Inputs",
    "Inventory",
    "MiniBatch",
    "ModesToRestore",
    "NothingToRestore",
    "Path",
    "RandomState",
    "Reach",
    "Restoring",
    "attributes_with_tensors",
    "first_tensor",
    "initialization",
    "is_disposable",
    "main_input",
    "mapped",
    "name_of",
    "only_computes",
    "own_random_state",
    "running_statistics",
    "set_scoring_mode",
    "take_inventory",
    "tensors_in",
    "uncompiled",
]
