"""Batch normalisation, alone and with the ReLU and the patterns after it, against torch."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from swapnas_ext import forward  # noqa: F401 # registers the operators
from swapnas_ext.forward import reference
from swapnas_ext.patterns import tables

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("isa")
on_all_kernels = settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SPATIAL = ((), (1,), (7,), (16,), (130,), (3, 3), (8, 8), (7, 9), (16, 16), (5, 300), (2, 3, 5))


def values(shape: tuple[int, ...], seed: int, mean: float = 0.3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator) + mean


@st.composite
def cases(draw: st.DrawFn) -> tuple[Tensor, Tensor | None, Tensor | None, float]:
    """x, weight, bias, eps."""
    rows, channels = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    spatial = draw(st.sampled_from(SPATIAL))
    if rows == 1 and torch.Size(spatial).numel() == 1:
        rows = 2
    seed = draw(st.integers(0, 2**31))
    weight, bias = (values((channels,), seed + i) if draw(st.booleans()) else None for i in (1, 2))
    eps = draw(st.sampled_from((1e-5, 1e-3)))
    return values((rows, channels, *spatial), seed), weight, bias, eps


@on_all_kernels
@given(case=cases())
def test_equals_torch_up_to_rounding(
    threads: int, case: tuple[Tensor, Tensor | None, Tensor | None, float]
) -> None:
    y = torch.ops.swapnas.batch_norm(*case)
    torch.testing.assert_close(y, reference.batch_norm(*case), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("offset", [0.0, 1e3, -1e3])
def test_is_as_near_to_the_exact_result_as_torch(offset: float) -> None:
    """Also where the mean is much larger than the deviation."""
    for seed in range(5):
        x = values((8, 6, 20, 20), seed, offset)
        x[0, :, 0, 0] += 10
        exact = F.batch_norm(x.double(), None, None, training=True)
        ours = (torch.ops.swapnas.batch_norm(x, None, None, 1e-5) - exact).abs().mean()
        theirs = (F.batch_norm(x, None, None, training=True) - exact).abs().mean()
        assert ours <= 4 * theirs


def test_signs_differ_from_torchs_at_most_ten_times_in_a_million() -> None:
    x = values((16, 64, 50, 50), 0)
    ours = torch.ops.swapnas.batch_norm(x, None, None, 1e-5)
    theirs = F.batch_norm(x, None, None, training=True)
    assert int(((ours > 0) != (theirs > 0)).sum()) <= 10e-6 * x.numel()


def test_values_that_are_all_the_same() -> None:
    x = torch.full((4, 3, 5, 5), 7.7)
    y = torch.ops.swapnas.batch_norm(x, None, None, 1e-5)
    torch.testing.assert_close(y, torch.zeros_like(x), rtol=0, atol=1e-3)


@pytest.mark.parametrize("odd", [torch.nan, torch.inf])
def test_what_is_not_finite_spreads_over_its_channel(odd: float) -> None:
    x = values((4, 3, 5, 5), 0)
    x[2, 1, 3, 3] = odd
    y = torch.ops.swapnas.batch_norm(x, None, None, 1e-5)
    expected = F.batch_norm(x, None, None, training=True)
    torch.testing.assert_close(y, expected, equal_nan=True)
    assert y[:, 1].isnan().all() and not y[:, ::2].isnan().any()


@on_all_kernels
@given(
    samples=st.sampled_from((1, 2, 5, 16, 20, 21, 40, 70)),
    chunks=st.sampled_from((1, 1, 3)),
    groups=st.sampled_from((1, 1, 2, 5)),
    channels=st.integers(1, 4),
    spatial=st.sampled_from(((), (7,), (8, 8), (16, 16), (13, 11), (70, 80))),
    ternary=st.booleans(),
    affine=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_inserts_the_patterns_of_its_output(
    threads: int,
    samples: int,
    chunks: int,
    groups: int,
    channels: int,
    spatial: tuple[int, ...],
    ternary: bool,
    affine: bool,
    seed: int,
) -> None:
    if samples * chunks == 1 and torch.Size(spatial).numel() == 1:
        chunks = 2
    x = values((samples * chunks, groups * channels, *spatial), seed)
    parts = [values((groups * channels,), seed + i) if affine else None for i in (1, 2)]
    room = 2 * chunks * channels * torch.Size(spatial).numel()
    table = tables.new_table(samples, ternary, patterns=room, groups=groups, device=CPU)
    y = torch.ops.swapnas.batch_norm_relu_insert(table, x, *parts, 1e-5, samples, ternary)

    assert torch.equal(y, torch.relu(torch.ops.swapnas.batch_norm(x, *parts, 1e-5)))
    expected = tables.new_table(samples, ternary, patterns=room, groups=groups, device=CPU)
    by_group = y.unflatten(1, (groups, channels)).movedim(1, 0) if groups > 1 else y
    torch.ops.swapnas.insert_(expected, by_group, samples, ternary)
    counts = torch.ops.swapnas.count(table, samples, ternary)
    assert torch.equal(counts, torch.ops.swapnas.count(expected, samples, ternary))
    torch.ops.swapnas.merge_(table, expected, samples, ternary)  # the same set, not only as large
    assert torch.equal(torch.ops.swapnas.count(table, samples, ternary), counts)


def test_the_reference_inserts_the_same_patterns() -> None:
    x = values((16, 12, 9, 9), 0)
    ours, theirs = (
        tables.new_table(16, False, patterns=1000, groups=3, device=CPU) for _ in range(2)
    )
    y = torch.ops.swapnas.batch_norm_relu_insert(ours, x, None, None, 1e-5, 16, False)
    torch.testing.assert_close(
        y, reference.batch_norm_relu_insert(theirs, x, None, None, 1e-5, 16, False)
    )
    assert torch.equal(ours, theirs)


def test_a_nan_is_reported() -> None:
    x = values((16, 4, 3, 3), 0)
    x[3, 2, 0, 0] = torch.nan
    table = tables.new_table(16, False, patterns=1000, groups=2, device=CPU)
    y = torch.ops.swapnas.batch_norm_relu_insert(table, x, None, None, 1e-5, 16, False)
    assert y[:, 2].isnan().all()
    assert torch.ops.swapnas.count(table, 16, False)[:, 1].tolist() == [0, 1]


def test_refuses_other_tensors() -> None:
    x = values((4, 3, 5, 5), 0)
    for bad in (x.double(), x.mT, x[0, 0, 0], x[:1, :, :1, :1].contiguous(), x[:0]):
        with pytest.raises(RuntimeError, match=r"float32|N, C|more than one value"):
            torch.ops.swapnas.batch_norm(bad, None, None, 1e-5)
    with pytest.raises(RuntimeError, match=r"eps is 0"):
        torch.ops.swapnas.batch_norm(x, None, None, 0.0)
    with pytest.raises(RuntimeError, match=r"weight must have one number for each of the 3"):
        torch.ops.swapnas.batch_norm(x, torch.ones(4), None, 1e-5)
    table = tables.new_table(40, False, patterns=10, groups=1, device=CPU)
    with pytest.raises(RuntimeError, match=r"multiple of 40 samples and R = 1"):
        torch.ops.swapnas.batch_norm_relu_insert(table, x, None, None, 1e-5, 40, False)
    with pytest.raises(RuntimeError, match=r"no room for 75"):
        torch.ops.swapnas.batch_norm_relu_insert(
            table, x.repeat(10, 1, 1, 1), None, None, 1e-5, 40, False
        )
