"""Scores where torch makes tensors on another device, or of another type, by default."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import swapnas_ext as swap

CPU = torch.device("cpu")
X = torch.randn(12, 8, generator=torch.Generator().manual_seed(0))
IMAGES = torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=["meta", "cuda", "meta, in a with"])
def other_device(request: pytest.FixtureRequest) -> Iterator[None]:
    """A torch without CUDA raises where a tensor is made without a device."""
    if "with" in request.param:
        with torch.device("meta"):
            yield
        return
    torch.set_default_device(request.param)
    yield
    torch.set_default_device(None)


@pytest.fixture
def default_dtype(request: pytest.FixtureRequest) -> Iterator[torch.dtype]:
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(torch.float32)


def images_net() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.GELU()
    return nn.Sequential(*layers)


def sorts_its_rows() -> nn.Module:
    """Of which single samples are changed, to tell whether rows are samples."""

    class Sorts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 300)

        def forward(self, x: Tensor) -> Tensor:
            y = self.linear(x)
            return torch.relu(y[y[:, 0].argsort()]) + torch.relu(y)

    torch.manual_seed(0)
    return Sorts()


OPTIONS: list[dict[str, Any]] = [
    {},
    {"init": "gaussian", "repeats": 3},
    {"init": "kaiming", "measure": "composite"},
    {"capture": "operators"},
]
# Made before any default is another.
CASES = [
    (model, inputs, options, float(swap.Scorer(inputs, **options)(model)))
    for model, inputs in ((images_net(), IMAGES), (sorts_its_rows(), X))
    for options in OPTIONS
]


@pytest.mark.parametrize(("model", "inputs", "options", "expected"), CASES)
def test_scores_on_another_default_device(
    other_device: None, model: nn.Module, inputs: Tensor, options: Any, expected: float
) -> None:
    assert float(swap.score(model, inputs, **options)) == expected


@pytest.mark.parametrize(("model", "inputs", "options", "expected"), CASES)
@pytest.mark.parametrize("default_dtype", [torch.float64, torch.bfloat16], indirect=True)
def test_scores_with_another_default_type(
    default_dtype: Any, model: nn.Module, inputs: Tensor, options: Any, expected: float
) -> None:
    assert float(swap.score(model, inputs, **options)) == expected


COUNTED = torch.randn(70, 40_000, generator=torch.Generator().manual_seed(0))
EXPECTED = swap.count_patterns(COUNTED)


def test_counting_on_another_default_device(other_device: None) -> None:
    counter = swap.PatternCounter(70)  # which has to grow
    counter.update(COUNTED)
    assert counter.count() == EXPECTED
    assert swap.count_patterns(COUNTED) == swap.count_patterns(COUNTED.numpy()) == EXPECTED
    assert swap.pack_patterns(COUNTED).device == CPU


def test_inputs_without_values() -> None:
    with pytest.raises(
        ValueError, match=r"no values; make them on another.*torch\.device\('cpu'\)"
    ):
        swap.Scorer(torch.randn(12, 8, device="meta"))
    with torch.device("meta"), torch.device("cpu"):
        assert swap.Scorer(torch.randn(12, 8)).samples == 12


def test_models_that_are_built_without_values() -> None:
    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(8, 300), nn.ReLU())

    with torch.device("meta"):
        with pytest.raises(ValueError, match=r"torch's default; build it in a with torch\.device"):
            swap.score(build, X)
        with torch.device("cpu"):
            assert swap.score(build, X).samples == 12


class Adds(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 300)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.linear(x) + torch.ones(300))


@pytest.mark.slow
def test_models_that_make_tensors_on_the_default_device() -> None:
    model = Adds()
    expected = swap.score(model, X)
    torch.set_default_device("meta")
    try:
        with pytest.raises(RuntimeError, match=r"default device.*meta.*torch\.device\('cpu'\)"):
            swap.score(model, X)
        with torch.device("cpu"):
            assert swap.score(model, X) == expected
    finally:
        torch.set_default_device(None)


@pytest.mark.parametrize("default_dtype", [torch.float64, torch.bfloat16], indirect=True)
@pytest.mark.parametrize("build", [images_net, sorts_its_rows], ids=["images", "rows"])
def test_weights_of_another_type_than_inputs(
    default_dtype: torch.dtype, build: Callable[[], nn.Module]
) -> None:
    model = build()
    inputs = IMAGES if build is images_net else X
    advice = (
        rf"weights of {default_dtype}, and can't run on inputs of torch\.float32: .*give the inputs"
    )
    for options in OPTIONS:
        with pytest.raises(RuntimeError, match=advice):
            swap.score(model, inputs, **options)
        assert swap.score(model, inputs.to(default_dtype), **options) > 0


SPACES = [(name, swap.spaces.get(name).inputs(2)) for name in ("nasbench201", "flexibert")]


@pytest.mark.parametrize(("name", "expected"), SPACES)
def test_data_is_the_same_on_another_default_device(
    other_device: None, name: str, expected: Tensor
) -> None:
    inputs = swap.spaces.get(name).inputs(2)
    assert inputs.device == CPU and torch.equal(inputs, expected)


@pytest.mark.parametrize(("name", "expected"), SPACES)
@pytest.mark.parametrize("default_dtype", [torch.float64, torch.bfloat16], indirect=True)
def test_data_is_the_same_with_another_default_type(
    default_dtype: Any, name: str, expected: Tensor
) -> None:
    inputs = swap.spaces.get(name).inputs(2)
    assert inputs.dtype == expected.dtype and torch.equal(inputs, expected)
