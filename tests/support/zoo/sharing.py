"""Modules, weights and memory that occur twice."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from support.zoo.base import Base, images_net, member

# ---- sharing --------------------------------------------------------------------------------------


@member
def shared_convolution_on_images() -> nn.Module:
    shared = nn.Conv2d(3, 3, 3, padding=1)
    return nn.Sequential(shared, nn.ReLU(), shared, nn.ReLU())


@member
def shared_batch_norm_on_images() -> nn.Module:
    norm = nn.BatchNorm2d(6)
    return images_net(norm, nn.ReLU(), nn.Conv2d(6, 6, 1), norm, nn.ReLU())


@member
def shared_block() -> nn.Module:
    block = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU())
    return nn.Sequential(
        OrderedDict(a=block, b=nn.Sequential(block), c=nn.Linear(8, 30), d=nn.ReLU())
    )


@member
def tied_weights() -> nn.Module:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU())
    model[2].weight = model[0].weight
    return model


@member
def weights_of_one_storage() -> nn.Module:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU())
    model[2].weight.data = model[0].weight.data
    return model


@member
def child_under_two_names() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.alias = self.first

    return Net()


@member
def shared_buffer() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            scale = torch.ones(24)
            self.first.register_buffer("scale", scale)
            self.second.register_buffer("scale", scale)

        def between(self, x: Tensor) -> Tensor:
            self.first.scale.mul_(1.5)
            return x * self.second.scale

    return Net()


# ---- memory that several tensors share ------------------------------------------------------------


@member
def view_of_a_buffer() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.register_buffer("table", torch.zeros(2, 24))
            self.row = self.table[1]

        def between(self, x: Tensor) -> Tensor:
            self.row.add_(1)
            return x + self.table.sum(0)

    return Net()


@member
def weight_that_is_a_part_of_another() -> nn.Module:
    model = Base()
    model.second.weight = nn.Parameter(model.second.weight.data[:, :24])
    model.register_buffer("part", model.second.weight.data[0])
    return model


@member
def attributes_of_parameters_with_contents() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.second.weight.log, self.second.weight.average = [], torch.zeros(24)

        def between(self, x: Tensor) -> Tensor:
            self.second.weight.log.append(1)
            self.second.weight.average.add_(x.mean(0))
            return x

    return Net()


@member
def trains_itself() -> nn.Module:
    """As in test-time adaptation."""

    class Net(Base):
        def prepare(self) -> None:
            self.optimizer = torch.optim.Adam(self.second.parameters(), lr=0.1)

        def between(self, x: Tensor) -> Tensor:
            with torch.enable_grad():
                self.optimizer.zero_grad()
                self.second(x.detach()).pow(2).mean().backward()
                self.optimizer.step()
            return x

    return Net()
