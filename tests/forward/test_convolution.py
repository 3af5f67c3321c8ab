"""Convolutions against torch's: random shapes, every instruction set, one thread and several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from swapnas_ext.forward import reference
from swapnas_ext.patterns.native import _C

convolve = torch.ops.swapnas.convolve.default

on_all_kernels = settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(params=_C.available_cpu_isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    before = _C.cpu_isa()
    _C.set_cpu_isa(request.param)
    yield request.param
    _C.set_cpu_isa(before)


@dataclass(frozen=True)
class Case:
    samples: int
    groups: int
    in_channels: int  # of one group
    out_channels: int
    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    bias: bool = False

    @property
    def fits(self) -> bool:
        return all(
            size + 2 * padding > dilation * (kernel - 1)
            for size, kernel, padding, dilation in zip(
                self.size, self.kernel, self.padding, self.dilation, strict=True
            )
        )

    def tensors(self) -> tuple[Tensor, Tensor, Tensor | None]:
        generator = torch.Generator().manual_seed(0)
        channels = self.groups * self.out_channels
        x = torch.randn(
            self.samples, self.groups * self.in_channels, *self.size, generator=generator
        )
        weight = torch.randn(channels, self.in_channels, *self.kernel, generator=generator)
        return x, weight, torch.randn(channels, generator=generator) if self.bias else None

    def run(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        y = convolve(x, weight, bias, *self.stride, *self.padding, *self.dilation, self.groups)
        assert isinstance(y, Tensor)
        return y

    def expected(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return reference.convolve(
            x, weight, bias, *self.stride, *self.padding, *self.dilation, self.groups
        )


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    numbers = st.integers(low, high)
    return st.tuples(numbers, numbers) | numbers.map(lambda n: (n, n))


SIZES = st.sampled_from((1, 2, 3, 4, 5, 7, 8, 9, 14, 15, 16, 17, 20, 28, 31, 32, 33, 49))
ANY_CASE = st.builds(
    Case,
    samples=st.integers(1, 3),
    groups=st.integers(1, 4),
    in_channels=st.integers(1, 5),
    out_channels=st.integers(1, 14),
    size=st.tuples(SIZES, SIZES),
    kernel=pairs(1, 5),
    stride=pairs(1, 3),
    padding=pairs(0, 4),
    dilation=pairs(1, 3),
    bias=st.booleans(),
).filter(lambda case: case.fits)
DEPTHWISE = st.builds(
    Case,
    samples=st.integers(1, 3),
    groups=st.integers(1, 20),
    in_channels=st.just(1),
    out_channels=st.sampled_from((1, 1, 2)),
    size=st.tuples(SIZES, SIZES),
    kernel=st.sampled_from(((3, 3), (5, 5), (7, 7))),
    stride=pairs(1, 2),
    padding=pairs(0, 4),
    dilation=pairs(1, 2),
    bias=st.booleans(),
).filter(lambda case: case.fits)
POINTWISE = st.builds(
    Case,
    samples=st.integers(1, 3),
    groups=st.integers(1, 6),
    in_channels=st.integers(1, 40),
    out_channels=st.integers(1, 26),
    size=st.tuples(SIZES, SIZES),
    kernel=st.just((1, 1)),
    stride=pairs(1, 3),
    bias=st.booleans(),
)


def assert_near(y: Tensor, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    """As near to the exact result as sums of rounded products can be expected to be."""
    exact = case.expected(x.double(), weight.double(), None if bias is None else bias.double())
    size = case.expected(
        x.double().abs(), weight.double().abs(), None if bias is None else bias.double().abs()
    )
    terms = weight[0].numel() + 1
    assert y.dtype == torch.float32
    assert y.shape == exact.shape
    assert ((y - exact).abs() <= terms * 2**-24 * size).all()


@on_all_kernels
@given(case=ANY_CASE)
@example(case=Case(2, 1, 3, 16, (32, 32), (3, 3), padding=(1, 1), bias=True))
@example(case=Case(1, 2, 64, 7, (8, 8), (3, 3), padding=(1, 1)))
@example(case=Case(1, 1, 1, 1, (1, 1), (5, 5), padding=(2, 2)))
@example(case=Case(1, 1, 1, 1, (3, 70), (1, 7), stride=(1, 4), padding=(0, 3)))
def test_equals_torch(isa: str, case: Case) -> None:
    tensors = case.tensors()
    assert_near(case.run(*tensors), case, *tensors)


@on_all_kernels
@given(case=DEPTHWISE)
def test_depthwise_equals_torch(isa: str, case: Case) -> None:
    tensors = case.tensors()
    assert_near(case.run(*tensors), case, *tensors)


@on_all_kernels
@given(case=POINTWISE)
def test_pointwise_equals_torch(isa: str, case: Case) -> None:
    tensors = case.tensors()
    assert_near(case.run(*tensors), case, *tensors)


LARGE = (
    Case(16, 24, 1, 1, (32, 32), (5, 5), padding=(4, 4), dilation=(2, 2)),
    Case(16, 32, 1, 1, (32, 32), (3, 3), stride=(2, 2), padding=(1, 1)),
    Case(16, 8, 6, 6, (32, 32), (1, 1), bias=True),
    Case(16, 8, 24, 12, (32, 32), (1, 1), stride=(2, 2)),
    Case(16, 1, 3, 36, (32, 32), (3, 3), padding=(1, 1)),
    Case(5, 1, 32, 48, (14, 14), (3, 3), padding=(1, 1), bias=True),
)


@pytest.mark.parametrize("case", LARGE, ids=str)
def test_threads_give_equal_bits(threads: int, case: Case) -> None:
    """Each output is summed by one thread, always in the same order."""
    tensors = case.tensors()
    y = case.run(*tensors)
    assert_near(y, case, *tensors)
    torch.set_num_threads(1)
    assert torch.equal(case.run(*tensors), y)


@pytest.mark.parametrize("case", LARGE[:4], ids=str)
def test_infinities_and_nan_stay_where_they_are(isa: str, case: Case) -> None:
    x, weight, bias = case.tensors()
    x[0, 0, 0, 0] = torch.inf
    x[1, 1, 3, 5] = torch.nan
    y, expected = case.run(x, weight, bias), case.expected(x, weight, bias)
    assert torch.equal(y.isnan(), expected.isnan())
    assert torch.equal(y.isinf(), expected.isinf())


def test_no_samples_and_no_channels() -> None:
    weight = torch.zeros(4, 1, 3, 3)
    assert convolve(torch.empty(0, 4, 8, 8), weight, None, 1, 1, 1, 1, 1, 1, 4).shape == (
        0,
        4,
        8,
        8,
    )
    bias = torch.arange(2.0)
    y = convolve(torch.empty(1, 0, 3, 3), torch.empty(2, 0, 1, 1), bias, 1, 1, 0, 0, 1, 1, 1)
    assert torch.equal(y, bias[None, :, None, None].expand(1, 2, 3, 3))


X, WEIGHT = torch.zeros(2, 4, 8, 8), torch.zeros(4, 1, 3, 3)


@pytest.mark.parametrize(
    ("x", "weight", "bias", "arguments", "message"),
    [
        (X.double(), WEIGHT, None, (1, 1, 1, 1, 1, 1, 4), "x must be a contiguous float32"),
        (X.mT, WEIGHT, None, (1, 1, 1, 1, 1, 1, 4), "x must be a contiguous float32"),
        (X, WEIGHT.mT, None, (1, 1, 1, 1, 1, 1, 4), "weight must be a contiguous float32"),
        (X[0], WEIGHT, None, (1, 1, 1, 1, 1, 1, 4), r"x must be \[N, C, H, W\]"),
        (
            X,
            WEIGHT,
            torch.zeros(3),
            (1, 1, 1, 1, 1, 1, 4),
            "bias must have one number for each of the 4",
        ),
        (
            X,
            WEIGHT,
            None,
            (1, 1, 1, 1, 1, 1, 2),
            "x has 4 channels, weight is for 1 in each of 2 groups",
        ),
        (X, WEIGHT, None, (1, 1, 1, 1, 1, 1, 0), "0 groups"),
        (X, WEIGHT, None, (0, 1, 1, 1, 1, 1, 4), "strides and dilations of at least 1"),
        (X, WEIGHT, None, (1, 1, 1, -1, 1, 1, 4), "no negative padding"),
        (
            X,
            WEIGHT,
            None,
            (1, 1, 0, 0, 4, 1, 4),
            "dilation 4 does not fit into 8 pixels with padding 0",
        ),
    ],
)
def test_refuses_other_arguments(
    x: Tensor, weight: Tensor, bias: Tensor | None, arguments: tuple[int, ...], message: str
) -> None:
    with pytest.raises(RuntimeError, match=message):
        convolve(x, weight, bias, *arguments)


@settings(max_examples=50)
@given(case=ANY_CASE)
def test_fake_kernel_knows_the_shape(case: Case) -> None:
    x, weight, bias = (tensor if tensor is None else tensor.to("meta") for tensor in case.tensors())
    assert x is not None
    assert weight is not None
    expected = F.conv2d(x, weight, bias, case.stride, case.padding, case.dilation, case.groups)
    assert case.run(x, weight, bias).shape == expected.shape
