"""Classes of models are not remembered for longer than they live."""

from __future__ import annotations

import copy
import gc
import pickle
from collections.abc import Callable
from typing import Any
from weakref import ref

import pytest
import torch
from torch import nn

import swapnas_ext as swap
from swapnas_ext._util.by_class import ByClass, ByClasses
from swapnas_ext.capture.watched import Plan, find_activations
from swapnas_ext.models import initialization
from swapnas_ext.models.inventory import take_inventory
from swapnas_ext.models.saved_state import SavedState
from swapnas_ext.scoring.repeats import Remembered


def net_of_classes_of_its_own() -> nn.Module:
    class WithSlots:
        __slots__ = ("scale",)

    class MyRelu(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kept = WithSlots()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(x)

    class MyLinear(nn.Linear):
        pass

    return nn.Sequential(MyLinear(8, 30), MyRelu())


def test_a_function_of_a_class_is_called_once() -> None:
    calls = []

    @ByClass
    def name(kind: type) -> str:
        """Of a class."""
        calls.append(kind)
        return kind.__name__

    assert [name(int), name[ref(int)], name(str)] == ["int", "int", "str"]
    assert calls == [int, str] and name.__doc__ == "Of a class."


@pytest.mark.slow
def test_classes_and_what_is_known_of_them_go() -> None:
    kept = ByClass(lambda kind: kind.__name__)
    of_several = ByClasses(list[int])

    def use() -> None:
        one, other = type("One", (), {}), type("Other", (), {})
        kept(one)
        of_several.of(one, (one, int)).append(1)
        of_several.of(int, (one, other)).append(2)
        assert of_several.of(one, iter((int, one))) == [1]
        assert of_several.of(int, (other, one)) == [2]

    use()
    gc.collect()
    assert not kept and not of_several._known


def searched(model: nn.Module) -> None:
    plan.may_watch(type(model))
    find_activations(take_inventory(model), plan)


def saved(model: nn.Module) -> None:
    keeping = SavedState()
    for module in model.modules():
        keeping.save_module(module)
    keeping.put_back()


def initialized(model: nn.Module) -> None:
    initialization.gaussian_(model, torch.Generator())


def remembered(model: nn.Module) -> None:
    known_models.of(type(model), map(type, model.modules()))


plan = Plan()
known_models = ByClasses(Remembered)


@pytest.mark.slow
@pytest.mark.parametrize("use", [searched, saved, initialized, remembered])
def test_no_part_of_a_score_keeps_classes(use: Callable[[nn.Module], Any]) -> None:
    model = net_of_classes_of_its_own()
    classes = [ref(type(part)) for part in (*model, model[1].kept)]
    use(model)
    del model
    gc.collect()
    assert [kind() for kind in classes] == [None, None, None]


def test_scorers_with_what_they_know_can_be_copied() -> None:
    torch.manual_seed(0)
    scorer = swap.Scorer(torch.randn(12, 8), repeats=2, init="gaussian")
    model = nn.Sequential(nn.Linear(8, 300), nn.ReLU())
    expected = scorer(model)
    copies = copy.copy(scorer), copy.deepcopy(scorer), pickle.loads(pickle.dumps(scorer))
    for copied in copies:
        assert copied(model) == expected
        assert copied._warned is not scorer._warned


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{}, {"init": "gaussian", "repeats": 3}, {"measure": "composite"}], ids=str
)
def test_a_score_keeps_no_classes(options: dict[str, Any]) -> None:
    scorer = swap.Scorer(torch.randn(12, 8), **options)
    model = net_of_classes_of_its_own()
    classes = [ref(type(part)) for part in (*model, model[1].kept)]
    scorer(model)
    swap.score(model, torch.randn(12, 8), **options)
    del model
    gc.collect()
    assert [kind() for kind in classes] == [None, None, None]
