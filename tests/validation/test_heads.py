"""Networks get as many outputs as there are classes."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext.validation.heads import with_classes

SMALL: dict[str, dict[str, Any]] = {
    "darts": {"network": "cifar10", "channels": 4, "layers": 3},
    "nasbench101": {"channels": 8, "cells": 1},
    "nasbench201": {"channels": 4, "cells": 1},
    "transnas-micro": {"channels": 4, "image_size": 32},
    "transnas-macro": {"channels": 4, "image_size": 32},
    "mobilenet": {"resolution": 32, "classes": 30},
    "efficientnet": {"resolution": 32, "classes": 30},
    "nasbench-macro": {},
    "autoformer": {"resolution": 32, "classes": 30},
}


def test_all_image_spaces_are_here() -> None:
    assert {*SMALL, "flexibert"} == set(swap.spaces.names())


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_networks_of_the_spaces(name: str) -> None:
    space = swap.spaces.get(name, **SMALL[name])
    network = space.build(space.sample(random.Random(0)))
    images = space.inputs(2)
    layers = len(list(network.modules()))
    changed = with_classes(network, images, 7)
    assert changed is network and len(list(network.modules())) == layers  # replaced, not added
    logits = changed.train()(images)
    assert logits.shape == (2, 7)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in list(changed.parameters())[-2:])


class Several(nn.Module):
    """Logits and auxiliary logits, as the training networks of some code bases return them."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(12, 6)
        self.heads = nn.ModuleList([nn.Linear(6, 10, bias=False), nn.Linear(6, 10)])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(x.flatten(1))
        return self.heads[0](features), self.heads[1](features)


def test_the_first_of_several_outputs() -> None:
    network = Several()
    x = torch.randn(2, 3, 2, 2)
    assert with_classes(network, x, 4) is network
    assert network(x)[0].shape == (2, 4)
    assert network.heads[0].bias is None and network.heads[1].out_features == 10


def test_as_many_outputs_as_classes_stay() -> None:
    network = Several()
    head = network.heads[0]
    assert with_classes(network, torch.randn(2, 3, 2, 2), 10) is network
    assert network.heads[0] is head


def test_networks_that_do_not_end_in_a_linear_layer() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    before = network[1].running_mean.clone()
    x = torch.randn(2, 3, 4, 4)
    changed = with_classes(network, x, 4)
    assert changed(x).shape == (2, 4)
    assert network.training
    changed.eval()(x)
    assert len(list(changed.parameters())) == len(list(network.parameters())) + 2
    fresh = nn.Sequential(nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5), nn.Flatten())
    with_classes(fresh, x, 4)
    assert torch.equal(fresh[1].running_mean, before)  # the search for the layer leaves no trace


def test_outputs_that_are_no_logits() -> None:
    with pytest.raises(TypeError, match=r"outputs are \[\[2, 3, 4, 4\]\]: expected logits"):
        with_classes(nn.Identity(), torch.randn(2, 3, 4, 4), 4)
