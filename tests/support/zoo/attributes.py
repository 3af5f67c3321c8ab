"""Forward passes that change buffers, attributes and children."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from support.zoo.base import Base, member
from support.zoo.plain import State


@member
def registers_a_buffer() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            if "cache" not in dict(self.named_buffers()):
                self.register_buffer("cache", self.first.weight.mean() * torch.ones(3))
            return x

    return Net()


@member
def registers_a_parameter() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            if not hasattr(self, "late"):
                self.late = nn.Parameter(torch.ones(24))
            return x * self.late

    return Net()


@member
def adds_a_child() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            self.add_module("extra", nn.Linear(24, 24))
            return self.extra(x)

    return Net()


@member
def replaces_a_child() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            self.second = nn.Linear(24, 24)
            return x

    return Net()


@member
def replaces_a_childs_parameter() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            self.second.weight = nn.Parameter(self.second.weight * 0.5)
            return x

    return Net()


@member
def deletes_a_parameter() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            if "bias" in dict(self.second.named_parameters()) and self.second.bias is not None:
                del self.second.bias
                self.second.register_parameter("bias", None)
            return x

    return Net()


@member
def counts_its_calls() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.register_buffer("calls", torch.zeros((), dtype=torch.long))
            self.register_buffer("unset", None)
            self.number = 0

        def between(self, x: Tensor) -> Tensor:
            self.calls += 1
            self.number += 1
            self.unset = x.mean()
            self.last = x
            return x

    return Net()


@member
def resizes_a_buffer() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.register_buffer("memory", torch.zeros(3))

        def between(self, x: Tensor) -> Tensor:
            self.memory.resize_(x.shape).copy_(x)
            return x

    return Net()


@member
def buffer_changed_past_torch() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.register_buffer("memory", torch.zeros(24))

        def between(self, x: Tensor) -> Tensor:
            self.memory.data.add_(1)
            self.memory.numpy()[0] = 7
            return x

    return Net()


@member
def plain_tensor_attribute() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.total = torch.zeros(24)

        def between(self, x: Tensor) -> Tensor:
            self.total.add_(x.mean(0))
            return x

    return Net()


@member
def appends_to_lists() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.outputs: list[Any] = []
            self.some = [1, [2, 3]]
            self.table = {"a": [1]}
            self.recent: deque[float] = deque([0.0, 1.0], maxlen=2)
            self.kinds = {"x"}
            self.counts: defaultdict[str, int] = defaultdict(int, z=1)
            self.ordered = OrderedDict(a=1, b=[])

        def between(self, x: Tensor) -> Tensor:
            self.outputs.append(x)
            self.some[1].append(4)
            self.table["a"].append(2)
            self.table["b"] = []
            self.recent.append(2.0)
            self.kinds.add("y")
            self.counts["z"] += 1
            self.counts["w"] += 1
            self.ordered["b"].append(1)
            self.ordered["c"] = 1
            return x

    return Net()


@member
def tensors_in_containers() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.states = [torch.zeros(24), {"deep": torch.zeros(24)}, (torch.zeros(24), "x")]

        def between(self, x: Tensor) -> Tensor:
            self.states[0].add_(1)
            self.states[1]["deep"].add_(1)
            self.states[2][0].add_(1)
            return x + self.states[0]

    return Net()


@member
def plain_objects() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.state, self.space = State(), SimpleNamespace(calls=0, log=[])

        def between(self, x: Tensor) -> Tensor:
            self.state.calls += 1
            self.state.seen = x
            self.space.calls += 1
            self.space.log.append(x)
            return x

    return Net()


@member
def arrays() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.array, self.bytes = np.zeros(3), bytearray(b"abc")

        def between(self, x: Tensor) -> Tensor:
            self.array += 1
            self.bytes[0] = 0
            return x

    return Net()


class Slotted(Base):
    __slots__ = ("__hidden", "last", "total")

    def prepare(self) -> None:
        self.total = torch.zeros(24)
        self.__hidden = 1

    def between(self, x: Tensor) -> Tensor:
        self.last = x
        self.total.add_(1)
        self.__hidden += 1
        return x


@member
def slots() -> nn.Module:
    return Slotted()


@member
def changes_its_class() -> nn.Module:
    class Other(Base): ...

    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            self.__class__ = Other
            return x

    return Net()


@member
def sets_attributes_of_torchs_modules() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            self.first.last = x
            self.second.in_features = 25
            return x

    return Net()
