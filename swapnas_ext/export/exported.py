"""What an export wrote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

Phase = Callable[[str], None]
"""Called with what is being done."""

NOTES = "swapnas.json"
"""Name of the notes in the file: an extra file of a program, a property of an ONNX model."""


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path, size: the file, and its size in bytes.
        inputs: shape of the inputs, with ``"batch"`` where any number of samples is allowed.
        dtype: of the inputs, as torch names it: ``float32``.
        difference: the largest difference to the outputs of the network itself on random inputs, relative to how far
            these differ from sample to sample.
        tolerance: the largest ``difference`` that would have been accepted.
        fixed_by: what in the network allows no other number of samples; empty if any is allowed.
    """

    path: Path
    size: int
    inputs: tuple[int | str, ...]
    dtype: str
    difference: float
    tolerance: float
    fixed_by: str


def check_inputs(inputs: Tensor) -> None:
    """Raises TypeError or ValueError unless this is a tensor with samples, on the CPU."""
    if not isinstance(inputs, Tensor):
        raise TypeError(f"inputs must be a tensor [samples, ...], got {type(inputs).__name__}")
    if inputs.dim() < 2 or not inputs.numel():
        raise ValueError(f"inputs must be [samples, ...] with a sample, got {list(inputs.shape)}")
    if inputs.device.type != "cpu":
        raise ValueError(f"inputs and network must be on the CPU, got inputs on {inputs.device}")


def dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
