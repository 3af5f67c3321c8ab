"""Inputs that hold samples in a way of their own."""

from __future__ import annotations

import copy
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence, pad_packed_sequence
from torch.utils.data import DataLoader

import swapnas_ext as swap
from swapnas_ext.models.inputs import MiniBatch

CPU = torch.device("cpu")
GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(12, 8, generator=GENERATOR)
IMAGES = [torch.randn(3, 9, 9, generator=GENERATOR) for _ in range(12)]
SEQUENCES = [torch.randn(length, 8, generator=GENERATOR) for length in (9, 7, 5, 3, 2, 2)]

Pair = namedtuple("Pair", "one other")


class OfOne(nn.Module):
    """A convolution or linear layer, and a ReLU, of what a function makes of one argument."""

    def __init__(self, layer: nn.Module, tensor_of: Callable[[Any], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = copy.deepcopy(layer)
        self.layer.reset_parameters()
        self.tensor_of = tensor_of
        self.relu = nn.ReLU()

    def forward(self, argument: Any) -> Tensor:
        return self.relu(self.layer(self.tensor_of(argument)))


# ---- packed sequences ------------------------------------------------------------------------------


class Recurrent(nn.Module):
    def __init__(self, last: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.lstm = nn.LSTM(8, 16, batch_first=True)
        self.linear = nn.Linear(16, 300)
        self.last = last

    def forward(self, packed: PackedSequence) -> Tensor:
        outputs, (hidden, _) = self.lstm(packed)
        padded = pad_packed_sequence(outputs, batch_first=True)[0]
        return torch.relu(self.linear(hidden[-1] if self.last else padded))


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("measure", ["patterns", "composite"])
@pytest.mark.parametrize("order", [range(6), [3, 0, 5, 2, 1, 4]])
def test_packed_sequences(last: bool, measure: Any, order: Any) -> None:
    packed = pack_sequence([SEQUENCES[i] for i in order], enforce_sorted=False)
    model = Recurrent(last)
    expected = swap.count_patterns(model(packed).detach())
    for inputs in (packed, (packed,), [packed], {"packed": packed}):
        score = swap.score(model, inputs, measure=measure)
        assert score.samples == 6 and score.patterns == (expected,)
    assert swap.score(model, pack_sequence(SEQUENCES)).patterns == (expected,)


def test_packed_sequences_in_another_order() -> None:
    batch = MiniBatch(pack_sequence(SEQUENCES))
    order = [3, 0, 5, 2, 1, 4]
    (moved,), _ = batch.in_order(order, CPU)
    assert torch.equal(
        pad_packed_sequence(moved)[0], pad_packed_sequence(batch.args[0])[0][:, order]
    )
    (replaced,), _ = batch.replaced({1: 0}, CPU)
    assert pad_packed_sequence(replaced)[1].tolist() == [9, 9, 5, 3, 2, 2]
    (noise,), _ = batch.noise(torch.Generator().manual_seed(0), CPU)
    assert torch.equal(noise.batch_sizes, batch.args[0].batch_sizes)
    assert not torch.equal(noise.data, batch.args[0].data)


# ---- one argument or several -----------------------------------------------------------------------


def test_a_named_tuple_is_one_argument() -> None:
    model = OfOne(nn.Linear(8, 300), lambda pair: pair.one + pair.other)
    expected = swap.score(model, (Pair(X, 2 * X),))
    assert swap.score(model, Pair(X, 2 * X)) == expected and expected.samples == 12


def test_arguments_that_do_not_fit_are_explained() -> None:
    class OfTwo(nn.Module):
        def forward(self, one: Tensor, other: Tensor) -> Tensor:
            return torch.relu(one + other)

    with pytest.raises(TypeError, match="'other'; these are one argument: give a tuple"):
        swap.score(OfTwo(), Pair(X, X))
    assert swap.score(OfTwo(), tuple(Pair(X, X))).samples == 12
    of_one = OfOne(nn.Conv2d(3, 8, 3), torch.stack)
    with pytest.raises(TypeError, match=r"positional arguments, here 3: give \(inputs,\)"):
        swap.score(of_one, IMAGES[:3])
    assert swap.score(of_one, (IMAGES[:3],)).samples == 3
    of_mapping = OfOne(nn.Linear(8, 300), lambda mapping: mapping["x"])
    with pytest.raises(TypeError, match=r"a mapping is keyword arguments: give \(inputs,\)"):
        swap.score(of_mapping, {"x": X})
    assert swap.score(of_mapping, ({"x": X},)).samples == 12

    class Fails(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise TypeError("of its own")

    with pytest.raises(TypeError, match=r"^of its own$"):
        swap.score(Fails(), X)


@pytest.mark.parametrize(
    "inputs",
    [IMAGES, tuple(IMAGES), (IMAGES,), [IMAGES]],
    ids=["list", "tuple", "in a tuple", "in a list"],
)
def test_images_in_a_list(inputs: Any) -> None:
    model = OfOne(nn.Conv2d(3, 8, 3), lambda images: torch.stack(list(images)))
    score = swap.score(model, inputs)
    assert score.samples == 12 and score == swap.score(model, (IMAGES,))


def test_mappings_in_a_list() -> None:
    model = OfOne(nn.Conv2d(3, 8, 3), lambda each: torch.stack([one["image"] for one in each]))
    inputs = [{"image": image, "height": 9} for image in IMAGES]
    score = swap.score(model, inputs)
    assert score.samples == 12 and score == swap.score(model, (inputs,))


def test_samples_tell_that_a_list_is_of_them() -> None:
    model = OfOne(nn.Conv2d(5, 8, 3), torch.stack)
    images = [torch.randn(5, 9, 9) for _ in range(4)]
    assert swap.score(model, images, samples=4) == swap.score(model, (images,))

    class Attention(nn.Module):
        def forward(self, query: Tensor, key: Tensor) -> Tensor:
            return torch.relu(query @ key.mT)

    several = [torch.randn(4, 5, 8), torch.randn(4, 7, 8)]  # of four samples each
    assert swap.score(Attention(), several).samples == 4


# ---- objects ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Masked:
    """As of DETR, or torchvision's ImageList."""

    tensors: Tensor
    mask: Tensor
    name: str = "masked"


@pytest.mark.parametrize("measure", ["patterns", "composite"])
def test_objects_with_tensors(measure: Any) -> None:
    masked = Masked(torch.stack(IMAGES), torch.ones(12, 1, 1, 1))
    model = OfOne(nn.Conv2d(3, 8, 3), lambda given: given.tensors.mul_(given.mask))
    before = masked.tensors.clone()
    score = swap.score(model, masked, measure=measure)
    assert score == swap.score(model, (masked,), measure=measure) and score.samples == 12
    plain = swap.score(OfOne(nn.Conv2d(3, 8, 3), lambda x: x), masked.tensors)
    assert score.patterns == plain.patterns
    assert torch.equal(masked.tensors, before)


class Graphs:
    """As a Batch of PyTorch Geometric: the nodes of several graphs, one after another."""

    def __init__(self, **tensors: Any) -> None:
        self._store = tensors

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_store"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __copy__(self) -> Graphs:
        return Graphs(**self._store)

    def to(self, device: torch.device) -> Graphs:
        return self.apply(lambda tensor: tensor.to(device))

    def apply(self, function: Callable[[Tensor], Tensor]) -> Graphs:
        self._store = {name: function(tensor) for name, tensor in self._store.items()}
        return self


class Batch(Graphs):
    def __copy__(self) -> Batch:
        return Batch(**self._store)

    @property
    def num_graphs(self) -> int:
        return int(self.batch.max()) + 1

    def to_data_list(self) -> list[Graphs]:
        return [Graphs(x=self.x[self.batch == graph]) for graph in range(self.num_graphs)]

    @staticmethod
    def from_data_list(graphs: list[Graphs]) -> Batch:
        sizes = torch.tensor([len(graph.x) for graph in graphs])
        batch = torch.arange(len(graphs)).repeat_interleave(sizes)
        return Batch(x=torch.cat([graph.x for graph in graphs]), batch=batch)


class OfGraphs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.of_nodes, self.relu1 = nn.Linear(8, 16), nn.ReLU()
        self.of_graphs, self.relu2 = nn.Linear(16, 300), nn.ReLU()

    def forward(self, graphs: Batch) -> Tensor:
        nodes = self.relu1(self.of_nodes(graphs.x))
        pooled = torch.zeros(graphs.num_graphs, 16).index_add(0, graphs.batch, nodes)
        return self.relu2(self.of_graphs(pooled))


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(3, 5, 4, 6, 2, 3), (3, 5, 4, 7, 2, 3)])
@pytest.mark.parametrize("measure", ["patterns", "composite"])
def test_batches_of_graphs(sizes: tuple[int, ...], measure: Any) -> None:
    """Their nodes are no samples, though there may be a multiple of as many."""
    graphs = [Graphs(x=torch.randn(size, 8)) for size in sizes]
    batch = Batch.from_data_list(graphs)
    model = OfGraphs()
    expected = swap.count_patterns(model(batch).detach())
    loader: Any = DataLoader(graphs, batch_size=6, collate_fn=Batch.from_data_list)  # type: ignore[arg-type]
    for inputs in (batch, (batch,), loader):
        score = swap.score(model, inputs, measure=measure)
        assert score.samples == 6 and score.patterns == (expected,)
        assert [layer.name for layer in score.layers] == ["relu2"]
        assert any(note.startswith("left out") and "relu1" in note for note in score.notes)


@pytest.mark.parametrize("samples", [None, 4])
def test_objects_whose_samples_cannot_be_told_apart(samples: int | None) -> None:
    graph: Any = Graphs(x=torch.randn(20, 8))
    advice = "got Graphs, whose samples are unknown; give tensors with one row for each sample"
    for inputs in (graph, (graph,), {"graphs": graph}):
        with pytest.raises(TypeError, match=advice):
            swap.score(OfGraphs(), inputs, samples=samples)

    class MakesIt(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = OfGraphs()

        def forward(self, nodes: Tensor) -> Tensor:
            return self.inner(Batch.from_data_list([Graphs(x=x) for x in nodes]))

    assert swap.score(MakesIt(), torch.randn(6, 5, 8)).samples == 6


def test_other_inputs_are_refused_with_a_hint() -> None:
    with pytest.raises(TypeError, match=r"got ndarray; give torch\.from_numpy of it"):
        swap.score(nn.ReLU(), np.ones((8, 4), np.float32))  # type: ignore[arg-type]
    loader = DataLoader(X, batch_size=12)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"give swapnas_ext\.data\.first_batch of it"):
        swap.score(nn.ReLU(), iter(loader))  # type: ignore[arg-type]
    assert swap.score(nn.ReLU(), swap.data.first_batch(iter(loader))).samples == 12


# ---- loaders for detectors -------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 5, 12])
@pytest.mark.parametrize(
    "collate",
    [
        lambda pairs: pairs,
        tuple,
        lambda pairs: tuple(zip(*pairs, strict=True)),
        lambda pairs: [list(part) for part in zip(*pairs, strict=True)],
        lambda pairs: (torch.stack([image for image, _ in pairs]), [target for _, target in pairs]),
        lambda pairs: {"images": [image for image, _ in pairs]},
    ],
    ids=["pairs", "tuple of pairs", "tuples", "lists", "stacked", "mapping"],
)
def test_loaders_for_detectors(size: int, collate: Any) -> None:
    class Detector(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv = nn.Conv2d(3, 8, 3)

        def forward(self, images: Any) -> Tensor:
            return torch.relu(self.conv(torch.stack(list(images))))

    pairs = [(image, {"boxes": torch.rand(i % 3, 4)}) for i, image in enumerate(IMAGES)]
    loader: Any = DataLoader(pairs, batch_size=size, collate_fn=collate)  # type: ignore[arg-type]
    score = swap.score(Detector(), loader)
    assert score.samples == size
    assert score == swap.score(Detector(), (IMAGES[:size],))
