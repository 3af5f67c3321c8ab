"""Counting distinct patterns, against the published cat + sign + torch.unique(dim=0).

The floor of a count is one read of V * S elements. At S = 32 and V = 1.5 M that is 192 MB, 5 to 10 ms at
the 20 to 40 GB/s of two cores.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from published import published_count

import swapnas_ext as swap


def relu_layers(samples: int, layers: int, shape: tuple[int, ...]) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.relu(torch.randn(samples, *shape)) for _ in range(layers)]


def half_distinct(samples: int, neurons: int) -> torch.Tensor:
    """Every column twice, in random places."""
    torch.manual_seed(0)
    columns = torch.relu(torch.randn(samples, neurons // 2))
    order = torch.cat([torch.randperm(neurons // 2), torch.randperm(neurons // 2)])
    return columns[:, order].contiguous()


def test_count_s16(compare: Any) -> None:
    xs = relu_layers(16, 14, (3, 32, 32))
    assert swap.count_patterns(*xs) == published_count(xs, 16)
    compare(
        "count S=16 V=43,008",
        lambda: swap.count_patterns(*xs),
        {"cat+sign+unique": lambda: published_count(xs, 16)},
        rounds=201,
        other_every=10,
        at_least=1000,
    )


@pytest.mark.parametrize(
    ("samples", "neurons", "bound"), [(32, 1_500_000, 400), (64, 500_000, 200), (128, 500_000, 200)]
)
def test_count_large(compare: Any, samples: int, neurons: int, bound: float) -> None:
    x = half_distinct(samples, neurons)
    assert swap.count_patterns(x) == published_count([x], samples)
    compare(
        f"count S={samples} V={neurons:,}",
        lambda: swap.count_patterns(x),
        {"cat+sign+unique": lambda: published_count([x], samples)},
        rounds=31,
        other_every=10,
        at_least=bound,
        floor_ms=1e3 * x.numel() * 4 / 40e9,
    )
