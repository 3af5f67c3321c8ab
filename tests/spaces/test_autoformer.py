"""The AutoFormer space: the strings, rows of ViT-Bench-101, the networks and their sizes, random changes, scores."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from support.pattern_counts import assert_same_patterns
from torch import nn

import swapnas_ext as swap
from swapnas_ext.correlation.accuracy_table import read_table
from swapnas_ext.spaces import ArchitectureError
from swapnas_ext.spaces.autoformer import SUPERNETS, AutoFormer, Layer
from swapnas_ext.spaces.autoformer_networks import SelfAttention

SPACE = AutoFormer(classes=10, resolution=32)
RATIOS = [3.5, 4.0, 3.5, 4.0, 3.5, 3.5, 4.0, 3.5, 4.0, 4.0, 4.0, 3.5]
HEADS = [4, 4, 3, 4, 3, 3, 4, 4, 3, 3, 3, 4]
SMALL = "w192|" + ",".join(f"r{r:g}h{h}" for r, h in zip(RATIOS, HEADS, strict=True))
ROW = {"hidden_dim": 192, "mlp_ratio": RATIOS, "depth": 12, "num_heads": HEADS}
seeds = st.integers(0, 2**31)
architectures = seeds.map(lambda seed: SPACE.sample(random.Random(seed)))


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@given(seeds, st.sampled_from(list(SUPERNETS)))
def test_format_is_the_inverse_of_parse(seed: int, supernet: str) -> None:
    space = AutoFormer(supernet)
    text = space.sample(random.Random(seed))
    assert space.format(space.parse(text)) == text
    assert space.canonical(text) == text


def test_parse() -> None:
    width, layers = SPACE.parse(SMALL)
    assert width == 192
    assert layers[:2] == (Layer(3.5, 4), Layer(4, 4))
    assert [layer.heads for layer in layers] == HEADS


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("", "", "expected 'w' and the width, found the end"),
        ("x192|", "x192", "expected 'w' and the width, found 'x'"),
        (SMALL.replace("w192", "w1920"), "1920", "width must be one of 192, 216, 240, found 1920"),
        (SMALL.replace("w192", "w"), "|r3.5", r"width must be one of 192, 216, 240, found \|"),
        (SMALL.replace("|", ""), "r3.5h4,r4h4", r"expected '\|' before the layers, found 'r'"),
        (SMALL.replace("r4h4", "r3h4", 1), "3h4", "ratio must be one of 3.5, 4, found 3"),
        (SMALL.replace("r4h4", "r4.0h4", 1), "4.0h4", "ratio must be one of 3.5, 4, found 4.0"),
        (SMALL.replace("r4h4", "r4h5", 1), "5,r3", "heads must be one of 3, 4, found 5"),
        (SMALL.replace("r4h4", "r4", 1), ",r3.5h3", "expected 'h' and the heads, found ','"),
        (SMALL.replace("r4h4,", "r4h4, ", 1), " r3.5", "expected a layer such as r4h3, found ' '"),
        (SMALL.rpartition(",")[0], "", "another layer: there are 12 to 14, found the end"),
        (SMALL + ",r4h4" * 3, ",r4h4", "expected the end"),
        (SMALL + "\n", "\n", "expected the end"),
    ],
)
def test_mistakes_are_pointed_at(text: str, place: str, problem: str) -> None:
    for call in (SPACE.check, SPACE.canonical, SPACE.size, SPACE.build):
        with pytest.raises(ArchitectureError, match=problem) as caught:
            call(text)
        rest = text[caught.value.position :]
        assert rest.startswith(place) if place else rest == ""


def test_supernets_have_their_own_values() -> None:
    with pytest.raises(ArchitectureError, match="width must be one of 320, 384, 448, found 192"):
        AutoFormer("small").check(SMALL)
    assert AutoFormer("base").parse("w528|" + ",".join(["r3h8"] * 16)).width == 528


# ---- rows of ViT-Bench-101 -------------------------------------------------------------------------


def test_entries() -> None:
    assert SPACE.from_entry(ROW) == SMALL
    assert SPACE.from_entry({name: str(value) for name, value in ROW.items()}) == SMALL
    assert SPACE.from_entry({"hidden_dim": 192, "depth": 12}) is None
    assert SPACE.from_entry({"arch": SMALL}) is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"depth": 13}, "mlp_ratio has 12 numbers and num_heads has 12, but depth is 13"),
        ({"num_heads": HEADS[1:]}, "num_heads has 11, but depth is 12"),
        ({"depth": "many"}, "but depth is many"),
        ({"num_heads": 4}, "must be lists"),
        ({"mlp_ratio": "[3.5, 4"}, "must be lists"),
        ({"mlp_ratio": "__import__('os')"}, "must be lists"),
        ({"num_heads": ["4"] * 12}, "must consist of numbers"),
        ({"hidden_dim": "wide"}, "must consist of numbers"),
        ({"hidden_dim": None}, "must consist of numbers"),
        ({"hidden_dim": True}, "width must be one of"),
        ({"hidden_dim": 10**400}, "width must be one of"),
        ({"hidden_dim": 200}, "width must be one of 192, 216, 240, found 200"),
        ({"num_heads": [3.5] * 12}, "heads must be one of 3, 4, found 3.5"),
        ({"mlp_ratio": [float("nan")] * 12}, "the ratio must be one of"),
    ],
)
def test_entries_without_an_architecture(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ArchitectureError, match=problem):
        SPACE.from_entry({**ROW, **changes})


def test_a_json_table(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text(json.dumps([{**ROW, "val_acc": 70}]))
    (row,) = read_table(path, SPACE).rows
    assert row.architecture == SMALL


def test_the_table_is_read(benchmark_data: Path) -> None:
    table = read_table(benchmark_data / "vitbench101_autoformer_100.csv", SPACE)
    assert table.accuracy == "c100_base_acc"
    assert len(table.rows) == 100
    assert table.rows[0].architecture == SMALL


# ---- networks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("supernet", "text", "parameters"),
    [
        # As counted by hand from the layers of a vision transformer
        ("tiny", SMALL, 5_791_720),
        # DeiT-Small (Touvron et al., ICML 2021), which is one of these networks: 22,050,664 in timm
        ("small", "w384|" + ",".join(["r4h6"] * 12), 22_050_664),
    ],
)
def test_sizes(supernet: str, text: str, parameters: int) -> None:
    space = AutoFormer(supernet)
    assert space.size(text) == parameters
    with torch.device("meta"):
        assert count(space.build(text)) == parameters


@settings(max_examples=10)
@given(seeds, st.sampled_from(list(SUPERNETS)), st.sampled_from([32, 224]))
def test_size_is_that_of_the_network(seed: int, supernet: str, resolution: int) -> None:
    space = AutoFormer(supernet, classes=10, resolution=resolution)
    text = space.sample(random.Random(seed))
    with torch.device("meta"):
        assert space.size(text) == count(space.build(text))


def test_the_network() -> None:
    model = SPACE.build(SMALL)
    x = torch.randn(2, *SPACE.input_size)
    assert model(x).shape == (2, 10)
    assert model.tokens(x).shape == (2, 1 + 4, 192)
    inner = [layer.attention.inputs.out_features for layer in model.encoder]
    assert inner == [3 * 64 * heads for heads in HEADS]
    wide = [layer.feed_forward[0].out_features for layer in model.encoder]
    assert wide == [int(192 * ratio) for ratio in RATIOS]
    assert sum(isinstance(module, nn.GELU) for module in model.modules()) == 12
    assert not any(isinstance(module, nn.Dropout) for module in model.modules())


def test_attention() -> None:
    """Against one head after the other."""
    torch.manual_seed(0)
    attention = SelfAttention(24, 3)
    nn.init.normal_(attention.inputs.weight)
    x = torch.randn(2, 5, 24)
    query, key, value = attention.inputs(x).split(3 * 64, 2)
    heads = [
        torch.softmax(q @ k.transpose(1, 2) / 8, 2) @ v
        for q, k, v in zip(*(part.split(64, 2) for part in (query, key, value)), strict=True)
    ]
    torch.testing.assert_close(attention(x), attention.output(torch.cat(heads, 2)))


def test_the_class_token_and_the_places() -> None:
    tokens = SPACE.build(SMALL).tokens
    x = torch.randn(2, 3, 32, 32)
    y = tokens(x) - tokens.places
    torch.testing.assert_close(y[:, 0], tokens.first.expand(2, -1))
    corner = x[:, :, 16:, :16].flatten(1)  # the third patch
    expected = F.linear(corner, tokens.patches.weight.flatten(1), tokens.patches.bias)
    torch.testing.assert_close(y[:, 3], expected, rtol=1e-4, atol=1e-5)


def test_initial_values() -> None:
    """Tokens are always the same, whatever torch's own random numbers are."""
    first, second = SPACE.build(SMALL), SPACE.build(SMALL)
    assert torch.equal(first.tokens.places, second.tokens.places)
    assert torch.equal(first.tokens.first, second.tokens.first)
    assert not torch.equal(first.head.weight, second.head.weight)
    linear = first.encoder[0].feed_forward[0]
    for weight in (linear.weight, first.tokens.places):
        assert abs(weight.std().item() - 0.02) < 1e-3
    assert not linear.bias.any()


# ---- random choices --------------------------------------------------------------------------------


def choices(text: str) -> dict[tuple[object, ...], object]:
    width, layers = SPACE.parse(text)
    found: dict[tuple[object, ...], object] = {("width",): width, ("depth",): len(layers)}
    for k, layer in enumerate(layers):
        found[k, "ratio"], found[k, "heads"] = layer
    return found


@given(architectures, seeds)
def test_mutation_changes_one_choice(text: str, seed: int) -> None:
    before, after = choices(text), choices(SPACE.mutate(text, random.Random(seed)))
    changed = [name for name in before.keys() & after.keys() if before[name] != after[name]]
    assert len(changed) == 1
    assert bool(before.keys() ^ after.keys()) == (changed == [("depth",)])


def test_mutation_changes_everything_at_times() -> None:
    rng = random.Random(0)
    before, changed = choices(SMALL), set()
    for _ in range(500):
        after = choices(SPACE.mutate(SMALL, rng))
        changed |= {name for name in before.keys() & after.keys() if before[name] != after[name]}
    assert changed == before.keys()


@given(architectures, architectures, seeds)
def test_crossover(first: str, second: str, seed: int) -> None:
    child = SPACE.crossover(first, second, random.Random(seed))
    parents = choices(first), choices(second)
    for name, value in choices(child).items():
        assert value in [parent[name] for parent in parents if name in parent]


@pytest.mark.parametrize("supernet", SUPERNETS)
def test_samples_have_all_choices(supernet: str) -> None:
    space, rng = AutoFormer(supernet), random.Random(0)
    parsed = [space.parse(space.sample(rng)) for _ in range(100)]
    layers = [layer for architecture in parsed for layer in architecture.layers]
    assert {architecture.width for architecture in parsed} == set(space.ranges.widths)
    assert {len(architecture.layers) for architecture in parsed} == set(space.ranges.depths)
    assert {layer.ratio for layer in layers} == set(space.ranges.ratios)
    assert {layer.heads for layer in layers} == set(space.ranges.heads)


def test_graphs() -> None:
    (graph,) = SPACE.graphs(SMALL)
    assert len(graph.nodes) == 2 + 2 * 12 + 1
    assert graph.nodes[2:4] == ("attention, 4 heads", "feed-forward 672")
    assert [edge[2] for edge in graph.edges[:2]] == ["3", "192"]


def test_scores() -> None:
    """Two repeats at once are as one after the other."""
    batch = SPACE.inputs(8)
    assert batch.shape == (8, 3, 32, 32)
    model = SPACE.build(SMALL, initialized=False)
    both = swap.Scorer(batch, init="gaussian", repeats=2)(model)
    singles = [swap.Scorer(batch, init="gaussian", seed=seed)(model) for seed in (0, 1)]
    assert_same_patterns(both.patterns, tuple(int(single) for single in singles))
    assert not both.missed
    assert {layer.kind for layer in both.layers} == {"GELU"}


def test_bad_options() -> None:
    assert swap.spaces.get("autoformer").input_size == (3, 224, 224)
    with pytest.raises(ValueError, match="supernet must be one of tiny, small, base, got 'huge'"):
        swap.spaces.get("autoformer", supernet="huge")
    with pytest.raises(ValueError, match="classes must be at least 1"):
        swap.spaces.get("autoformer", classes=0)
    for resolution in (0, 40):
        with pytest.raises(ValueError, match="resolution must be a multiple of 16 pixels"):
            swap.spaces.get("autoformer", resolution=resolution)


def test_images_of_another_size_are_refused() -> None:
    assert SPACE.inputs(2, size=32).shape == (2, 3, 32, 32)
    with pytest.raises(ValueError, match=r"take images of 32 pixels.*resolution=96"):
        SPACE.inputs(2, size=96)
