"""The EfficientNet space: the strings, the networks and their published sizes, random changes, scores."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.pattern_counts import assert_same_patterns
from torch import nn

import swapnas_ext as swap
from swapnas_ext.correlation.accuracy_table import read_table
from swapnas_ext.spaces import ArchitectureError
from swapnas_ext.spaces.efficientnet import (
    LAYERS,
    EfficientNet,
    Stage,
    format_architecture,
    parse,
)
from swapnas_ext.spaces.efficientnet_networks import SqueezeExcitation

SPACE = EfficientNet(classes=10, resolution=64)
B0 = "e1k3l1s-e6k3l2s-e6k5l2s-e6k3l3s-e6k5l3s-e6k5l4s-e6k3l1s"
SMALL = "e4k5l1-e1k3l2s-e4k3l1-e1k5l2s-e4k5l2s-e6k3l4s-e6k5l2"
PUBLISHED = {  # parameters in the benchmark's table
    SMALL: 5_823_228,
    "e1k3l2-e4k5l3-e4k5l2-e4k3l2-e4k3l3-e6k5l2-e4k5l2": 4_070_312,
    "e1k3l2-e1k3l1-e1k5l1-e6k5l2-e4k5l2-e6k5l1-e6k3l3": 5_347_456,
    "e6k5l2s-e1k3l1s-e6k3l3s-e6k3l2-e1k5l2-e6k3l4s-e4k3l3s": 6_454_014,
}
seeds = st.integers(0, 2**31)
architectures = seeds.map(lambda seed: SPACE.sample(random.Random(seed)))


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@given(architectures)
def test_format_is_the_inverse_of_parse(text: str) -> None:
    assert format_architecture(parse(text)) == text
    assert SPACE.canonical(text) == text


def test_parse() -> None:
    stages = parse(SMALL)
    assert stages[:2] == (Stage(4, 5, 1, False), Stage(1, 3, 2, True))
    assert [stage.layers for stage in stages] == [1, 2, 1, 2, 2, 4, 2]


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("", "", "expected a stage such as e4k5l1 or e1k3l2s, found the end"),
        ("x" + SMALL, "x", "expected a stage such as"),
        (SMALL.replace("e4k5l1-", "e3k5l1-"), "3k5", "expansion must be one of 1, 4, 6, found '3'"),
        (SMALL.replace("e4k5l1-", "e4k7l1-"), "7l1", "kernel must be one of 3, 5, found '7'"),
        (SMALL.replace("e4k5l1-", "e45l1-"), "5l1", "expected 'k' and the kernel, found '5'"),
        (SMALL.replace("e4k5l1-", "e4k5-"), "-e1", "expected 'l' and the number of layers"),
        (SMALL.replace("e4k5l1-", "e4k5l4-"), "4-e1", "layers of stage 1 must be one of 1, 2, 3,"),
        (SMALL.replace("l4s", "l5s"), "5s", "layers of stage 6 must be one of 1, 2, 3, 4, found"),
        (SMALL.replace("l4s", "l4ss"), "s-e6k5l2", "expected '-' before stage 7, found 's'"),
        (SMALL.replace("-e6k5l2", ""), "", "expected '-' before stage 7, found the end"),
        (SMALL + "-e6k5l2", "-e6k5l2", "expected the end"),
        (SMALL + "\n", "\n", "expected the end"),
    ],
)
def test_mistakes_are_pointed_at(text: str, place: str, problem: str) -> None:
    for call in (SPACE.check, SPACE.canonical, SPACE.size, SPACE.build):
        with pytest.raises(ArchitectureError, match=problem) as caught:
            call(text)
        rest = text[caught.value.position :]
        assert rest.startswith(place) if place else rest == ""


@pytest.mark.parametrize("text", PUBLISHED)
def test_published_sizes(text: str) -> None:
    space = swap.spaces.get("efficientnet")
    assert space.size(text) == PUBLISHED[text]
    with torch.device("meta"):
        assert count(space.build(text)) == PUBLISHED[text]


def test_efficientnet_b0() -> None:
    """5,288,548 parameters in torchvision."""
    assert swap.spaces.get("efficientnet").size(B0) == 5_288_548


def test_all_published_sizes(benchmark_data: Path) -> None:
    space = swap.spaces.get("efficientnet")
    with (benchmark_data / "accel_nasbench_imagenet.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2569
    for row in rows:
        assert space.size(row["arch"]) == round(float(row["params_millions"]) * 1e6)


@settings(max_examples=15)
@given(architectures, st.sampled_from([10, 1000]))
def test_size_is_that_of_the_network(text: str, classes: int) -> None:
    space = EfficientNet(classes=classes)
    with torch.device("meta"):
        assert space.size(text) == count(space.build(text))


def test_the_table_is_read(benchmark_data: Path) -> None:
    table = read_table(benchmark_data / "accel_nasbench_imagenet.csv", SPACE, skip_bad=True)
    assert table.accuracy == "val_top1"
    assert len(table.rows) == 2565
    assert {fault.kind for fault in table.faults} == {"duplicate"}


def test_entries() -> None:
    assert SPACE.from_entry({"arch": SMALL, "val_top1": "63.862"}) == SMALL
    assert SPACE.from_entry({"architecture": SMALL}) is None
    assert SPACE.from_entry({"arch": 1}) is None
    with pytest.raises(ArchitectureError):
        SPACE.from_entry({"arch": "00000012"})


def test_the_network() -> None:
    model = SPACE.build(SMALL)
    x = torch.randn(2, *SPACE.input_size)
    assert model(x).shape == (2, 10)
    assert model.stem(x).shape == (2, 32, 32, 32)
    assert model.blocks(model.stem(x)).shape == (2, 320, 2, 2)
    blocks = list(model.blocks)
    first_of_stages = [0, 1, 3, 4, 6, 8, 12]
    assert [k for k, block in enumerate(blocks) if not block.shortcut] == first_of_stages
    depthwise = [
        next(m for m in block.modules() if isinstance(m, nn.Conv2d) and m.groups > 1)
        for block in blocks
    ]
    assert [depthwise[k].stride[0] for k in first_of_stages] == [1, 2, 2, 2, 1, 2, 1]
    assert [conv.kernel_size[0] for conv in depthwise[:4]] == [5, 3, 3, 3]
    squeezing = [
        [m for m in block.modules() if isinstance(m, SqueezeExcitation)] for block in blocks
    ]
    assert [len(found) for found in squeezing] == [0] + [1] * 2 + [0] + [1] * 8 + [0] * 2
    # A quarter of the channels that go into the block
    assert [found[0].weigh[1].out_channels for found in squeezing if found][:5] == [
        4,
        6,
        10,
        20,
        20,
    ]
    assert len(blocks[1].body) == 3  # an expansion of 1: depthwise, squeeze, projection
    kinds = {type(m) for m in model.modules() if "activation" in type(m).__module__}
    assert kinds == {nn.SiLU, nn.Sigmoid}
    y = torch.randn(2, 24, 4, 4)
    torch.testing.assert_close(blocks[2](y), y + blocks[2].body(y))


def changed(text: str, mutant: str) -> list[tuple[int, str]]:
    return [
        (number, field)
        for number, (old, new) in enumerate(zip(parse(text), parse(mutant), strict=True))
        for field in Stage._fields
        if getattr(old, field) != getattr(new, field)
    ]


@given(architectures, seeds)
def test_mutation_changes_one_choice(text: str, seed: int) -> None:
    assert len(changed(text, SPACE.mutate(text, random.Random(seed)))) == 1


def test_mutation_changes_everything_at_times() -> None:
    rng = random.Random(0)
    found = {changed(SMALL, SPACE.mutate(SMALL, rng))[0] for _ in range(500)}
    assert len(found) == 7 * 4


@given(architectures, architectures, seeds)
def test_crossover(first: str, second: str, seed: int) -> None:
    child = SPACE.crossover(first, second, random.Random(seed))
    for stage, *parents in zip(*map(parse, (child, first, second)), strict=True):
        for value, *values in zip(stage, *parents, strict=True):
            assert value in values


def test_samples_have_all_choices() -> None:
    rng = random.Random(0)
    parsed = [parse(SPACE.sample(rng)) for _ in range(300)]
    for number, stages in enumerate(zip(*parsed, strict=True)):
        values = [set(column) for column in zip(*stages, strict=True)]
        assert values == [{1, 4, 6}, {3, 5}, set(LAYERS[number]), {False, True}]
    assert SPACE.sample(random.Random(3)) == SPACE.sample(random.Random(3))


def test_graphs() -> None:
    (graph,) = SPACE.graphs(SMALL)
    assert len(graph.nodes) == 2 + 14 + 1
    assert graph.nodes[2] == "stage 1: 5x5, expansion 4"
    assert graph.nodes[3] == graph.nodes[4] == "stage 2: 3x3, expansion 1, squeeze"
    assert [edge[2] for edge in graph.edges[:4]] == ["3", "32", "16", "24"]


@pytest.mark.slow
def test_scores() -> None:
    """Two repeats at once are as one after the other."""
    batch = SPACE.inputs(16)
    assert batch.shape == (16, 3, 64, 64)
    model = SPACE.build(SMALL, initialized=False)
    both = swap.Scorer(batch, init="gaussian", repeats=2)(model)
    singles = [swap.Scorer(batch, init="gaussian", seed=seed)(model) for seed in (0, 1)]
    assert_same_patterns(both.patterns, tuple(int(single) for single in singles))
    assert not both.missed
    assert {layer.kind for layer in both.layers} == {"SiLU", "Sigmoid"}


def test_bad_options() -> None:
    assert swap.spaces.get("efficientnet").input_size == (3, 224, 224)
    with pytest.raises(ValueError, match="classes must be at least 1"):
        swap.spaces.get("efficientnet", classes=0)
    with pytest.raises(ValueError, match="resolution must be at least 32 pixels, got 16"):
        swap.spaces.get("efficientnet", resolution=16)
