"""Average and maximum pooling, against torch: the same floats."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from swapnas_ext import forward  # noqa: F401 # registers the operators
from swapnas_ext.forward import reference

pytestmark = pytest.mark.usefixtures("isa")
on_all_kernels = settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SIZES = (1, 2, 3, 4, 5, 7, 8, 14, 15, 16, 17, 28, 31, 32, 33, 56, 70)


def values(shape: tuple[int, ...], seed: int) -> Tensor:
    """Some are zeros, of both signs."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator)
    kind = torch.randint(6, shape, generator=generator)
    return x.where(kind > 1, torch.where(kind == 0, 0.0, -0.0))


@st.composite
def windows(draw: st.DrawFn, *, dilated: bool = False) -> tuple[int, ...]:
    """kernel, stride and padding, each of both dimensions; dilation too, where asked for."""
    kernel = draw(st.sampled_from(((3, 3), (3, 3), (2, 2), (1, 1), (5, 5), (1, 4), (7, 2))))
    stride = draw(st.sampled_from(((1, 1), (2, 2), (1, 2), (3, 3), (2, 1), (5, 4))))
    padding = tuple(draw(st.integers(0, size // 2)) for size in kernel)
    dilation = draw(st.sampled_from(((1, 1), (1, 1), (2, 2), (1, 3)))) if dilated else ()
    return (*kernel, *stride, *padding, *dilation)


inputs = st.builds(
    lambda planes, height, width, seed: values((*planes, height, width), seed),
    st.sampled_from(((1, 1), (2, 3), (3, 20), (4,))),
    st.sampled_from(SIZES),
    st.sampled_from(SIZES),
    st.integers(0, 2**31),
)


def assert_same(name: str, *arguments: object) -> None:
    try:
        expected = getattr(reference, name)(*arguments)
    except RuntimeError:  # no window fits
        with pytest.raises(RuntimeError, match="a pool's kernel is larger"):
            getattr(torch.ops.swapnas, name)(*arguments)
        return
    y = getattr(torch.ops.swapnas, name)(*arguments)
    assert torch.equal(y.isnan(), expected.isnan())
    assert torch.equal(y.nan_to_num(), expected.nan_to_num())
    assert torch.equal(y.signbit() & ~y.isnan(), expected.signbit() & ~expected.isnan())


@on_all_kernels
@given(x=inputs, window=windows(), ceil_mode=st.booleans(), include=st.booleans())
def test_average(
    threads: int, x: Tensor, window: tuple[int, ...], ceil_mode: bool, include: bool
) -> None:
    assert_same("avg_pool2d", x, *window, ceil_mode, include)


@on_all_kernels
@given(x=inputs, window=windows(dilated=True), ceil_mode=st.booleans())
def test_maximum(threads: int, x: Tensor, window: tuple[int, ...], ceil_mode: bool) -> None:
    assert_same("max_pool2d", x, *window, ceil_mode)


@pytest.mark.parametrize("size", [4, 7, 8, 16, 28, 32])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("odd", [torch.nan, torch.inf, -torch.inf])
def test_what_is_not_finite(size: int, stride: int, odd: float) -> None:
    x = values((2, 9, size, size), 0)
    x[1, 3, 0, 2] = x[0, 0, size - 1, size - 1] = x[1, 3, 2, 1] = odd
    assert_same("avg_pool2d", x, 3, 3, stride, stride, 1, 1, False, False)
    assert_same("max_pool2d", x, 3, 3, stride, stride, 1, 1, 1, 1, False)


def test_enough_planes_for_all_threads(threads: int) -> None:
    for size, planes in ((32, 300), (8, 3000)):
        x = values((1, planes, size, size), 0)
        assert_same("avg_pool2d", x, 3, 3, 1, 1, 1, 1, False, False)
        assert_same("max_pool2d", x, 3, 3, 2, 2, 1, 1, 1, 1, False)


def test_refuses_other_tensors() -> None:
    x = values((2, 3, 8, 8), 0)
    for bad in (x.double(), x.mT, x[0, 0], x[:0]):
        with pytest.raises(RuntimeError, match=r"float32|N, C, H, W"):
            torch.ops.swapnas.max_pool2d(bad, 3, 3, 1, 1, 1, 1, 1, 1, False)
    for window in ((0, 3, 1, 1, 1, 1), (3, 3, 1, 0, 1, 1), (3, 3, 1, 1, 2, 1), (3, 3, 1, 1, 1, -1)):
        with pytest.raises(RuntimeError, match=r"a pool needs a kernel"):
            torch.ops.swapnas.avg_pool2d(x, *window, False, True)
    with pytest.raises(RuntimeError, match=r"larger than its input of size 8"):
        torch.ops.swapnas.avg_pool2d(x, 9, 1, 1, 1, 0, 0, False, True)
