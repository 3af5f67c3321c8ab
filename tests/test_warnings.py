"""Every warning points to the line of the caller's that led to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import swapnas_ext as swap
from swapnas_ext.patterns import checks, counter, one_call, tables

X = torch.randn(12, 8, generator=torch.Generator().manual_seed(0))


class MySwish(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(x)


def relu_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 20), nn.ReLU())


def mixed() -> None:
    swap.Scorer(X).rank([relu_net(), nn.Sequential(nn.Linear(8, 30), nn.GELU())])


def not_captured() -> None:
    swap.score(nn.Sequential(relu_net(), MySwish()), X, capture="modules")


def damaged_image(folder: Path) -> None:
    from PIL import Image

    Image.new("RGB", (40, 40)).save(folder / "good.png")
    (folder / "bad.png").write_bytes(b"no image")
    swap.spaces.get("nasbench201").inputs(1, folder)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: swap.score(relu_net(), X), "saturated"),
        (lambda: swap.Scorer(X)(relu_net()), "saturated"),
        (lambda: swap.Scorer(X).rank([relu_net()]), "saturated"),
        (mixed, "ternary patterns"),
        (not_captured, "not captured"),
    ],
    ids=["score", "scorer", "rank", "mixed", "missed"],
)
def test_scores(call: Callable[[], Any], text: str) -> None:
    with pytest.warns(swap.ScoreWarning, match=text) as warned:
        call()
    assert {warning.filename for warning in warned} == {__file__}


def test_images_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="left out of the images") as warned:
        damaged_image(tmp_path)
    assert [warning.filename for warning in warned] == [__file__]


@pytest.mark.parametrize(
    "call",
    [lambda: swap.PatternCounter(4), lambda: swap.count_patterns(X), lambda: swap.Scorer(X)],
    ids=["counter", "count_patterns", "scorer"],
)
def test_the_slow_reference_on_a_gpu(
    monkeypatch: pytest.MonkeyPatch, call: Callable[[], Any]
) -> None:
    monkeypatch.setattr(tables, "has_kernel", lambda device: False)
    on_a_gpu = vars(checks) | {"device": torch.device("cuda")}  # a function of the package's
    for module in (counter, one_call):
        monkeypatch.setattr(
            module,
            "warn_of_slowness",
            eval("lambda _, told=warn_of_slowness: told(device)", on_a_gpu),
        )
    with pytest.warns(UserWarning, match="without CUDA kernels") as warned:
        call()
    assert [warning.filename for warning in warned] == [__file__]
