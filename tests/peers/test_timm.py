"""Ranks models of timm by name, and shows their layers."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch

import swapnas_ext as swap

MODELS = ("test_resnet", "test_efficientnet", "test_vit")


@pytest.fixture(scope="module")
def timm() -> Any:
    pytest.importorskip("timm", exc_type=ModuleNotFoundError)
    return importlib.import_module("timm")


@pytest.fixture(scope="module", autouse=True)
def _torchvision() -> None:
    """timm imports torchvision. Its wheel does not load its operators of detection beside a torch of another build (for
    CUDA, for CPUs), and then fails to import; the models here use none of them, so that declarations are enough."""
    try:
        importlib.import_module("torchvision")
    except ModuleNotFoundError:
        pytest.skip("needs timm and torchvision")
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor boxes) -> Tensor")
        importlib.import_module("torchvision")


def test_models_ranked_by_name_with_their_layers(timm: Any) -> None:
    torch.manual_seed(0)
    models = {name: timm.create_model(name, num_classes=4) for name in MODELS}
    scorer = swap.Scorer(torch.randn(16, 3, 160, 160), init="gaussian")
    with pytest.warns(swap.ScoreWarning, match="ternary patterns"):
        ranked = scorer.rank(models)
    assert {name for _, name in ranked} == set(MODELS)
    scores = [float(score) for score, _ in ranked]
    assert scores == sorted(scores, reverse=True) and len(set(scores)) == len(MODELS)
    for score, name in ranked:
        assert score == scorer(models[name])
        frame = score.to_frame()
        paths = dict(models[name].named_modules())
        assert len(frame) == len(score.layers) > 3
        assert all(path in paths for path in frame["name"][frame["captured_as"] == "module"])
        assert frame["new_patterns"].sum() == score.patterns[0]
