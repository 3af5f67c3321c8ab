"""The predictor in NASLib's evaluators, and the measure in its zero-cost predictor and its optimisers."""

from __future__ import annotations

import collections
import collections.abc
import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peers import IMAGES, checkout, loader

import swapnas_ext as swap

for _name in ("Iterable", "Mapping", "MutableMapping", "Sequence"):
    if not hasattr(collections, _name):  # NASLib is of the time before Python 3.10
        setattr(collections, _name, getattr(collections.abc, _name))

REPOSITORY = "github.com/automl/NASLib"
naslib = checkout("SWAPNAS_NASLIB", "naslib.predictors", REPOSITORY)
utils = checkout("SWAPNAS_NASLIB", "naslib.utils", REPOSITORY)
evaluators = checkout("SWAPNAS_NASLIB", "naslib.evaluators.zc_evaluator", REPOSITORY)
defaults = checkout("SWAPNAS_NASLIB", "naslib.defaults.predictor_evaluator", REPOSITORY)
spaces = checkout("SWAPNAS_NASLIB", "naslib.search_spaces", REPOSITORY)
conversions = checkout("SWAPNAS_NASLIB", "naslib.search_spaces.nasbench201.conversions", REPOSITORY)
fvcore = checkout("SWAPNAS_NASLIB", "fvcore.common.config", REPOSITORY)
measures = checkout("SWAPNAS_NASLIB", "naslib.predictors.utils.pruners.measures", REPOSITORY)
npenas = checkout("SWAPNAS_NASLIB", "naslib.optimizers.discrete.npenas.optimizer", REPOSITORY)

from swapnas_ext.compat.naslib import SwapPredictor, register_measure  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


class MadeUpTable(dict[str, Any]):
    """In place of the benchmark's table, which is a download: accuracies by the number of convolutions."""

    def __missing__(self, arch: str) -> Any:
        accuracy = 50.0 + 5 * arch.count("conv_3x3") + 2 * arch.count("conv_1x1")
        return {
            "cifar10-valid": {
                "eval_acc1es": [accuracy] * 200,
                "train_times": [1.0] * 200,
                "cost_info": {"train_time": 1.0},
            }
        }


TABLE = {"nb201_data": MadeUpTable()}


@pytest.fixture(autouse=True)
def small_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def loaders(*_: Any, **__: Any) -> tuple[Any, ...]:
        return loader(), loader(), loader(), None, None

    monkeypatch.setattr(utils, "get_train_val_loaders", loaders)
    monkeypatch.setattr(npenas, "get_train_val_loaders", loaders)


@pytest.fixture
def registry() -> Iterator[None]:
    names, functions = list(measures.available_measures), dict(measures._measure_impls)
    yield
    measures.available_measures[:] = names
    measures._measure_impls.clear()
    measures._measure_impls.update(functions)


def graph(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    made = spaces.NasBench201SearchSpace()
    made.sample_random_architecture(dataset_api=TABLE)
    made.parse()
    return made


def config(tmp_path: Path, **more: Any) -> Any:
    common = {"test_size": 3, "dataset": "cifar10", "test_data_file": None, "save": str(tmp_path)}
    return fvcore.CfgNode(common | more)


def test_is_a_predictor() -> None:
    predictor = SwapPredictor()
    assert isinstance(predictor, naslib.Predictor)
    assert predictor.method_type == "swap"
    predictor.reset_hyperparams()
    assert predictor.get_hyperparams() is None
    assert predictor.get_data_reqs()["unlabeled"] is False


def test_query() -> None:
    one = graph()
    wanted = swap.score(one, IMAGES[:16])
    assert SwapPredictor().query(graph=one, dataloader=loader()) == wanted
    scorer = swap.Scorer(IMAGES[:16])
    assert SwapPredictor(scorer).query([one, one], [{}, {}]).tolist() == [wanted] * 2


def test_correlation_runner(tmp_path: Path) -> None:
    """``ZeroCostPredictorEvaluator``, which samples architectures, builds and scores them, and compares."""
    evaluator = evaluators.ZeroCostPredictorEvaluator(SwapPredictor(), config=config(tmp_path))
    space = spaces.NasBench201SearchSpace()
    space.labeled_archs = [(2, 2, 2, 2, 2, 2), (3, 0, 3, 4, 0, 3), (2, 3, 0, 2, 1, 2)]
    evaluator.adapt_search_space(space, dataset_api=TABLE, load_labeled=True)
    scores = evaluator.evaluate(None)[-1]
    assert len(scores["full_testpred"]) == 3
    assert all(prediction > 100 for prediction in scores["full_testpred"])
    assert (tmp_path / "scores.json").exists()


def test_predictor_runner(tmp_path: Path) -> None:
    """``PredictorEvaluator``, which fits predictors, asks for hyper-parameters, and queries lists."""
    more = {
        "experiment_type": "single",
        "train_size_single": 2,
        "train_size_list": [2],
        "fidelity_single": 1,
        "fidelity_list": [1],
        "max_hpo_time": 0,
        "uniform_random": True,
    }
    scorer = swap.Scorer(IMAGES[:16])
    evaluator = defaults.PredictorEvaluator(SwapPredictor(scorer), config=config(tmp_path, **more))
    evaluator.adapt_search_space(spaces.NasBench201SearchSpace(), False, dataset_api=TABLE)
    sample = spaces.NasBench201SearchSpace.sample_random_architecture

    def sample_and_build(self: Any, **arguments: Any) -> None:
        sample(self, **arguments)
        self.parse()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spaces.NasBench201SearchSpace, "sample_random_architecture", sample_and_build)
        scores = evaluator.evaluate()[-1]
    assert len(scores["full_testpred"]) == 3


def test_measure(registry: None) -> None:
    register_measure(init="gaussian")
    one = graph()
    wanted = float(swap.score(one, IMAGES[:16], init="gaussian"))
    assert naslib.ZeroCost(method_type="swap").query(one, dataloader=loader()) == wanted
    with pytest.raises(KeyError, match="swap"):
        register_measure()


def test_optimiser_takes_the_measure(registry: None) -> None:
    register_measure()
    search = SimpleNamespace(
        epochs=1,
        k=1,
        num_init=1,
        num_ensemble=1,
        predictor_type="xgb",
        encoding_type="adjacency_one_hot",
        num_arches_to_mutate=1,
        max_mutations=1,
        num_candidates=1,
        zc_ensemble=True,
        zc_names=["swap", "synflow"],
    )
    optimiser = npenas.Npenas(SimpleNamespace(search=search, dataset="cifar10"))
    optimiser.adapt_search_space(spaces.NasBench201SearchSpace(), dataset_api=TABLE)
    scores = optimiser.query_zc_scores(graph())
    assert scores.keys() == {"swap", "synflow"}
    assert scores["swap"] > 100
    assert not math.isnan(scores["synflow"])
