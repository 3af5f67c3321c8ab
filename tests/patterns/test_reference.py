"""The reference, against torch.unique as the published code calls it."""

from __future__ import annotations

import pytest
import torch
from support.layouts import random_values

from swapnas_ext.patterns import reference


@pytest.mark.parametrize("samples", [1, 2, 16, 33, 100])
def test_counts_as_unique_of_signs_does(samples: int) -> None:
    xs = [random_values((samples, 3, width, 2), torch.float32, width) for width in (5, 40)]
    rows = torch.cat([x.reshape(samples, -1) for x in xs], dim=1)
    published = torch.unique(torch.sign(rows).T, dim=0).size(0)
    assert reference.count_patterns(*xs, samples=samples, ternary=True) == published
    published = torch.unique(torch.sign(torch.relu(rows)).T, dim=0).size(0)
    assert reference.count_patterns(*xs, samples=samples) == published


def test_bit_order() -> None:
    x = torch.zeros(70, 3)
    x[0, 0] = x[31, 1] = x[69, 2] = 1
    x[5, 0] = -1
    packed = reference.pack_patterns(x, 70)
    assert packed.tolist() == [[1, 0], [1 << 31, 0], [0, 1 << 5]]
    assert reference.pack_patterns(x[:32], 32).tolist() == [1, -(1 << 31), 0]
    ternary = reference.pack_patterns(x[:6], 6, ternary=True)
    assert ternary.tolist() == [1 | 1 << (6 + 5), 0, 0]


def test_chunks_are_sample_major() -> None:
    x = torch.randn(12, 5)
    assert torch.equal(reference.signs(x, 4), torch.sign(x.view(4, -1)).to(torch.int8))
