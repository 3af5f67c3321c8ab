"""Nothing of one repeat, one model or one score reaches another."""

from __future__ import annotations

import pickle
import threading
import time
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from support.pattern_counts import assert_same_patterns
from support.small_net import SmallNet
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext.capture import capturing
from swapnas_ext.spaces import ArchitectureError

pytestmark = pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")

X = torch.randn(8, 16, generator=torch.Generator().manual_seed(0))
IMAGES = torch.randn(16, 3, 10, 10, generator=torch.Generator().manual_seed(0))


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())


def assert_repeats_are_independent(model: nn.Module, inputs: Tensor, **options: Any) -> None:
    """At once, one after another, and each by itself."""
    arguments = {"init": "gaussian", **options}
    singles = tuple(int(swap.score(model, inputs, seed=seed, **arguments)) for seed in range(5))
    for max_memory in (None, 1):
        scorer = swap.Scorer(inputs, repeats=5, max_memory=max_memory, **arguments)
        for _ in range(2):
            assert_same_patterns(scorer(model).patterns, singles)
    assert len(set(singles)) > 1


def test_autocast_keeps_no_weights() -> None:
    model = net()
    assert_repeats_are_independent(model, X, autocast=torch.bfloat16)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        before = model(X)
        assert_repeats_are_independent(model, X)
        assert torch.equal(model(X), before)


def test_channels_last_has_the_same_weights() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU()).double()
    assert_repeats_are_independent(model, IMAGES.double(), channels_last=True)
    plain = swap.score(model, IMAGES.double(), init="gaussian")
    assert swap.score(model, IMAGES.double(), init="gaussian", channels_last=True) == plain


def test_inputs_that_a_model_changes() -> None:
    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(16, 64)

        def forward(self, x: Tensor) -> Tensor:
            x.sub_(0.7)
            return F.relu(self.linear(x))

    x = X.clone()
    scorer, other = swap.Scorer(x), net()
    expected = scorer(other)
    scorer(InPlace())
    scorer(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(16, 64), nn.ReLU()))
    assert scorer(other) == expected
    assert_repeats_are_independent(InPlace(), x)
    assert torch.equal(x, X)


class NormAct(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(super().forward(x))


class OwnNorm(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        statistics = self.running_mean, self.running_var
        return F.batch_norm(x, *statistics, self.weight, self.bias, True, 0.1, self.eps)


@pytest.mark.parametrize("kind", [NormAct, OwnNorm])
def test_subclasses_of_batch_norm(kind: type[nn.BatchNorm2d]) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), kind(8), nn.Conv2d(8, 8, 3), nn.ReLU())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    score = swap.score(model, IMAGES, init="gaussian")
    assert len(score.layers) == (2 if kind is NormAct else 1)
    assert_repeats_are_independent(model, IMAGES)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_weights_changed_past_their_version() -> None:
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(16, 64)

        def forward(self, x: Tensor) -> Tensor:
            self.linear.weight.data.mul_(0.5)
            return F.relu(self.linear(x))

    scorer = swap.Scorer(X)
    scorer(nn.Sequential(nn.Linear(16, 64), nn.ReLU()))
    for model in (Halves(), nn.Sequential(Halves())):
        before = [parameter.clone() for parameter in model.parameters()]
        for _ in range(3):
            scorer(model)
        for parameter, value in zip(model.parameters(), before, strict=True):
            assert torch.equal(parameter, value)


def test_state_does_not_carry_over() -> None:
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(16, 64)
            self.register_buffer("calls", torch.zeros(()))
            self.register_buffer("ones", torch.ones(1).expand(64))
            self.number = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            self.number += 1
            self.added = nn.Parameter(x)
            return F.relu(self.linear(x) * self.ones - self.calls - self.number)

    model = Counts()
    assert_repeats_are_independent(model, X)
    assert model.calls == model.number == 0
    assert not hasattr(model, "added")
    assert [name for name, _ in model.named_parameters()] == ["linear.weight", "linear.bias"]


def test_a_graph_that_waits_for_its_backward_pass() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(16, 64)
            self.register_buffer("scale", torch.full((64,), 2.0))

        def forward(self, x: Tensor) -> Tensor:
            return F.relu(self.linear(x) * self.scale)

    model = Scaled()
    loss = model(X).sum()
    swap.score(model, X)
    loss.backward()


@pytest.mark.slow
def test_transforms_of_the_models_own() -> None:
    class Gradient(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(16, 32), nn.Linear(32, 32)

        def forward(self, x: Tensor) -> Tensor:
            gradient = torch.func.grad(lambda z: F.relu(self.a(z)).sum() + (z**3).sum())(x)
            return F.relu(self.b(self.a(gradient * 10)))

    assert_repeats_are_independent(Gradient(), X[:4])

    class Tangent(Gradient):
        def forward(self, x: Tensor) -> Tensor:
            _, tangent = torch.func.jvp(lambda z: F.relu(self.a(z)), (x,), (torch.ones_like(x),))
            tangents.append(tangent)
            return F.relu(self.b(tangent))

    tangents: list[Tensor] = []
    model = Tangent()
    swap.score(model, X)
    with torch.no_grad():
        model(X)
    assert torch.equal(tangents[0], tangents[-1])


def test_a_counter_that_is_reset_forgets_its_tensors() -> None:
    counter = swap.PatternCounter(8)
    model = nn.Sequential(nn.ReLU(), nn.Linear(16, 64), nn.ReLU())
    with torch.no_grad(), capturing(model, counter):
        model(X)
        first = counter.count()
        counter.reset()
        model(X)
        assert counter.count() == first


def test_an_initialiser_that_uses_the_global_random_numbers() -> None:
    def careless(model: nn.Module, generator: torch.Generator) -> None:
        for parameter in model.parameters():
            nn.init.normal_(parameter)

    assert_repeats_are_independent(net(), X, init=careless)


def test_nothing_to_initialise_is_told() -> None:
    model = nn.Sequential(nn.Embedding(20, 8), nn.ReLU())
    score = swap.score(model, torch.arange(8)[:, None], init="gaussian", repeats=3)
    assert any("all repeats are the same" in note for note in score.notes)


def test_threads_and_the_random_state() -> None:
    class Slow(SmallNet):
        def forward(self, x: Tensor) -> Tensor:
            time.sleep(0.05 * len(x))
            return super().forward(x)

    threads = [
        threading.Thread(target=swap.score, args=(Slow(), torch.randn(n, 3, 8, 8))) for n in (2, 5)
    ]
    before = torch.get_rng_state()
    for thread in threads:
        thread.start()
        time.sleep(0.02)
    for thread in threads:
        thread.join()
    assert torch.equal(torch.get_rng_state(), before)


def test_what_can_be_sent_elsewhere() -> None:
    class Local(nn.ReLU):
        pass

    scorer = swap.Scorer(X)
    scorer(nn.Sequential(nn.Linear(16, 8), Local()))
    again = pickle.loads(pickle.dumps(scorer))
    assert again(net()) == scorer(net())
    error = pickle.loads(pickle.dumps(ArchitectureError("abc", 1, "wrong")))
    assert str(error) == str(ArchitectureError("abc", 1, "wrong"))


@pytest.mark.parametrize(
    ("arguments", "error", "problem"),
    [
        ({"seed": 1.5}, TypeError, "seed must be an int"),
        ({"seed": -1}, ValueError, "seed must be from 0"),
        ({"select": 3}, TypeError, "select must be"),
        ({"rules": [nn.ReLU]}, TypeError, "rules must be a mapping"),
        ({"tolerance": "x"}, TypeError, "tolerance must be a number"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], problem: str) -> None:
    with pytest.raises(error, match=problem):
        swap.Scorer(X, init="gaussian", **arguments)
