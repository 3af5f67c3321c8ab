"""Counting and packing, against the reference."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.devices import with_cuda
from support.layouts import (
    DTYPES,
    EDGE_SIZES,
    LAYOUTS,
    activations,
    lay_out,
    on_device,
    random_values,
)
from torch import Tensor

import swapnas_ext as swap
from swapnas_ext.patterns import reference, tables

NESTED = torch.nested.nested_tensor([torch.ones(3, 2)] * 4)

on_all_kernels = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.slow
@on_all_kernels
@given(case=activations(), ternary=st.booleans())
def test_count_equals_reference(
    kernels: torch.device, threads: int, case: tuple[Tensor, int], ternary: bool
) -> None:
    x, samples = case
    expected = reference.count_patterns(x, samples=samples, ternary=ternary)
    x = on_device(x, kernels)
    assert swap.count_patterns(x, samples=samples, ternary=ternary) == expected
    counter = swap.PatternCounter(samples, ternary=ternary, device=kernels)
    counter.update(x)
    assert counter.count() == expected


@on_all_kernels
@given(case=activations(), ternary=st.booleans(), inplace=st.booleans())
def test_relu_equals_reference(
    kernels: torch.device, case: tuple[Tensor, int], ternary: bool, inplace: bool
) -> None:
    x, samples = case
    x = on_device(x, kernels)
    expected = torch.relu(x)
    before = x.clone()
    counter = swap.PatternCounter(samples, ternary=ternary, device=kernels)
    y = counter.relu_(x) if inplace else counter.relu(x)
    assert torch.equal(y, expected)
    assert inplace or y.stride() == torch.empty_like(x).stride()
    assert (y is x) == inplace and (inplace or torch.equal(x, before))
    assert counter.count() == reference.count_patterns(expected, samples=samples, ternary=ternary)


@on_all_kernels
@given(case=activations(), ternary=st.booleans())
def test_pack_equals_reference(
    kernels: torch.device, case: tuple[Tensor, int], ternary: bool
) -> None:
    x, samples = case
    packed = swap.pack_patterns(on_device(x, kernels), samples=samples, ternary=ternary)
    assert torch.equal(packed.cpu(), reference.pack_patterns(x, samples, ternary))
    counter = swap.PatternCounter(samples, ternary=ternary, device=kernels)
    counter.insert_packed(packed)
    assert counter.count() == len(torch.unique(packed, dim=0))


@pytest.mark.slow
@pytest.mark.parametrize("samples", EDGE_SIZES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_size_and_dtype(kernels: torch.device, samples: int, dtype: torch.dtype) -> None:
    for neurons in (1, 63, 64, 65, 1000, 9000):
        x = torch.randn(samples, neurons).to(kernels, dtype)
        assert swap.count_patterns(x) == reference.count_patterns(x, samples=samples)


@pytest.mark.slow
@pytest.mark.parametrize("samples", [16, 20, 21, 32, 64, 128])
@with_cuda
def test_large_sets_on_several_threads(device: torch.device, threads: int, samples: int) -> None:
    columns = torch.randn(samples, 60_000, device=device)
    x = columns[:, torch.randint(60_000, (150_000,), device=device)]
    expected = reference.count_patterns(x, samples=samples)
    assert swap.count_patterns(x) == expected
    counter = swap.PatternCounter(samples, device=device)
    for part in x.split(37_000, dim=1):  # in several updates, with growing between them
        counter.update(part)
    counter.update(x)
    assert counter.count() == expected
    assert swap.count_patterns(*x.split(11_111, dim=1)) == expected


@pytest.mark.parametrize("groups", [2, 3, 8])
@pytest.mark.parametrize("samples", [4, 16, 24, 40, 70])
@pytest.mark.parametrize("layout", LAYOUTS)
@with_cuda
def test_groups_have_their_own_sets(
    device: torch.device, threads: int, groups: int, samples: int, layout: str
) -> None:
    x = random_values((groups * samples, 3, 5, 40), torch.float32, samples)
    x = on_device(lay_out(x, layout), device)
    x = x.unflatten(0, (groups, samples))
    expected = [reference.count_patterns(part, samples=samples) for part in x]
    counter = swap.PatternCounter(samples, groups=groups, device=device)
    counter.update(x)
    assert counter.count() == expected
    counter.reset()
    assert torch.equal(counter.relu(x), torch.relu(x))
    assert counter.count() == expected


@with_cuda
def test_groups_inside_the_channels_need_no_copy(device: torch.device) -> None:
    """As vmap lays replicates out: [S, R * C, H, W]."""
    x = random_values((16, 4 * 6, 5, 5), torch.float32, 0).to(device)
    grouped = x.unflatten(1, (4, 6)).transpose(0, 1)
    counter = swap.PatternCounter(16, groups=4, device=device)
    counter.relu_(grouped)
    assert counter.count() == [reference.count_patterns(part, samples=16) for part in grouped]
    assert (x >= 0).all()  # written where it was read


@pytest.mark.parametrize("samples", [8, 30, 50, 100])
@with_cuda
def test_merge_and_reset(device: torch.device, samples: int) -> None:
    a, b = (torch.randn(samples, neurons, device=device) for neurons in (3000, 50_000))
    first, second = (swap.PatternCounter(samples, device=device) for _ in range(2))
    first.update(a)
    second.update(b)
    first.merge(second)
    assert first.count() == reference.count_patterns(a, b, samples=samples)
    first.merge(first)
    assert first.count() == reference.count_patterns(a, b, samples=samples)
    first.reset()
    assert first.count() == 0
    first.update(a)
    assert first.count() == reference.count_patterns(a, samples=samples)


@pytest.mark.parametrize("samples", [8, 40])
def test_copies_go_their_own_way(samples: int) -> None:
    a, b = torch.randn(samples, 900), torch.randn(samples, 900)
    counter = swap.PatternCounter(samples)
    counter.update(a)
    copies = copy.copy(counter), copy.deepcopy(counter), pickle.loads(pickle.dumps(counter))
    for copied in copies:
        copied.update(b)
        assert copied.count() == reference.count_patterns(a, b, samples=samples)
        assert counter.count() == reference.count_patterns(a, samples=samples)


@pytest.mark.parametrize("shape", [(16, 1, 50), (16, 7, 1), (1, 7, 50)])
@with_cuda
def test_tensors_that_overlap_themselves(device: torch.device, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, device=device).expand(16, 7, 50)
    assert swap.count_patterns(x) == reference.count_patterns(x, samples=16)
    windows = torch.randn(3000, device=device).as_strided((16, 40, 60), (100, 7, 1))
    assert swap.count_patterns(windows) == reference.count_patterns(windows, samples=16)


def test_numpy_arrays_are_read_in_place() -> None:
    array = np.random.default_rng(0).standard_normal((16, 7, 9), dtype=np.float32)
    expected = reference.count_patterns(torch.from_numpy(array), samples=16)
    assert swap.count_patterns(array) == expected
    array.flags.writeable = False
    assert swap.count_patterns(array) == expected
    assert swap.count_patterns(array[:, ::-1]) == expected
    assert swap.count_patterns(array.astype(np.float16)) > 0


def test_numpy_arrays_that_torch_cannot_share() -> None:
    array = np.random.default_rng(0).standard_normal((8, 1, 30), dtype=np.float32)
    expected = reference.count_patterns(torch.from_numpy(array), samples=8)
    records = np.zeros((8, 30), [("value", "f4"), ("flag", "u1")])
    records["value"] = array[:, 0]
    others = array[:, ::-1], array[..., ::-1], array.astype(">f4"), records["value"]
    for other in others:
        assert swap.count_patterns(other) == expected
        assert len(swap.pack_patterns(other)) == 30
    assert swap.count_patterns(array[:1, 0][::-1]) <= 2
    for dtype in (np.int64, np.longdouble, object):
        with pytest.raises(
            TypeError, match=rf"got {np.dtype(dtype)}; convert them, as with \.astype"
        ):
            swap.count_patterns(array.astype(dtype))


@with_cuda
def test_relu_under_autograd_keeps_the_gradient(device: torch.device) -> None:
    x = torch.randn(4, 50, requires_grad=True, device=device)
    counter = swap.PatternCounter(4, device=device)
    counter.relu(x).sum().backward()
    assert torch.equal(x.grad, (x > 0).float())
    assert counter.count() == reference.count_patterns(x, samples=4)


# ---- bad input -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("samples", [16, 32, 64, 100])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_nan(kernels: torch.device, samples: int, dtype: torch.dtype) -> None:
    x = torch.randn(samples, 200).to(kernels, dtype)
    x[-1, 137] = torch.nan
    with pytest.raises(swap.NanActivationError, match="NaN"):
        swap.count_patterns(x)
    with pytest.raises(swap.NanActivationError, match="NaN"):
        swap.pack_patterns(x)
    expected = reference.count_patterns(x, samples=samples)
    assert swap.count_patterns(x, nan_policy="ignore") == expected
    counter = swap.PatternCounter(samples, device=kernels)
    torch.testing.assert_close(counter.relu(x), torch.relu(x), equal_nan=True, rtol=0, atol=0)
    assert counter.saw_nan
    with pytest.raises(swap.NanActivationError, match="NaN"):
        counter.count()
    counter.reset()
    assert counter.count() == 0


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (torch.ones(4, 3, dtype=torch.int64), TypeError, "float32, float64, float16 or bfloat16"),
        (torch.ones(4, 3, dtype=torch.complex64), TypeError, "complex64"),
        ([[1.0]], TypeError, "list"),
        (torch.ones(5, 3), ValueError, "not a multiple of samples=4"),
        (torch.ones(0, 3), ValueError, "empty"),
        (torch.ones(4, 0), ValueError, "empty"),
        (torch.tensor(1.0), ValueError, "shape"),
        (torch.ones(4, 3).to_sparse(), ValueError, "sparse"),
        (NESTED, ValueError, "to_padded_tensor"),
        (torch.ones(4, 3, device="meta"), ValueError, "meta"),
    ],
    ids=[
        "int",
        "complex",
        "list",
        "rows",
        "no samples",
        "no neurons",
        "scalar",
        "sparse",
        "nested",
        "meta",
    ],
)
def test_bad_activations(x: Tensor, error: type[Exception], message: str) -> None:
    counter = swap.PatternCounter(4)
    for call in (counter.update, counter.relu, lambda x: swap.count_patterns(x, samples=4)):
        with pytest.raises(error, match=message):
            call(x)
    assert counter.count() == 0


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (torch.ones(5, 3), ValueError, "not a multiple of samples=4"),
        (torch.ones(4, 3, dtype=torch.int64), TypeError, "int64"),
        (torch.randn(4, 1).expand(4, 3), ValueError, "share memory"),
        (torch.randn(4, 3, requires_grad=True), RuntimeError, "leaf"),
        (torch.randn(4, 3, requires_grad=True)[:, :2], RuntimeError, "leaf"),
        (torch.randn(4, 3, requires_grad=True).exp().log().unbind(1)[0], RuntimeError, "Unbind"),
    ],
    ids=["rows", "int", "expanded", "leaf", "view of a leaf", "one of several views"],
)
def test_a_refused_relu_in_place_changes_nothing(
    x: Tensor, error: type[Exception], message: str
) -> None:
    before, counter = x.detach().clone(), swap.PatternCounter(4)
    with pytest.raises(error, match=message):
        counter.relu_(x)
    assert torch.equal(x, before) and counter.count() == 0


@pytest.mark.parametrize("requires_grad", [False, True])
def test_a_relu_in_place_without_room_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, requires_grad: bool
) -> None:
    def no_memory(*_: object, **__: object) -> None:
        raise RuntimeError("no memory")

    counter = swap.PatternCounter(40)
    x = torch.randn(40, 70_000, requires_grad=requires_grad) * 1
    before = x.detach().clone()
    monkeypatch.setattr(tables, "check_memory", no_memory)
    with pytest.raises(RuntimeError, match="no memory"):
        counter.relu_(x)
    assert torch.equal(x, before) and counter.count() == 0
    monkeypatch.undo()
    assert torch.equal(counter.relu_(x), before.relu()) and counter.count() > 0


@pytest.mark.parametrize("samples", [1 << 40, 1 << 62])
def test_more_samples_than_memory(samples: int) -> None:
    with pytest.raises(RuntimeError, match=r"use fewer samples") as raised:
        swap.PatternCounter(samples)
    assert "GiB" in str(raised.value) or "can't be addressed" in str(raised.value)


def test_more_neurons_than_memory_leave_the_counter_as_it_was() -> None:
    counter = swap.PatternCounter(40)
    x = torch.randn(40, 100)
    counter.update(x)
    for neurons in (1 << 45, 1 << 61):
        with pytest.raises(RuntimeError, match=r"GiB|can't be addressed"):
            counter.reserve(neurons)
    assert counter.count() == reference.count_patterns(x, samples=40)
    with pytest.raises(ValueError, match="at least 1"):
        counter.reserve(0)


def test_reserved_room_is_used() -> None:
    counter = swap.PatternCounter(40)
    counter.reserve(100_000)
    table = counter._table
    for _ in range(10):
        counter.update(torch.randn(40, 10_000))
    assert counter._table is table
    counter.update(torch.randn(40, 100_000))
    assert counter._table is not table


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        swap.PatternCounter(0)
    with pytest.raises(TypeError, match="samples must be an int"):
        swap.PatternCounter(1.5)
    with pytest.raises(ValueError, match="nan_policy"):
        swap.PatternCounter(1, nan_policy="drop")
    with pytest.raises(ValueError, match="at least one activation"):
        swap.count_patterns()
    with pytest.raises(ValueError, match="different devices"):
        swap.count_patterns(torch.ones(4, 3), torch.ones(4, 3, device="meta"))
    with pytest.raises(ValueError, match="samples differ: 4 and 5"):
        swap.PatternCounter(4).merge(swap.PatternCounter(5))
    with pytest.raises(ValueError, match=r"packed as torch.int64 \[V, 2\]"):
        swap.PatternCounter(100).insert_packed(torch.zeros(4, dtype=torch.int64))
    with pytest.raises(ValueError, match="bit set beyond its 30 bits"):
        swap.PatternCounter(30).insert_packed(torch.tensor([-1], dtype=torch.int32))
    with pytest.raises(ValueError, match="shape"):
        swap.PatternCounter(4, groups=2).update(torch.ones(4, 3))


def test_elements_that_share_memory_are_not_written_to() -> None:
    counter = swap.PatternCounter(2)
    for x in (torch.randn(2, 1).expand(2, 3), torch.randn(1, 3).expand(2, 3)):
        with pytest.raises(ValueError, match=r"share memory.*expand\(\).*use relu"):
            counter.relu_(x)
        assert counter.count() == 0
        counter.relu(x)
        counter.reset()


def test_negative_views() -> None:
    x = torch.view_as_complex(torch.randn(4, 50, 2)).conj().imag
    assert x.is_neg()
    expected, count = torch.relu(x), reference.count_patterns(torch.relu(x), samples=4)
    counter = swap.PatternCounter(4)
    assert torch.equal(counter.relu(x), expected) and counter.count() == count
    counter.reset()
    assert counter.relu_(x) is x and torch.equal(x, expected) and counter.count() == count


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda counter: counter.insert_packed([1]), TypeError, "torch.Tensor, got list"),
        (lambda counter: counter.merge(3), TypeError, "only a PatternCounter"),
        (lambda counter: counter.reserve(1 << 80), ValueError, "at most"),
        (lambda counter: swap.PatternCounter(10**30), ValueError, "at most"),
        (
            lambda counter: counter.insert_packed(torch.ones(3, dtype=torch.int32).to_sparse()),
            ValueError,
            "dense",
        ),
    ],
)
def test_wrong_kinds_of_arguments(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(swap.PatternCounter(4))
