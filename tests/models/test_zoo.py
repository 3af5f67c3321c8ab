"""Models of all kinds come back exactly as they were, whatever their forward pass does, and whatever is asked."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from support.fingerprint import differences, fingerprint
from support.pattern_counts import assert_same_patterns
from support.zoo import IMAGES, VECTORS, ZOO, Base
from torch import Tensor, nn

import swapnas_ext as swap

pytestmark = pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")


def own_initialiser(model: nn.Module, generator: torch.Generator) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=generator)


WAYS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "drawn": {"init": "gaussian"},
    "drawn by an own initialiser": {"init": own_initialiser, "repeats": 3},
    "repeats": {"init": "gaussian", "repeats": 4},
    "repeats one after another": {"init": "kaiming", "repeats": 4, "max_memory": 1},
    "channels last": {"init": "gaussian", "channels_last": True},
    "as operators": {"capture": "operators"},
    "composite": {"measure": "composite"},
    "composite of repeats": {"measure": "composite", "init": "gaussian", "repeats": 3},
}


def inputs_of(name: str) -> Tensor:
    return IMAGES if name.endswith("on_images") else VECTORS


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch: what is deprecated is used, too
        return ZOO[name]()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        yield


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_comes_back(name: str) -> None:
    model, inputs = made(name), inputs_of(name)
    before, given = fingerprint(model), inputs.clone()
    for way, options in WAYS.items():
        swap.score(model, inputs, **options)
        changed = differences(before, fingerprint(model))
        assert not changed, (way, changed)
        assert torch.equal(inputs, given), way


@pytest.mark.parametrize("name", ZOO)
def test_comes_back_from_a_forward_pass_that_ends_early(name: str) -> None:
    model, inputs = made(name), inputs_of(name)
    last = [module for module in model.modules() if isinstance(module, nn.ReLU)]

    class Interrupted(BaseException): ...

    def interrupt(*_: object) -> None:
        raise Interrupted

    if last:
        last[-1].register_forward_hook(interrupt)
        before = fingerprint(model)
        for options in ({}, {"init": "gaussian", "repeats": 4}, {"measure": "composite"}):
            with pytest.raises(Interrupted):
                swap.score(model, inputs, **options)
            assert not differences(before, fingerprint(model)), options
    before = fingerprint(model)
    with pytest.raises(Exception):  # noqa: B017  # whatever the model makes of such inputs
        swap.score(model, inputs[:, :2], init="gaussian")
    assert not differences(before, fingerprint(model))


@pytest.mark.parametrize("name", ZOO)
def test_repeats_are_independent_and_as_of_a_fresh_model(name: str) -> None:
    """Each repeat is what a model that was never scored gives, and what a function builds scores the same."""
    inputs = inputs_of(name)
    if name in ("sets_requires_grad", "scripted"):  # nothing of it is drawn, or not to be drawn
        pytest.skip("has one score")
    singles = tuple(
        int(swap.score(lambda: made(name), inputs, init="gaussian", seed=seed)) for seed in range(3)
    )
    model = made(name)
    for max_memory in (None, 1):
        scorer = swap.Scorer(inputs, init="gaussian", repeats=3, max_memory=max_memory)
        for _ in range(2):
            assert_same_patterns(scorer(model).patterns, singles)


@pytest.mark.parametrize("name", ZOO)
def test_works_afterwards(name: str) -> None:
    model, inputs = made(name), inputs_of(name)
    untouched = made(name)
    for options in WAYS.values():
        swap.score(model, inputs, **options)
    assert list(model.state_dict()) == list(untouched.state_dict())
    for seed, other in ((1, model), (1, untouched)):
        torch.manual_seed(seed)
        other.train()
    if name == "draws_random_numbers":
        return
    with torch.inference_mode("inference" in name):
        torch.manual_seed(1)
        expected = untouched(inputs)
        torch.manual_seed(1)
        assert torch.equal(model(inputs), expected)


def test_a_live_graph_goes_backward() -> None:
    model = Base()
    y = model(VECTORS)
    for options in WAYS.values():
        swap.score(model, VECTORS, **options)
    y.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_computed_weight_goes_backward() -> None:
    model = made("old_weight_norm")
    swap.score(model, VECTORS, init="gaussian", repeats=3)
    assert model[0].weight.grad_fn is not None
    model[0].weight.pow(2).sum().backward()
    copy.deepcopy(made("weight_norm"))


def test_under_inference_mode() -> None:
    expected = swap.score(made("shared_block"), VECTORS, init="gaussian", repeats=3).patterns
    with torch.inference_mode():
        model = made("shared_block")
        built = swap.score(lambda: made("shared_block"), VECTORS, init="gaussian", repeats=3)
        assert built.patterns == expected
        assert swap.score(model, VECTORS, init="gaussian", repeats=3).patterns == expected
        assert swap.score(model, torch.randn(12, 8)) > 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: nn.Sequential(nn.LazyLinear(30), nn.ReLU()),
            "'0.weight' is lazy.*run the model once",
        ),
        (lambda: nn.Sequential(nn.Linear(8, 8), nn.LazyBatchNorm1d(), nn.ReLU()), "lazy"),
        (
            lambda: nn.Sequential(nn.Linear(8, 30, device="meta"), nn.ReLU()),
            "meta device.*load them",
        ),
    ],
    ids=["lazy", "lazy norm", "meta"],
)
@pytest.mark.parametrize("built", [False, True])
def test_parameters_without_values_are_refused(
    make: Callable[[], nn.Module], message: str, built: bool
) -> None:
    model = make()
    before = list(model.state_dict(keep_vars=True))
    with pytest.raises(ValueError, match=message):
        swap.score(make if built else model, VECTORS)
    assert list(model.state_dict(keep_vars=True)) == before
    if "lazy" in message:
        assert model(VECTORS).shape[0] == 12  # is materialised as ever
        assert swap.score(model, VECTORS).parameters >= 88


def test_what_a_function_builds_is_nobodys() -> None:
    """Its tensors are used as they are, and no copy is made; what anybody else still sees comes back."""
    seen: list[int] = []

    def build() -> nn.Module:
        model = nn.Sequential(nn.Linear(8, 24), nn.BatchNorm1d(24), nn.ReLU())
        model[0].register_forward_hook(lambda module, *_: seen.append(module.weight.data_ptr()))
        built.append(model[0].weight.data_ptr())
        return model

    built: list[int] = []
    scorer = swap.Scorer(VECTORS, init="gaussian")
    for _ in range(3):
        scorer(build)
    assert seen[0] != built[0]  # of the first of its class it is not known what it does
    assert seen[-2:] == built[1:]


class Keeps(nn.Module):
    """With something that its builder keeps, as an attribute."""

    def __init__(self, kept: Any) -> None:
        super().__init__()
        self.linear, self.norm, self.kept = nn.Linear(8, 24), nn.BatchNorm1d(24), kept

    def forward(self, x: Tensor) -> Tensor:
        kept = self.kept
        if isinstance(kept, list):
            kept.append(1)
        elif isinstance(kept, torch.Generator):
            torch.rand(3, generator=kept)
        elif isinstance(kept, Tensor):
            kept.add_(1)
        return torch.relu(self.norm(self.linear(x)))


KEPT: dict[str, Callable[[Keeps], Any]] = {
    "state_dict": lambda model: model.state_dict(),
    "a weight's memory": lambda model: model.linear.weight.detach(),
    "a slice": lambda model: model.linear.bias.data[:3],
    "an array of a weight": lambda model: model.linear.weight.detach().numpy(),
    "an array of a buffer": lambda model: model.norm.running_mean.numpy(),
    "a list": lambda model: model.kept,
}


@pytest.mark.parametrize("what", KEPT)
@pytest.mark.parametrize("init", ["gaussian", None])
def test_what_the_builder_keeps_a_part_of_is_not_written_to(what: str, init: str | None) -> None:
    kept: list[Any] = []
    copies: list[Any] = []

    def build() -> nn.Module:
        model = Keeps([])
        kept.append(KEPT[what](model))
        copies.append(copy.deepcopy(kept[-1]))
        return model

    scorer = swap.Scorer(VECTORS, init=init)
    for _ in range(3):
        scorer(build)
    for now, then in zip(kept, copies, strict=True):
        torch.testing.assert_close(now, then, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["list", "generator", "tensor", "array", "checkpoint"])
def test_what_all_models_of_a_builder_have_is_not_written_to(kind: str) -> None:
    array = np.random.default_rng(0).random((24, 8), dtype=np.float32)
    shared = {
        "list": [],
        "generator": torch.Generator().manual_seed(0),
        "tensor": torch.zeros(3),
    }.get(kind)
    checkpoint = Keeps(None).state_dict()

    def build() -> nn.Module:
        model = Keeps(shared)
        if kind == "array":
            model.linear.weight = nn.Parameter(torch.from_numpy(array))
        elif kind == "checkpoint":
            model.load_state_dict(checkpoint, assign=True)
        return model

    held = nn.Module()
    held.all = [shared, array, checkpoint]
    before = fingerprint(held)
    scorer = swap.Scorer(VECTORS, init="gaussian")
    for _ in range(3):
        scorer(build)
        assert differences(before, fingerprint(held)) in ([], ["torch's generator"])


@pytest.mark.parametrize("part", ["all", "module", "child", "parameter", "buffer", "in a list"])
def test_what_a_function_builds_may_be_somebodys(part: str) -> None:
    model = nn.Sequential(
        nn.Linear(8, 24), nn.BatchNorm1d(24), nn.Sequential(nn.Linear(24, 24), nn.ReLU())
    )

    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.own, self.others = nn.Linear(8, 8), [model]

        def forward(self, x: Tensor) -> Tensor:
            return self.others[0](self.own(x))

    def build() -> nn.Module:
        new = nn.Sequential(
            nn.Linear(8, 24), nn.BatchNorm1d(24), nn.Sequential(nn.Linear(24, 24), nn.ReLU())
        )
        if part == "all":
            return model
        if part == "module":
            return nn.Sequential(model)
        if part == "child":
            new[2][0] = model[2][0]
        elif part == "parameter":
            new[0].weight = model[0].weight
        elif part == "buffer":
            new[1].running_mean = model[1].running_mean
        else:
            return Holder()
        return new

    before = fingerprint(model)
    scorer = swap.Scorer(VECTORS, init="gaussian")
    for _ in range(3):
        scorer(build)
        changed = differences(before, fingerprint(model))
        assert changed in ([], ["torch's generator"])  # building draws
