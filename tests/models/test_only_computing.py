"""Networks of this package's spaces are scored where they are: nothing of them changes, and nothing is protected."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext.models import only_computes, restoring, set_scoring_mode, take_inventory
from swapnas_ext.spaces.nasbench201_networks import ReLUConvBN

pytestmark = pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")

SPACES = ("darts", "nasbench101", "nasbench201", "efficientnet", "nasbench-macro", "transnas-macro")


def network(space: str) -> nn.Module:
    torch.manual_seed(0)
    own = swap.spaces.get(space)
    return own.build(own.sample(random.Random(0)))


def convolutions() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())


@pytest.mark.parametrize("space", SPACES)
def test_a_pass_of_such_a_network_changes_nothing(space: str) -> None:
    model = network(space)
    inventory = take_inventory(model)
    assert only_computes(inventory)
    changed = set_scoring_mode(inventory.everything)
    assert changed
    tensors = [*model.parameters(), *model.buffers()]
    versions = [tensor._version for tensor in tensors]
    values = [tensor.clone() for tensor in tensors]
    attributes = [dict(module.__dict__) for module in model.modules()]
    containers = [
        {name: copy.copy(value) for name, value in own.items() if isinstance(value, dict | list)}
        for own in attributes
    ]
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    with torch.no_grad():
        model(torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert versions == [tensor._version for tensor in tensors]
    assert all(map(torch.equal, values, tensors))
    for module, own, held in zip(model.modules(), attributes, containers, strict=True):
        assert module.__dict__.keys() == own.keys()
        assert all(module.__dict__[name] is value for name, value in own.items())
        assert all(
            module.__dict__[name] == value for name, value in held.items() if name != "_parameters"
        )
    assert torch.equal(torch.get_rng_state(), states[0]) and random.getstate() == states[1]
    assert np.array_equal(np.random.get_state()[1], states[2])


@pytest.fixture
def entered(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Which class protected the model, score by score."""
    names: list[str] = []
    for kind in (restoring.Restoring, restoring.NothingToRestore):

        def enter(self: object, original: Callable[..., object] = kind.__enter__) -> object:
            names.append(type(self).__name__)
            return original(self)

        monkeypatch.setattr(kind, "__enter__", enter)
    yield names


def test_the_second_score_protects_nothing(entered: list[str]) -> None:
    model = network("nasbench201").train()
    model.cells[0].eval()
    norm = next(module for module in model.modules() if isinstance(module, nn.BatchNorm2d))
    norm.track_running_stats = False
    modes = [(m.training, getattr(m, "track_running_stats", None)) for m in model.modules()]
    values = copy.deepcopy(model.state_dict())
    scorer = swap.Scorer(torch.randn(8, 3, 16, 16))
    first = scorer(model)
    assert entered == ["Restoring"]
    state = torch.get_rng_state()
    second = scorer(model)
    assert entered == ["Restoring", "ModesToRestore"]
    assert second == first and second.patterns == first.patterns and second.notes == first.notes
    assert torch.equal(torch.get_rng_state(), state)
    assert modes == [(m.training, getattr(m, "track_running_stats", None)) for m in model.modules()]
    assert all(torch.equal(value, values[name]) for name, value in model.state_dict().items())
    assert scorer(lambda: copy.deepcopy(model)) == first


@pytest.mark.parametrize(
    "options", [{"init": "kaiming"}, {"measure": "composite"}, {"channels_last": True}]
)
def test_whatever_writes_has_copies(options: swap.ScoringOptions, entered: list[str]) -> None:
    model = network("nasbench201")
    values = copy.deepcopy(model.state_dict())
    scorer = swap.Scorer(torch.randn(8, 3, 16, 16), **options)
    assert scorer(model) == scorer(model)
    assert set(entered) == {"Restoring"}
    assert all(torch.equal(value, values[name]) for name, value in model.state_dict().items())


def test_an_error_in_a_pass_leaves_the_modes() -> None:
    model = network("nasbench201").train()
    scorer = swap.Scorer(torch.randn(8, 3, 16, 16))
    scorer(model)
    with torch.no_grad():
        model.stem[0].weight.fill_(torch.nan)
    with pytest.raises(swap.NanActivationError):
        scorer(model)
    assert all(module.training for module in model.modules())


class Own(ReLUConvBN):
    """A user's class, which may do anything."""


def hooked() -> nn.Module:
    model = convolutions()
    model[0].register_forward_hook(lambda module, args, output: output + 1)
    return model


def pre_hooked() -> nn.Module:
    model = convolutions()
    model.register_forward_pre_hook(lambda module, args: None)
    return model


def with_a_forward() -> nn.Module:
    model = convolutions()
    model[0].forward = lambda x: x
    return model


def with_a_forward_of_a_container() -> nn.Module:
    model = ReLUConvBN(3, 3, 1)
    model.forward = lambda x: x
    return model


def with_a_held_module() -> nn.Module:
    model = ReLUConvBN(3, 3, 1)
    model.others = [nn.Linear(2, 2)]
    return model


def with_an_attribute() -> nn.Module:
    model = convolutions()
    model[0].calls = 0
    return model


OTHERS: dict[str, Callable[[], nn.Module]] = {
    "a user's class": lambda: nn.Sequential(Own(3, 3, 1)),
    "a hook": hooked,
    "a hook before": pre_hooked,
    "a forward of its own": with_a_forward,
    "a container's own forward": with_a_forward_of_a_container,
    "a held module": with_a_held_module,
    "an attribute": with_an_attribute,
    "an embedding": lambda: nn.Sequential(nn.Embedding(3, 4, max_norm=1.0), nn.ReLU()),
    "instance normalisation": lambda: nn.Sequential(nn.InstanceNorm2d(3, track_running_stats=True)),
    "a parametrization": lambda: nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Linear(3, 3))
    ),
    "an old hook of weights": lambda: nn.Sequential(nn.utils.weight_norm(nn.Linear(3, 3))),
    "TorchScript": lambda: nn.Sequential(torch.jit.script(nn.ReLU())),
}


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", OTHERS)
def test_models_that_may_do_more(name: str) -> None:
    assert not only_computes(take_inventory(OTHERS[name]()))


def test_hooks_of_all_modules() -> None:
    inventory = take_inventory(convolutions())
    assert only_computes(inventory)

    def hook(module: nn.Module, args: object, output: Tensor) -> None: ...

    handle = nn.modules.module.register_module_forward_hook(hook)
    try:
        assert not only_computes(inventory)
    finally:
        handle.remove()
    assert only_computes(inventory)


def test_a_replaced_forward_of_a_frequent_class(monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = take_inventory(convolutions())
    monkeypatch.setattr(nn.Conv2d, "forward", lambda self, x: x)
    assert not only_computes(inventory)
