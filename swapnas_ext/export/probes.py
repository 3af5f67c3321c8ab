"""Compares an exported network with the one it was made from, on random inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from swapnas_ext.models import tensors_in

_LARGEST_SCALE = 1e9
_STEP = 10.0
_VISIBLE = 0.1
"""Part of the largest output by which outputs of different samples have to differ."""


class Probe(NamedTuple):
    """Inputs, and what the network makes of them. ``spread`` is how far outputs are from their mean over samples."""

    inputs: Tensor
    outputs: list[Tensor]
    spread: float


def probe(network: nn.Module, like: Tensor, samples: int) -> Probe:
    """Random inputs on which the network's outputs differ from sample to sample.

    Signals fade in deep untrained networks: all outputs are then those of the last layer's bias, and any network with
    the same bias would seem equal. So larger inputs are tried until the outputs differ by a tenth of their size.

    Args:
        like: inputs of which shape, dtype and values are taken; integers, such as tokens, are drawn from them.
    """
    generator = torch.Generator().manual_seed(0)
    shape = (samples, *like.shape[1:])
    scale = 1.0
    best: Probe | None = None
    drawn = _drawn(like, shape, generator)
    while True:
        inputs = drawn * scale if drawn.is_floating_point() else drawn
        with torch.no_grad():
            outputs = [tensor.clone() for tensor in tensors_in(network(inputs))]
        if best is not None and not all(bool(tensor.isfinite().all()) for tensor in outputs):
            return best
        best = Probe(inputs, outputs, _spread(outputs))
        largest = max((tensor.abs().max().item() for tensor in outputs), default=0.0)
        too_small = samples > 1 and best.spread < _VISIBLE * largest
        if not too_small or not drawn.is_floating_point() or scale >= _LARGEST_SCALE:
            return best
        scale *= _STEP


def _drawn(like: Tensor, shape: Sequence[int], generator: torch.Generator) -> Tensor:
    if like.is_floating_point():
        return torch.randn(shape, generator=generator, dtype=like.dtype)
    values = like.flatten()
    return values[torch.randint(len(values), (math.prod(shape),), generator=generator)].view(
        tuple(shape)
    )


def _spread(outputs: Sequence[Tensor]) -> float:
    return max(
        ((tensor - tensor.mean(0)).abs().max().item() for tensor in outputs if tensor.numel()),
        default=0.0,
    )


def largest_difference(
    run: Callable[[Tensor], Sequence[Tensor]], probes: Sequence[Probe], tolerance: float
) -> float:
    """The largest difference of any output, relative to how far outputs differ from sample to sample.

    Raises:
        RuntimeError: it is beyond the tolerance, or outputs have other shapes.
    """
    unit = max(one.spread for one in probes)
    if unit == 0:  # the outputs do not depend on the inputs
        unit = max(t.abs().max().item() for one in probes for t in one.outputs) or 1.0
    worst = 0.0
    for one in probes:
        found = run(one.inputs)
        if [tensor.shape for tensor in found] != [tensor.shape for tensor in one.outputs]:
            raise RuntimeError(
                f"for {len(one.inputs)} samples, the exported network returns {_shapes(found)}, and the network itself "
                f"{_shapes(one.outputs)}: nothing was written"
            )
        for exported, original in zip(found, one.outputs, strict=True):
            difference = (exported.double() - original.double()).abs().max().item() / unit
            worst = difference if math.isnan(difference) else max(worst, difference)
        if not worst <= tolerance:
            raise RuntimeError(
                f"for {len(one.inputs)} samples, outputs of the exported network differ by {worst:.2g} of the spread "
                f"of the network's own; expected at most {tolerance:.0e}: nothing was written"
            )
    return worst


def _shapes(tensors: Sequence[Tensor]) -> str:
    return ", ".join(str(list(tensor.shape)) for tensor in tensors)
