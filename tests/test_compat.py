"""The adapters for other code bases, each called as the other side calls it.

The miniatures here do what the other code does with what it is given: zero-cost-nas's ``calc_measure``
and ``find_measures``, NASLib's predictor evaluator, archai's objectives, NNI's functional evaluator,
Optuna's and Ray Tune's loops.
"""

from __future__ import annotations

import copy
import math
import sys
import types
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import SmallNet
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import swapnas_ext as swap
from swapnas_ext.compat import archai, foresight, naslib, nni, optuna, ray_tune

pytestmark = pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")

IMAGES = torch.randn(32, 3, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(32) % 4


def loader(batch_size: int = 16) -> DataLoader[Any]:
    return DataLoader(TensorDataset(IMAGES, LABELS), batch_size=batch_size)


@pytest.fixture
def scorer() -> swap.Scorer:
    return swap.Scorer(IMAGES[:16], init="gaussian", seed=3)


# ---- zero-cost-nas -------------------------------------------------------------------------------


class Measures:
    """Its registry: the decorator, and the call of a measure."""

    def __init__(self) -> None:
        self.implementations: dict[str, Any] = {}

    def measure(self, name: str, bn: bool = True, copy_net: bool = True, **arguments: Any) -> Any:
        def make(function: Any) -> Any:
            def implementation(net_orig: Any, device: Any, *args: Any, **kwargs: Any) -> Any:
                net = copy.deepcopy(net_orig).to(device) if copy_net else net_orig
                return function(net, *args, **kwargs, **arguments)

            self.implementations[name] = implementation
            return function

        return make

    def find(self, net: nn.Module, names: list[str]) -> dict[str, float]:
        inputs, targets = next(iter(loader()))
        result = {}
        for name in names:
            values = self.implementations[name](
                net, "cpu", inputs, targets, loss_fn=F.cross_entropy, split_data=1
            )
            total = 0.0
            for index in range(len(values)):
                total += torch.sum(values[index])
            result[name] = total.item()  # type: ignore[attr-defined]
        return result


@pytest.mark.parametrize("copy_net", [True, False])
def test_foresight_measure(small_net: SmallNet, copy_net: bool) -> None:
    measures = Measures()
    measures.measure("swap", copy_net=copy_net)(foresight.swap_measure)
    assert measures.find(small_net, ["swap"]) == {"swap": swap.score(small_net, IMAGES[:16])}


def test_foresight_find_measures(small_net: SmallNet) -> None:
    for info, samples in ((("random", 1, 4), 16), (("random", 2, 4), 32), (("grasp", 5, 4), 20)):
        found = foresight.find_measures(
            net_orig=small_net,
            dataloader=loader(),
            dataload_info=info,
            device=torch.device("cpu"),
            loss_fn=F.cross_entropy,
            measure_names=["swap"],
        )
        assert found == {"swap": swap.score(small_net, IMAGES[:samples])}


# ---- NASLib --------------------------------------------------------------------------------------


class Graph(SmallNet):
    """As NASLib's graphs: modules, with what its zero-cost predictor asks for."""

    num_classes = 10

    def get_loss_fn(self) -> Any:
        return F.cross_entropy


def test_naslib(scorer: swap.Scorer) -> None:
    graphs = [Graph() for _ in range(3)]
    predictor = naslib.SwapPredictor()
    predictor.pre_process()
    predictor.fit([], [], None)
    value = predictor.query(graphs[0], dataloader=loader(), info=None)
    assert not math.isnan(value)
    assert value == swap.score(graphs[0], IMAGES[:16])
    predictor = naslib.SwapPredictor(scorer)
    values = predictor.query(graphs, info=[None, None, None])
    assert isinstance(values, np.ndarray)
    assert values.tolist() == [scorer(graph) for graph in graphs]
    with pytest.raises(ValueError, match="dataloader"):
        naslib.SwapPredictor().query(graphs[0])


# ---- archai --------------------------------------------------------------------------------------


def test_archai(scorer: swap.Scorer) -> None:
    class ArchaiModel:
        def __init__(self, arch: nn.Module, archid: str) -> None:
            self.arch, self.archid = arch, archid

    class EvaluationFunction:
        def __init__(self, evaluation_fn: Any) -> None:
            self.evaluation_fn = evaluation_fn

        def evaluate(self, model: ArchaiModel, budget: float | None = None) -> float:
            return self.evaluation_fn(model, budget)

    models = [ArchaiModel(SmallNet(), "a"), ArchaiModel(SmallNet(nn.GELU), "b")]
    objective = EvaluationFunction(archai.SwapEvaluator(scorer).evaluate)
    values = np.array([objective.evaluate(model, budget=None) for model in models], np.float32)
    assert values.tolist() == pytest.approx([scorer(model.arch) for model in models])


# ---- NNI -----------------------------------------------------------------------------------------


def test_nni(scorer: swap.Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[float] = []
    module = types.ModuleType("nni")
    module.report_final_result = reported.append  # type: ignore[attr-defined]

    class FunctionalEvaluator:
        def __init__(self, function: Any, **arguments: Any) -> None:
            self.function, self.arguments = function, arguments

        def evaluate(self, model: nn.Module) -> Any:
            return self.function(model, **self.arguments)

    evaluator = FunctionalEvaluator(nni.swap_evaluator, scorer=scorer)
    model = SmallNet()
    monkeypatch.setitem(sys.modules, "nni", None)
    with pytest.raises(ImportError, match="pip install nni"):
        evaluator.evaluate(model)
    monkeypatch.setitem(sys.modules, "nni", module)
    assert evaluator.evaluate(model) == scorer(model)
    assert reported == [scorer(model)]


# ---- Optuna, Ray Tune ----------------------------------------------------------------------------


def build(width: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), nn.Conv2d(width, 4, 3), nn.ReLU())


def test_optuna(scorer: swap.Scorer) -> None:
    class Trial:
        def __init__(self, width: int) -> None:
            self.width, self.user_attrs = width, {}

        def suggest_int(self, name: str, low: int, high: int) -> int:
            return self.width

        def set_user_attr(self, name: str, value: Any) -> None:
            self.user_attrs[name] = value

    objective = optuna.swap_objective(lambda trial: build(trial.suggest_int("w", 1, 8)), scorer)
    trials = [Trial(width) for width in (1, 8)]
    values = [objective(trial) for trial in trials]
    assert values == [scorer(build(1)), scorer(build(8))]
    assert trials[1].user_attrs["parameters"] == scorer(build(8)).parameters


def test_real_optuna(scorer: swap.Scorer) -> None:
    real = pytest.importorskip("optuna", reason="optuna is absent")
    real.logging.set_verbosity(real.logging.ERROR)
    study = real.create_study(direction="maximize", sampler=real.samplers.RandomSampler(0))
    study.optimize(
        optuna.swap_objective(lambda trial: build(trial.suggest_int("width", 1, 8)), scorer),
        n_trials=4,
    )
    assert study.best_value == scorer(build(study.best_params["width"]))


def test_ray_tune(scorer: swap.Scorer) -> None:
    trainable = ray_tune.swap_trainable(lambda config: build(config["width"]), scorer)
    results = [trainable({"width": width}) for width in (1, 8)]
    assert [result["swap"] for result in results] == [scorer(build(1)), scorer(build(8))]
    assert results[0].keys() == {"swap", "parameters", "saturation"}
    pickled: Tensor = torch.tensor([result["swap"] for result in results])  # plain numbers
    assert pickled.dtype == torch.float32
