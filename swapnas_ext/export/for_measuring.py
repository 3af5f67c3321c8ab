"""Writes networks to files that another program measures: for one sample, fast, and without comparing outputs."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from swapnas_ext.export.onnx_model import INPUT, output_names, write_traced
from swapnas_ext.export.traced import quiet, traced_for_one
from swapnas_ext.models import tensors_in


def write_onnx(network: nn.Module, sample: Tensor, path: Path) -> None:
    """Writes an ONNX model. The exporter of TorchScript comes first: it takes a tenth of the time of that of
    torch.export, which says in which layer a network can't be exported.

    Raises:
        RuntimeError: the network can't be traced, or an operator has no translation, with the layer.
    """
    with torch.no_grad():
        outputs = len(list(tensors_in(network(sample))))
    try:
        with quiet():
            torch.onnx.export(
                network,
                (sample,),
                path,
                dynamo=False,
                input_names=[INPUT],
                output_names=output_names(outputs),
            )
    except Exception:  # of many kinds; a torch to come may not have this exporter
        write_traced(network, traced_for_one(network, sample), path, outputs=outputs)


def write_torch(network: nn.Module, sample: Tensor, path: Path) -> None:
    """Writes a program of torch.export. Raises RuntimeError if the network can't be traced, with the layer."""
    found = traced_for_one(network, sample)
    with quiet():
        torch.export.save(found.program, path)
