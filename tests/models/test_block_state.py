"""The composite score runs blocks twice: the second run begins as the first one did, and leaves no trace."""

from __future__ import annotations

import random
from collections import OrderedDict, UserDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from support.composite import IMAGES, Net, Residual, composite
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext.models.block_state import BlockState
from swapnas_ext.models.flops import FlopCount

pytestmark = pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")


class Plain:
    def __init__(self) -> None:
        self.calls = 0
        self.seen: list[Tensor] = []


class Slotted:
    __slots__ = ("calls", "last")

    def __init__(self) -> None:
        self.calls = 0


class Nested:
    def __init__(self) -> None:
        self.layers: dict[int, Plain] = {}


@dataclass
class Rows:
    rows: list[Any] = field(default_factory=list)


class CountedList(list[Any]):
    calls = 0


class Pair(NamedTuple):
    total: Tensor
    seen: list[Any]


def _plain(cache: Plain, x: Tensor) -> float:
    cache.calls += 1
    cache.seen.append(x)
    return float(cache.calls + len(cache.seen))


def _slotted(cache: Slotted, x: Tensor) -> float:
    cache.calls += 1
    last = getattr(cache, "last", None)
    cache.last = x
    return cache.calls + (0.0 if last is None else 1.0)


def _nested(cache: Nested, x: Tensor) -> float:
    return _plain(cache.layers.setdefault(len(cache.layers) // 2, Plain()), x) + len(cache.layers)


def _rows(cache: Rows, x: Tensor) -> float:
    cache.rows.append(x)
    return float(len(cache.rows))


def _appended(cache: Any, x: Tensor) -> float:
    cache.append(x)
    return float(len(cache))


def _counted_list(cache: CountedList, x: Tensor) -> float:
    cache.calls += 1
    return _appended(cache, x) + cache.calls


def _keyed(cache: Any, x: Tensor) -> float:
    cache[len(cache)] = x
    return float(len(cache))


def _listed_by_key(cache: Any, x: Tensor) -> float:
    cache["seen"].append(x)
    return float(len(cache["seen"]))


def _set(cache: set[int], x: Tensor) -> float:
    cache.add(len(cache))
    return float(len(cache))


def _tensor(cache: Tensor, x: Tensor) -> float:
    cache.add_(1)
    return float(cache.mean())


def _tensor_past_versions(cache: Tensor, x: Tensor) -> float:
    cache.data += 1
    return float(cache.mean())


def _array(cache: np.ndarray, x: Tensor) -> float:
    cache += 1
    return float(cache.sum())


def _pair(cache: Pair, x: Tensor) -> float:
    return _tensor(cache.total, x) + _appended(cache.seen, x)


def _two(cache: tuple[Tensor, list[Any]], x: Tensor) -> float:
    return _tensor(cache[0], x) + _appended(cache[1], x)


def _views(cache: list[Tensor], x: Tensor) -> float:
    cache[0][0] += 1  # the second is a view of the first
    return float(cache[1].sum())


def _generator(cache: torch.Generator, x: Tensor) -> float:
    return float(torch.rand((), generator=cache))


def _numpy_generator(cache: np.random.Generator, x: Tensor) -> float:
    return float(cache.random())


def _viewed() -> list[Tensor]:
    whole = torch.zeros(4)
    return [whole, whole[:2]]


CACHES: dict[str, tuple[Callable[[], Any], Callable[[Any, Tensor], float]]] = {
    "attributes": (Plain, _plain),
    "slots": (Slotted, _slotted),
    "objects in objects": (Nested, _nested),
    "dataclass": (Rows, _rows),
    "list": (list, _appended),
    "deque": (deque, _appended),
    "list with attributes": (CountedList, _counted_list),
    "dict": (dict, _keyed),
    "ordered dict": (OrderedDict, _keyed),
    "user dict": (UserDict, _keyed),
    "list in a dict": (lambda: defaultdict(list), _listed_by_key),
    "set": (set, _set),
    "tensor": (lambda: torch.zeros(3), _tensor),
    "tensor, past versions": (lambda: torch.zeros(3), _tensor_past_versions),
    "array": (lambda: np.zeros(3), _array),
    "named tuple": (lambda: Pair(torch.zeros(3), []), _pair),
    "tuple": (lambda: (torch.zeros(3), []), _two),
    "views": (_viewed, _views),
    "generator": (torch.Generator, _generator),
    "NumPy's generator": (lambda: np.random.default_rng(0), _numpy_generator),
}


class Remembers(nn.Module):
    """A residual block whose scale depends on what it did to a cache so far."""

    def __init__(self, touch: Callable[[Any, Tensor], float], own: Any = None) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4))
        self.touch, self.own = touch, own
        self.scales: list[float] = []

    def forward(self, x: Tensor, *, cache: Any = None) -> Tensor:
        self.scales.append(1 + self.touch(self.own if cache is None else cache, x))
        return self.body(x) * self.scales[-1]


class Caching(Net):
    """Gives one new cache to all of its blocks, and keeps what scales they had."""

    told: list[list[float]]

    def __init__(self, make: Callable[[], Any], touch: Callable[[Any, Tensor], float]) -> None:
        super().__init__(*(Remembers(touch) for _ in range(3)))
        self.make = make

    def forward(self, x: Tensor) -> Tensor:
        x, cache = self.stem(x), self.make()
        for block in self.blocks:
            x = block(x, cache=cache)
        Caching.told.append([scale for block in self.blocks for scale in block.scales])
        return self.head(x)


@pytest.mark.parametrize("kind", CACHES)
def test_an_argument_is_after_the_second_run_as_the_first_left_it(kind: str) -> None:
    """The scales of the pass in which blocks ran twice are those of the pass in which they ran once."""
    make, touch = CACHES[kind]
    Caching.told = []
    score = composite(Caching(make, touch))
    on_samples, on_noise = Caching.told
    assert on_samples == on_noise and len(on_noise) == 3
    plain = composite(Caching(make, lambda cache, x: 0.0))
    # Were the second run not to begin as the first, it would be scaled otherwise: a response of its own.
    assert score.composites[0].gain == pytest.approx(plain.composites[0].gain, abs=0.1)


@pytest.mark.parametrize("kind", CACHES)
def test_what_a_block_holds_itself(kind: str) -> None:
    make, touch = CACHES[kind]
    score = composite(Net(*(Remembers(touch, make()) for _ in range(3))))
    plain = composite(Net(*(Remembers(lambda cache, x: 0.0) for _ in range(3))))
    assert score.composites[0].gain == pytest.approx(plain.composites[0].gain, abs=0.1)


class Counts(Residual):
    """Counts its calls in each of the places that a module has."""

    def __init__(self) -> None:
        super().__init__(4, 4)
        self.calls = 0
        self.register_buffer("steps", torch.zeros(()))
        self.empty: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.steps += 1
        self.empty.append(0)
        self.body[1].weight.data.mul_(1.5)
        if not hasattr(self, "last"):
            self.register_buffer("last", x.mean())
            self.register_forward_hook(lambda module, args, output: output + 1)
        return super().forward(x) + self.calls


def test_a_block_begins_again_with_all_that_its_modules_hold() -> None:
    torch.manual_seed(0)
    block, x = Counts(), torch.randn(2, 4, 8, 8)
    weight, steps = block.body[1].weight, block.steps
    with torch.no_grad():
        state = BlockState(block, {0: x}, torch.device("cpu"))
        first = block(x)
        after = (block.calls, len(block.empty), float(weight.sum()), len(block._forward_hooks))
        with state.again() as arguments:
            assert (block.calls, block.empty, block.steps) == (0, [], 0)
            assert not hasattr(block, "last") and not block._forward_hooks
            second = block(arguments[0])
        assert torch.equal(first, second)
        assert block.body[1].weight is weight and block.steps is steps and steps == 1
        left = (block.calls, len(block.empty), float(weight.sum()), len(block._forward_hooks))
        assert left == after and hasattr(block, "last")


def test_an_interrupted_second_run_leaves_what_the_first_left() -> None:
    block, x = Counts(), torch.randn(2, 4, 8, 8)
    with torch.no_grad():
        state = BlockState(block, {0: x}, None)
        block(x)
        with pytest.raises(KeyboardInterrupt), state.again() as arguments:
            block(arguments[0])
            block.calls = 7
            raise KeyboardInterrupt
    assert (block.calls, len(block.empty), block.steps) == (1, 1, 1)


class Draws(Residual):
    def __init__(self) -> None:
        super().__init__(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        scale = 1 + 3 * (torch.rand(()) + random.random() + np.random.rand())
        return super().forward(x) * float(scale)


def test_random_numbers_are_the_same_in_the_second_run() -> None:
    expected = composite(Net(*(Residual(4, 4) for _ in range(4)))).composites[0].gain
    found = composite(Net(*(Draws() for _ in range(4)))).composites[0].gain
    assert found == pytest.approx(expected, abs=0.1)


def test_random_numbers_go_on_where_the_first_run_left_them() -> None:
    drawn: list[float] = []

    class Notes(Draws):
        def forward(self, x: Tensor) -> Tensor:
            drawn.append(float(torch.rand(())))
            return super().forward(x)

    composite(Net(*(Notes() for _ in range(3))))
    samples, noise = drawn[:3], drawn[3:]
    assert samples == [
        noise[0],
        noise[1],
        noise[3],
    ]  # of the second and third, also the disturbed ones
    assert (noise[1], noise[3]) == (noise[2], noise[4])


# ---- layers called by keyword --------------------------------------------------------------------------


class ByKeyword(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.up = nn.ConvTranspose2d(4, 4, 2, 2)
        self.act = nn.GELU()
        self.blocks = nn.ModuleList(Shifted() for _ in range(3))
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(input=self.up(output_size=None, input=self.conv(input=x)))
        for block in self.blocks:
            x = block(shift=0.0, x=x)
        return self.head(input=x.mean((2, 3)))


class Shifted(Residual):
    def __init__(self) -> None:
        super().__init__(4, 4)

    def forward(self, *, shift: float, x: Tensor) -> Tensor:
        return self.shortcut(input=x) + self.body[1](input=self.body[0](input=x)) + shift


class ByPlace(ByKeyword):
    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.up(self.conv(x)))
        for block in self.blocks:
            x = x + block.body[1](block.body[0](x))
        return self.head(x.mean((2, 3)))


def test_layers_called_by_keyword_are_counted_as_by_place() -> None:
    options = {"init": "kaiming", "measure": "composite", "seed": 2}
    by_place = swap.score(ByPlace(), IMAGES, **options)
    by_keyword = swap.score(ByKeyword(), IMAGES, **options)
    assert by_keyword.patterns == by_place.patterns
    assert by_keyword.composites[0].flops == by_place.composites[0].flops > 0
    assert by_keyword.composites[0].diversity == by_place.composites[0].diversity
    assert by_keyword.composites[0].gain > 0  # its blocks were disturbed


class TellsBias(nn.Linear):
    def forward(self, input: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return super().forward(input), self.bias


def test_operations_of_a_layer_that_returns_more_than_its_output() -> None:
    model, count = nn.Sequential(TellsBias(8, 5)), FlopCount()
    count.watch(model)
    model(torch.randn(3, 8))
    count.close()
    assert count.per_sample(3) == 2 * 8 * 5


# ---- real decoders ------------------------------------------------------------------------------------

SIZES = {
    "vocab_size": 100,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
}
DECODERS: dict[str, dict[str, Any]] = {
    "Mamba": {"vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 3, "state_size": 4},
    "Gemma2": {**SIZES, "num_key_value_heads": 2, "head_dim": 8, "sliding_window": 8},
    "Llama": {**SIZES, "num_key_value_heads": 2},
    "Qwen2": {**SIZES, "num_key_value_heads": 2},
    "GPT2": {"vocab_size": 100, "n_embd": 32, "n_layer": 3, "n_head": 4},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DECODERS)
def test_a_cache_has_no_influence(name: str) -> None:
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    tokens = torch.randint(3, 90, (8, 12), generator=torch.Generator().manual_seed(0))

    def score(use_cache: bool, measure: str = "composite") -> Any:
        torch.manual_seed(0)
        config = getattr(transformers, f"{name}Config")(**DECODERS[name], use_cache=use_cache)
        model = getattr(transformers, f"{name}Model")(config)
        return swap.score(model, {"input_ids": tokens}, measure=measure)  # type: ignore[arg-type]

    with_cache = score(True)
    assert with_cache.composites == score(True).composites == score(False).composites
    assert with_cache.patterns == score(True, "patterns").patterns
    assert with_cache.composites[0].gain < 1
