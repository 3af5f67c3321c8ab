"""Modes, gradients and random numbers."""

from __future__ import annotations

import random

import numpy as np
import torch
from torch import Tensor, nn

from support.zoo.base import VECTORS, Base, member

# ---- modes, gradients -----------------------------------------------------------------------------


@member
def sets_modes() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.drop = nn.Dropout(0.5)

        def between(self, x: Tensor) -> Tensor:
            self.eval()
            self.first.train()
            return self.drop(x)

    return Net()


@member
def sets_requires_grad() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            self.requires_grad_(False)
            self.first.weight.requires_grad_(True)
            return x

    return Net()


@member
def goes_backward() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            with torch.enable_grad():
                y = self.second(x.detach())
                y.sum().backward()
            return x - 0.01 * self.second.weight.grad.mean()

    return Net()


@member
def with_gradients() -> nn.Module:
    model = Base()
    model(VECTORS).sum().backward()
    return model


@member
def frozen_in_part() -> nn.Module:
    model = Base()
    model.first.requires_grad_(False)
    return model


@member
def changes_its_weights() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                self.second.weight.mul_(0.9)
                self.first.bias.data.add_(0.1)
            return x

    return Net()


@member
def swaps_its_weights_data() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            self.second.weight.data = self.second.weight.data * 0.5
            return x

    return Net()


@member
def attributes_of_parameters() -> nn.Module:
    model = Base()
    model.first.weight.is_special = True
    return model


# ---- random numbers -------------------------------------------------------------------------------


@member
def draws_random_numbers() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            noise = random.random() + np.random.rand() + torch.rand(())
            return x * float(noise)

    return Net()


@member
def seeds_random_numbers() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            random.seed(1)
            np.random.seed(1)
            torch.manual_seed(1)
            return x

    return Net()


@member
def own_generators() -> nn.Module:
    class Net(Base):
        def prepare(self) -> None:
            self.of_torch = torch.Generator().manual_seed(1)
            self.others = [np.random.default_rng(1), random.Random(1), np.random.RandomState(1)]

        def between(self, x: Tensor) -> Tensor:
            new, plain, old = self.others
            noise = new.random() + plain.random() + old.rand()
            return x + noise * torch.rand(24, generator=self.of_torch)

    return Net()
