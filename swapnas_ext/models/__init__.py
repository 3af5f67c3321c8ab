"""A model before and after scoring: what is in it, its weights, its inputs, and how it is restored."""

from __future__ import annotations

from swapnas_ext.models import initialization, running_statistics
from swapnas_ext.models.block_state import Arguments, BlockState
from swapnas_ext.models.flops import FlopCount
from swapnas_ext.models.initialization import Initializer, Reach
from swapnas_ext.models.inputs import Inputs, MiniBatch, first_tensor, main_input
from swapnas_ext.models.inventory import Path, Walk, name_of, walk
from swapnas_ext.models.random_state import RandomState, own_random_state
from swapnas_ext.models.restoring import OF_A_VARIABLE, Nobodys, Untouched, is_nobodys
from swapnas_ext.models.scoring_mode import set_scoring_mode, uncompiled

__all__ = [
    "OF_A_VARIABLE",
    "Arguments",
    "BlockState",
    "FlopCount",
    "Initializer",
    "Inputs",
    "MiniBatch",
    "Nobodys",
    "Path",
    "RandomState",
    "Reach",
    "Untouched",
    "Walk",
    "first_tensor",
    "initialization",
    "is_nobodys",
    "main_input",
    "name_of",
    "own_random_state",
    "running_statistics",
    "set_scoring_mode",
    "uncompiled",
    "walk",
]
