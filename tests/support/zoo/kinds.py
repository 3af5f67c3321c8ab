"""Kinds of torch modules."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from support.zoo.base import VECTORS, Base, member


@member
def recurrent() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.cell = nn.LSTM(24, 24, batch_first=True)

        def between(self, x: Tensor) -> Tensor:
            return self.cell(x[:, None])[0][:, 0]

    return Net()


@member
def parameter_containers() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.scales = nn.ParameterList([nn.Parameter(torch.ones(24)) for _ in range(2)])
            self.named = nn.ParameterDict({"a": nn.Parameter(torch.ones(24))})

        def between(self, x: Tensor) -> Tensor:
            return x * self.scales[0] * self.scales[1] + self.named["a"]

    return Net()


@member
def attention() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.layer = nn.TransformerEncoderLayer(24, 2, 32, batch_first=True)

        def between(self, x: Tensor) -> Tensor:
            return self.layer(x[:, None])[:, 0]

    return Net()


@member
def scripted_part() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.part = torch.jit.trace(
                nn.Sequential(nn.Linear(24, 24), nn.BatchNorm1d(24)), torch.ones(3, 24)
            )

        def between(self, x: Tensor) -> Tensor:
            return self.part(x)

    return Net()


@member
def scripted() -> nn.Module:
    return torch.jit.trace(nn.Sequential(nn.Linear(8, 24), nn.BatchNorm1d(24), nn.ReLU()), VECTORS)


@member
def symbolically_traced() -> nn.Module:
    return torch.fx.symbolic_trace(nn.Sequential(nn.Linear(8, 24), nn.BatchNorm1d(24), nn.ReLU()))


@member
def made_in_inference_mode() -> nn.Module:
    with torch.inference_mode():
        return nn.Sequential(nn.Linear(8, 24), nn.BatchNorm1d(24), nn.ReLU())


@member
def double_precision() -> nn.Module:
    class Net(Base):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.double())

    return Net().double()


@member
def wrapped_in_data_parallel() -> nn.Module:
    return nn.DataParallel(Base())


@member
def refers_to_itself() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.me = [self]
            self.__dict__["parent"] = self

    return Net()


@member
def module_that_is_no_child() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            object.__setattr__(self, "hidden", nn.Sequential(nn.Linear(24, 24), nn.BatchNorm1d(24)))

        def between(self, x: Tensor) -> Tensor:
            return self.hidden(x)

    return Net()


@member
def functional_only() -> nn.Module:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(24, 8))

        def forward(self, x: Tensor) -> Tensor:
            return F.relu(F.linear(x, self.weight))

    return Net()
