"""The evaluator as an objective of archai's."""

from __future__ import annotations

import pytest
from peers import IMAGES, package, small_net

import swapnas_ext as swap

api = package("archai.discrete_search.api", "archai pandas")
from swapnas_ext.compat.archai import SwapEvaluator  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")


def test_objective() -> None:
    scorer = swap.Scorer(IMAGES[:16], init="gaussian", seed=3)
    evaluator = SwapEvaluator(scorer)
    assert isinstance(evaluator, api.ModelEvaluator)
    objectives = api.SearchObjectives()
    objectives.add_objective("SWAP", evaluator, higher_is_better=True, compute_intensive=False)
    nets = [small_net(width) for width in (1, 8)]
    models = [api.ArchaiModel(net, archid=str(place)) for place, net in enumerate(nets)]
    values = objectives.eval_cheap_objs(models)
    assert values["SWAP"].tolist() == [scorer(net) for net in nets]


def test_constraint() -> None:
    scorer = swap.Scorer(IMAGES[:16], init="gaussian", seed=3)
    objectives = api.SearchObjectives()
    models = [api.ArchaiModel(small_net(width), archid=str(width)) for width in (1, 8)]
    least = float(scorer(models[1].arch))
    objectives.add_constraint("SWAP", SwapEvaluator(scorer), (least, float("inf")))
    _, places = objectives.validate_constraints(models)
    assert places.tolist() == [1]
