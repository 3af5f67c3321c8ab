"""zero-cost-nas (``foresight``): a measure, and ``find_measures`` with that one measure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext.scoring import score


def swap_measure(
    net: nn.Module, inputs: Tensor, targets: Any = None, split_data: int = 1, loss_fn: Any = None
) -> list[Tensor]:
    """The SWAP-Score of ``net`` as it is, as a list of one tensor, which foresight sums up. Only ``net``
    and ``inputs`` matter. To register it: ``measure("swap", copy_net=False)(swap_measure)``."""
    return [torch.tensor(float(score(net, inputs)), dtype=torch.float64)]


def find_measures(
    net_orig: nn.Module,
    dataloader: Iterable[Any],
    dataload_info: tuple[str, int, int],
    device: torch.device | str,
    loss_fn: Any = None,
    measure_names: Any = None,
    measures_arr: Any = None,
) -> dict[str, float]:
    """``{"swap": score}``, called as foresight's function of that name. Of ``dataload_info`` the number of
    batches is used, or, for ``("grasp", images a class, classes)``, the first images."""
    kind, count, classes = dataload_info
    if kind == "random":
        inputs = torch.cat([batch[0] for batch in islice(dataloader, count)])
    else:
        wanted, parts = count * classes, []
        for batch in dataloader:
            parts.append(batch[0])
            if sum(map(len, parts)) >= wanted:
                break
        inputs = torch.cat(parts)[:wanted]
    return {"swap": swap_measure(net_orig.to(device), inputs)[0].item()}
