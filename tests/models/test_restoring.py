"""A scored model comes back exactly as it went in."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from support.small_net import SmallNet
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext._torch_private import lazy_memory
from swapnas_ext.compat import SWAP
from swapnas_ext.models import Restoring, set_scoring_mode, take_inventory


class Restless(SmallNet):
    """Changes a buffer and replaces another in each forward pass, and draws random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("replaced", torch.zeros(3))
        self.register_buffer("unset", None)
        self.norm = nn.InstanceNorm2d(3, affine=True, track_running_stats=True)

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.replaced = torch.rand(3)
        self.unset = torch.rand(2)
        return super().forward(self.norm(x))


def snapshot(model: nn.Module) -> dict[str, Any]:
    """Everything of a model that scoring could change."""
    state: dict[str, Any] = {}
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        state[f"{name} at"] = (id(tensor), tensor.data_ptr(), tensor.requires_grad)
        state[f"{name} value"] = tensor.detach().clone()
        state[f"{name} grad"] = tensor.grad
    for name, module in model.named_modules():
        state[f"{name} modes"] = (module.training, getattr(module, "track_running_stats", None))
        state[f"{name} attributes"] = sorted(module.__dict__)
        state[f"{name} hooks"] = (
            len(module._forward_hooks),
            len(module._forward_pre_hooks),
            len(module._backward_hooks),
        )
    state["random"] = torch.get_rng_state()
    return state


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert before.keys() == after.keys()
    for name, value in before.items():
        same = (
            torch.equal(value, after[name]) if isinstance(value, Tensor) else value == after[name]
        )
        assert same, name


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("init", [None, "gaussian", "kaiming"])
def test_untouched_by_score(training: bool, init: str | None) -> None:
    model = Restless().train(training)
    model.features[0].eval()  # modes are each module's own
    model.head.weight.requires_grad_(False)
    before = snapshot(model)
    swap.score(model, torch.randn(8, 3, 8, 8), init=init, repeats=3 if init else 1)
    before["random"] = torch.get_rng_state() if init is None else before["random"]
    assert_same(before | {"random": None}, snapshot(model) | {"random": None})


def test_random_state_is_left_alone() -> None:
    model, x = Restless(), torch.randn(8, 3, 8, 8)
    before = torch.get_rng_state()
    swap.score(model, x, init="gaussian", repeats=2)
    assert torch.equal(before, torch.get_rng_state())


def test_untouched_when_forward_raises() -> None:
    model = Restless()

    def explode(*_: object) -> None:
        raise RuntimeError("in the middle")

    hook = model.features[4].register_forward_hook(explode)
    before = snapshot(model)
    with pytest.raises(RuntimeError, match="in the middle"):
        swap.score(model, torch.randn(8, 3, 8, 8), init="gaussian")
    assert_same(before | {"random": None}, snapshot(model) | {"random": None})
    hook.remove()


def test_a_forward_of_its_own_is_kept(small_net: SmallNet) -> None:
    calls = []

    def mine(x: Tensor) -> Tensor:
        calls.append(x.shape)
        return torch.relu(x)

    small_net.features[2].forward = mine
    x = torch.randn(8, 3, 8, 8)
    assert swap.score(small_net, x) > 0
    assert len(calls) == 1
    assert small_net.features[2].forward is mine


def test_no_graph_and_no_gradients(small_net: SmallNet) -> None:
    x = torch.randn(8, 3, 8, 8, requires_grad=True)
    swap.score(small_net, x)
    assert x.grad is None
    assert all(parameter.grad is None for parameter in small_net.parameters())


def test_dropout_and_batch_norm_do_not_depend_on_the_mode(small_net: SmallNet) -> None:
    x = torch.randn(8, 3, 8, 8)
    assert swap.score(small_net.train(), x) == swap.score(small_net.eval(), x)


def test_tied_weights_stay_tied() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU())
    model[2].weight = model[0].weight
    swap.score(model, torch.randn(8, 8), init="gaussian")
    assert model[2].weight is model[0].weight


@pytest.mark.parametrize(
    "normed", [nn.utils.spectral_norm, nn.utils.parametrizations.spectral_norm]
)
def test_computed_weights_stay_as_they_are(normed: Any) -> None:
    model = nn.Sequential(normed(nn.Conv2d(3, 8, 3)), nn.ReLU())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    swap.score(model, torch.randn(8, 3, 8, 8), init="gaussian", repeats=2)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_compiled_model_scores_as_the_one_it_wraps(small_net: SmallNet) -> None:
    x = torch.randn(8, 3, 8, 8)
    score = swap.score(small_net, x)
    assert swap.score(torch.compile(small_net, backend="eager"), x) == score
    assert swap.score(nn.Sequential(torch.compile(small_net, backend="eager")), x) == score


def test_compiled_functions_run_as_they_were_written() -> None:
    class Inner(SmallNet):
        def forward(self, x: Tensor) -> Tensor:
            return compiled(super().forward(x))

    calls: list[int] = []

    def backend(graph: Any, example: Any) -> Any:
        calls.append(1)
        return graph.forward

    compiled = torch.compile(lambda y: torch.relu(y) + 1, backend=backend)
    model, x = Inner(), torch.randn(8, 3, 8, 8)
    score = swap.score(model, x, init="gaussian", repeats=3)
    assert [layer.name for layer in score.layers] == ["features.2", "features.6", ":relu"]
    assert not calls
    model(x)
    assert calls  # and compiled again afterwards


@pytest.mark.parametrize("transformers", [False, True])
def test_untouched_by_compat(transformers: bool) -> None:
    model = Restless()
    swapped = SWAP(model, torch.randn(8, 3, 8, 8), "cpu", transformers=transformers)
    before = snapshot(model)
    swapped.forward()
    assert_same(before | {"random": None}, snapshot(model) | {"random": None})


@pytest.mark.parametrize("entries", [299_990, 400_000])
def test_long_lists_that_a_model_keeps(entries: int) -> None:
    class WithWords(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = list(range(entries))
            self.linear = nn.Linear(8, 300)
            self.others = [nn.Linear(300, 20)]

        def forward(self, x: Tensor) -> Tensor:
            return self.others[0](torch.relu(self.linear(x))).relu()

    model = WithWords()
    score = swap.score(model, torch.randn(12, 8), init="gaussian", repeats=2)
    assert [layer.neurons for layer in score.layers] == [300, 20]
    assert len(model.words) == entries


class Shared(nn.Module):
    """Runs linear layers, and does something to the first one's tensors before."""

    def __init__(
        self, act: Callable[[nn.Linear, nn.Linear], object] = lambda one, two: None
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two, self.act = nn.Linear(4, 4), nn.Linear(4, 4), act
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x: Tensor) -> Tensor:
        self.act(self.one, self.two)
        return torch.relu(self.two(self.norm(torch.relu(self.one(x)))))


kept: list[Any] = []
ACTS: dict[str, Callable[[nn.Linear, nn.Linear], object]] = {
    "nothing": lambda one, two: None,
    "reads": lambda one, two: kept.append(one.weight.sum()),
    "writes": lambda one, two: one.weight.mul_(2),
    "writes to data": lambda one, two: one.weight.data.fill_(0),
    "writes through NumPy": lambda one, two: one.weight.detach().numpy().fill(0),
    "writes through an address": lambda one, two: ctypes.memset(one.weight.data_ptr(), 0, 64),
    "writes to a view": lambda one, two: one.weight[0].zero_(),
    "takes the data of another": lambda one, two: setattr(one.weight, "data", two.weight.data),
    "keeps the weight": lambda one, two: kept.append(one.weight),
    "keeps a view": lambda one, two: kept.append(one.weight.detach()[1:]),
    "keeps the address": lambda one, two: kept.append(one.weight.detach().numpy()),
    "fails": lambda one, two: 1 / 0,
}


@pytest.mark.parametrize(
    "options", [{}, {"init": "kaiming", "repeats": 2}, {"measure": "composite"}]
)
@pytest.mark.parametrize("name", ACTS)
def test_copies_that_share_memory(name: str, options: swap.ScoringOptions) -> None:
    """Weights have their values, and lie where they lay: an array of NumPy's on them still is one."""
    kept.clear()
    model = Shared(ACTS[name])
    alias = model.one.weight.detach().numpy()
    x = torch.randn(8, 4)
    before = snapshot(model)
    if name == "fails":
        with pytest.raises(ZeroDivisionError):
            swap.score(model, x, **options)
    else:
        swap.score(model, x, **options)
    assert_same(before, snapshot(model))
    values = [v.clone() if isinstance(v, Tensor) else v.copy() for v in kept]
    alias += 1
    assert np.array_equal(alias, model.one.weight.detach().numpy())
    for value, known in zip(kept, values, strict=True):  # what the pass kept is the copy
        same = torch.equal(value, known) if isinstance(value, Tensor) else (value == known).all()
        assert same


def test_buffers_are_as_before_each_pass() -> None:
    class Counting(Shared):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(self.norm.running_mean.clone())
            self.norm.running_mean += 1
            return super().forward(x)

    seen: list[Tensor] = []
    model = Counting()
    swap.score(model, torch.randn(8, 4), init="kaiming", repeats=3, max_memory=1)
    assert len(seen) >= 3
    assert all(torch.equal(mean, torch.zeros(4)) for mean in seen)
    assert torch.equal(model.norm.running_mean, torch.zeros(4))


def test_weights_are_not_copied() -> None:
    """A pass that does not write to them reads the caller's memory."""
    copies: list[bool] = []
    model = Shared(lambda one, two: copies.append(lazy_memory(one.weight) is not None))
    swap.score(model, torch.randn(8, 4))
    assert all(copies) and copies
    assert lazy_memory(model.one.weight) is None


def test_weights_of_another_shape_are_given_their_values_again() -> None:
    model = Shared()
    theirs, values = model.one.weight, model.one.weight.detach().clone()
    with Restoring(model, take_inventory(model), set_scoring_mode) as restoring:
        restoring.note()
        assert restoring.changed_weight(by_value=True) is None
        model.one.weight.data = model.one.weight.data.t()  # the same memory
        assert restoring.changed_weight(by_value=True) is theirs
        restoring.again(weights=True)
        assert model.one.weight is not theirs and torch.equal(model.one.weight, values)
        model.one.weight.data = model.two.weight.data
        assert restoring.changed_weight(by_value=True) is theirs
    assert model.one.weight is theirs and torch.equal(theirs, values)
