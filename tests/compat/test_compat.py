"""The adapters for other code bases, without those: what they compute, and what they say where one is missing.

``tests/peers`` runs them in the real ones.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from support.small_net import SmallNet
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import swapnas_ext as swap
from swapnas_ext.compat import (
    archai,
    az_nas,
    deeplite,
    foresight,
    naslib,
    neps,
    nni,
    ray_tune,
    syne_tune,
)
from swapnas_ext.compat.first_images import first_images, score_there
from swapnas_ext.compat.peer import base_class

pytestmark = pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")

IMAGES = torch.randn(32, 3, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(32) % 4


def loader(batch_size: int = 16) -> DataLoader[Any]:
    return DataLoader(TensorDataset(IMAGES, LABELS), batch_size=batch_size)


@pytest.fixture
def scorer() -> swap.Scorer:
    return swap.Scorer(IMAGES[:16], init="gaussian", seed=3)


# ---- images --------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [5, 16, 32])
def test_first_images(batch_size: int) -> None:
    assert torch.equal(first_images(loader(batch_size), 16), IMAGES[:16])
    assert torch.equal(first_images([IMAGES[:20], IMAGES[20:]], 24), IMAGES[:24])


def test_first_images_that_are_not_there() -> None:
    with pytest.raises(ValueError, match=r"got 32 images, and 33 are .* pass samples=32"):
        first_images(loader(), 33)
    with pytest.raises(ValueError, match="got 0 images, and 16 are to be scored; give larger"):
        first_images([], 16)
    with pytest.raises(TypeError, match="begins with dict"):
        first_images([{"images": IMAGES}], 16)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        first_images(loader(), 0)
    with pytest.raises(TypeError, match="an int, got float"):
        first_images(loader(), 16.0)  # type: ignore[arg-type]


class OnMeta(SmallNet):
    """Is where nothing can be computed, and gets memory where it is moved to."""

    def to(self, device: torch.device) -> nn.Module:  # type: ignore[override]
        return self.to_empty(device=device)


def test_net_is_scored_where_the_images_are(small_net: SmallNet) -> None:
    with torch.device("meta"):
        elsewhere = OnMeta()
    parameters = dict(elsewhere.named_parameters())
    wanted = swap.score(small_net, IMAGES, init="gaussian")
    assert score_there(elsewhere, IMAGES, init="gaussian") == wanted
    for name, parameter in elsewhere.named_parameters():
        assert parameter is parameters[name]
        assert parameter.device.type == "meta"


# ---- classes to derive from ----------------------------------------------------------------------


def test_base_class() -> None:
    assert base_class("collections", "OrderedDict") is __import__("collections").OrderedDict
    assert base_class("no_such_library.part", "Class") is object
    assert base_class("collections.no_such_part", "Class") is object


def test_base_class_of_what_lacks_something(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lacking_library.py").write_text("import no_such_library")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        base_class("lacking_library", "Class")


# ---- zero-cost-nas -------------------------------------------------------------------------------


@pytest.mark.parametrize("info", [("random", 1, 4), ("random", 2, 4), ("grasp", 4, 4)])
def test_foresight(small_net: SmallNet, info: tuple[str, int, int]) -> None:
    found = foresight.find_measures(small_net, loader(), info, torch.device("cpu"))
    assert found == {"swap": swap.score(small_net, IMAGES[:16])}


def test_foresight_options(small_net: SmallNet) -> None:
    options: dict[str, Any] = {"init": "gaussian", "measure": "composite", "seed": 5}
    before = copy.deepcopy(small_net.state_dict())
    found = foresight.find_measures(
        small_net, loader(), ("random", 2, 4), "cpu", samples=24, **options
    )
    assert found == {"swap": float(swap.score(small_net, IMAGES[:24], **options))}
    for name, value in small_net.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (("random", 3, 4), "has 2 batches, dataload_info asks for 3"),
        (("random", 0, 4), "got 0 images, and 16"),
        (("grasp", 3, 4), "got 12 images, and 16"),
        (("grasp", 10, 4), "got 32 images, and 40"),
        (("all", 1, 4), "'random' or 'grasp', got 'all'"),
    ],
)
def test_foresight_with_too_little(
    small_net: SmallNet, info: tuple[str, int, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        foresight.find_measures(small_net, loader(), info, "cpu")


def test_foresight_has_no_other_measure(small_net: SmallNet) -> None:
    arguments = small_net, loader(), ("random", 1, 4), "cpu"
    assert foresight.find_measures(*arguments, measure_names=["swap"])
    with pytest.raises(ValueError, match=r"got \['swap', 'snip'\]"):
        foresight.find_measures(*arguments, measure_names=["swap", "snip"])


# ---- NASLib, archai ------------------------------------------------------------------------------


def test_naslib(scorer: swap.Scorer) -> None:
    nets = [SmallNet() for _ in range(3)]
    wanted = [swap.score(net, IMAGES[:16]) for net in nets]
    predictor = naslib.SwapPredictor()
    assert predictor.query(graph=nets[0], dataloader=loader()) == wanted[0]
    values = predictor.query(nets, loader(5), None)
    assert isinstance(values, np.ndarray)
    assert values.tolist() == wanted
    wanted = [scorer(net) for net in nets]
    assert naslib.SwapPredictor(scorer).query(nets, [{}, {}, {}]).tolist() == wanted
    with pytest.raises(ValueError, match="dataloader"):
        naslib.SwapPredictor().query(nets[0])
    with pytest.raises(ValueError, match="got 32 images, and 64"):
        naslib.SwapPredictor(samples=64).query(nets[0], loader())


def test_archai(scorer: swap.Scorer) -> None:
    class ArchaiModel:
        arch = SmallNet()

    assert archai.SwapEvaluator(scorer).evaluate(ArchaiModel()) == scorer(ArchaiModel.arch)


# ---- AZ-NAS, deeplite-torch-zoo ------------------------------------------------------------------


def test_az_nas(small_net: SmallNet) -> None:
    wanted = {"swap": float(swap.score(small_net, IMAGES[:16], init="gaussian"))}
    assert az_nas.compute_nas_score(small_net, None, loader(), 8, 16) == wanted
    found = az_nas.compute_nas_score(  # as its AutoFormer search calls it
        model=small_net, device="cpu", trainloader=loader(), resolution=8, batch_size=16
    )
    assert found == wanted


@pytest.mark.slow
def test_deeplite(small_net: SmallNet) -> None:
    def generate(model: nn.Module) -> Iterator[Any]:
        for inputs, targets in loader(5):
            yield inputs, model(inputs), targets, {}

    assert deeplite.swap_score(small_net, generate) == swap.score(small_net, IMAGES[:16])


# ---- NNI, Ray Tune, NePS, Syne Tune --------------------------------------------------------------


def test_neps(scorer: swap.Scorer) -> None:
    def build(width: int) -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU())

    result = neps.swap_pipeline(build, scorer)(width=8)
    score = scorer(build(8))
    assert result["objective_to_minimize"] == -score
    assert result["info_dict"]["parameters"] == score.parameters


@pytest.mark.parametrize(
    ("module", "call", "message"),
    [
        ("nni", lambda s: nni.swap_evaluator(SmallNet(), s), "pip install nni"),
        (
            "ray.tune",
            lambda s: ray_tune.swap_trainable(SmallNet, s),
            r"pip install 'ray\[tune\]'",
        ),
        ("syne_tune", lambda s: syne_tune.report_swap(SmallNet(), s), "pip install syne-tune"),
        ("naslib", lambda _: naslib.register_measure(), "from its repository"),
        ("deeplite_torch_zoo", lambda _: deeplite.register(), "from its repository"),
    ],
)
def test_missing_package(
    scorer: swap.Scorer,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    call: Callable[[swap.Scorer], Any],
    message: str,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=message):
        call(scorer)
