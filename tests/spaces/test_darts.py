"""The DARTS space: the parser, the networks, and what the published scores say of them."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import swapnas_ext as swap
from swapnas_ext.spaces import ArchitectureError
from swapnas_ext.spaces.darts import DARTS
from swapnas_ext.spaces.darts_genotype import Genotype, _parse_exactly, format_genotype, parse
from swapnas_ext.spaces.darts_networks import OPERATIONS, FactorizedReduce, Zero, operation

V2 = (  # of Liu et al., second order
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), "
    "('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
genotypes = st.integers(0, 2**31).map(lambda seed: DARTS().sample(random.Random(seed)))


def test_other_ways_to_write_it() -> None:
    loose = V2.replace("[2, 3, 4, 5]", "range(2, 6)").replace("(normal", "(\n    normal")
    assert parse(f"  {loose}\n") == parse(V2)
    assert parse(V2).normal_concat == (2, 3, 4, 5)
    assert parse(V2).reduce[2] == ("skip_connect", 2)


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("", "", "not a genotype"),
        ("Genotype(", "", "not a genotype"),
        ("__import__('os').system('true')", "__import__", "expected Genotype"),
        ("Genotype(1, 2)", "Genotype", "expected Genotype"),
        (V2.replace("dil_conv_3x3", "dil_conv_9x9"), "'dil_conv_9x9'", "unknown operation"),
        (V2.replace("('sep_conv_3x3', 0)", "('sep_conv_3x3', 2)", 1), "2), ", "reads 0 to 1"),
        (V2.replace("('sep_conv_3x3', 0)", "('sep_conv_3x3', -1)", 1), "-1", "reads 0 to 1"),
        (V2.replace("('sep_conv_3x3', 0)", "('sep_conv_3x3', True)", 1), "True", "reads 0 to 1"),
        (V2.replace("('sep_conv_3x3', 0), ", "", 1), "[('sep", "a list of 8 edges"),
        (V2.replace("('sep_conv_3x3', 0)", "'sep_conv_3x3'", 1), "'sep_conv", "an edge such as"),
        (V2.replace("[2, 3, 4, 5]", "[2, 2]"), "[2, 2]", "different nodes"),
        (V2.replace("[2, 3, 4, 5]", "[]"), "[]", "different nodes"),
        (V2.replace("[2, 3, 4, 5]", "range(2, 10**9)"), "range", "different nodes"),
        (V2.replace("[2, 3, 4, 5]", "range(2, 1000000000)"), "range", "different nodes"),
        (V2.replace(", reduce_concat=[2, 3, 4, 5]", ""), None, "missing reduce_concat"),
        (V2.replace("reduce_concat", "normal_concat"), "[2, 3, 4, 5])", "unexpected field"),
        ("Genotype(" + "(" * 5000, None, "not a genotype"),
        (V2 + " " * 20_000, None, "too many"),
        ("Genotype\x00", None, "not a genotype"),
    ],
)
def test_mistakes_are_pointed_at(text: str, place: str | None, problem: str) -> None:
    with pytest.raises(ArchitectureError, match=problem) as caught:
        parse(text)
    if place:
        assert text[caught.value.position :].startswith(place)


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_published_sizes() -> None:
    """3.3 M parameters on CIFAR-10 and 4.7 M on ImageNet, as the paper says of this genotype."""
    assert 3.2e6 < count(swap.spaces.get("darts", network="cifar10").build(V2)) < 3.4e6
    assert 4.6e6 < count(swap.spaces.get("darts", network="imagenet").build(V2)) < 4.8e6


def test_the_workload_network() -> None:
    model = swap.spaces.get("darts").build(V2)
    assert not isinstance(next(iter(model.stem.modules())), nn.Conv2d)
    assert [cell.operations[0].stride for cell in model.cells] == [2]
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 10)
    assert model.classifier.in_features == 4 * 6


@pytest.mark.slow
@settings(max_examples=20)
@given(genotypes)
def test_all_genotypes_build_and_run(text: str) -> None:
    for options, size in (
        ({}, 16),
        ({"layers": 3}, 16),
        ({"network": "cifar10", "channels": 4, "layers": 4, "classes": 3}, 16),
        ({"network": "imagenet", "channels": 4, "layers": 3, "classes": 3}, 64),
    ):
        space = swap.spaces.get("darts", **options)
        model = space.build(text, initialized=False)
        x = torch.randn(2, 3, size, size)
        assert model(x).shape == (2, space.classes)
        assert space.size(text) == count(model)


def test_operations() -> None:
    x = torch.randn(2, 6, 8, 8)
    for name in OPERATIONS:
        for stride in (1, 2):
            y = operation(name, 6, stride)(x)
            assert y.shape == (2, 6, 8 // stride, 8 // stride), name
    assert torch.equal(Zero(2)(x), torch.zeros(2, 6, 4, 4))
    reduce = FactorizedReduce(6, 7)
    even, odd = reduce.even.weight, reduce.odd.weight
    y = torch.cat(
        [F.conv2d(x.relu(), even)[..., ::2, ::2], F.conv2d(x.relu(), odd)[..., 1::2, 1::2]], 1
    )
    torch.testing.assert_close(reduce(x), reduce.norm(y))


@given(genotypes, genotypes, st.integers(0, 2**31))
def test_mutation_and_crossover(first: str, second: str, seed: int) -> None:
    space, rng = swap.spaces.get("darts", layers=3), random.Random(seed)
    before, after = parse(first), parse(space.mutate(first, rng))
    changed = [
        (old, new)
        for cell in ("normal", "reduce")
        for old, new in zip(getattr(before, cell), getattr(after, cell), strict=True)
        if old != new
    ]
    assert len(changed) == 1
    child = parse(space.crossover(first, second, rng))
    for cell in ("normal", "reduce"):
        for node in range(4):
            pair = getattr(child, cell)[2 * node : 2 * node + 2]
            parents = [
                getattr(parse(text), cell)[2 * node : 2 * node + 2] for text in (first, second)
            ]
            assert pair in parents


def test_canonical_forms() -> None:
    space = swap.spaces.get("darts")
    genotype = parse(V2)
    swapped = genotype._replace(reduce=(*genotype.reduce[1::-1], *genotype.reduce[2:]))
    assert space.canonical(format_genotype(swapped)) == space.canonical(V2)
    other_normal = genotype._replace(normal=genotype.reduce)
    assert space.canonical(format_genotype(other_normal)) == space.canonical(V2)
    deep = swap.spaces.get("darts", layers=3)
    assert deep.canonical(format_genotype(other_normal)) != deep.canonical(V2)
    edges = (("none", 0), ("none", 1)) * 4
    unread = Genotype(edges, (5,), (*edges[:4], ("sep_conv_3x3", 2), *edges[:3]), (5,))
    nothing = Genotype(edges, (5,), edges, (5,))
    assert space.canonical(format_genotype(unread)) == space.canonical(format_genotype(nothing))


def test_bad_options() -> None:
    for options, problem in (
        ({"network": "mnist"}, "workload, cifar10, imagenet"),
        ({"layers": 0}, "layers must be at least 1"),
        ({"channels": 16}, "has no stem"),
        ({"network": "imagenet", "channels": 5}, "is odd"),
    ):
        with pytest.raises(ValueError, match=problem):
            swap.spaces.get("darts", **options)


@pytest.mark.slow
def test_published_correlation(benchmark_data: Path) -> None:
    """Spearman's rho with the accuracies of the published repository: about 0.90 (16 images)."""
    from scipy.stats import spearmanr

    with open(benchmark_data / "darts_cifar10.csv", newline="") as file:
        rows = list(csv.DictReader(file))[:150]
    space = swap.spaces.get("darts")
    images = swap.data.images(benchmark_data / "cifar10_train_256.npz", 16)
    scorer = swap.Scorer(images, init="gaussian", repeats=2)
    scores = [scorer(space.build(row["genotype"], initialized=False)) for row in rows]
    rho = spearmanr(scores, [float(row["val_cifar10"]) for row in rows]).statistic
    assert rho > 0.85


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"layers": 2},
        {"layers": 3},
        {"network": "cifar10", "channels": 5, "layers": 7},
        {"network": "imagenet", "channels": 6, "layers": 5, "classes": 7},
    ],
)
@given(seed=st.integers(0, 2**31))
@settings(max_examples=10)
def test_size_without_building(options: dict[str, Any], seed: int) -> None:
    space = DARTS(**options)
    rng = random.Random(seed)
    text = space.mutate(space.sample(rng), rng)
    genotype = parse(text)
    if not space._one_cell:
        concat = tuple(rng.sample(range(2, 6), rng.randint(1, 4)))
        text = format_genotype(genotype._replace(reduce_concat=concat))
    assert space.size(text) == count(space.build(text))


@given(seed=st.integers(0, 2**31))
def test_a_network_of_one_kind_of_cell_has_one_cell(seed: int) -> None:
    rng = random.Random(seed)
    space = DARTS()
    first, second = space.sample(rng), space.sample(rng)
    for text in (first, space.mutate(first, rng), space.crossover(first, second, rng)):
        genotype = parse(text)
        assert genotype[:2] == genotype[2:]
    deep = DARTS("cifar10")
    assert any(parse(deep.sample(rng)).normal != parse(deep.sample(rng)).reduce for _ in range(3))


def test_the_final_network() -> None:
    assert DARTS().final().size(V2) == DARTS("cifar10").size(V2)
    assert DARTS(final="imagenet").final().size(V2) == DARTS("imagenet").size(V2)
    for space in (DARTS("cifar10"), DARTS(final="workload")):
        assert space.final() is space
    with pytest.raises(ValueError, match="final must be one of"):
        DARTS(final="mnist")


def test_the_fast_parser_takes_nothing_that_the_other_refuses() -> None:
    """They agree on every text that differs in one character from a genotype."""
    rng = random.Random(0)
    for _ in range(2000):
        place = rng.randrange(len(V2))
        text = V2[:place] + rng.choice("0123456789_'abc,() []") + V2[place + 1 :]
        exact = _parse_exactly(text)
        if exact is not None:
            assert exact == parse(text.replace("Genotype(", "Genotype( "))
