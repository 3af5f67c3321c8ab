"""Activations whose rows are not the samples in their order are left out, with a note."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext.capture.sample_rows import ELSEWHERE, NOT_MOVED, Seen, not_samples

pytestmark = pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")

X = torch.randn(8, 6, 8, generator=torch.Generator().manual_seed(0))  # samples, tokens, features


class Net(nn.Module):
    """Dense layers, and something else in between."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last, self.act = nn.Linear(8, 32), nn.Linear(32, 32), nn.ReLU()
        self.prepare()

    def prepare(self) -> None: ...

    def between(self, x: Tensor) -> Tensor:
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.last(self.between(F.relu(self.first(x)))))


class Gate(Net):
    def prepare(self) -> None:
        self.gate = nn.Parameter(torch.randn(32))

    def between(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.gate)


class PositionTable(Net):
    """As the continuous position bias of Swin V2."""

    def prepare(self) -> None:
        self.table = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 32))
        self.register_buffer("grid", torch.randn(48, 2))

    def between(self, x: Tensor) -> Tensor:
        return x + self.table(self.grid).mean(0)


class Mixture(Net):
    """Tokens go to two experts, and are put together again."""

    def prepare(self) -> None:
        self.route = nn.Linear(32, 2)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(32, 32), nn.SiLU()) for _ in range(2))

    def between(self, x: Tensor) -> Tensor:
        tokens = x.flatten(0, 1)
        which = self.route(tokens).argmax(1)
        out = torch.empty_like(tokens)
        for number, expert in enumerate(self.experts):
            own = which == number
            out[own] = expert(tokens[own])
        return out.view_as(x)


class SortedMixture(Mixture):
    def between(self, x: Tensor) -> Tensor:
        tokens = x.flatten(0, 1)
        which = self.route(tokens).argmax(1)
        order = which.argsort(stable=True)
        rows = torch.stack(
            [self.experts[int(k)][0](t) for k, t in zip(which[order], tokens[order], strict=True)]
        )
        return F.gelu(rows)[order.argsort()].view_as(x)


class DroppedTokens(Net):
    """Only the largest tokens of all samples go on."""

    def prepare(self) -> None:
        self.extra = nn.Linear(32, 32)

    def between(self, x: Tensor) -> Tensor:
        tokens = x.flatten(0, 1)
        kept = tokens.norm(dim=1).topk(16).indices.sort().values
        return x + F.tanh(self.extra(tokens[kept])).mean(0)


class TimeFirst(Net):
    """A first dimension of 16 steps, twice the number of samples."""

    def prepare(self) -> None:
        self.steps = nn.Linear(6, 16)

    def between(self, x: Tensor) -> Tensor:
        by_time = self.steps(x.transpose(1, 2)).permute(2, 0, 1)  # [16, S, C]
        return x + F.elu(by_time).mean(0)[:, None]


@pytest.mark.parametrize(
    ("kind", "layer", "reason"),
    [
        (Gate, ":sigmoid", NOT_MOVED),
        (PositionTable, "table.1", NOT_MOVED),
        (SortedMixture, ":gelu", ELSEWHERE),
        (DroppedTokens, ":tanh", ELSEWHERE),
        (TimeFirst, ":elu", ELSEWHERE),
    ],
)
@pytest.mark.parametrize("measure", ["patterns", "composite"])
def test_left_out_with_a_note(kind: type[Net], layer: str, reason: str, measure: str) -> None:
    scorer = swap.Scorer(X, init="gaussian", measure=measure)
    score = scorer(kind())
    assert [one.name for one in score.layers] == [":relu", "act"]
    assert f"left out, since it {reason}: {layer}" in score.notes
    assert (
        swap.score(kind(), X, init="gaussian", rules=RULES_WITHOUT[kind], measure=measure) == score
    )
    assert scorer(kind()) == score and scorer(kind()).notes == score.notes  # of each of the class
    repeated = swap.score(kind(), X, init="gaussian", repeats=3)
    assert len(repeated.layers) == 2 and f": {layer}" in str(repeated.notes)


RULES_WITHOUT = {
    Gate: {"sigmoid": None},
    SortedMixture: {"gelu": None},
    DroppedTokens: {"tanh": None},
    TimeFirst: {"elu": None},
    PositionTable: {},
}


@pytest.mark.parametrize("kind", [Mixture, SortedMixture, DroppedTokens])
def test_the_order_of_the_samples_is_of_no_matter(kind: type[Net]) -> None:
    orders = (range(8), range(7, -1, -1), [2, 0, 7, 4, 1, 6, 3, 5])
    scores = [swap.score(kind(), X[list(order)]) for order in orders]
    assert len(set(map(float, scores))) == 1
    assert all("left out" in str(score.notes) for score in scores)


class Noise(Net):
    def between(self, x: Tensor) -> Tensor:
        return F.relu(x + torch.randn_like(x))


class Windows(Net):
    """As windowed attention: a first dimension of windows of samples."""

    def between(self, x: Tensor) -> Tensor:
        windows = x.unflatten(1, (3, 2)).flatten(0, 1)
        return F.gelu(windows).unflatten(0, (len(x), 3)).flatten(1, 2)


class Norms(Net):
    def prepare(self) -> None:
        self.norm = nn.BatchNorm1d(6)

    def between(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(x) - 0.1)


class OwnNoise(Net):
    def prepare(self) -> None:
        self.generator = torch.Generator().manual_seed(1)

    def between(self, x: Tensor) -> Tensor:
        return F.relu(x + torch.randn(x.shape, generator=self.generator))


class GhostNorm(Net):
    """Statistics of half of the mini-batch."""

    def between(self, x: Tensor) -> Tensor:
        return F.relu(torch.cat([half - half.mean(0) for half in x.chunk(2)]))


class ChangesItsWeights(Net):
    def between(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            self.last.weight.add_(0.01 * x.mean())
        return x


class OnePositive(Net):
    """Few neurons are active."""

    def between(self, x: Tensor) -> Tensor:
        return F.relu(x - x.flatten().kthvalue(x.numel() - 20).values)


@pytest.mark.parametrize(
    "kind", [Net, Noise, OwnNoise, Windows, Norms, OnePositive, GhostNorm, ChangesItsWeights]
)
def test_samples_are_told_as_such(kind: type[Net]) -> None:
    score = swap.score(kind(), X, init="kaiming")
    assert len(score.layers) == 2 + (kind not in (Net, ChangesItsWeights)), score.notes
    assert "left out" not in str(score.notes)


@pytest.mark.parametrize(
    "inputs",
    [
        {"x": X, "mask": torch.ones(8, 6)},
        {"x": X, "mask": torch.ones(6, 6)},
        {"x": X, "scale": torch.ones(16)},
        {"x": X, "attend": torch.ones(8, 8).tril()},
    ],
)
def test_other_arguments(inputs: dict[str, Tensor]) -> None:
    class Takes(Net):
        def forward(
            self, x: Tensor, mask: object = None, scale: object = None, attend: object = None
        ) -> Tensor:
            return super().forward(x)

    assert swap.score(Takes(), inputs) == swap.score(Net(), X)


@pytest.mark.parametrize("tokens", [7, 8, 16])
def test_a_causal_mask_is_not_of_the_samples(tokens: int) -> None:
    """Of as many tokens as there are samples, too."""
    layer = nn.TransformerEncoderLayer(8, 2, 32, batch_first=True)
    x = torch.randn(8, tokens, 8, generator=torch.Generator().manual_seed(0))
    mask = nn.Transformer.generate_square_subsequent_mask(tokens)
    score = swap.score(layer, {"src": x, "src_mask": mask}, init="kaiming")
    assert score.neurons == tokens * 32 and not score.notes


def test_images_are_not_run_twice() -> None:
    calls = 0

    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.act = nn.Conv2d(3, 8, 3), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            nonlocal calls
            calls += 1
            return self.act(self.conv(x))

    swap.score(Counts(), torch.randn(8, 3, 9, 9))
    assert calls == 1


def test_one_sample_and_samples_that_are_alike() -> None:
    assert swap.score(Net(), X[:1]).layers[0].neurons == 6 * 32
    assert len(swap.score(Net(), X[:1].expand(8, -1, -1)).layers) == 2


def test_a_model_whose_layers_all_lie_elsewhere_has_no_score() -> None:
    class Sorted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(x.flatten(0, 1).sort(0).values)

    with pytest.raises(ValueError, match=f"{NOT_MOVED}: :relu"):
        swap.score(Sorted(), X)


def test_verdicts() -> None:
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, (16, 40), generator=generator).to(torch.int8)
    flipped = signs.clone()
    flipped[torch.rand(signs.shape, generator=generator) < 0.02] ^= 1  # rounds otherwise

    def run(make: Callable[[list[int]], Tensor], change: Callable[[int], Tensor]) -> dict[str, str]:
        def passes(
            order: list[int] | None, replaced: dict[int, int]
        ) -> tuple[list[str], list[Seen]]:
            now = make(order) if order is not None else change(*replaced)
            return ["layer"], [Seen(len(now), now)]

        return not_samples(["layer"], [Seen(16, signs)], 8, passes)

    def moved(x: Tensor) -> Callable[[list[int]], Tensor]:
        return lambda order: x.view(8, 2, 40)[order].reshape(16, 40)

    def at(*places: int) -> Callable[[int], Tensor]:
        """Signs that change in the rows of samples so far from the one that is changed."""

        def change(sample: int) -> Tensor:
            now = signs.clone().view(8, 2, 40)
            for number, place in enumerate(places):
                now[(sample + place) % 8, :, : 40 - 5 * number] ^= 1
            return now.reshape(16, 40)

        return change

    assert run(moved(signs), at(3)) == {}  # not asked any more
    assert run(moved(flipped), at(3)) == {}
    assert run(lambda order: signs, at(0)) == {"layer": NOT_MOVED}
    assert run(lambda order: signs.flip(0), at(3)) == {"layer": ELSEWHERE}
    assert run(lambda order: signs.flip(0), at(0)) == {}  # samples that depend on each other
    assert run(lambda order: signs.flip(0), at(0, 1, 2)) == {}
    assert run(lambda order: signs.flip(0), at(*range(8))) == {}
    assert run(lambda order: signs.flip(0), at(3, 2, 1)) == {"layer": ELSEWHERE}
    assert run(lambda order: signs.flip(0), lambda sample: signs ^ 1) == {"layer": ELSEWHERE}
    assert run(lambda order: signs[:8], at(3)) == {"layer": ELSEWHERE}


def test_every_sample_moves() -> None:
    from swapnas_ext.capture.sample_rows import _order

    for samples in range(2, 40):
        order = _order(samples)
        assert sorted(order) == list(range(samples))
        assert all(place != sample for place, sample in enumerate(order))


class Twice(nn.Module):
    """One activation after another, and in between a change of their input that torch takes no account of."""

    def __init__(self, change: Callable[[Tensor], object], *, anew: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear, self.act, self.change, self.anew = nn.Linear(8, 64), nn.ReLU(), change, anew

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x)
        self.act(x)
        if self.anew:
            x = x.clone()
        self.change(x)
        return self.act(x)


CHANGES: dict[str, Callable[[Tensor], object]] = {
    "data": lambda x: x.data.sub_(0.5),
    "NumPy": lambda x: np.subtract(x.numpy(), 0.5, out=x.numpy()),
    "one token": lambda x: x.data[:, 0].fill_(5),
    "one element": lambda x: x.data[:, 0, 0].fill_(7),
    "sign": lambda x: x.data.neg_(),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("measure", ["patterns", "composite"])
def test_a_tensor_that_is_changed_past_torch_is_counted_again(change: str, measure: str) -> None:
    x = torch.randn(8, 4, 8, generator=torch.Generator().manual_seed(3))
    found, expected = (
        swap.score(Twice(CHANGES[change], anew=anew), x, measure=measure) for anew in (False, True)
    )
    assert found.patterns == expected.patterns and found.composites == expected.composites
    model = Twice(CHANGES[change], anew=True)
    with torch.no_grad():
        before = model.linear(x)
        after = before.clone()
        model.change(after)
    assert found.patterns[0] == swap.count_patterns(torch.relu(before), torch.relu(after))


def test_orders_of_arguments() -> None:
    from swapnas_ext.models.inputs import MiniBatch

    images = [torch.full((3, 2, 2), float(i)) for i in range(4)]
    batch = MiniBatch((images, torch.arange(4), torch.eye(5)))
    for order in itertools.permutations(range(4)):
        (moved, numbers, other), _ = batch.in_order(order, torch.device("cpu"))
        assert [int(image[0, 0, 0]) for image in moved] == list(order) == numbers.tolist()
        assert torch.equal(other, torch.eye(5))


class AlsoCalledOnFewerRows(Net):
    def between(self, x: Tensor) -> Tensor:
        self.act(x[:5])
        return x


@pytest.mark.parametrize("max_memory", [None, 1])
def test_a_layer_of_which_some_calls_fit_counts_alike_in_all_repeats(
    max_memory: int | None,
) -> None:
    options: swap.ScoringOptions = {"init": "kaiming", "repeats": 3, "max_memory": max_memory}
    score = swap.score(AlsoCalledOnFewerRows(), X, **options)
    assert "no multiple of 8 samples: act" in str(score.notes)
    assert score.patterns == swap.score(Net(), X, **options).patterns
