"""Counting distinct patterns, against the published cat + sign + torch.unique(dim=0), and the set by
itself against other libraries' unique.

Floor of a count: V * S elements read once. At S = 32 and V = 1.5 M these are 192 MB, 5 to 10 ms at the
20 to 40 GB/s of two cores.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from conftest import published_count

import swapnas_ext as swap


def relu_layers(samples: int, layers: int, shape: tuple[int, ...]) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.relu(torch.randn(samples, *shape)) for _ in range(layers)]


def half_distinct(samples: int, neurons: int) -> torch.Tensor:
    """Every column twice, at random places."""
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


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("count", [100_000, 1_500_000, 10_000_000])
def test_set_alone(compare: Any, bits: int, count: int) -> None:
    rng = np.random.default_rng(0)
    dtype = np.int32 if bits == 32 else np.int64
    distinct = rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, count // 2, dtype=dtype)
    keys = distinct[rng.integers(0, len(distinct), count)]
    tensor, series = torch.from_numpy(keys), pl.Series(keys)

    def ours() -> int:
        return torch.ops.swapnas.count_packed(tensor, bits, False).tolist()[0][0]

    assert ours() == series.n_unique()
    others = {
        "np.unique": lambda: np.unique(keys).size,
        "torch.unique": lambda: torch.unique(tensor).numel(),
        "pandas.unique": lambda: pd.unique(keys).size,
        "polars n_unique": lambda: series.n_unique(),
    }
    compare(
        f"set alone, {count:,} keys of {bits} bits",
        ours,
        others,
        rounds=21 if count < 5_000_000 else 7,
        other_every=3,
        at_least=3,
    )
