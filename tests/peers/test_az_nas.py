"""The proxy beside AZ-NAS's own, on its networks."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from peers import IMAGES, checkout, loader
from support.devices import require_cuda

import swapnas_ext as swap
from swapnas_ext.compat import az_nas

REPOSITORY = "github.com/cvlab-yonsei/AZ-NAS, folder NB201"
naswot = checkout("SWAPNAS_AZ_NAS", "ZeroShotProxy.compute_naswot_score", REPOSITORY)
own = checkout("SWAPNAS_AZ_NAS", "ZeroShotProxy.compute_az_nas_score", REPOSITORY)
networks = checkout("SWAPNAS_AZ_NAS", "custom.tss_model", REPOSITORY)
genotypes = checkout("SWAPNAS_AZ_NAS", "xautodl.models.cell_searchs.genotypes", REPOSITORY)

pytestmark = pytest.mark.filterwarnings("ignore")
ARCHITECTURE = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|"
)


def network() -> Any:
    torch.manual_seed(0)
    genotype = genotypes.Structure.str2structure(ARCHITECTURE)
    return networks.TinyNetwork(4, 1, genotype, 10).train()


@pytest.mark.parametrize("proxy", [naswot, az_nas])
def test_called_as_theirs(proxy: Any) -> None:
    """As the loop of their notebook calls each of their proxies."""
    info = proxy.compute_nas_score(
        network(), gpu=None, trainloader=None, resolution=32, batch_size=64
    )
    assert len(info) == 1
    assert all(type(value) is float for value in info.values())


def test_score() -> None:
    model = network()
    before = copy.deepcopy(model.state_dict())
    info = az_nas.compute_nas_score(model, None, loader(64), 32, 64)
    assert info == {"swap": float(swap.score(model, IMAGES[:16], init="gaussian"))}
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    photograph = swap.data.photograph(8, 24)
    info = az_nas.compute_nas_score(model, None, None, 24, 64, samples=8, init=None)
    assert info == {"swap": float(swap.score(model, photograph))}


def test_batch_that_is_too_small() -> None:
    with pytest.raises(ValueError, match="got 8 images, and 16 are to be scored"):
        az_nas.compute_nas_score(network(), None, None, 32, 8)


def test_beside_their_proxies_on_a_gpu() -> None:
    """Theirs need a GPU."""
    require_cuda()
    model = network()
    info = own.compute_nas_score(model, 0, None, 32, 64)
    info |= az_nas.compute_nas_score(model, 0, None, 32, 64)
    assert info.keys() == {"expressivity", "progressivity", "trainability", "swap"}
    assert info["swap"] == az_nas.compute_nas_score(model.cpu(), 0, None, 32, 64)["swap"]
