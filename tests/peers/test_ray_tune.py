"""The trainable in Ray Tune."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from peers import IMAGES, package, small_net
from torch import nn

import swapnas_ext as swap
from swapnas_ext.compat.ray_tune import swap_trainable

tune = package("ray.tune", "'ray[tune]'")
ray = package("ray", "'ray[tune]'")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Any:
    # Workers find what this process finds.
    monkeypatch.setenv("RAY_TRAIN_V2_ENABLED", "0")
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    paths = os.pathsep.join((str(Path(swap.__file__).parents[1]), str(Path(__file__).parent)))
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": paths}},
    )
    yield
    ray.shutdown()


def test_tuner(cluster: None, tmp_path: Path) -> None:
    scorer = swap.Scorer(IMAGES[:16], init="gaussian", seed=3)

    def build(config: dict[str, Any]) -> nn.Module:
        return small_net(config["width"])

    results = tune.Tuner(
        swap_trainable(build, scorer),
        param_space={"width": tune.grid_search([1, 8])},
        tune_config=tune.TuneConfig(metric="swap", mode="max"),
        run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
    ).fit()
    assert not results.errors
    scores = {one.config["width"]: one.metrics["swap"] for one in results}
    assert scores == {width: scorer(small_net(width)) for width in (1, 8)}
    assert results.get_best_result().metrics["parameters"] == scorer(small_net(8)).parameters
