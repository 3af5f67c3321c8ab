"""The score, registered with deeplite-torch-zoo and computed by its estimator."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import Any

import pytest
from peers import IMAGES, checkout, loader, small_net

import swapnas_ext as swap
from swapnas_ext.compat import deeplite

REPOSITORY = "github.com/Deeplite/deeplite-torch-zoo"
zoo = checkout("SWAPNAS_DEEPLITE", "deeplite_torch_zoo", REPOSITORY)
registries = checkout("SWAPNAS_DEEPLITE", "deeplite_torch_zoo.src.registries", REPOSITORY)

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    deeplite.register()


def test_estimator() -> None:
    net = small_net()
    estimate = zoo.get_zero_cost_estimator("swap")
    assert estimate(net, dataloader=loader(64)) == swap.score(net, IMAGES[:16])
    options: dict[str, Any] = {"init": "gaussian", "samples": 8, "repeats": 2}
    wanted = swap.score(net, IMAGES[:8], init="gaussian", repeats=2)
    assert estimate(net, dataloader=loader(64), **options) == wanted


def test_batches_smaller_than_the_samples() -> None:
    net = small_net()
    estimate = zoo.get_zero_cost_estimator("swap")
    assert estimate(net, dataloader=loader(5)) == swap.score(net, IMAGES[:16])
    with pytest.raises(ValueError, match="got 64 images, and 65 are to be scored"):
        estimate(net, dataloader=loader(5), samples=65)


def test_generator_of_ones_own() -> None:
    def generate(
        model: Any, shuffle_data: bool = True, input_gradient: bool = False
    ) -> Iterator[Any]:
        for inputs, targets in repeat(next(iter(loader()))):
            yield inputs, model(inputs), targets, {}

    net = small_net()
    found = zoo.get_zero_cost_estimator("swap")(net, model_output_generator=generate)
    assert found == swap.score(net, IMAGES[:16])


def test_model_of_the_zoo() -> None:
    net = zoo.get_model(model_name="resnet18", dataset_name="cifar100", pretrained=False)
    assert zoo.get_zero_cost_estimator("swap")(net, dataloader=loader()) == swap.score(
        net, IMAGES[:16]
    )


def test_twice() -> None:
    with pytest.raises(KeyError, match="swap"):
        deeplite.register()
