"""A scored model comes back exactly as it went in."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.small_net import SmallNet
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext.compat import SWAP


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
