"""For zero-cost-nas (``foresight``): a measure, and a ``find_measures`` that computes only this measure."""

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
    """The SWAP-Score of ``net`` on the first of the ``inputs``, as a list of one tensor. Foresight sums such lists.

    The score is computed on the inputs' device. With ``copy_net=False`` foresight moves the caller's net to the CPU
    and passes it on. That net is not changed, and stays on the CPU.

    Args:
        net, inputs: the network, and the inputs to score it on.
        targets, split_data, loss_fn: not used.
        samples: how many of the inputs are scored. Foresight's batches have 64 inputs, with which scores saturate.
        options: options of `score`, such as ``measure``, ``init``, ``repeats`` and ``seed``. By default, the net keeps
            its weights.

    Raises:
        ValueError: there are fewer inputs than ``samples``, or `score` raises it.

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
    """``{"swap": score}``. Takes the place of foresight's function of this name. The net stays on its device.

    Args:
        dataload_info: ``("random", batches, classes)`` or ``("grasp", images of each class, classes)``. It says how
            many batches or images are read; the first ``samples`` images are scored.
        device: the device that computes the score.
        loss_fn, measures_arr: not used.
        measure_names: None or ``["swap"]``.
        samples, options: as for `swap_measure`.

    Raises:
        ValueError: ``measure_names`` has other measures, ``dataload_info`` begins with something else, the loader has
            less than ``dataload_info`` says, or there are fewer images than ``samples``.
    """
    if measure_names is not None and list(measure_names) != ["swap"]:
        raise ValueError(
            f"measure_names must be None or ['swap'], got {list(measure_names)}; to compute other measures too, "
            "register swap_measure with foresight and call foresight's find_measures"
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
            f"('random', {len(batches) or 1}, {classes}), or a loader with more batches"
        )
    return first_images(batches, samples)


__all__ = ["find_measures", "swap_measure"]
