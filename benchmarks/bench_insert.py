"""Streams a tensor far larger than the cache into a set, against operations that only read or write it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import swapnas_ext as swap

GIGABYTE = 1 << 30


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(16, GIGABYTE // 4 // 16)


def test_insert(compare: Any, x: torch.Tensor) -> None:
    counter = swap.PatternCounter(16)
    compare(
        "insert S=16, 1 GiB",
        lambda: counter.update(x),
        {"x.sum()": lambda: x.sum()},
        rounds=31,
        within=1.3,
    )


def test_relu_insert(compare: Any, x: torch.Tensor) -> None:
    counter = swap.PatternCounter(16)
    compare(
        "ReLU + insert S=16, 1 GiB",
        lambda: counter.relu(x),
        {"torch.relu": lambda: torch.relu(x)},
        rounds=15,
        within=1.25,
    )


def test_relu_insert_in_place(compare: Any, x: torch.Tensor) -> None:
    counter = swap.PatternCounter(16)
    y = x.clone()
    compare(
        "ReLU + insert in place S=16, 1 GiB",
        lambda: counter.relu_(y),
        {"torch.relu_": lambda: torch.relu_(y)},
        rounds=31,
        within=None,
    )
