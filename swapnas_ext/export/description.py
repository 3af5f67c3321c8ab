"""Describes an architecture with what is needed to use it, in plain values."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from swapnas_ext.data import MEAN, STD
from swapnas_ext.export.exported import dtype_name
from swapnas_ext.export.traced import BATCH, evaluating
from swapnas_ext.search import Ranked, describe_space
from swapnas_ext.spaces import SearchSpace
from swapnas_ext.version import __version__

FORMAT = 1


def describe(
    space: SearchSpace,
    architecture: str,
    *,
    network: nn.Module | None = None,
    inputs: Tensor | None = None,
    ranked: Ranked | None = None,
    rank: int | None = None,
    settings: Mapping[str, Any] | None = None,
    weights: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The architecture in the formats of other code bases too, its space, size, inputs, and what a run knows of it.

    Args:
        space: the space whose networks are to be used: of a run, that of the `final` networks.
        network: the network, if it is built already.
        inputs: what it takes, ``[samples, ...]``, where that is not ``space.inputs``, such as larger images.
        ranked, rank, settings: the candidate of a run, its place (1 is the best), and the settings of the run.
        weights: where the network's weights are from, as plain values. Its ``mean`` and ``std`` of the images take the
            place of those that scores are made with.

    Raises:
        ArchitectureError: not an architecture of the space.
        RuntimeError: the network fails on the inputs.
    """
    network = space.build(architecture) if network is None else network
    inputs = (space.inputs(1) if inputs is None else inputs)[:1]
    weights = dict(weights or {})
    content: dict[str, Any] = {
        "swapnas_export": FORMAT,
        "architecture": architecture,
        "canonical": space.canonical(architecture),
        "formats": space.formats(architecture),
        "space": describe_space(space),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "flops": _flops(network, inputs),
        "input": {
            "shape": [BATCH, *inputs.shape[1:]],
            "dtype": dtype_name(inputs.dtype),
            "mean": weights.pop("mean", list(MEAN) if inputs.is_floating_point() else None),
            "std": weights.pop("std", list(STD) if inputs.is_floating_point() else None),
        },
        "weights": weights or None,
        "run": None,
        "versions": {
            "swapnas_ext": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }
    if ranked is not None:
        candidate = ranked.candidate
        content["run"] = {
            "rank": rank,
            "measure": candidate.score_of,
            "score": ranked.score,
            "log_score": ranked.log_score,
            "log_scores": candidate.log_scores,
            "number": candidate.number,
            "settings": settings,
        }
    return content


def _flops(network: nn.Module, inputs: Tensor) -> int:
    """Operations of one sample, as limits of a search count them."""
    with torch.no_grad(), evaluating(network), FlopCounterMode(display=False) as counter:
        try:
            network(inputs)
        except Exception as error:  # the network's code may raise anything
            raise RuntimeError(
                f"the network fails on inputs {list(inputs.shape)}: {type(error).__name__}: {error}"
            ) from error
    return int(counter.get_total_flops()) // len(inputs)
