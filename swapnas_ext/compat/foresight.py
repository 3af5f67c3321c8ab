"""zero-cost-nas (``foresight``): a measure, and ``find_measures`` with that one measure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext.compat.first_images import (
    SAMPLES,
    check_samples,
    first_images,
    score_there,
    too_few,
)


def swap_measure(
    net: nn.Module,
    inputs: Tensor,
    targets: Any = None,
    split_data: int = 1,
    loss_fn: Any = None,
    *,
    samples: int = SAMPLES,
    **options: Any,
) -> list[Tensor]:
    """The SWAP-Score of ``net`` on the first of the ``inputs``, as a list of one tensor, which foresight
    sums up.

    The score is computed where the inputs are. With ``copy_net=False`` foresight hands over the caller's
    net, which it moved to the CPU: that one stays as and where it is.

    Args:
        net, inputs: what is scored; ``targets``, ``split_data`` and ``loss_fn`` don't matter.
        samples: how many of the inputs are scored. Foresight's batches are of 64, on which scores
            saturate.
        options: of `score`, such as ``measure``, ``init``, ``repeats`` and ``seed``; by default the weights
            are as they are.

    Raises:
        ValueError: fewer inputs than ``samples``, and as `score`.

    Example::

        from foresight.pruners.measures import measure

        measure("swap", copy_net=False, init="gaussian")(swap_measure)
        find_measures(net, train_loader, ("random", 1, 10), device, measure_names=["swap"])
    """
    images = first_images([inputs], samples)
    value = float(score_there(net, images, **options))
    return [torch.tensor(value, dtype=torch.float64)]


def find_measures(
    net_orig: nn.Module,
    dataloader: Iterable[Any],
    dataload_info: tuple[str, int, int],
    device: torch.device | str,
    loss_fn: Any = None,
    measure_names: Sequence[str] | None = None,
    measures_arr: Any = None,
    *,
    samples: int = SAMPLES,
    **options: Any,
) -> dict[str, float]:
    """``{"swap": score}``, called as foresight's function of that name; the net stays where it is.

    Args:
        dataload_info: ``("random", batches, classes)`` or ``("grasp", images a class, classes)``: how
            many batches, or how many images, the first ``samples`` are taken from.
        device: where the score is computed.
        measure_names: None or ``["swap"]``.
        samples, options: as of `swap_measure`.

    Raises:
        ValueError: other measures, another kind of ``dataload_info``, a loader with less than that tells,
            or fewer images than ``samples``.
    """
    if measure_names is not None and list(measure_names) != ["swap"]:
        raise ValueError(
            f"measure_names must be None or ['swap'], got {list(measure_names)}; to compute others too, "
            "register swap_measure with foresight and call its own find_measures"
        )
    images = _images(dataloader, dataload_info, samples).to(device)
    return {"swap": swap_measure(net_orig, images, samples=samples, **options)[0].item()}


def _images(dataloader: Iterable[Any], dataload_info: tuple[str, int, int], samples: int) -> Tensor:
    check_samples(samples)
    kind, count, classes = dataload_info
    if kind == "grasp":
        wanted = count * classes
        if wanted < samples:
            raise too_few(wanted, samples)
        return first_images(dataloader, wanted)
    if kind != "random":
        raise ValueError(f"dataload_info must begin with 'random' or 'grasp', got {kind!r}")
    batches = list(islice(dataloader, count))
    if len(batches) < count:
        raise ValueError(
            f"the data loader has {len(batches)} batches, dataload_info asks for {count}; pass "
            f"('random', {len(batches) or 1}, {classes}), or a loader with more"
        )
    return first_images(batches, samples)
