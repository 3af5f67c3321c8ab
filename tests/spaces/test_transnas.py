"""The two TransNAS-Bench-101 spaces and their networks."""

from __future__ import annotations

import csv
import itertools
import random
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.pattern_counts import assert_same_patterns

import swapnas_ext as swap
from swapnas_ext.spaces import ArchitectureError, SearchSpace
from swapnas_ext.spaces.nasbench201_cell import EDGES
from swapnas_ext.spaces.nasbench201_networks import ReLUConvBN
from swapnas_ext.spaces.transnas import TransNASMacro, TransNASMicro
from swapnas_ext.spaces.transnas_networks import CellModule, FactorizedReduction, ResidualBlock

MICRO, MACRO = TransNASMicro(), TransNASMacro()
CELLS, SKELETONS = list(MICRO), list(MACRO)
SMALL = {"channels": 4, "image_size": 32, "classes": 5}
SPACES = (MICRO, MACRO)
both_spaces = pytest.mark.parametrize("space", SPACES, ids=["micro", "macro"])
cells, skeletons = st.sampled_from(CELLS), st.sampled_from(SKELETONS)


def small(text: str) -> str:
    return text.replace("64", "4", 1)


@pytest.mark.slow
def test_enumeration() -> None:
    assert len(MICRO) == len(set(CELLS)) == len(CELLS) == 4096
    assert len(MACRO) == len(set(SKELETONS)) == len(SKELETONS) == 3256
    assert (CELLS[0], CELLS[-1]) == ("64-41414-0_00_000", "64-41414-3_33_333")
    for space, texts in ((MICRO, CELLS), (MACRO, SKELETONS)):
        for text in texts:
            assert space.format(space.parse(text)) == text
    assert next(iter(TransNASMicro(channels=16))) == "16-41414-0_00_000"
    assert TransNASMacro(channels=16).sample(random.Random(0)).startswith("16-")


# ---- canonical forms -----------------------------------------------------------------------------


@pytest.mark.slow
def test_number_of_distinct_cells() -> None:
    assert len({MICRO.canonical(cell) for cell in CELLS}) == 1_376
    assert len({MACRO.canonical(skeleton) for skeleton in SKELETONS}) == 3256


def form(cell: str) -> str:
    return MICRO.canonical(f"64-41414-{cell}").removeprefix("64-41414: ")


def test_known_forms() -> None:
    assert form("0_00_000") == form("3_33_000") == form("0_03_003") == "0"
    assert form("3_00_000") == "0"  # nothing reaches the output
    assert form("0_00_100") == form("2_00_100") == "a=skip(x); a"
    assert form("3_00_010") == form("0_30_001") == "a=conv3x3(x); a"
    # A skip from the input is an identity in some cells only; others are identities everywhere.
    assert form("1_00_030") == form("0_10_003") == "a=skip(x); b=conv3x3(a); b"
    assert form("1_00_030") != form("0_00_300") == "a=conv3x3(x); a"
    assert form("1_00_110") == "a=skip(x); b=skip(x); a+b"
    assert form("3_01_011") == "a=conv3x3(x); a+a"
    assert form("3_30_011") == "a=conv3x3(x); b=conv3x3(x); a+b"
    assert MICRO.canonical("16-41414-0_00_000") == "16-41414: 0"


Codes = tuple[int, ...]
Edge = tuple[int, int]
PRIME = 2**61 - 1
WEIGHTS = random.Random(0).sample(range(2**60), len(EDGES))


def weighted_edges(cell: Codes, reduction: bool) -> dict[Edge, int]:
    """Operations with weights between what comes from the input and what leads to the output."""
    used = {edge: code for edge, code in zip(EDGES, cell, strict=True) if code}
    reached, leading = {0}, {3}
    for source, node in EDGES:
        if (source, node) in used and source in reached:
            reached.add(node)
    for source, node in sorted(EDGES, reverse=True):
        if (source, node) in used and node in leading:
            leading.add(source)
    return {
        (source, node): code
        for (source, node), code in used.items()
        if source in reached and node in leading and (code > 1 or (reduction and source == 0))
    }


def value_of_cell(cell: Codes, weights: dict[Edge, int], reduction: bool) -> int:
    """The cell's output for an input of 1, where operations are maps of integers that keep zero."""
    nodes = [1, 0, 0, 0]
    for edge, code in zip(EDGES, cell, strict=True):
        source, node = edge
        x = nodes[source]
        if x and code and (code > 1 or (reduction and source == 0)):
            x = pow(x + code * 1_000_003 + weights.get(edge, 0), 3, PRIME)
        nodes[node] = (nodes[node] + x * (code > 0)) % PRIME
    return nodes[3]


def values_of_cell(cell: Codes, reduction: bool) -> tuple[int, ...]:
    """Its values for all ways to give the weights to the operations."""
    edges = weighted_edges(cell, reduction)
    orders = itertools.permutations(WEIGHTS[: len(edges)])
    return tuple(
        sorted(
            value_of_cell(cell, dict(zip(edges, order, strict=True)), reduction) for order in orders
        )
    )


def test_forms_are_functions() -> None:
    """Cells of one form compute the same, in cells of both kinds; those of two forms differ in one."""
    forms: dict[str, set[tuple[int, ...]]] = {}
    plain: dict[str, set[tuple[int, ...]]] = {}
    for text in CELLS:
        cell = MICRO.parse(text).cell
        if len(weighted_edges(cell, True)) <= 4:
            forms.setdefault(MICRO.canonical(text), set()).add(values_of_cell(cell, True))
            plain.setdefault(MICRO.canonical(text), set()).add(values_of_cell(cell, False))
    assert all(len(values) == 1 for values in (*forms.values(), *plain.values()))
    assert len(set.union(*forms.values())) == len(forms) > 500


def modules_of(cell: Codes, reduction: bool) -> CellModule:
    return CellModule(cell, 4, 8 if reduction else 4, 2 if reduction else 1).double()


@pytest.mark.slow
@pytest.mark.parametrize("reduction", [False, True])
def test_cells_of_one_form_are_one_function_of_their_weights(reduction: bool) -> None:
    rng = random.Random(0)
    by_form: dict[str, list[str]] = {}
    for text in CELLS:
        by_form.setdefault(MICRO.canonical(text), []).append(text)
    shared = sorted(texts for texts in by_form.values() if len(texts) > 1)
    x = torch.randn(2, 4, 5, 5, dtype=torch.float64)
    for texts in rng.sample(shared, 25):
        one, two = (MICRO.parse(text).cell for text in rng.sample(texts, 2))
        module, other = modules_of(one, reduction), modules_of(two, reduction)
        expected = module(x)
        edges = weighted_edges(one, reduction)
        found = []
        for order in itertools.permutations(weighted_edges(two, reduction).items()):
            kinds, others = (
                [(code, source == 0) for (source, _), code in pairs]
                for pairs in (edges.items(), order)
            )
            if kinds != others:
                continue
            for (source, node), ((origin, target), _) in zip(edges, order, strict=True):
                state = module.edges[f"{source}to{node}"].state_dict()
                other.edges[f"{origin}to{target}"].load_state_dict(state)
            found.append(torch.allclose(other(x), expected))
        assert any(found), (texts, one, two)


# ---- networks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [2, 5, 64])
@both_spaces
def test_size_is_that_of_the_network(space: SearchSpace, channels: int) -> None:
    rng = random.Random(channels)
    space = type(space)(channels=channels, classes=7)
    for text in (*map(space.sample, [rng] * 12), next(iter(space))):
        built = sum(p.numel() for p in space.build(text, initialized=False).parameters())
        assert space.size(text) == built


def test_sizes_by_hand() -> None:
    """Of networks that do nothing, and of residual networks."""
    stem = 27 * 32 + 2 * 32 + 9 * 32 * 64 + 2 * 64
    assert MICRO.size("64-41414-0_00_000") == stem + 512 * 47 + 47
    first, others, shortcut = 9 * 64 * 128, 15 * 9 * 128**2, 64 * 128
    blocks = first + others + shortcut + (1 + 15 + 1) * 2 * 128
    assert MACRO.size("64-4111-basic") == stem + blocks + 128 * 47 + 47


@both_spaces
def test_networks_run(space: SearchSpace) -> None:
    space = type(space)(**SMALL)
    assert space.input_size == (3, 32, 32)
    for text in itertools.islice(space, 0, None, 600):
        for size in (32, 9, 1):
            assert space.build(text)(torch.randn(2, 3, size, size)).shape == (2, 5)


def test_a_cell_is_the_sum_of_its_edges() -> None:
    x = torch.randn(2, 4, 6, 6)
    cell = CellModule((1, 0, 3, 1, 2, 1), 4, 4, 1)
    two = cell.edges["1to2"](x)
    assert torch.allclose(cell(x), x + cell.edges["1to3"](x) + two, atol=1e-6)


def test_the_first_cell_of_a_module_reduces() -> None:
    cell = CellModule((1, 2, 3, 1, 1, 0), 4, 8, 2)
    strides = {name: getattr(edge, "stride", None) for name, edge in cell.edges.items()}
    assert list(strides) == ["0to1", "0to2", "1to2", "0to3", "1to3"]
    assert isinstance(cell.edges["0to1"], FactorizedReduction)
    assert isinstance(cell.edges["1to3"], torch.nn.Identity)
    assert isinstance(cell.edges["0to2"], ReLUConvBN)
    assert cell.edges["0to2"][1].stride == (2, 2)
    assert cell.edges["1to2"][1].stride == (1, 1)
    assert cell(torch.randn(2, 4, 7, 7)).shape == (2, 8, 4, 4)
    blocks = MACRO.build("64-1423-basic", initialized=False).blocks
    assert [type(block) for block in blocks] == [ResidualBlock] * 8
    shapes = [(block.body[0][1].in_channels, block.body[0][1].stride[0]) for block in blocks]
    expected = [(64, 1), (64, 1), (64, 2), (128, 1), (128, 1), (256, 1), (256, 2), (256, 1)]
    assert shapes == expected


def test_a_factorized_reduction_sees_every_pixel() -> None:
    reduction = FactorizedReduction(1, 2, stride=2)
    for conv in (reduction.straight, reduction.shifted):
        torch.nn.init.ones_(conv.weight)
    reduction.norm = torch.nn.Identity()
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    assert reduction(x)[0].tolist() == [[[0, 2], [6, 8]], [[4, 0], [0, 0]]]


@both_spaces
def test_scores(space: SearchSpace) -> None:
    """Also of two initialisations in one forward pass, and of a cell that computes nothing."""
    space = type(space)(**SMALL)
    batch = space.inputs(16)
    for text in (next(iter(space)), space.sample(random.Random(1)), space.sample(random.Random(2))):
        model = space.build(text, initialized=False)
        both = swap.Scorer(batch, init="gaussian", repeats=2)(model)
        singles = [swap.Scorer(batch, init="gaussian", seed=seed)(model) for seed in (0, 1)]
        assert_same_patterns(both.patterns, tuple(int(single) for single in singles))


# ---- random changes ------------------------------------------------------------------------------


@given(cells, cells, st.integers())
def test_random_changes_of_cells(cell: str, other: str, seed: int) -> None:
    mutant = MICRO.mutate(cell, random.Random(seed))
    assert sum(a != b for a, b in zip(cell, mutant, strict=True)) == 1
    child = MICRO.crossover(cell, small(other), random.Random(seed))
    channels, codes = child.split("-41414-")
    assert channels in ("64", "4")
    parents = (text.split("-41414-")[1] for text in (cell, other))
    assert all(code in pair for code, *pair in zip(codes, *parents, strict=True))


@given(skeletons, skeletons, st.integers())
def test_random_changes_of_skeletons(skeleton: str, other: str, seed: int) -> None:
    mutant = MACRO.mutate(skeleton, random.Random(seed))
    old, new = (MACRO.parse(text).modules for text in (skeleton, mutant))
    if len(old) == len(new):
        assert sum(a != b for a, b in zip(old, new, strict=True)) == 1
    else:
        longer, shorter = sorted((old, new), key=len, reverse=True)
        assert shorter in [longer[:i] + longer[i + 1 :] for i in range(len(longer))]
    child = MACRO.crossover(skeleton, other, random.Random(seed))
    parents = old, MACRO.parse(other).modules
    modules = MACRO.parse(child).modules
    assert len(modules) in {len(parent) for parent in parents}
    for place, code in enumerate(modules):
        assert code in {parent[place] for parent in parents if place < len(parent)}


def test_mutation_changes_the_number_of_modules() -> None:
    depths = {
        len(MACRO.parse(MACRO.mutate("64-14121-basic", random.Random(seed))).modules)
        for seed in range(30)
    }
    assert depths == {4, 5, 6}


# ---- strings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "text", "position", "problem"),
    [
        (MICRO, "", 0, "expected the number of channels, 2 to 9999, found the end"),
        (MICRO, "nonsense", 0, "expected the number of channels"),
        (MICRO, "064-41414-0_00_000", 0, "expected the number of channels"),
        (MICRO, "1-41414-0_00_000", 0, "expected the number of channels"),
        (MICRO, "٦٤-41414-0_00_000", 0, "expected the number of channels"),
        (MICRO, "9" * 5000, 0, "expected the number of channels"),
        (MICRO, "64", 2, "expected '-' after the channels, found the end"),
        (MICRO, "64-4141-0_00_000", 3, "expected '41414-', the micro space's skeleton"),
        (MICRO, "64-41414-4_00_000", 9, "expected an operation's code, 0 to 3, found '4'"),
        (MICRO, "64-41414-0-00_000", 10, "expected '_' before the next node, found '-'"),
        (MICRO, "64-41414-0_00_00", 16, "expected an operation's code, 0 to 3, found the end"),
        (MICRO, "64-41414-0_00_0000", 17, "expected the end of the cell"),
        (MICRO, "64-1234-basic", 3, "expected '41414-', the micro space's skeleton"),
        (MACRO, "64-", 3, "expected a module's code, 1 to 4, or '-' after the last, found the end"),
        (MACRO, "64-1254-basic", 5, "expected a module's code, 1 to 4, or '-' after the last"),
        (MACRO, "64-124-basic", 6, "expected 4 to 6 modules, found 3"),
        (MACRO, "64-1241111-basic", 9, "expected 4 to 6 modules, found 7"),
        (MACRO, "64-1131-basic", 7, "expected 1 to 3 modules that double the channels, found 0"),
        (MACRO, "64-224231-basic", 6, "expected 1 to 3 modules that double the channels, found 4"),
        (MACRO, "64-1121-basic", 7, "expected 1 to 4 modules that halve the image, found 0"),
        (MACRO, "64-433331-basic", 7, "expected 1 to 4 modules that halve the image, found 5"),
        (MACRO, "64-1234-basics", 8, "expected 'basic'"),
        (MACRO, "64-41414-0_00_000", 9, "expected 'basic'"),
    ],
)
def test_malformed_strings_are_pointed_at(
    space: SearchSpace, text: str, position: int, problem: str
) -> None:
    for call in (space.check, space.canonical, space.build, space.size, space.formats):
        with pytest.raises(ArchitectureError) as error:
            call(text)
        assert problem in str(error.value)
        assert error.value.position == position


@both_spaces
def test_bad_options(space: SearchSpace) -> None:
    with pytest.raises(ValueError, match="channels must be from 2 to 9999, got 1"):
        type(space)(channels=1)
    with pytest.raises(ValueError, match="image_size and classes must be at least 1"):
        type(space)(image_size=0)
    with pytest.raises(ValueError, match="image_size and classes must be at least 1"):
        type(space)(classes=0)


def test_formats_and_graphs() -> None:
    cell, skeleton = "64-41414-1_02_333", "64-1234-basic"
    assert MICRO.formats(cell) == {"TransNAS-Bench-101": cell}
    assert MACRO.formats(skeleton) == {
        "TransNAS-Bench-101": skeleton,
        "NASLib op_indices": "[1, 2, 3, 4, 0, 0]",
    }
    (graph,) = MICRO.graphs(cell)
    names = {3: "conv3x3", 2: "conv1x1", 1: "skip_connect"}
    expected = ((0, 1, 1), (1, 2, 2), (0, 3, 3), (1, 3, 3), (2, 3, 3))
    assert graph.edges == tuple((i, j, names[code]) for i, j, code in expected)
    (graph,) = MACRO.graphs(skeleton)
    widths = (64, 128, 128, 256)
    assert graph.nodes == ("stem, 64 channels", *(f"{width} channels" for width in widths))
    assert graph.edges[3] == (3, 4, "channels doubled, image halved")


# ---- the benchmark tables ------------------------------------------------------------------------


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with open(folder / f"transnas101_{name}_class_scene.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_the_benchmark_tables_are_the_spaces(benchmark_data: Path) -> None:
    assert [row["arch_str"] for row in table(benchmark_data, "micro")] == CELLS
    assert sorted(row["arch_str"] for row in table(benchmark_data, "macro")) == sorted(SKELETONS)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "space", "least"), [("micro", MICRO, 0.4), ("macro", MACRO, 0.3)])
def test_rank_correlation_on_the_benchmark_tables(
    benchmark_data: Path, name: str, space: SearchSpace, least: float
) -> None:
    """Scores of narrow networks on small images follow the true accuracies."""
    stats = pytest.importorskip("scipy.stats")
    rows = table(benchmark_data, name)[::80]
    scorer = swap.Scorer(space.inputs(16, size=32), init="gaussian")
    models = (space.build(row["arch_str"].replace("64", "8", 1)) for row in rows)
    scores = [scorer(model) for model in models]
    rho = stats.spearmanr(scores, [float(row["val_class_scene"]) for row in rows]).statistic
    assert rho > least
