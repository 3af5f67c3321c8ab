"""Pairs of rows tell what running each block twice tells."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
import torch
from support.composite import IMAGES, SEED
from torch import Tensor, nn
from torch.nn import functional as F

import swapnas_ext as swap
from swapnas_ext.measures import noise_pass
from swapnas_ext.models import MiniBatch

pytestmark = pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")

Way = tuple[Any, Any, bool]


@pytest.fixture
def both_ways(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Scores a model in pairs and with each block run twice; tells whether pairs were refused."""

    def score(model: nn.Module, inputs: Any = IMAGES) -> Way:
        twice = noise_pass._each_block_twice
        refused = []

        def noted(*args: Any, **options: Any) -> Any:
            refused.append(True)
            return twice(*args, **options)

        scorer = swap.Scorer(inputs, measure="capacity", init="kaiming", seed=SEED)
        with monkeypatch.context() as patch:
            patch.setattr(noise_pass, "_each_block_twice", noted)
            (found,) = scorer(model).measurement.parts
        with monkeypatch.context() as patch:
            patch.setattr(MiniBatch, "pairs_of_noise", lambda *args: None)
            (expected,) = scorer(model).measurement.parts
        return found, expected, bool(refused)

    return score


def same(ways: Way, *, refused: bool = False) -> None:
    found, expected, was_refused = ways
    assert was_refused is refused
    if refused:
        assert found == expected
    for name in ("width", "use", "flops", "patterns"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-4)
    assert found.drift == pytest.approx(expected.drift, abs=1e-3)
    assert found.directness == pytest.approx(expected.directness, abs=1e-3)


class Block(nn.Module):
    """Adds to its input what a convolution of it tells."""

    def __init__(self, *, inplace: bool = False, act: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.act = nn.ReLU(inplace=True) if inplace else act()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Any:
        return x + self.conv(self.act(x))


class Chain(nn.Module):
    def __init__(self, *blocks: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return x


def test_blocks_of_one_argument(both_ways: Any) -> None:
    same(both_ways(Chain(Block(), Block(), Block())))


def test_a_block_that_is_called_twice(both_ways: Any) -> None:
    class Again(Chain):
        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            for _ in range(3):
                x = self.blocks[0](x)
            return x

    same(both_ways(Again(Block())))


class Several(Block):
    """Takes a skip input, a mask of the samples, and an option; returns a tuple."""

    def forward(
        self, x: Tensor, skip: Tensor | None = None, mask: Any = None, *, shift: float = 0
    ) -> Any:
        y = super().forward(x) + shift
        y = y if skip is None else y + self.conv(skip)
        return (y if mask is None else y * mask[:, None, None, None]), y.mean()


@pytest.mark.parametrize("how", ["skip", "keyword", "mask", "mask of positions"])
def test_blocks_of_several_arguments(both_ways: Any, how: str) -> None:
    class Calls(Chain):
        def forward(self, x: Tensor) -> Tensor:
            skip = x = self.stem(x)
            for block in self.blocks:
                if how == "skip":
                    y, _ = block(x, skip)
                elif how == "keyword":
                    y, _ = block(x=x, skip=skip, shift=0.5)
                else:
                    mask = torch.ones(len(x))
                    y, _ = block(x, None, mask if how == "mask" else x[:, 0, 0, 0] > -9)
                skip, x = x, y
            return x

    same(both_ways(Calls(Several(), Several(), Several())))


class Holds(Block):
    """Takes its signal, and something that holds more."""

    def forward(self, x: Tensor, held: Any) -> Tensor:
        if isinstance(held, list):
            y = super().forward(sum(held, x))
            held.append(y)
        elif isinstance(held, dict):
            y = super().forward(x)
            held["sum"] = held.get("sum", 0) + y
        else:
            y = super().forward(x) + held.first
        return y


class Named(OrderedDict[str, Tensor]):
    def __getattr__(self, name: str) -> Tensor:
        return self[name]


class Owner:
    def __init__(self, first: Tensor) -> None:
        self.first = first


@pytest.mark.parametrize("kind", ["list", "empty list", "dict", "object"])
def test_blocks_that_may_write_to_what_they_are_given(both_ways: Any, kind: str) -> None:
    class Gives(Chain):
        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            held: Any = {"list": [x], "empty list": [], "dict": {}, "object": Owner(x)}[kind]
            for block in self.blocks:
                x = block(x, held)
            if isinstance(held, dict):
                x = held["sum"]
            return F.relu(torch.cat(held, 1) if isinstance(held, list) else x)

    same(both_ways(Gives(Holds(), Holds(), Holds())), refused=True)


def test_a_mapping_stays_of_its_class(both_ways: Any) -> None:
    class Reads(Block):
        def forward(self, x: Tensor, held: Any) -> Tensor:
            return super().forward(x) + held.first

    class Gives(Chain):
        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            held = Named(first=x)
            for block in self.blocks:
                x = block(x, held)
            return x

    same(both_ways(Gives(Reads(), Reads(), Reads())), refused=True)


def test_dense_blocks(both_ways: Any) -> None:
    """Their layers take lists of tensors."""

    class Layer(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.act, self.conv = nn.ReLU(inplace=True), nn.Conv2d(channels, 2, 3, padding=1)

        def forward(self, features: list[Tensor]) -> Tensor:
            return self.conv(self.act(torch.cat(features, 1)))

    class Dense(nn.ModuleDict):
        def __init__(self, channels: int) -> None:
            super().__init__({f"layer{n}": Layer(channels + 2 * n) for n in range(3)})

        def forward(self, x: Tensor) -> Tensor:
            features = [x]
            for layer in self.values():
                features.append(layer(features))
            return torch.cat(features, 1)

    model = nn.Sequential(nn.Conv2d(3, 4, 3), Dense(4), Dense(10), Dense(16))
    same(both_ways(model))
    loose = Chain(*(Layer(4 + 2 * n) for n in range(3)))
    loose.forward = lambda x: _dense(loose, x)  # type: ignore[method-assign]
    same(both_ways(loose), refused=True)


def _dense(model: Chain, x: Tensor) -> Tensor:
    features = [model.stem(x)]
    for layer in model.blocks:
        features.append(layer(features))
    return torch.cat(features, 1)


def test_windows(both_ways: Any) -> None:
    """Each image becomes four rows."""

    class Windows(Chain):
        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            rows = x.unflatten(2, (2, 4)).unflatten(4, (2, 4)).permute(0, 2, 4, 1, 3, 5)
            x = rows.flatten(0, 2)
            for block in self.blocks:
                x = block(x)
            return x

    same(both_ways(Windows(Block(), Block(), Block())))


class Tokens(nn.Module):
    """Runs blocks on tokens [S, T, C], or on [T, S, C]."""

    def __init__(self, first: int) -> None:
        super().__init__()
        self.act = nn.Sequential(nn.Linear(6, 6), nn.ReLU())
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6)) for _ in range(3)
        )
        self.first = first  # block that has time first

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(x)
        for number, block in enumerate(self.blocks):
            x = block(x.transpose(0, 1)).transpose(0, 1) if number >= self.first else block(x)
        return x


@pytest.mark.parametrize("positions", [5, 8, 16])
@pytest.mark.parametrize("first", [0, 1, 2])
def test_time_first_is_refused(both_ways: Any, positions: int, first: int) -> None:
    tokens = torch.randn(4, positions, 6, generator=torch.Generator().manual_seed(0))
    model = Tokens(first)
    for block in model.blocks:
        block[1] = nn.Identity()  # an activation with other rows has no score
    same(both_ways(model, tokens), refused=True)
    same(both_ways(Tokens(first=9), torch.randn(4, positions, 6)))


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("late", [False, True])
def test_what_is_no_signal_is_not_repeated(both_ways: Any, nested: bool, late: bool) -> None:
    """As many positions as there are rows: their embedding is the same for all samples."""

    class Placed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.act, self.second = nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6)

        def forward(self, x: Tensor, place: Any) -> Tensor:
            place = place[0] if isinstance(place, tuple) else place
            return x + self.second(self.act(self.first(x))) * place

    class Places(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList(Placed() for _ in range(3))
            generator = torch.Generator().manual_seed(0)
            self.register_buffer("places", torch.randn(8, 6, generator=generator))

        def forward(self, x: Tensor) -> Tensor:
            for number, block in enumerate(self.blocks):
                place = torch.ones(8, 6) if late and number == 0 else self.places
                x = block(x, (place, place) if nested else place)
            return x

    tokens = torch.randn(4, 8, 6, generator=torch.Generator().manual_seed(0))
    same(both_ways(Places(), tokens), refused=True)


# ---- tensors that are changed in place, or shared --------------------------------------------------


class Overwrites(Block):
    """Changes its input, and returns it."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(x)
        x += self.conv(x)
        return x


class OverwritesOnly(Block):
    def forward(self, x: Tensor) -> None:
        x.add_(self.conv(self.act(x)))


class Uses(Chain):
    """Uses the input of a block after the block."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            y = block(x)
            x = x if y is None else x + y
        return F.relu(x)


class AddsUp(Chain):
    """Changes the input of a block after the block."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x.add_(block(x))
        return x


@pytest.mark.parametrize("chain", [Chain, Uses, AddsUp])
def test_blocks_that_change_their_input(both_ways: Any, chain: type[Chain]) -> None:
    same(both_ways(chain(*(Block(inplace=True) for _ in range(3)))))
    same(both_ways(chain(*(Overwrites(inplace=True) for _ in range(3)))))
    same(both_ways(chain(*(Block() for _ in range(3)))))


def test_blocks_that_return_nothing(both_ways: Any) -> None:
    same(both_ways(Uses(*(OverwritesOnly() for _ in range(3)))))


@pytest.mark.parametrize("outside", ["", "before", "after"])
def test_a_shared_input_counts_once(both_ways: Any, outside: str) -> None:
    class Shares(Chain):
        def forward(self, x: Tensor) -> Tensor:
            x = self.blocks[0](self.stem(x))
            y = F.relu(x) if outside == "before" else x
            y = y + self.blocks[1](x) + self.blocks[2](x)
            return y + F.relu(x) if outside == "after" else y

    ways = both_ways(Shares(Block(), Block(), Block()))
    same(ways)
    assert ways[0].width < 8  # of two layers of four channels each, not of three or more
