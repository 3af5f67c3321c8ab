"""Writes a network as a program of torch.export."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from swapnas_ext._util import replacing
from swapnas_ext.export.exported import NOTES, Exported, Phase, check_inputs, dtype_name
from swapnas_ext.export.probes import largest_difference, probe
from swapnas_ext.export.traced import evaluating, quiet, traced
from swapnas_ext.models import tensors_in

_TOLERANCE = 1e-5


def to_torch(
    network: nn.Module,
    inputs: Tensor,
    path: str | Path,
    *,
    notes: str = "",
    on_phase: Phase = lambda phase: None,
) -> Exported:
    """Writes a network, in evaluation mode, as a program that torch loads without the network's code.

    The program takes any number of samples; where the network allows only one number, a single sample. It is loaded
    again and compared with the network on random inputs before the file is there. The network is left as it is.

    Equivalent to::

        torch.export.save(torch.export.export(network.eval(), (inputs,), dynamic_shapes=...), path)

    Args:
        network: takes one tensor, on the CPU.
        inputs: a sample or more, ``[samples, ...]``.
        path: the file; an existing one is replaced. Its name should end in ``.pt2``.
        notes: text to put into the file, as the extra file ``swapnas.json``.
        on_phase: called with what is being done: ``"tracing"``, ``"checking"``.

    Raises:
        TypeError, ValueError: inputs that are not such a tensor.
        RuntimeError: the network can't be traced, with the layer, or the program does not do the same.
        OSError: the file can't be written.
    """
    check_inputs(inputs)
    path = Path(path)
    with evaluating(network), replacing(path) as file:
        on_phase("tracing")
        found = traced(network, inputs)
        with quiet():
            torch.export.save(found.program, file, extra_files={NOTES: notes})
            on_phase("checking")
            program = torch.export.load(file).module()
        probes = [probe(network, inputs, samples) for samples in found.samples]
        with torch.no_grad():
            difference = largest_difference(
                lambda x: list(tensors_in(program(x))), probes, _TOLERANCE
            )
        size = file.stat().st_size
    return Exported(
        path, size, found.shape, dtype_name(inputs.dtype), difference, _TOLERANCE, found.fixed_by
    )
