"""Modules that are hidden from torch."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from support.zoo.base import Base, member
from support.zoo.plain import OwnList, State


class Holder(Base):
    """Uses a batch normalisation that is not a child."""

    def prepare(self) -> None:
        norm = nn.Sequential(nn.Linear(24, 24), nn.BatchNorm1d(24))
        self.__dict__["held"] = self.hold(norm)

    def hold(self, module: nn.Module) -> Any:
        raise AssertionError

    def taken(self) -> nn.Module:
        raise AssertionError

    def between(self, x: Tensor) -> Tensor:
        return self.taken()(x)


def holder(hold: Callable[[nn.Module], Any], take: Callable[[Any], nn.Module]) -> nn.Module:
    class Net(Holder):
        def hold(self, module: nn.Module) -> Any:
            return hold(module)

        def taken(self) -> nn.Module:
            return take(self.held)

    return Net()


@member
def module_in_a_dataclass() -> nn.Module:
    return holder(lambda module: State(seen=module), lambda held: held.seen)


@member
def module_in_a_namespace() -> nn.Module:
    return holder(lambda module: SimpleNamespace(a=module), lambda held: held.a)


@member
def module_in_an_own_list() -> nn.Module:
    return holder(lambda module: OwnList([module, None]), lambda held: list.__getitem__(held, 0))


@member
def module_in_a_defaultdict() -> nn.Module:
    return holder(lambda module: defaultdict(list, a=module), lambda held: held["a"])


Pair = namedtuple("Pair", "first second")


@member
def module_in_a_named_tuple() -> nn.Module:
    return holder(lambda module: Pair(module, 1), lambda held: held.first)


@member
def module_in_a_partial() -> nn.Module:
    return holder(lambda module: partial(F.relu, module), lambda held: held.args[0])


@member
def module_in_a_method() -> nn.Module:
    return holder(lambda module: module.forward, lambda held: held.__self__)


class Counting(OrderedDict):  # type: ignore[type-arg]
    """Its methods do more than those of its base."""

    reads = 0

    def __getitem__(self, key: Any) -> Any:
        self.reads += 1
        return super().__getitem__(key)


class Frozen(dict):  # type: ignore[type-arg]
    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError("frozen")


@member
def containers_with_own_methods() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.counting, self.frozen = Counting(a=[1]), Frozen(a=torch.zeros(24))
            self.list = OwnList([1, [2]])

        def between(self, x: Tensor) -> Tensor:
            self.counting["a"].append(2)
            list.__getitem__(self.list, 1).append(3)
            self.list.append(4)
            return x + self.frozen["a"].add_(1)

    return Net()
