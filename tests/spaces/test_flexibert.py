"""The FlexiBERT space: its JSON, the networks and their published sizes, random changes, text, scores."""

from __future__ import annotations

import ast
import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.pattern_counts import assert_same_patterns
from torch import nn

import swapnas_ext as swap
from swapnas_ext.data import text
from swapnas_ext.spaces import ArchitectureError
from swapnas_ext.spaces.flexibert import FlexiBERT
from swapnas_ext.spaces.flexibert_json import (
    OPERATIONS,
    VALUES,
    Architecture,
    Layer,
    format_architecture,
    parse,
)
from swapnas_ext.spaces.flexibert_networks import (
    DynamicSpanConvolution,
    SelfAttention,
    cosine,
    fourier,
)

SPACE = FlexiBERT(vocabulary=500, sequence_length=16)
LAYERS = (Layer("SA", "WMA", 4, 1024, 3), Layer("DSC", 9, 2, 512, 1))
TEXT = (
    '{"hidden_size":256,"encoder_layers":[{"operation_type":"SA","operation_parameter":"WMA",'
    '"num_operation_heads":4,"feed_forward_dimension":1024,"num_feed_forward":3},'
    '{"operation_type":"DSC","operation_parameter":9,"num_operation_heads":2,'
    '"feed_forward_dimension":512,"num_feed_forward":1}]}'
)
seeds = st.integers(0, 2**31)
architectures = seeds.map(lambda seed: SPACE.sample(random.Random(seed)))


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@given(architectures)
def test_format_is_the_inverse_of_parse(architecture: str) -> None:
    assert format_architecture(parse(architecture)) == architecture
    assert SPACE.canonical(architecture) == architecture


def test_other_ways_to_write_it() -> None:
    assert parse(TEXT) == Architecture(256, LAYERS)
    fields = json.loads(TEXT)
    backwards = [dict(reversed(layer.items())) for layer in fields["encoder_layers"]]
    loose = json.dumps({"encoder_layers": backwards, "hidden_size": 256}, indent=4)
    assert SPACE.canonical(f"\n {loose}\t") == TEXT
    entry = {
        "id": 7,
        "hidden_size": 256,
        "nas_config": {"encoder_layers": fields["encoder_layers"]},
        "scores": {"glue": 70.5},
    }
    assert SPACE.canonical(json.dumps(entry)) == TEXT
    assert SPACE.from_entry(entry) == TEXT


SECOND = TEXT.index('{"operation_type":"DSC"')


@pytest.mark.parametrize(
    ("architecture", "place", "problem"),
    [
        ("", "", "not JSON: Expecting value"),
        ("SA", "SA", "not JSON: Expecting value"),
        (TEXT[:-1], "", "not JSON: Expecting ',' delimiter"),
        (TEXT.replace('"SA",', '"SA"'), '"operation_parameter":"WMA"', "not JSON"),
        (TEXT + "}", "}", "not JSON: Extra data"),
        ("  5", "5", "expected an object with hidden_size, encoder_layers"),
        ("{}", "{}", "missing hidden_size, encoder_layers"),
        (TEXT.replace("256", "512"), "512,", "hidden_size must be one of 128, 256, got 512"),
        (TEXT.replace("256", "256.0"), "256.0,", "one of 128, 256, got 256.0"),
        (TEXT.replace("256", "[256]"), "[256]", "hidden_size must be one of"),
        (TEXT.replace('"SA"', '"CNN"'), '"CNN"', 'must be one of "SA", "LT", "DSC", got "CNN"'),
        (TEXT.replace('"WMA"', '"DCT"'), '"DCT"', 'must be one of "SDP", "WMA", got "DCT"'),
        (TEXT.replace("9", "7"), "7,", "operation_parameter must be one of 5, 9, got 7"),
        (TEXT.replace("9", '"9"'), '"9",', 'got "9"'),
        (TEXT.replace("9", "NaN"), "NaN,", "got NaN"),
        (TEXT.replace('d_forward":1}', 'd_forward":true}'), "true}]}", "one of 1, 3, got true"),
        (TEXT.replace('heads":2', 'heads" : 3'), "3,", "num_operation_heads must be one of 2, 4"),
        (TEXT.replace("heads", "hats", 1), '"num_operation_hats":4', "unknown key"),
        (TEXT.replace('":3}', '":3,"id":1}'), '"id":1', 'unknown key "id"'),
        (TEXT.replace(TEXT[SECOND:-2], "5"), "5]}", "expected an object with operation_type"),
        (TEXT.replace("," + TEXT[SECOND:-2], ""), "[{", "expected a list of 2 or 4 layers"),
        (
            TEXT.replace("[{", "{").replace("}]", "}").replace(",{", ',"a":{'),
            '"a":{',
            'unknown key "a"',
        ),
        (TEXT[:-1] + ',"hidden_size":128}', '"hidden_size":128}', "a second time"),
        (TEXT[:-1] + ',"nas_config":{}}', '"encoder_layers"', "expected hidden_size, nas_config"),
        ('{"hidden_size":256,"nas_config":[]}', "[]}", "expected an object with encoder_layers"),
        ('{"hidden_size":128,"encoder_layers":"SA"}', '"SA"', "expected a list of 2 or 4 layers"),
        ("[" * 5000, None, "not the JSON"),
        ("1" * 9000, None, "not the JSON"),
        (TEXT + " " * 20_000, None, "too many"),
    ],
)
def test_mistakes_are_pointed_at(architecture: str, place: str | None, problem: str) -> None:
    for call in (SPACE.check, SPACE.size, SPACE.build):
        with pytest.raises(ArchitectureError) as caught:
            call(architecture)
        assert problem in caught.value.problem
        if place is not None:
            rest = architecture[caught.value.position :]
            assert rest.startswith(place) if place else rest == ""


def test_a_missing_key_points_at_its_layer() -> None:
    with pytest.raises(ArchitectureError, match="missing num_feed_forward") as caught:
        parse(TEXT.replace(',"num_feed_forward":1', ""))
    assert caught.value.position == SECOND


@settings(max_examples=15)
@given(architectures)
def test_size_is_that_of_the_network(architecture: str) -> None:
    space = FlexiBERT()
    with torch.device("meta"):
        assert space.size(architecture) == count(space.build(architecture))
    assert SPACE.size(architecture) == space.size(architecture) - 128 * (30_522 - 500)


def test_published_sizes(benchmark_data: Path) -> None:
    """Of the first entries, as the benchmark's authors publish them (BERT_results_activation.csv): of
    networks with a hidden size of 256 and feed-forward layers of 1024 throughout, without a head, and
    without what follows a linear transform."""
    published = (13_330_176, 11_106_199, 8_840_082, 5_526_167, 11_104_143)
    entries = json.loads((benchmark_data / "flexibert.json").read_text())
    head = 257 * 256 + 257 * 2
    for entry, size in zip(entries, published, strict=False):
        layers = parse(SPACE.from_entry(entry)).encoder_layers
        layers = tuple(layer._replace(feed_forward_dimension=1024) for layer in layers)
        transforms = sum(layer.operation_type == "LT" for layer in layers)
        total = FlexiBERT().size(format_architecture(Architecture(256, layers)))
        assert total - head - transforms * (257 * 256 + 2 * 256) == size


def test_the_benchmark_table_parses(benchmark_data: Path) -> None:
    entries = json.loads((benchmark_data / "flexibert.json").read_text())
    found = [SPACE.from_entry(entry) for entry in entries]
    assert (len(found), len(set(found))) == (500, 491)
    for entry, architecture in zip(entries, found, strict=True):
        SPACE.check(architecture)
        fields = json.loads(architecture)
        assert fields["encoder_layers"] == entry["nas_config"]["encoder_layers"]
        assert fields["hidden_size"] == entry["hidden_size"]


@pytest.mark.parametrize("hidden", [128, 256])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_networks_run(operation: tuple[str, str | int], hidden: int) -> None:
    layers = (Layer(*operation, 4, 512, 1), Layer(*operation, 2, 512, 3))
    model = SPACE.build(format_architecture(Architecture(hidden, layers))).eval()
    ids = SPACE.inputs(3)
    assert model(ids).shape == (3, 2)
    assert torch.equal(model(ids), model(ids))
    states = model.embeddings(ids)
    assert model.encoder(states).shape == states.shape == (3, 16, hidden)
    torch.testing.assert_close(model(ids[1:]), model(ids)[1:])  # samples do not mix


def test_transforms() -> None:
    fft = pytest.importorskip("scipy.fft")
    x = torch.randn(2, 3, 16, 32, dtype=torch.float64)
    np.testing.assert_allclose(fourier(x).numpy(), np.fft.fft2(x.numpy()).real, atol=1e-9)
    np.testing.assert_allclose(cosine(x).numpy(), fft.dctn(x.numpy(), axes=(2, 3)), atol=1e-9)


def test_attention() -> None:
    x = torch.randn(2, 5, 8)
    attention = SelfAttention(8, 2, weighted=True)
    query, key, value = attention.weight(attention.query(x)), attention.key(x), attention.value(x)
    parts = []
    for head in (slice(0, 4), slice(4, 8)):
        scores = query[..., head] @ key[..., head].transpose(1, 2) / 2
        parts.append(scores.softmax(2) @ value[..., head])
    torch.testing.assert_close(attention(x), torch.cat(parts, 2))


def test_dynamic_span_convolution() -> None:
    """The second half of its heads, position by position."""
    x = torch.randn(1, 6, 16)
    layer = DynamicSpanConvolution(16, 4, kernel=5)
    span = layer.span(x.transpose(1, 2)).transpose(1, 2)
    kernels = layer.kernels(span * layer.query(x)).view(6, 2, 5).softmax(2)
    content = layer.content(x)[0].view(6, 2, 4)
    expected = torch.zeros(6, 2, 4)
    for place in range(6):
        for tap in range(5):
            source = place + tap - 2
            if 0 <= source < 6:
                expected[place] += kernels[place, :, tap, None] * content[source]
    torch.testing.assert_close(layer(x)[0, :, 8:], expected.flatten(1))


def test_embeddings_are_the_same_in_all_networks() -> None:
    other = format_architecture(Architecture(128, LAYERS))
    first, second = (SPACE.build(architecture).embeddings for architecture in (TEXT, other))
    for name in ("word", "position", "token_type"):
        weights = getattr(first, name).weight, getattr(second, name).weight
        assert torch.equal(*weights)
        assert weights[0].data_ptr() != weights[1].data_ptr()
    assert 0.015 < first.word.weight.std() < 0.025


def choices(architecture: str) -> dict[tuple[object, ...], object]:
    hidden, layers = parse(architecture)
    found: dict[tuple[object, ...], object] = {("hidden",): hidden, ("depth",): len(layers)}
    for k, layer in enumerate(layers):
        found[k, "operation"] = layer[:2]
        found.update({(k, name): getattr(layer, name) for name in VALUES})
    return found


@given(architectures, seeds)
def test_mutation(architecture: str, seed: int) -> None:
    mutant = SPACE.mutate(architecture, random.Random(seed))
    before, after = choices(architecture), choices(mutant)
    changed = [name for name in before.keys() & after.keys() if before[name] != after[name]]
    assert len(changed) == 1
    assert (before.keys() != after.keys()) == (changed == [("depth",)])


def test_mutation_changes_everything_at_times() -> None:
    rng = random.Random(0)
    before, changed = choices(TEXT), set()
    for _ in range(300):
        after = choices(SPACE.mutate(TEXT, rng))
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
    assert {(p.hidden_size, len(p.encoder_layers)) for p in parsed} == {
        (hidden, depth) for hidden in (128, 256) for depth in (2, 4)
    }
    assert len({layer for p in parsed for layer in p.encoder_layers}) == 48
    assert SPACE.sample(random.Random(3)) == SPACE.sample(random.Random(3))


def test_formats() -> None:
    entry, model_dict = SPACE.formats(TEXT).values()
    assert SPACE.from_entry(json.loads(entry)) == TEXT
    assert ast.literal_eval(model_dict) == {
        "l": 2,
        "o": ["sa", "c"],
        "h": [256, 256],
        "n": [4, 2],
        "f": [[1024, 1024, 1024], [512]],
        "p": ["wma", 9],
    }


def test_graphs() -> None:
    (graph,) = SPACE.graphs(TEXT)
    assert graph.nodes == (
        "tokens",
        "embeddings, 128 to 256",
        "SA WMA, 4 heads",
        "3 x feed-forward 1024",
        "DSC 9, 2 heads",
        "1 x feed-forward 512",
        "classes",
    )
    assert [edge[:2] for edge in graph.edges] == [(k, k + 1) for k in range(6)]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_scores(operation: tuple[str, str | int]) -> None:
    """Two repeats at once are as one after the other; two builds have one score."""
    layers = (Layer(*operation, 4, 512, 1), Layer(*operation, 2, 512, 1))
    architecture = format_architecture(Architecture(256, layers))
    batch = SPACE.inputs(16)
    model = SPACE.build(architecture)
    both = swap.Scorer(batch, init="kaiming", repeats=2)(model)
    singles = [swap.Scorer(batch, init="kaiming", seed=seed)(model) for seed in (0, 1)]
    assert_same_patterns(both.patterns, tuple(int(single) for single in singles))
    (note,) = both.notes  # embeddings are not drawn in the published code either
    assert note.startswith("init drew ") and "embeddings.word.weight" in note
    assert not both.missed
    assert both.neurons == 2 * 16 * 512 + 256
    assert {layer.kind for layer in both.layers} == {"GELU", "Tanh"}
    assert both.parameters == SPACE.size(architecture)
    again = SPACE.build(architecture, initialized=False)
    assert float(swap.Scorer(batch, init="kaiming")(again)) == float(singles[0])


def test_bad_options() -> None:
    assert swap.spaces.get("flexibert").input_size == (1, 64, 1)
    with pytest.raises(ValueError, match="vocabulary must be at least 2, got 1"):
        swap.spaces.get("flexibert", vocabulary=1)
    for length in (1, 513):
        with pytest.raises(
            ValueError, match=f"sequence_length must be 2 to 512 tokens, got {length}"
        ):
            swap.spaces.get("flexibert", sequence_length=length)
        with pytest.raises(ValueError, match=f"size must be 2 to 512 tokens, got {length}"):
            SPACE.inputs(4, size=length)


# ---- text ----------------------------------------------------------------------------------------


def test_inputs(tmp_path: Path) -> None:
    batch = SPACE.inputs(8)
    assert batch.shape == (8, 16)
    assert SPACE.inputs(8, size=32).shape == (8, 32)
    assert torch.equal(batch, text.passages(8, 16, 500))
    (tmp_path / "prose.txt").write_text("one two three four " * 8)
    assert SPACE.inputs(2, tmp_path / "prose.txt").shape == (2, 16)


@pytest.mark.parametrize("samples", [1, 16, 64, 128])
def test_passages_of_the_bundled_text(samples: int) -> None:
    batch = text.passages(samples, 64, 30_522)
    assert batch.shape == (samples, 64)
    assert batch.dtype == torch.int64
    assert torch.equal(batch, text.passages(samples, 64, 30_522))
    assert torch.all(batch[:, 0] == text.CLASSIFY)
    assert batch[:, 1:].min() >= 1 and batch.max() < 30_522
    assert len(torch.unique(batch, dim=0)) == samples


def test_words_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "prose.txt"
    path.write_text("The cat, the CAT -- and Größe.\nÜber 2 cats!", encoding="utf-8")
    (row,) = text.passages(1, 10, 30_522, path).tolist()
    the, cat, _, _, _, size, over, two, cats = row[1:]
    assert row[1:5] == [the, cat, the, cat]
    assert len({text.CLASSIFY, the, cat, row[5], size, over, two, cats}) == 8
    first, second = text.passages(2, 3, 30_522, path).tolist()
    assert first == [text.CLASSIFY, the, cat]
    assert second == [text.CLASSIFY, row[5], size]
    words = " ".join(f"word{k}" for k in range(1000))
    path.write_text(words)
    assert len(text.passages(1, 1001, 30_522, path).unique()) > 970


def test_bad_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        text.passages(1, 4, 100, tmp_path / "nowhere.txt")
    with pytest.raises(ValueError, match="is a folder: expected a file"):
        text.passages(1, 4, 100, tmp_path)
    (tmp_path / "image.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"image\.txt is not text in UTF-16"):
        text.passages(1, 4, 100, tmp_path / "image.txt")
    (tmp_path / "short.txt").write_text("one two three")
    with pytest.raises(ValueError, match="3 words, but 2 passages of 4 tokens take 6"):
        text.passages(2, 4, 100, tmp_path / "short.txt")
    with pytest.raises(ValueError, match=r"help texts of Python: .* words, but 9999 passages"):
        text.passages(9999, 64, 100)
    for counts in ((0, 4, 100), (1, 1, 100), (1, 4, 1)):
        with pytest.raises(ValueError, match="must be at least"):
            text.passages(*counts)
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(ImportError, match="give the path of a text file"):
        text.passages(1, 4, 100)
