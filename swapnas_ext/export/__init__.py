"""Takes networks away: as programs of torch.export, as ONNX models, described in JSON, and to devices that time them.

::

    space = swap.spaces.get("nasbench201")
    network = space.build(cell)
    print(swap.export.to_onnx(network, space.inputs(2), "cell.onnx"))
"""

from __future__ import annotations

from swapnas_ext.export.description import describe
from swapnas_ext.export.exported import NOTES, Exported
from swapnas_ext.export.latency_command import LatencyCommand
from swapnas_ext.export.onnx_model import check_onnx, to_onnx
from swapnas_ext.export.torch_program import to_torch
from swapnas_ext.export.weights import Checkpoint

__all__ = [
    "NOTES",
    "Checkpoint",
    "Exported",
    "LatencyCommand",
    "check_onnx",
    "describe",
    "to_onnx",
    "to_torch",
]
