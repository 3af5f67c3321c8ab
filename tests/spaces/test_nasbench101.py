"""The NAS-Bench-101 space and its networks."""

from __future__ import annotations

import csv
import itertools
import random
from pathlib import Path

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from support.pattern_counts import assert_same_patterns

import swapnas_ext as swap
from swapnas_ext.spaces import ArchitectureError
from swapnas_ext.spaces.nasbench101 import NASBench101, _single_changes
from swapnas_ext.spaces.nasbench101_cell import (
    MAX_EDGES,
    OPERATIONS,
    Cell,
    format_cell,
    is_valid,
    parse,
    prune,
    vertex_channels,
)
from swapnas_ext.spaces.nasbench101_networks import CellModule

SPACE = NASBench101()
SMALL = NASBench101(channels=8, stacks=2, cells=1)
CONV3, CONV1, POOL = OPERATIONS
INCEPTION = (
    "0111010000000100000010000100000000100000010000000:"
    f"input,{CONV1},{CONV3},{CONV3},{CONV3},{POOL},output"
)
ONLY_PROJECTION = "0100:input,output"
DIVISIBLE = 12  # channels that one to four vertices can share evenly
cells = st.integers(0, 10_000).map(lambda seed: SPACE.sample(random.Random(seed)))


def row_of(row: dict[str, str]) -> str:
    """The table's matrices are numbers, without their leading zeros."""
    return f"{row['adjacency49'].zfill(49)}:{row['ops']}"


def matrix(vertices: int, *edges: tuple[int, int]) -> str:
    return "".join(str(int(pair in edges)) for pair in itertools.product(range(vertices), repeat=2))


def reordered(cell: Cell, order: tuple[int, ...]) -> Cell:
    """The cell whose vertex k is the vertex ``order[k]`` of the other."""
    rows = tuple(tuple(cell.matrix[i][j] for j in order) for i in order)
    return Cell(rows, tuple(cell.operations[i] for i in order))


def orders(cell: Cell) -> list[tuple[int, ...]]:
    """All orders of the vertices in which edges lead to later ones."""
    last = len(cell.operations) - 1
    return [
        (0, *inner, last)
        for inner in itertools.permutations(range(1, last))
        if not any(
            cell.matrix[inner[b]][inner[a]] for a in range(last - 1) for b in range(a + 1, last - 1)
        )
    ]


@given(cells)
def test_strings_are_read_back(cell: str) -> None:
    assert SPACE.format(SPACE.parse(cell)) == cell
    pruned = prune(parse(cell))
    assert prune(pruned) == pruned == parse(format_cell(pruned))
    assert sum(map(sum, pruned.matrix)) <= MAX_EDGES


def test_pruning_removes_what_is_on_no_path() -> None:
    # Vertex 1 is not reached, vertex 2 leads nowhere.
    text = matrix(5, (0, 2), (0, 3), (1, 3), (1, 4), (3, 4))
    pruned = prune(parse(f"{text}:input,{CONV1},{POOL},{CONV3},output"))
    assert format_cell(pruned) == f"{matrix(3, (0, 1), (1, 2))}:input,{CONV3},output"


@given(cells, st.randoms(use_true_random=False))
def test_isomorphic_cells_have_one_form(cell: str, rng: random.Random) -> None:
    pruned = prune(parse(cell))
    form = SPACE.canonical(cell)
    other = reordered(pruned, rng.choice(orders(pruned)))
    assert SPACE.canonical(format_cell(other)) == SPACE.canonical(form) == form
    assert any(reordered(pruned, order) == parse(form) for order in orders(pruned))


def test_number_of_distinct_cells() -> None:
    """The published counts: 2,532 cells have up to five vertices."""
    counts = []
    for vertices in range(2, 6):
        pairs = list(itertools.combinations(range(vertices), 2))
        forms = set()
        for chosen in itertools.product((False, True), repeat=len(pairs)):
            edges = tuple(itertools.compress(pairs, chosen))
            if (
                len({i for i, _ in edges}) < vertices - 1
                or len({j for _, j in edges}) < vertices - 1
            ):
                continue  # a vertex without use: a smaller cell
            if len(edges) <= MAX_EDGES:
                digits = matrix(vertices, *edges)
                for inner in itertools.product(OPERATIONS, repeat=vertices - 2):
                    forms.add(SPACE.canonical(f"{digits}:{','.join(('input', *inner, 'output'))}"))
        counts.append(len(forms))
    assert counts == [1, 6, 84, 2441]


def with_weights_of(module: CellModule, other: CellModule, order: tuple[int, ...]) -> list[int]:
    """Gives ``module``, the other's cell reordered, the same weights. Returns where the channels of its
    output are in the other's."""
    starts = dict(
        zip(
            other.sources[-1],
            itertools.accumulate((other.widths[v] for v in other.sources[-1]), initial=0),
            strict=False,
        )
    )
    places = [
        starts[order[v]] + c for v in module.sources[-1] for c in range(module.widths[v])
    ] or list(range(module.widths[-1]))
    for name in ("projections", "vertices"):
        for v, layer in getattr(module, name).items():
            state = getattr(other, name)[str(order[int(v)])].state_dict()
            if int(v) == module.last:
                state = {
                    key: value[places] if value.dim() else value for key, value in state.items()
                }
            layer.load_state_dict(state)
    return places


@pytest.mark.parametrize("seed", range(12))
def test_isomorphic_cells_compute_the_same(seed: int) -> None:
    rng = random.Random(seed)
    cell = prune(parse(SPACE.sample(rng)))
    order = rng.choice(orders(cell))
    form = reordered(cell, order)
    one, two = (CellModule(c, DIVISIBLE, DIVISIBLE).double() for c in (cell, form))
    places = with_weights_of(two, one, order)
    x = torch.randn(2, DIVISIBLE, 6, 6, dtype=torch.float64)
    assert torch.allclose(two(x), one(x)[:, places])


def test_channels_are_shared() -> None:
    def channels(digits: str, total: int) -> list[int]:
        vertices = round(len(digits) ** 0.5)
        rows = tuple(
            tuple(map(int, digits[i * vertices : (i + 1) * vertices])) for i in range(vertices)
        )
        return vertex_channels(rows, total)

    assert channels(INCEPTION.partition(":")[0], 128) == [0, 32, 32, 32, 32, 32, 128]
    three = matrix(5, (0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4))
    assert channels(three, 128) == [0, 43, 43, 42, 128]
    # Vertex 1 feeds the two others, of 5 and 4 channels.
    assert channels(matrix(5, (0, 1), (1, 2), (1, 3), (2, 4), (3, 4)), 9) == [0, 5, 5, 4, 9]
    assert channels("0100", 7) == [0, 7]


def test_a_cell_by_hand() -> None:
    digits = matrix(5, (0, 1), (0, 3), (0, 4), (1, 2), (1, 3), (2, 4), (3, 4))
    cell = CellModule(parse(f"{digits}:input,{POOL},{CONV3},{CONV1},output"), 4, 5)
    x = torch.randn(2, 4, 6, 6)
    project, vertex = cell.projections, cell.vertices
    one = torch.nn.functional.max_pool2d(project["1"](x), 3, stride=1, padding=1)
    two = vertex["2"](one)
    three = vertex["3"](one[:, :2] + project["3"](x))
    assert (one.shape[1], two.shape[1], three.shape[1]) == (3, 3, 2)
    assert torch.allclose(cell(x), torch.cat([two, three], 1) + project["4"](x), atol=1e-6)


def test_published_number_of_parameters() -> None:
    assert SPACE.size(INCEPTION) == 2_694_282


@pytest.mark.slow
@given(cells)
def test_size_is_that_of_the_network(cell: str) -> None:
    for space in (SMALL, NASBench101(channels=7, stacks=1, classes=3)):
        built = sum(p.numel() for p in space.build(cell, initialized=False).parameters())
        assert space.size(cell) == built


def test_networks_run() -> None:
    space = swap.spaces.get("nasbench101", channels=5, stacks=6, cells=1, classes=4)
    assert space.input_size == (3, 32, 32)
    for cell in (INCEPTION, ONLY_PROJECTION, *map(space.sample, map(random.Random, range(4)))):
        assert space.build(cell)(torch.randn(2, 3, 32, 32)).shape == (2, 4)


OF_ONE_EDGE = (
    "0000001000101000011000000100000000000000000000000:input,conv1x1-bn-relu,conv1x1-bn-relu,"
    "conv3x3-bn-relu,conv1x1-bn-relu,conv1x1-bn-relu,output"
)


def differences(one: Cell, two: Cell) -> int:
    pairs = zip(
        (*itertools.chain(*one.matrix), *one.operations),
        (*itertools.chain(*two.matrix), *two.operations),
        strict=True,
    )
    return sum(a != b for a, b in pairs)


@given(cells, cells, st.integers())
@example(OF_ONE_EDGE, SPACE.sample(random.Random(0)), 0)
def test_random_changes(cell: str, other: str, seed: int) -> None:
    mutant = SPACE.mutate(cell, random.Random(seed))
    if (
        differences(parse(cell), parse(mutant)) != 1
    ):  # only where no single change makes another network
        changed = map(format_cell, filter(is_valid, _single_changes(parse(cell))))
        assert {SPACE.canonical(one) for one in changed} == {SPACE.canonical(cell)}
    assert SPACE.canonical(mutant) != SPACE.canonical(cell)
    child = SPACE.crossover(cell, other, random.Random(seed))
    parents = parse(cell), parse(other)
    for i, j in itertools.product(range(7), repeat=2):
        assert parse(child).matrix[i][j] in {parent.matrix[i][j] for parent in parents}
    names = zip(*(parent.operations for parent in parents), strict=True)
    assert all(name in pair for name, pair in zip(parse(child).operations, names, strict=True))


@pytest.mark.parametrize(
    "cell", [ONLY_PROJECTION, f"{matrix(3, (0, 2))}:input,{CONV1},output", INCEPTION]
)
def test_small_cells_grow(cell: str) -> None:
    for seed in range(20):
        mutant = SPACE.mutate(cell, random.Random(seed))
        assert len(parse(mutant).operations) == 7
        assert SPACE.canonical(mutant) != SPACE.canonical(cell)
    child = SPACE.crossover(cell, INCEPTION, random.Random(0))
    assert len(parse(child).operations) == 7


CONNECTED = matrix(3, (0, 1), (1, 2))
TEN_EDGES = matrix(5, *itertools.combinations(range(5), 2))


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        ("", 0, "expected ':' after the matrix, found the end"),
        ("0100", 4, "expected ':' after the matrix, found the end"),
        ("0120:input,output", 2, "expected 0 or 1, or ':' after the matrix, found '2'"),
        ("0100:", 5, "expected input, found nothing"),
        ("0100:input", 10, "expected ',' and output, found the end"),
        ("0100:input,", 11, "expected output, found nothing"),
        ("0100:conv,output", 5, "expected input, found 'conv'"),
        (f"{CONNECTED}:input,conv,output", 16, "expected conv3x3-bn-relu or conv1x1-bn-relu or"),
        (f"{CONNECTED}:input,{POOL}, output", 27, "expected output, found ' output'"),
        (f"{CONNECTED}:input,output", 4, "expected 4 digits for 2 vertices, found 9"),
        (f"0100:input,{POOL},output", 4, "expected 9 digits for 3 vertices, found 4"),
        ("0101:input,output", 3, "expected 0 on the diagonal and below"),
        ("0000:input,output", 0, "no path leads from the input to the output"),
        (f"0:input,{f'{POOL},' * 6}output", 74, "8 vertices; at most 7"),
        (f"{TEN_EDGES}:input,{f'{POOL},' * 3}output", 19, "10 edges are on paths from the input"),
    ],
)
def test_malformed_strings_are_pointed_at(text: str, position: int, problem: str) -> None:
    for call in (SPACE.check, SPACE.canonical, SPACE.build, SPACE.size):
        with pytest.raises(ArchitectureError) as error:
            call(text)
        assert problem in str(error.value)
        assert error.value.position == position


def test_unused_edges_do_not_count() -> None:
    unused = [(0, 4), (1, 4), (2, 4), (3, 4)]
    edges = [*itertools.combinations(range(4), 2), (1, 6), (2, 6), (3, 6)]
    SPACE.check(f"{matrix(7, *edges, *unused)}:input,{f'{POOL},' * 5}output")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"channels": 3}, "channels must be at least 4"),
        ({"cells": 0}, "cells and classes must be at least 1"),
        ({"classes": 0}, "cells and classes must be at least 1"),
        ({"stacks": 0}, "stacks must be from 1 to 6"),
        ({"stacks": 7}, "stacks must be from 1 to 6"),
    ],
)
def test_bad_options(options: dict[str, int], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        swap.spaces.get("nasbench101", **options)


def test_formats_and_graphs() -> None:
    text = f"{matrix(4, (0, 1), (1, 3))}:input,{CONV3},{POOL},output"
    assert SPACE.formats(text) == {
        "NAS-Bench-101 ModelSpec": "ModelSpec(matrix=[[0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0], "
        "[0, 0, 0, 0]], ops=['input', 'conv3x3-bn-relu', 'maxpool3x3', 'output'])",
        "NAS-Bench-101 ModelSpec, pruned": "ModelSpec(matrix=[[0, 1, 0], [0, 0, 1], [0, 0, 0]], "
        "ops=['input', 'conv3x3-bn-relu', 'output'])",
    }
    (graph,) = SPACE.graphs(text)
    assert graph.nodes == ("input", CONV3, "output")
    assert graph.edges == ((0, 1, ""), (1, 2, ""))


def test_scores() -> None:
    """Also of two initialisations in one forward pass."""
    batch = SMALL.inputs(16, size=8)
    for cell in (INCEPTION, ONLY_PROJECTION, SMALL.sample(random.Random(2))):
        model = SMALL.build(cell, initialized=False)
        both = swap.Scorer(batch, init="gaussian", repeats=2)(model)
        singles = [swap.Scorer(batch, init="gaussian", seed=seed)(model) for seed in (0, 1)]
        assert_same_patterns(both.patterns, tuple(int(single) for single in singles))
        assert min(both.patterns) > 1


@pytest.fixture(scope="module")
def table(benchmark_data: Path) -> list[dict[str, str]]:
    with open(benchmark_data / "nasbench101_500.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_sizes_of_the_benchmark_table(table: list[dict[str, str]]) -> None:
    assert len(table) == 500
    for row in table:
        assert f"{SPACE.size(row_of(row)) / 1e6:.6f}" == f"{float(row['params']):.6f}"


def test_distinct_cells_of_the_benchmark_table(table: list[dict[str, str]]) -> None:
    """301 after pruning, as the table says; nine of them are isomorphic to others."""
    texts = [row_of(row) for row in table]
    assert len({format_cell(prune(parse(text))) for text in texts}) == 301
    assert len({SPACE.canonical(text) for text in texts}) == 292


@pytest.mark.slow
def test_rank_correlation_on_the_benchmark_table(table: list[dict[str, str]]) -> None:
    """Scores of small networks on the photograph follow the true accuracies."""
    stats = pytest.importorskip("scipy.stats")
    rows = table[::10]
    space = NASBench101(channels=16, cells=1)
    scorer = swap.Scorer(swap.data.photograph(), init="gaussian")
    scores = [scorer(space.build(row_of(row), initialized=False)) for row in rows]
    rho = stats.spearmanr(scores, [float(row["val_accuracy"]) for row in rows]).statistic
    assert rho > 0.2
