"""``compat.SWAP`` beside the published class of that name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from peers import IMAGES, checkout
from torch import nn

import swapnas_ext as swap
from swapnas_ext.compat import SWAP

published = checkout("SWAPNAS_PUBLISHED", "src.metrics.swap", "github.com/pym1024/SWAP")

ARCHITECTURE = (
    "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|"
)


def scores(kind: Any, model: nn.Module, **options: Any) -> list[float]:
    """Of the published loop."""
    swapped = kind(model=model, inputs=IMAGES[:16], device="cpu", seed=0, **options)
    found = []
    for seed in range(3):
        torch.manual_seed(seed)
        for parameter in model.parameters():
            nn.init.normal_(parameter)
        swapped.reinit()
        found.append(float(swapped.forward()))
        swapped.clear()
    return found


@pytest.mark.parametrize("options", [{}, {"regular": True, "mu": 20.0, "sigma": 100.0}])
def test_same_numbers(options: dict[str, Any]) -> None:
    if options and int(np.__version__.partition(".")[0]) >= 2:
        pytest.skip("the published class counts parameters with a sum that NumPy 2 refuses")
    space = swap.spaces.get("nasbench201", channels=4, cells=1)
    ours, theirs = space.build(ARCHITECTURE).train(), space.build(ARCHITECTURE).train()
    found, wanted = scores(SWAP, ours, **options), scores(published.SWAP, theirs, **options)
    assert found == pytest.approx(wanted, rel=1e-6)
