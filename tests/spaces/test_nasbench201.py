"""The NAS-Bench-201 space and its networks."""

from __future__ import annotations

import csv
import itertools
import random
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import swapnas_ext as swap
from swapnas_ext.spaces import ArchitectureError
from swapnas_ext.spaces.nasbench201 import NASBench201
from swapnas_ext.spaces.nasbench201_cell import EDGES, OPERATIONS, parse

SPACE = NASBench201()
CELLS = list(SPACE)
CELL = "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|nor_conv_1x1~2|"
ALL = "|{0}~0|+|{0}~0|{0}~1|+|{0}~0|{0}~1|{0}~2|"
cells = st.sampled_from(CELLS)


def test_enumeration() -> None:
    assert len(SPACE) == len(set(CELLS)) == len(CELLS) == 15_625
    assert CELLS[0] == ALL.format("none")
    for cell in CELLS:
        SPACE.check(cell)


def published_form(cell: str) -> str:
    """The string form that gives the literature's 6,466."""
    nodes = ["0"]
    operations = iter(parse(cell))
    for node in (1, 2, 3):
        terms = []
        for source in range(node):
            operation = next(operations)
            if operation == "none" or nodes[source] == "#":
                terms.append("#")
            elif operation == "skip_connect":
                terms.append(nodes[source])
            else:
                terms.append(f"({nodes[source]})@{operation}")
        nodes.append("+".join(sorted(terms)))
    return nodes[3]


@pytest.mark.slow
def test_number_of_distinct_cells() -> None:
    assert len({SPACE.canonical(cell) for cell in CELLS}) == 5_260
    assert len({published_form(cell) for cell in CELLS}) == 6_466


PRIME = 2**61 - 1


def apply(operation: str, weight: int, x: int) -> int:
    """Operations as maps of integers that keep zero; only convolutions have a weight. (That a pool is
    linear is left out: forms are of graphs, not of their algebra.)"""
    if x == 0:
        return 0
    constant = 1 + OPERATIONS.index(operation) * 1_000_003
    return pow(x + constant + (0 if operation == "avg_pool_3x3" else weight), 3, PRIME)


def value_of_cell(cell: str, weights: list[int]) -> int:
    """The cell's output for an input of 1; the k-th edge has the k-th weight."""
    nodes = [1]
    for node in (1, 2, 3):
        total = 0
        for (source, target), operation, weight in zip(EDGES, parse(cell), weights, strict=True):
            if target == node and operation != "none":
                x = nodes[source]
                total += x if operation == "skip_connect" else apply(operation, weight, x)
        nodes.append(total % PRIME)
    return nodes[3]


def value_of_form(form: str, weights: tuple[int, ...]) -> int:
    """The same of a canonical form; the k-th operation has the k-th weight."""
    values = {"x": 1, "0": 0}

    def total(names: str) -> int:
        return sum(values[name] for name in names.split("+")) % PRIME

    *steps, output = form.split("; ")
    for step, weight in zip(steps, weights, strict=False):
        name, operation, inputs = re.fullmatch(r"(\w)=(\w+)\((.+)\)", step).groups()
        values[name] = apply(operation, weight, total(inputs))
    return total(output)


def operations_of(form: str) -> int:
    return form.count(";")


WEIGHTS = random.Random(0).sample(range(2**60), len(EDGES))


@pytest.mark.slow
def test_a_form_computes_what_its_cells_do() -> None:
    for cell in random.Random(1).sample(CELLS, 1500):
        form = SPACE.canonical(cell)
        value = value_of_cell(cell, WEIGHTS)
        orders = itertools.permutations(WEIGHTS, operations_of(form))
        assert any(value_of_form(form, order) == value for order in orders), (cell, form)


@pytest.mark.slow
def test_different_forms_compute_different_functions() -> None:
    """For no renaming of the weights do two forms agree on all of them."""
    forms = random.Random(2).sample(sorted({SPACE.canonical(cell) for cell in CELLS}), 1500)
    seen = set()
    for form in forms:
        orders = itertools.permutations(WEIGHTS[: operations_of(form)])
        seen.add(tuple(sorted(value_of_form(form, order) for order in orders)))
    assert len(seen) == len(forms)


def test_known_forms() -> None:
    def form(*operations: str) -> str:
        one, two, three, four, five, six = operations
        return SPACE.canonical(f"|{one}~0|+|{two}~0|{three}~1|+|{four}~0|{five}~1|{six}~2|")

    none, skip, conv, pool = "none", "skip_connect", "nor_conv_3x3", "avg_pool_3x3"
    assert form(none, none, none, none, none, none) == "0"
    assert form(conv, none, none, skip, none, none) == "x"  # a dead convolution
    assert form(conv, none, none, none, skip, none) == "a=nor_conv_3x3(x); a"
    assert form(none, conv, none, none, none, skip) == "a=nor_conv_3x3(x); a"
    once_twice = form(conv, none, skip, none, skip, skip)
    two_of_them = form(conv, conv, none, none, skip, skip)
    assert once_twice == "a=nor_conv_3x3(x); a+a"
    assert two_of_them == "a=nor_conv_3x3(x); b=nor_conv_3x3(x); a+b"
    assert form(pool, none, skip, none, skip, skip) == form(pool, pool, none, none, skip, skip)


@pytest.mark.parametrize(
    ("operation", "parameters"), [("nor_conv_3x3", 1_531_546), ("skip_connect", 73_306)]
)
def test_published_numbers_of_parameters(operation: str, parameters: int) -> None:
    model = SPACE.build(ALL.format(operation))
    assert sum(p.numel() for p in model.parameters()) == parameters


@pytest.mark.parametrize(
    ("dataset", "classes", "size"),
    [("cifar10", 10, 32), ("cifar100", 100, 32), ("imagenet16-120", 120, 16)],
)
def test_networks_run(dataset: str, classes: int, size: int) -> None:
    space = swap.spaces.get("nasbench201", dataset=dataset, channels=4, cells=1)
    assert space.input_size == (3, size, size)
    for cell in (CELLS[0], CELLS[77], CELLS[-1], ALL.format("nor_conv_1x1")):
        assert space.build(cell)(torch.randn(2, *space.input_size)).shape == (2, classes)


def test_a_cell_is_the_sum_of_its_edges() -> None:
    space = NASBench201(channels=4, cells=1)
    cell = space.build(
        "|skip_connect~0|+|avg_pool_3x3~0|none~1|+|none~0|skip_connect~1|skip_connect~2|"
    )
    x = torch.randn(2, 4, 8, 8)
    pool = torch.nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    assert torch.equal(cell.cells[0](x), x + pool(x))


@pytest.mark.slow
@given(cell=cells, other=cells, seed=st.integers())
def test_random_changes(cell: str, other: str, seed: int) -> None:
    mutant = SPACE.mutate(cell, random.Random(seed))
    assert sum(a != b for a, b in zip(parse(cell), parse(mutant), strict=True)) == 1
    child = SPACE.crossover(cell, other, random.Random(seed))
    assert all(c in pair for c, *pair in zip(parse(child), parse(cell), parse(other), strict=True))
    assert SPACE.sample(random.Random(seed)) in SPACE


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        ("", 0, "expected '|', found the end"),
        ("nonsense", 0, "expected '|', found 'n'"),
        ("|conv~0|", 1, "unknown operation 'conv'"),
        ("|none~1|", 5, "expected '~0|'"),
        (CELLS[0][:-1], 44, "expected '~2|'"),
        (CELLS[0] + "+", len(CELLS[0]), "expected the end"),
        (CELLS[0].replace("+", "-"), 8, "expected '+'"),
    ],
)
def test_malformed_strings_are_pointed_at(text: str, position: int, problem: str) -> None:
    for call in (SPACE.check, SPACE.canonical, SPACE.build):
        with pytest.raises(ArchitectureError) as error:
            call(text)
        assert problem in str(error.value)
        assert error.value.position == position
        assert str(error.value).endswith(f"\n  {text}\n  {' ' * position}^")


def test_bad_options() -> None:
    with pytest.raises(
        ValueError, match="unknown search space 'nas'; known: darts, nasbench101, nasbench201"
    ):
        swap.spaces.get("nas")
    with pytest.raises(ValueError, match="cifar10, cifar100, imagenet16-120"):
        swap.spaces.get("nasbench201", dataset="mnist")
    with pytest.raises(ValueError, match="at least 1"):
        swap.spaces.get("nasbench201", cells=0)


def test_the_benchmark_table_parses(benchmark_data: Path) -> None:
    with open(benchmark_data / "nasbench201_cifar10.csv", newline="") as file:
        table = [row["arch_str"] for row in csv.DictReader(file)]
    assert sorted(table) == sorted(CELLS)


@pytest.mark.slow
def test_rank_correlation_on_the_benchmark_table(benchmark_data: Path) -> None:
    """Scores of small networks on the photograph follow the true accuracies."""
    stats = pytest.importorskip("scipy.stats")
    with open(benchmark_data / "nasbench201_cifar10.csv", newline="") as file:
        rows = list(itertools.islice(csv.DictReader(file), 0, None, 260))
    space = NASBench201(channels=8, cells=1)
    scorer = swap.Scorer(swap.data.photograph(), init="gaussian")
    scores = [scorer(space.build(row["arch_str"])) for row in rows]
    rho = stats.spearmanr(scores, [float(row["val_cifar10"]) for row in rows]).statistic
    assert rho > 0.5


@pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")
def test_networks_built_from_copies_are_networks() -> None:
    """Without initialisation, parts are copies: of the same structure, and with nothing shared."""
    space = NASBench201(channels=4, cells=2)
    plain = space.build(CELL)
    first, second = (space.build(CELL, initialized=False) for _ in range(2))
    assert str(first) == str(plain)
    described = [(name, x.shape, x.dtype, x.requires_grad) for name, x in plain.named_parameters()]
    seen: set[int] = set()
    for network in (first, second):
        parameters = list(network.named_parameters())
        assert [(n, x.shape, x.dtype, x.requires_grad) for n, x in parameters] == described
        assert all(isinstance(x, nn.Parameter) for _, x in parameters)
        for tensor in (*network.parameters(), *network.buffers()):
            assert tensor.data_ptr() not in seen
            seen.add(tensor.data_ptr())
        modules = {id(module) for module in network.modules()}
        assert not seen & modules
        seen |= modules
    first.apply(lambda module: module.register_forward_hook(lambda *_: None))
    first.eval()
    assert all(module.training and not module._forward_hooks for module in second.modules())
    third = space.build(CELL, initialized=False)
    assert all(module.training and not module._forward_hooks for module in third.modules())
    scorer = swap.Scorer(torch.randn(8, 3, 32, 32), init="gaussian")
    assert scorer(second) == scorer(plain)
    third.load_state_dict(plain.state_dict())
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(third(x), plain(x))


def test_copies_follow_the_default_type_and_device() -> None:
    space = NASBench201(channels=4, cells=1)
    space.build(CELL, initialized=False)
    torch.set_default_dtype(torch.float64)
    try:
        assert next(space.build(CELL, initialized=False).parameters()).dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    with torch.device("meta"):
        assert space.build(CELL, initialized=False).head[-1].weight.is_meta  # type: ignore[index]
        assert all(x.is_meta for x in space.build(CELL, initialized=False).parameters())
    assert not any(x.is_meta for x in space.build(CELL, initialized=False).parameters())
