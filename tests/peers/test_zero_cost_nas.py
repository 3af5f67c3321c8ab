"""The measure, registered with zero-cost-nas and computed by it."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from peers import IMAGES, checkout, loader, small_net
from support.devices import require_cuda
from torch import nn

import swapnas_ext as swap
from swapnas_ext.compat import foresight

REPOSITORY = "github.com/SamsungLabs/zero-cost-nas"
predictive = checkout("SWAPNAS_ZERO_COST_NAS", "foresight.pruners.predictive", REPOSITORY)
measures = predictive.measures

pytestmark = pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    """What a test registers is gone after it."""
    names, functions = list(measures.available_measures), dict(measures._measure_impls)
    yield
    measures.available_measures[:] = names
    measures._measure_impls.clear()
    measures._measure_impls.update(functions)


def find(net: nn.Module, names: list[str], device: str = "cpu") -> dict[str, float]:
    return predictive.find_measures(
        net, loader(64), ("random", 1, 10), torch.device(device), measure_names=names
    )


@pytest.mark.parametrize("copy_net", [True, False])
def test_measure(copy_net: bool) -> None:
    measures.measure("swap", copy_net=copy_net)(foresight.swap_measure)
    net = small_net()
    found = find(net, ["swap", "synflow"])
    assert found.keys() == {"swap", "synflow"}
    assert found["swap"] == swap.score(net, IMAGES[:16])


def test_options_of_the_measure() -> None:
    options = {"init": "gaussian", "measure": "composite", "repeats": 2}
    measures.measure("swap", copy_net=False, samples=8, **options)(foresight.swap_measure)
    net = small_net()
    assert find(net, ["swap"])["swap"] == float(swap.score(net, IMAGES[:8], **options))


def test_too_few_samples() -> None:
    measures.measure("swap", copy_net=False, samples=65)(foresight.swap_measure)
    with pytest.raises(ValueError, match="got 64 images, and 65 are to be scored"):
        find(small_net(), ["swap"])


def test_own_find_measures_is_called_as_theirs() -> None:
    measures.measure("swap", copy_net=False)(foresight.swap_measure)
    net = small_net()
    arguments = net, loader(), ("random", 2, 10), torch.device("cpu")
    assert foresight.find_measures(*arguments) == predictive.find_measures(
        *arguments, measure_names=["swap"]
    )


@pytest.mark.parametrize("copy_net", [True, False])
def test_on_a_gpu(copy_net: bool) -> None:
    """Foresight moves the net to the CPU, and leaves the inputs on the GPU."""
    require_cuda()
    measures.measure("swap", copy_net=copy_net)(foresight.swap_measure)
    net = small_net().cuda()
    before = copy.deepcopy(net.state_dict())
    wanted = swap.score(net, IMAGES[:16])
    assert find(net, ["swap"], "cuda")["swap"] == wanted
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])
