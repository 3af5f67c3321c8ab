"""The torch operators: opcheck, torch.compile, and the reference for devices without a kernel."""

from __future__ import annotations

import pytest
import torch
from support.devices import with_cuda
from support.layouts import random_values

import swapnas_ext as swap
from swapnas_ext.patterns import reference_kernels, tables

CPU = torch.device("cpu")
SAMPLES = [5, 16, 20, 21, 40, 70]


def arguments(samples: int, ternary: bool, device: torch.device) -> dict[str, tuple[object, ...]]:
    """Arguments of every operator."""
    x = random_values((samples, 3, 40), torch.float32, samples).to(device)
    table = tables.new_table(samples, ternary, patterns=1000, device=device)
    other = table.clone()
    torch.ops.swapnas.insert_(other, x, samples, ternary)
    packed, _ = torch.ops.swapnas.pack(x, samples, ternary)
    tail = (samples, ternary)
    return {
        "insert_": (table, x, *tail),
        "relu_insert": (table, x, *tail),
        "relu_insert_": (table, x, *tail),
        "insert_packed_": (table, packed, *tail),
        "merge_": (table, other, *tail),
        "count": (other, *tail),
        "pack": (x, *tail),
        "count_patterns": ([x, x[:, 1:]], *tail),
        "add_agreements_": (
            torch.zeros(samples, samples, dtype=torch.int64, device=device),
            x,
            samples,
        ),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", reference_kernels.KERNELS)
@pytest.mark.parametrize("samples", SAMPLES)
@pytest.mark.parametrize("ternary", [False, True])
@with_cuda
def test_opcheck(name: str, samples: int, ternary: bool, device: torch.device) -> None:
    operator = getattr(torch.ops.swapnas, name).default
    checks = ["test_schema", "test_autograd_registration", "test_faketensor"]
    if (
        device.type == "cpu"
    ):  # it compares whole tables, and on a GPU the slots depend on the schedule
        checks.append("test_aot_dispatch_dynamic")
    torch.library.opcheck(operator, arguments(samples, ternary, device)[name], test_utils=checks)


@pytest.mark.parametrize("samples", SAMPLES)
@pytest.mark.parametrize("ternary", [False, True])
def test_reference_tables_count_as_kernels_do(samples: int, ternary: bool) -> None:
    """The operators of a device without a kernel, run here on the CPU."""
    x = random_values((2, samples, 300), torch.float32, 1)
    tail = (samples, ternary)
    words = tables.reference_table_words(samples, ternary, 900)
    mine = torch.zeros(2, words, dtype=torch.int64)
    theirs = tables.new_table(samples, ternary, patterns=900, groups=2, device=CPU)
    reference_kernels.insert_(mine, x, *tail)
    torch.ops.swapnas.insert_(theirs, x, *tail)
    assert torch.equal(reference_kernels.count(mine, *tail), torch.ops.swapnas.count(theirs, *tail))

    y = reference_kernels.relu_insert(mine, x, *tail)
    assert torch.equal(y, torch.ops.swapnas.relu_insert(theirs, x, *tail))
    z = random_values((2, samples, 100), torch.float32, 2)
    reference_kernels.relu_insert_(mine, z.clone(), *tail)
    torch.ops.swapnas.relu_insert_(theirs, z.clone(), *tail)
    assert torch.equal(reference_kernels.count(mine, *tail), torch.ops.swapnas.count(theirs, *tail))

    single = torch.zeros(1, words, dtype=torch.int64)
    packed, nan = reference_kernels.pack(x[0], *tail)
    assert torch.equal(packed, torch.ops.swapnas.pack(x[0], *tail)[0]) and nan.item() == 0
    reference_kernels.insert_packed_(single, packed, *tail)
    reference_kernels.merge_(single, mine[:1], *tail)
    assert (
        reference_kernels.count(single, *tail)[0, 0] == reference_kernels.count(mine, *tail)[0, 0]
    )
    assert torch.equal(
        reference_kernels.count_patterns([x[0], x[1]], *tail),
        torch.ops.swapnas.count_patterns([x[0], x[1]], *tail),
    )


@pytest.mark.slow
@pytest.mark.parametrize("samples", [16, 40])
@with_cuda
def test_compiled_without_graph_breaks(samples: int, device: torch.device) -> None:
    counter = swap.PatternCounter(samples, device=device)

    @torch.compile(fullgraph=True, backend="aot_eager")
    def run(x: torch.Tensor) -> torch.Tensor:
        y = counter.relu(x * 2)
        counter.update(y - 1)
        return y + 1

    expected = swap.PatternCounter(samples, device=device)
    for seed in range(3):
        x = torch.randn(samples, 500, generator=torch.Generator().manual_seed(seed)).to(device)
        assert torch.equal(run(x), torch.relu(x * 2) + 1)
        expected.update(torch.relu(x * 2))
        expected.update(torch.relu(x * 2) - 1)
    assert counter.count() == expected.count()

    @torch.compile(fullgraph=True, backend="aot_eager")
    def count(x: torch.Tensor) -> torch.Tensor:
        return torch.ops.swapnas.count_patterns([x, -x], samples, False)

    assert count(x)[0, 0] == swap.count_patterns(x, -x)


def test_operators_refuse_what_would_touch_foreign_memory() -> None:
    x = torch.randn(32, 5000)
    small = tables.new_table(32, False, patterns=10, device=CPU)
    with pytest.raises(RuntimeError, match="no room"):
        torch.ops.swapnas.insert_(small, x, 32, False)
    with pytest.raises(RuntimeError, match="does not fit"):
        torch.ops.swapnas.insert_(torch.zeros(1, 99, dtype=torch.int64), x, 32, False)
    with pytest.raises(RuntimeError, match="contiguous int64"):
        torch.ops.swapnas.insert_(torch.zeros(99), x, 32, False)
    with pytest.raises(RuntimeError, match="samples is 0"):
        torch.ops.swapnas.pack(x, 0, False)
    with pytest.raises(RuntimeError, match="another form"):
        torch.ops.swapnas.insert_packed_(small, torch.zeros(3, dtype=torch.int64), 32, False)
