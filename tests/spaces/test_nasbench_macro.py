"""NAS-Bench-Macro: the digits, the published sizes, forms of one function, random changes."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.pattern_counts import assert_same_patterns
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import swapnas_ext as swap
from swapnas_ext.correlation.accuracy_table import read_table
from swapnas_ext.spaces import ArchitectureError
from swapnas_ext.spaces.nasbench_macro import NASBenchMacro

SPACE = NASBenchMacro()
# Parameters and multiplications in the benchmark's table
PUBLISHED = {
    "00000002": (1219370, 20910592),
    "00000012": (1623082, 27312640),
    "20010001": (917098, 30769664),
}
seeds = st.integers(0, 2**31)
architectures = st.lists(st.sampled_from("012"), min_size=8, max_size=8).map("".join)


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@given(architectures)
def test_format_is_the_inverse_of_parse(text: str) -> None:
    assert SPACE.format(SPACE.parse(text)) == text
    assert SPACE.parse(text) == tuple(text)


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        ("", 0, "expected 8 digits, found 0"),
        ("12", 2, "expected 8 digits, found 2 .leading zeros are lost"),
        ("0000001", 7, "expected 8 digits, found 7"),
        ("00030000", 3, "layer 4 must be one of 0, 1, 2, found '3'"),
        ("0000000 ", 7, "layer 8 must be one of 0, 1, 2, found ' '"),
        ("000000000", 8, "expected the end"),
        ("00000000\n", 8, "expected the end"),
        ("\u06600000000", 0, "layer 1 must be one of"),
    ],
)
def test_mistakes_are_pointed_at(text: str, position: int, problem: str) -> None:
    for call in (SPACE.check, SPACE.canonical, SPACE.size, SPACE.build):
        with pytest.raises(ArchitectureError, match=problem) as caught:
            call(text)
        assert caught.value.position == position


def test_all_architectures_are_listed() -> None:
    assert len(SPACE) == 6561
    assert len(set(SPACE)) == 6561


@pytest.mark.parametrize("text", PUBLISHED)
def test_published_sizes(text: str) -> None:
    parameters, multiplications = PUBLISHED[text]
    assert SPACE.size(text) == parameters
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        model = SPACE.build(text)
        model(torch.empty(1, 3, 32, 32))
    assert count(model) == parameters
    assert counter.get_total_flops() == 2 * multiplications


def test_all_published_sizes(benchmark_data: Path) -> None:
    with (benchmark_data / "nasbench_macro_3280.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3280
    assert all(SPACE.size(row["arch"]) == int(row["params"]) for row in rows)


@pytest.mark.slow
@given(architectures, st.sampled_from([10, 100]))
def test_size_is_that_of_the_network(text: str, classes: int) -> None:
    space = NASBenchMacro(classes=classes)
    with torch.device("meta"):
        assert space.size(text) == count(space.build(text))


def test_the_table_is_read_with_its_zeros(benchmark_data: Path) -> None:
    table = read_table(benchmark_data / "nasbench_macro_3280.csv", SPACE)
    assert table.accuracy == "test_cifar10"
    assert len(table.rows) == 3280
    assert table.rows[0].architecture == "00000002"


def test_entries() -> None:
    assert SPACE.from_entry({"arch": "00000012", "params": "1"}) == "00000012"
    assert SPACE.from_entry({"arch": 12}) == "00000012"
    for entry in ({"architecture": "00000012"}, {"arch": None}, {"arch": True}, {"arch": 1.5}):
        assert SPACE.from_entry(entry) is None
    for bad in ("12", 13, -1, 100000000):
        with pytest.raises(ArchitectureError):
            SPACE.from_entry({"arch": bad})


def test_canonical() -> None:
    assert SPACE.canonical("01012120") == "01-012-12"
    assert SPACE.canonical("00010001") == SPACE.canonical("00001010") == "0-01-01"
    assert SPACE.canonical("00000000") == "0-0-0"
    others = ("10000000", "01000000", "00100000", "00010000", "00012000", "00021000", "00000000")
    assert len({SPACE.canonical(text) for text in others}) == len(others)
    # A stage has 3 first layers, and 1 + 2 (+ 4) different sequences of blocks after them.
    assert len({SPACE.canonical(text) for text in SPACE}) == (3 * 3) * (3 * 7) * (3 * 7)


@pytest.mark.slow
@given(architectures)
def test_one_form_is_one_network(text: str) -> None:
    """Without its identities, the network has the same modules in the same order."""

    def modules(digits: str) -> list[str]:
        with torch.device("meta"):
            layers = SPACE.build(digits).layers
        return [str(layer) for layer in layers if not isinstance(layer, nn.Identity)]

    stages = text[:2], text[2:5], text[5:]
    moved = "".join(
        stage[0] + stage[1:].replace("0", "").rjust(len(stage) - 1, "0") for stage in stages
    )
    assert SPACE.canonical(text) == SPACE.canonical(moved)
    assert modules(text) == modules(moved)


def test_the_network() -> None:
    model = SPACE.build("01201200")
    x = torch.randn(2, 3, 32, 32)
    assert model(x).shape == (2, 10)
    shapes = []
    y = model.stem(x)
    for layer in model.layers:
        y = layer(y)
        shapes.append((y.shape[1], y.shape[2]))
    assert shapes == [(64, 16)] * 2 + [(128, 8)] * 3 + [(256, 4)] * 3
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds[0] == "ConvBN"
    assert kinds[3] == kinds[6] == kinds[7] == "Identity"
    assert [layer.shortcut for layer in (model.layers[1], model.layers[2])] == [True, False]
    assert {type(module) for module in model.modules() if "ReLU" in str(type(module))} == {nn.ReLU6}


@given(architectures, seeds)
def test_mutation_changes_one_digit(text: str, seed: int) -> None:
    mutant = SPACE.mutate(text, random.Random(seed))
    assert sum(a != b for a, b in zip(text, mutant, strict=True)) == 1


@given(architectures, architectures, seeds)
def test_crossover(first: str, second: str, seed: int) -> None:
    child = SPACE.crossover(first, second, random.Random(seed))
    assert all(digit in pair for digit, *pair in zip(child, first, second, strict=True))


def test_samples_have_all_digits() -> None:
    rng = random.Random(0)
    samples = [SPACE.sample(rng) for _ in range(100)]
    assert all(set(digits) == set("012") for digits in zip(*samples, strict=True))


def test_graphs() -> None:
    (graph,) = SPACE.graphs("01201200")
    assert graph.nodes[:5] == (
        *("image", "stem", "1x1 convolution"),
        *("3x3, expansion 3", "5x5, expansion 6"),
    )
    assert graph.nodes[-2:] == ("identity", "head")
    assert [label for _, _, label in graph.edges[:4]] == ["3", "32", "64", "64"]


def test_scores() -> None:
    """Two repeats at once are as one after the other."""
    batch = SPACE.inputs(8)
    model = SPACE.build("10210012", initialized=False)
    both = swap.Scorer(batch, init="gaussian", repeats=2)(model)
    singles = [swap.Scorer(batch, init="gaussian", seed=seed)(model) for seed in (0, 1)]
    assert_same_patterns(both.patterns, tuple(int(single) for single in singles))
    assert not both.missed
    assert {layer.kind for layer in both.layers} == {"ReLU6"}


def test_bad_options() -> None:
    assert swap.spaces.get("nasbench-macro").input_size == (3, 32, 32)
    with pytest.raises(ValueError, match="classes must be at least 1"):
        swap.spaces.get("nasbench-macro", classes=0)
    with pytest.raises(ValueError, match="resolution must be at least 8 pixels, got 4"):
        swap.spaces.get("nasbench-macro", resolution=4)
