"""Hooks, and modules with their own forward passes."""

from __future__ import annotations

from torch import Tensor, nn

from support.zoo.base import Base, member


@member
def hook_that_sets_an_attribute() -> nn.Module:
    model = nn.Sequential(nn.Linear(8, 24), nn.ReLU())
    model[0].register_forward_hook(lambda module, _, output: setattr(module, "last", output))
    return model


@member
def hook_that_removes_itself() -> nn.Module:
    model = Base()
    handle = model.first.register_forward_hook(lambda *_: handle.remove())
    return model


@member
def adds_hooks() -> nn.Module:
    class Net(Base):
        def between(self, x: Tensor) -> Tensor:
            self.first.register_forward_hook(lambda *_: None)
            self.second.register_forward_pre_hook(lambda *_: None)
            self.second.register_full_backward_hook(lambda *_: None)
            self.register_state_dict_pre_hook(lambda *_: None)
            return x

    return Net()


@member
def own_forward_attribute() -> nn.Module:
    model = Base()
    original = model.first.forward
    model.first.forward = lambda x: original(x) * 2
    return model
