"""Initialisers reach the weights of all layers, whatever class they are of and whatever they are computed
from, or scores name what was not drawn."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.utils.flop_counter import FlopCounterMode

import swapnas_ext as swap
from swapnas_ext.models import initialization
from swapnas_ext.models.computed_weights import computed_weights
from swapnas_ext.models.initialization import gaussian_, kaiming_

pytestmark = pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")
VECTORS = torch.randn(12, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        yield


# ---- layers of libraries -----------------------------------------------------------------------------


class GraphLinear(nn.Module):
    """As the ``Linear`` of torch_geometric: nothing of torch's, weight [out, in]."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        self.in_channels, self.out_channels = inputs, outputs
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-0.1, 0.1))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-1, 1)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


class TypedLinear(nn.Module):
    """As ``HeteroLinear``: a weight [in, out] for each of three types of rows."""

    def __init__(self) -> None:
        super().__init__()
        self.in_channels, self.out_channels = 8, 20
        self.weight = nn.Parameter(torch.randn(3, 8, 20))
        self.bias = nn.Parameter(torch.randn(3, 20))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight[1] + self.bias[1]


class GraphConvolution(nn.Module):
    """As Kipf's: weight [in, out], here with an activation; tells no sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(8, 20)), nn.Parameter(torch.randn(20))
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(x @ self.weight + self.bias)


class DenseNoBias(nn.Module):
    """Only its name tells."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(20, 8))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight)


class Patches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.in_channels, self.out_channels = 2, 20
        self.weight = nn.Parameter(torch.randn(20, 2, 2, 2))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x.view(-1, 2, 2, 2), self.weight).flatten(1)


class Called(nn.Module):
    """Calls a layer in its own way."""

    def __init__(self, layer: nn.Module, call: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.call = layer, call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self.layer, x)


def steps(x: Tensor) -> Tensor:
    return x[:, None] * torch.arange(1, 4)[:, None]


def bilinear() -> nn.Module:
    return Called(nn.Bilinear(8, 8, 20), lambda layer, x: layer(x, x))


def attention(**options: Any) -> nn.Module:
    layer = nn.MultiheadAttention(8, 2, batch_first=True, **options)
    return Called(layer, lambda layer, x: layer(*[steps(x)] * 3)[0].flatten(1))


def recurrent(kind: type[nn.Module]) -> nn.Module:
    layer = kind(8, 8, batch_first=True, bidirectional=True)
    return Called(layer, lambda layer, x: layer(steps(x))[0].flatten(1))


def cell(kind: type[nn.Module]) -> nn.Module:
    return Called(kind(8, 8), lambda layer, x: first(layer(x)))


def first(output: Any) -> Tensor:
    return output[0] if isinstance(output, tuple) else output


def of_gpt2() -> nn.Module:
    return pytest.importorskip("transformers").pytorch_utils.Conv1D(20, 8)


# ---- computed weights --------------------------------------------------------------------------------


class Tripled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 3 * x

    def right_inverse(self, x: Tensor) -> Tensor:
        return x / 3


class Symmetric(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.triu() + x.triu(1).T


class Positive(nn.Module):
    """Its inverse takes no weight that is drawn."""

    def forward(self, x: Tensor) -> Tensor:
        return x.exp()

    def right_inverse(self, x: Tensor) -> Tensor:
        return x.abs().log() if parametrize_now else x.log()


parametrize_now = False


def parametrized(layer: nn.Module, *parametrizations_: nn.Module) -> nn.Module:
    global parametrize_now
    parametrize_now = True
    for parametrization in parametrizations_:
        parametrize.register_parametrization(layer, "weight", parametrization)
    parametrize_now = False
    return layer


def pruned(layer: nn.Module) -> nn.Module:
    mask = torch.ones_like(layer.weight)
    mask[:, ::3] = 0
    prune.custom_from_mask(layer, "weight", mask)
    return layer


def orthogonal(*sizes: int, **options: Any) -> nn.Module:
    return parametrizations.orthogonal(nn.Linear(*sizes), **options)


def images(layer: nn.Module) -> nn.Module:
    return Called(layer, lambda layer, x: layer(x.view(-1, 2, 2, 2)).flatten(1))


COMPUTED: dict[str, Callable[[], nn.Module]] = {
    "weight_norm": lambda: parametrizations.weight_norm(nn.Linear(8, 8)),
    "weight_norm of columns": lambda: parametrizations.weight_norm(nn.Linear(8, 8), dim=1),
    "older weight_norm": lambda: nn.utils.weight_norm(nn.Linear(8, 8)),
    "older weight_norm of all": lambda: nn.utils.weight_norm(nn.Linear(8, 8), dim=None),
    "weight_norm of one output": lambda: nn.utils.weight_norm(nn.Linear(8, 1)),
    "tripled": lambda: parametrized(nn.Linear(8, 8), Tripled()),
    "tripled weight_norm": lambda: parametrized(
        parametrizations.weight_norm(nn.Linear(8, 8)), Tripled()
    ),
}
"""Whose weights are the very ones that a plain layer would have."""

OTHERS: dict[str, Callable[[], nn.Module]] = {
    "spectral_norm": lambda: parametrizations.spectral_norm(nn.Linear(8, 20)),
    "older spectral_norm": lambda: nn.utils.spectral_norm(nn.Linear(8, 20)),
    "spectral_norm of a convolution": lambda: images(
        parametrizations.spectral_norm(nn.Conv2d(2, 5, 2))
    ),
    "spectral_norm, transposed": lambda: images(
        nn.utils.spectral_norm(nn.ConvTranspose2d(2, 5, 2))
    ),
    "orthogonal": lambda: orthogonal(8, 8),
    "orthogonal, not square": lambda: orthogonal(8, 20),
    "orthogonal by reflections": lambda: orthogonal(
        8, 8, orthogonal_map="householder", use_trivialization=False
    ),
    "pruned": lambda: pruned(nn.Linear(8, 20)),
    "weight_norm of a layer of others": lambda: parametrizations.weight_norm(GraphLinear(8, 20)),
    "weight_norm of a transposed convolution": lambda: images(
        parametrizations.weight_norm(nn.ConvTranspose2d(2, 5, 2))
    ),
    "graph linear": lambda: GraphLinear(8, 20),
    "graph linear of one output": lambda: nn.Sequential(GraphLinear(8, 1, bias=False)),
    "typed linear": TypedLinear,
    "graph convolution": GraphConvolution,
    "dense": DenseNoBias,
    "patches": Patches,
    "Conv1D": of_gpt2,
    "bilinear": bilinear,
    "attention": attention,
    "attention of other keys": lambda: attention(add_bias_kv=True),
    **{kind.__name__: (lambda kind=kind: recurrent(kind)) for kind in (nn.RNN, nn.GRU, nn.LSTM)},
    **{
        kind.__name__: (lambda kind=kind: cell(kind))
        for kind in (nn.RNNCell, nn.GRUCell, nn.LSTMCell)
    },
}
LAYERS = {**COMPUTED, **OTHERS}


def net(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    layer = LAYERS[name]()
    with torch.no_grad():
        width = layer(VECTORS).shape[1]
    return nn.Sequential(layer, nn.ReLU(), nn.Linear(width, 40), nn.ReLU())


def drawing_notes(score: swap.SwapScore) -> list[str]:
    return [note for note in score.notes if note.startswith(("init ", "all repeats"))]


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("options", [{}, {"measure": "composite"}], ids=["patterns", "composite"])
@pytest.mark.parametrize("init", ["gaussian", "kaiming"])
def test_two_builds_have_one_score(name: str, options: dict[str, Any], init: str) -> None:
    scores = [
        swap.score(net(name, seed), VECTORS, init=init, repeats=3, **options) for seed in (0, 1)
    ]
    assert scores[0].patterns == scores[1].patterns
    assert scores[0].composites == scores[1].composites
    masks = ["init drew pruned weights, whose masks were kept: 0.weight"]
    assert drawing_notes(scores[0]) == (masks if name == "pruned" else [])


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("initialize", [gaussian_, kaiming_])
def test_stacked_weights_are_those_of_each_seed(
    name: str, initialize: initialization.Initializer
) -> None:
    model = net(name).eval()
    reached = initialization.reach(initialize, model)
    named = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    weights = {
        key: tensor
        for key, tensor in named.items()
        if isinstance(tensor, nn.Parameter) or id(tensor) in reached.buffers
    }
    before = {key: tensor.clone() for key, tensor in weights.items()}
    state = torch.get_rng_state()
    generators = [torch.Generator().manual_seed(seed) for seed in (3, 4)]
    stacks = initialization.stacked(initialize, model, weights.values(), generators)
    assert all(torch.equal(tensor, before[key]) for key, tensor in weights.items())
    of_layer = [stacks[id(tensor)] for key, tensor in weights.items() if key.startswith("0.")]
    assert any(not torch.equal(stack[0], stack[1]) for stack in of_layer)
    for replicate, seed in enumerate((3, 4)):
        initialize(model, torch.Generator().manual_seed(seed))
        for key, tensor in weights.items():
            assert torch.equal(stacks[id(tensor)][replicate], tensor), key
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", COMPUTED)
def test_a_computed_weight_is_what_would_have_been_drawn(name: str) -> None:
    layer = LAYERS[name]()
    plain = nn.Linear(layer.in_features, layer.out_features)
    for initialize in (gaussian_, kaiming_):
        for module in (layer, plain):
            initialize(module, torch.Generator().manual_seed(5))
        torch.testing.assert_close(layer(VECTORS), plain(VECTORS))


@pytest.mark.parametrize("name", ["spectral_norm", "older spectral_norm"])
def test_a_spectral_norm_is_of_the_drawn_weight(name: str) -> None:
    layer = LAYERS[name]().eval()
    gaussian_(layer, torch.Generator().manual_seed(5))
    layer(VECTORS)
    assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(1, abs=0.05)


def test_an_orthogonal_weight_stays_orthogonal() -> None:
    layer = LAYERS["orthogonal, not square"]()
    gaussian_(layer, torch.Generator().manual_seed(5))
    torch.testing.assert_close(layer.weight.T @ layer.weight, torch.eye(8))


def test_a_mask_is_kept() -> None:
    layer = LAYERS["pruned"]()
    gaussian_(layer, torch.Generator().manual_seed(5))
    layer(VECTORS)
    assert not layer.weight[:, ::3].any() and layer.weight[:, 1].all()


def test_pruned_biases_are_zero() -> None:
    layer = prune.l1_unstructured(nn.Linear(8, 8), "bias", amount=0.3)
    gaussian_(layer, torch.Generator().manual_seed(5))
    assert not layer.bias_orig.any()


@pytest.mark.parametrize(
    ("name", "fan_in"),
    [
        *((name, 8) for name in ("graph linear", "typed linear", "graph convolution", "dense")),
        *(("patches", 8), ("Conv1D", 8), ("bilinear", 64), ("attention", 8)),
    ],
)
def test_kaiming_takes_the_inputs_of_a_layer(name: str, fan_in: int) -> None:
    layer = LAYERS[name]()
    drawn = []
    for seed in range(60):
        kaiming_(layer, torch.Generator().manual_seed(seed))
        drawn += [p.detach().flatten() for p in layer.parameters() if p.dim() > 1]
    deviation = torch.cat(drawn).std().item()
    assert deviation == pytest.approx(math.sqrt(2 / fan_in), rel=0.05)


def test_published_layers_are_drawn_first() -> None:
    """What the published code draws has its values, whatever else there is."""
    torch.manual_seed(0)
    model = nn.Sequential(GraphLinear(8, 8), nn.Linear(8, 8), nn.LSTM(8, 8), nn.Conv2d(8, 8, 3))
    gaussian_(model, torch.Generator().manual_seed(7))
    torch.manual_seed(7)
    for layer in (model[1], model[3]):
        assert torch.equal(layer.weight, torch.empty_like(layer.weight).normal_())
        assert not layer.bias.any()


# ---- what is not drawn -------------------------------------------------------------------------------


class Beside(nn.Module):
    """A layer, an embedding, positions and a scale, a norm of its own, and a layer in a list."""

    class OwnNorm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.ones(1, 8)), nn.Parameter(torch.ones(8))

        def forward(self, x: Tensor) -> Tensor:
            return F.normalize(x) * self.weight + self.bias

    def __init__(self, hidden: bool = False) -> None:
        super().__init__()
        self.layer, self.norm = nn.Linear(8, 8), Beside.OwnNorm()
        self.embedding = nn.Embedding(3, 8)
        self.positions = nn.Parameter(torch.randn(1, 8))
        self.weight = nn.Parameter(torch.randn(8, 8))
        self.hidden = [nn.Linear(8, 20)] if hidden else []

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.layer(x)) + self.positions + self.embedding.weight[0]
        x = x @ self.weight
        for layer in self.hidden:
            x = layer(x)
        return F.relu(x)


def test_what_lies_beside_layers_is_named_and_kept() -> None:
    model = Beside()
    (note,) = drawing_notes(swap.score(model, VECTORS, init="gaussian"))
    assert note == (
        "init drew 1 of 5 weights of two or more dimensions; these kept their values: positions, weight, "
        "norm.weight and 1 more"
    )
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    gaussian_(model, torch.Generator())
    changed = {name for name, weight in model.named_parameters() if (weight != before[name]).any()}
    assert changed == {"layer.weight", "layer.bias"}


def test_modules_in_lists_are_named() -> None:
    (note,) = drawing_notes(swap.score(Beside(hidden=True), VECTORS, init="gaussian"))
    assert note.startswith("init drew 1 of 6 ") and note.endswith(" and 2 more")
    hidden = Called(nn.ReLU(), lambda layer, x: layer(x))
    hidden.parts = [nn.Linear(8, 8)]
    (note, _) = drawing_notes(swap.score(hidden, VECTORS, init="gaussian", repeats=2))
    assert note.endswith(
        "init drew 0 of 1 weights of two or more dimensions; these kept their values: weight of a Linear "
        "that is not a child module (but in a list, for example)"
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: parametrized(nn.Linear(8, 8), Symmetric()),
        lambda: parametrized(nn.Linear(8, 8), Positive()),
        lambda: orthogonal(8, 8, orthogonal_map="cayley", use_trivialization=False),
    ],
    ids=["no inverse", "not finite", "not implemented"],
)
def test_computed_weights_that_can_not_be_set_are_named(make: Callable[[], nn.Module]) -> None:
    model = nn.Sequential(make(), nn.ReLU(), nn.Linear(8, 40), nn.ReLU())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    scores = [
        swap.score(model, VECTORS, init="gaussian", repeats=3, max_memory=max_memory)
        for max_memory in (None, 1)
    ]
    assert scores[0].patterns == scores[1].patterns
    (note,) = drawing_notes(scores[0])
    assert note == (
        "init drew 1 of 2 weights of two or more dimensions; these kept their values: 0.weight"
    )
    gaussian_(model, torch.Generator())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) == ("parametrizations" in name), name


def test_torchscript_is_named() -> None:
    model = torch.jit.script(nn.Sequential(nn.Linear(8, 20), nn.ReLU()))
    note, same = drawing_notes(swap.score(model, VECTORS, init="gaussian", repeats=2))
    assert note.startswith("init drew 0 of 1 ") and note.endswith(": 0.weight")
    assert same.startswith("all repeats are the same")


@pytest.mark.parametrize("init", [None, lambda model, generator: None])
def test_no_note_where_nothing_was_to_be_drawn_by_us(init: Any) -> None:
    assert drawing_notes(swap.score(Beside(), VECTORS, init=init)) == []


@pytest.mark.slow
def test_tied_embeddings_are_drawn() -> None:
    transformers = pytest.importorskip("transformers")
    sizes = {"n_layer": 2, "n_embd": 16, "n_head": 2, "vocab_size": 50, "n_positions": 16}
    ends = {"bos_token_id": None, "eos_token_id": None}
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, **ends, use_cache=False))
    tokens = {"input_ids": torch.randint(0, 50, (6, 9))}
    score = swap.score(model, tokens, init="gaussian", measure="composite")
    (note,) = drawing_notes(score)
    assert note.startswith("init drew 9 of 10 ") and note.endswith(": transformer.wpe.weight")
    block = 16 * (3 * 16 + 16 + 2 * 4 * 16)
    assert score.composites[0].flops == 2 * 9 * (2 * block + 16 * 50)


def test_quantised_weights_are_left() -> None:
    layer = nn.Linear(8, 8)
    layer.weight = nn.Parameter(torch.ones(8, 8, dtype=torch.int8), requires_grad=False)
    model = Called(layer, lambda layer, x: F.relu(x @ layer.weight.float()))
    (note,) = drawing_notes(swap.score(model, VECTORS, init="gaussian"))
    assert note.endswith(": layer.weight")


def test_computed_weights_have_no_names_of_their_own() -> None:
    layer = nn.utils.spectral_norm(prune.identity(nn.LSTM(8, 8), "weight_hh_l0"), "weight_ih_l0")
    assert list(computed_weights(layer)) == ["weight_hh_l0", "weight_ih_l0"]


# ---- operations --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bilinear", 20 * 64),
        ("attention", 3 * 4 * 64),
        ("RNN", 3 * 2 * (64 + 64)),
        ("LSTM", 3 * 2 * 4 * (64 + 64)),
        ("LSTMCell", 4 * (64 + 64)),
        ("typed linear", 8 * 20),
    ],
)
def test_operations_of_layers(name: str, expected: int) -> None:
    model = net(name)
    last = model[2].weight.numel()
    score = swap.score(model, VECTORS, init="gaussian", measure="composite")
    assert score.composites[0].flops == 2 * (expected + last)


@pytest.mark.parametrize(
    "name",
    [
        *(*COMPUTED, "spectral_norm", "older spectral_norm", "pruned", "graph linear", "dense"),
        *("graph convolution", "patches", "Conv1D", "GRU", "GRUCell"),
        *("weight_norm of a layer of others", "weight_norm of a transposed convolution"),
    ],
)
def test_operations_are_those_that_torch_counts(name: str) -> None:
    model = net(name).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(VECTORS)
    score = swap.score(model, VECTORS, init="gaussian", measure="composite")
    assert score.composites[0].flops == counter.get_total_flops() / len(VECTORS)
