"""Explains errors of a forward pass: too little memory, another device, another dtype."""

from __future__ import annotations

import re

import torch
from torch import nn

from swapnas_ext.models import Inventory, MiniBatch
from swapnas_ext.scoring import memory
from swapnas_ext.scoring.options import Options

_OF_WHOLE_NUMBERS = re.compile(
    r"Input type \((unsigned char|\w+ int|int)\)|got (Byte|Int|Long) and"
)
"""In what torch says of convolutions and linear layers."""


def probable_cause(
    error: Exception, model: nn.Module, inventory: Inventory, batch: MiniBatch, options: Options
) -> str | None:
    """What an error in the forward pass probably means, and what to do; None if unknown."""
    device = device_of(inventory)
    if memory.is_out_of_memory(error):
        return memory.too_large(device, error)
    name, line = type(model).__name__, memory.first_line(error)
    default = torch.get_default_device()
    if default.type != device.type:
        return (
            f"{name} is on {device}, and torch's default device, on which a forward pass may make "
            f"tensors, is {default}: {line}; score it in a with torch.device('{device}')"
        )
    given = batch.dtypes()
    weights = {p.dtype for p in inventory.parameters.values() if p.is_floating_point()}
    if given and weights and not given & weights and options.autocast is None:
        return (
            f"{name} has weights of {_listed(weights)}, and can't run on inputs of {_listed(given)}: "
            f"{line}; give the inputs .to({_listed(weights)})"
        )
    if not given and weights and _OF_WHOLE_NUMBERS.search(line):
        return (
            f"{name} has weights of {_listed(weights)}, and can't run on inputs of whole numbers: {line}; give pixels "
            f"as .to({_listed(weights)}) / 255"
        )
    return None


def device_of(inventory: Inventory) -> torch.device:
    """The device of a model: of its first parameter, or else of its first buffer; the CPU if it has neither."""
    for parameter in inventory.parameters.values():
        return parameter.device
    for module in inventory.modules:
        for buffer in module.buffers(recurse=False):
            return buffer.device
    return torch.device("cpu")


def _listed(dtypes: set[torch.dtype]) -> str:
    return " and ".join(sorted(map(str, dtypes)))
