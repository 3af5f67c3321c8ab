"""The MobileNet space: the strings, the networks and their published sizes, random changes, scores."""

from __future__ import annotations

import json
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.pattern_counts import assert_same_patterns
from torch import nn

import swapnas_ext as swap
from swapnas_ext.spaces import ArchitectureError
from swapnas_ext.spaces.mobilenet import (
    DEPTHS,
    Architecture,
    Block,
    MobileNet,
    format_architecture,
    parse,
)
from swapnas_ext.spaces.mobilenet_networks import MobileNetV3, SqueezeExcitation, divisible

SPACE = MobileNet(classes=10, resolution=64)
SMALL = "w1.0|k3e6,k5e4|k7e3,k3e3,k5e6|k3e3,k3e3|k5e4,k5e4,k5e4,k5e4|k3e6,k7e6"
OFA_595M = (  # flops@595M_top1@80.0_finetune@75
    "w1.2|k3e3,k5e4,k3e3|k5e4,k5e4,k3e6,k5e3|k7e6,k5e6,k3e3,k5e4|k3e6,k5e6,k7e6,k3e4|"
    "k3e6,k3e6,k5e6,k3e3"
)
seeds = st.integers(0, 2**31)
architectures = seeds.map(lambda seed: SPACE.sample(random.Random(seed)))


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@given(architectures)
def test_format_is_the_inverse_of_parse(text: str) -> None:
    assert format_architecture(parse(text)) == text
    assert SPACE.canonical(text) == text


def test_parse() -> None:
    width, stages = parse(SMALL)
    assert width == "1.0"
    assert [len(blocks) for blocks in stages] == [2, 3, 2, 4, 2]
    assert stages[1] == (Block(7, 3), Block(3, 3), Block(5, 6))


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("", "", "expected 'w' and the width, found the end"),
        ("x1.0|", "x1.0", "expected 'w' and the width, found 'x'"),
        (SMALL.replace("1.0", "1.5"), "1.5|k3", "width must be one of 1.0, 1.2, found '1.5'"),
        (SMALL.replace("w1.0|", "w1.0"), "k3e6,k5e4|", r"expected '\|' before stage 1"),
        (SMALL.replace("k7e3", "k4e3"), "4e3,", "kernel must be one of 3, 5, 7, found '4e3'"),
        (SMALL.replace("k7e3", "k7e5"), "5,k3", "expansion must be one of 3, 4, 6"),
        (SMALL.replace("k7e3", "k7e"), ",k3e3,k5e6", "expansion must be one of"),
        (SMALL.replace("k7e3", "k7"), ",k3e3,k5e6", "expected 'e' and the expansion"),
        (SMALL.replace("k7e3", "k77e3"), "7e3,", "expected 'e' and the expansion, found '7'"),
        (SMALL.replace("k7e3,", "k7e3, "), " k3e3", "expected a block such as k3e6, found ' '"),
        (SMALL.replace("k3e3,k3e3|", "k3e3|"), "|k5e4", "another block: a stage has 2 to 4"),
        (SMALL.replace("k3e6,k7e6", "k3e6"), "", "another block: a stage has 2 to 4"),
        (SMALL.replace("k5e4|k3", "k5e4,k3e3|k3"), ",k3e3|k3e6", "before stage 5, found ','"),
        (SMALL.rpartition("|")[0], "", "before stage 5, found the end"),
        (SMALL + "|k3e3,k3e3", "|k3e3,k3e3", "expected the end"),
        (SMALL + "\n", "\n", "expected the end"),
    ],
)
def test_mistakes_are_pointed_at(text: str, place: str, problem: str) -> None:
    for call in (SPACE.check, SPACE.canonical, SPACE.size, SPACE.build):
        with pytest.raises(ArchitectureError, match=problem) as caught:
            call(text)
        rest = text[caught.value.position :]
        assert rest.startswith(place) if place else rest == ""


def test_published_sizes() -> None:
    """9.1 M parameters of Once-for-All's network; MobileNetV3-Large has 5.4 M in the paper, and 5,483,032
    in torchvision, where the first layer of the classifier has 1,280 biases."""
    assert round(swap.spaces.get("mobilenet").size(OFA_595M) / 1e6, 1) == 9.1
    large = (
        ((3, 4), (3, 3)),
        ((5, 3),) * 3,
        ((3, 6), (3, 2.5), (3, 2.3), (3, 2.3)),
        ((3, 6),) * 2,
        ((5, 6),) * 3,
    )
    with torch.device("meta"):
        assert count(MobileNetV3(1.0, large, 1000)) == 5_483_032 - 1_280


def test_widths() -> None:
    """Of the published network of width 1.2."""
    published = {16: 24, 24: 32, 40: 48, 80: 96, 112: 136, 160: 192, 960: 1152, 1280: 1536}
    assert {width: divisible(width * 1.2) for width in published} == published
    assert {width: divisible(width * 1.0) for width in published} == {w: w for w in published}


@settings(max_examples=15)
@given(architectures, st.sampled_from([10, 1000]))
def test_size_is_that_of_the_network(text: str, classes: int) -> None:
    space = MobileNet(classes=classes)
    with torch.device("meta"):
        assert space.size(text) == count(space.build(text))


def test_the_network() -> None:
    model = SPACE.build(SMALL)
    x = torch.randn(2, *SPACE.input_size)
    assert model(x).shape == (2, 10)
    assert model.stem(x).shape == (2, 16, 32, 32)
    assert model.blocks(model.stem(x)).shape == (2, 160, 2, 2)
    first_of_stages = [0, 2, 5, 7, 11]
    blocks = list(model.blocks)
    assert [k for k, block in enumerate(blocks) if not block.shortcut] == first_of_stages
    assert [blocks[k].body[1][0].stride[0] for k in first_of_stages] == [2, 2, 2, 1, 2]
    squeezed = [isinstance(block.body[2], SqueezeExcitation) for block in blocks]
    assert squeezed == [False] * 2 + [True] * 3 + [False] * 2 + [True] * 6
    kinds = [type(block.body[0][2]) for block in blocks]
    assert kinds == [nn.ReLU] * 5 + [nn.Hardswish] * 8
    assert [block.body[1][0].kernel_size[0] for block in blocks[:5]] == [3, 5, 7, 3, 5]
    block = blocks[1]
    y = torch.randn(2, 24, 4, 4)
    torch.testing.assert_close(block(y), y + block.body(y))


def choices(text: str) -> dict[tuple[object, ...], object]:
    width, stages = parse(text)
    found: dict[tuple[object, ...], object] = {("width",): width}
    for number, blocks in enumerate(stages):
        found[number, "depth"] = len(blocks)
        for k, (kernel, expansion) in enumerate(blocks):
            found[number, k, "kernel"], found[number, k, "expansion"] = kernel, expansion
    return found


@given(architectures, seeds)
def test_mutation(text: str, seed: int) -> None:
    mutant = SPACE.mutate(text, random.Random(seed))
    before, after = choices(text), choices(mutant)
    changed = [name for name in before.keys() & after.keys() if before[name] != after[name]]
    assert len(changed) == 1
    others = before.keys() ^ after.keys()  # of blocks that a stage has lost or won
    assert bool(others) == (changed[0][-1] == "depth")
    assert all(name[0] == changed[0][0] for name in others)


def test_mutation_changes_everything_at_times() -> None:
    rng = random.Random(0)
    before, changed = choices(SMALL), set()
    for _ in range(1000):
        after = choices(SPACE.mutate(SMALL, rng))
        changed |= {name for name in before.keys() & after.keys() if before[name] != after[name]}
    assert changed == before.keys()


@given(architectures, architectures, seeds)
def test_crossover(first: str, second: str, seed: int) -> None:
    child = SPACE.crossover(first, second, random.Random(seed))
    parents = choices(first), choices(second)
    for name, value in choices(child).items():
        assert value in [parent[name] for parent in parents if name in parent]


def test_samples_have_all_choices() -> None:
    rng = random.Random(0)
    parsed = [parse(SPACE.sample(rng)) for _ in range(300)]
    assert {architecture.width for architecture in parsed} == {"1.0", "1.2"}
    for stage in range(5):
        stages = [architecture.stages[stage] for architecture in parsed]
        assert {len(blocks) for blocks in stages} == set(DEPTHS)
        assert len({block for blocks in stages for block in blocks}) == 9
    assert SPACE.sample(random.Random(3)) == SPACE.sample(random.Random(3))


def test_formats() -> None:
    (name, text), *_ = SPACE.formats(SMALL).items()
    assert "ofa_mbv3_d234_e346_k357_w1.0" in name
    assert json.loads(text) == {
        "wid": None,
        "ks": [3, 5, 0, 0, 7, 3, 5, 0, 3, 3, 0, 0, 5, 5, 5, 5, 3, 7, 0, 0],
        "e": [6, 4, 0, 0, 3, 3, 6, 0, 3, 3, 0, 0, 4, 4, 4, 4, 6, 6, 0, 0],
        "d": [2, 3, 2, 4, 2],
    }


def test_graphs() -> None:
    (graph,) = SPACE.graphs(SMALL)
    assert len(graph.nodes) == 2 + 13 + 1
    assert graph.nodes[:3] == ("image", "stem", "stage 1: 3x3, expansion 6")
    assert [edge[:2] for edge in graph.edges] == [(k, k + 1) for k in range(15)]
    assert [edge[2] for edge in graph.edges[:4]] == ["3", "16", "24", "24"]


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
    assert {layer.kind for layer in both.layers} == {"ReLU", "Hardswish", "Hardsigmoid"}
    assert both.parameters == SPACE.size(SMALL)


def test_bad_options() -> None:
    assert swap.spaces.get("mobilenet").input_size == (3, 224, 224)
    with pytest.raises(ValueError, match="classes must be at least 1"):
        swap.spaces.get("mobilenet", classes=0)
    with pytest.raises(ValueError, match="resolution must be at least 32 pixels, got 16"):
        swap.spaces.get("mobilenet", resolution=16)


def test_parsed_structures_format() -> None:
    stages = ((Block(3, 6), Block(5, 4)),) * 5
    assert format_architecture(Architecture("1.2", stages)) == "w1.2" + "|k3e6,k5e4" * 5
