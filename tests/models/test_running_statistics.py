"""Scores say so where batch normalisation can't use the statistics of the mini-batch."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import swapnas_ext as swap

pytestmark = pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")
IMAGES = torch.randn(8, 3, 10, 10)


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 12, 3), nn.BatchNorm2d(12)

    def forward(self, x: Tensor) -> Tensor:
        norm, x = self.norm, self.conv(x)
        x = F.batch_norm(x, norm.running_mean, norm.running_var, training=self.training)
        return F.relu(x)


class Frozen(nn.Module):
    """As torchvision's FrozenBatchNorm2d."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(12))
        self.register_buffer("running_var", torch.ones(12))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.running_mean[:, None, None]) * self.running_var.rsqrt()[:, None, None]


def plain(training: bool, norm: nn.Module | None = None) -> nn.Module:
    norm = norm or nn.BatchNorm2d(12)
    return nn.Sequential(nn.Conv2d(3, 12, 3), norm, nn.ReLU()).train(training)


def scripted(training: bool) -> nn.Module:
    return torch.jit.script(plain(training))


def traced(training: bool) -> nn.Module:
    return torch.jit.trace(plain(training), IMAGES, check_trace=False)


def traced_and_switched(training: bool) -> nn.Module:
    """The mode of a trace is that in which it was made."""
    return traced(training).train(not training)


def scripted_part(training: bool) -> nn.Module:
    return nn.Sequential(scripted(training), nn.Conv2d(12, 12, 3), nn.BatchNorm2d(12), nn.ReLU())


def scripted_instance_norm(training: bool) -> nn.Module:
    return torch.jit.script(plain(training, nn.InstanceNorm2d(12, track_running_stats=True)))


def exported(training: bool) -> nn.Module:
    return torch.export.export(plain(training), (IMAGES,), strict=False).module()


def exported_and_decomposed(training: bool) -> nn.Module:
    program = torch.export.export(plain(training), (IMAGES,), strict=False)
    return program.run_decompositions().module() if not training else program.module()


def unflattened(training: bool) -> nn.Module:
    return torch.export.unflatten(torch.export.export(plain(training), (IMAGES,), strict=False))


def symbolically_traced(training: bool) -> nn.Module:
    return torch.fx.symbolic_trace(Functional().train(training))


GRAPHS: dict[Callable[[bool], nn.Module], str] = {
    scripted: "TorchScript of Sequential is of evaluation mode",
    traced: "TorchScript of Sequential is of evaluation mode",
    traced_and_switched: "TorchScript of Sequential is of evaluation mode",
    scripted_part: "TorchScript of Sequential is of evaluation mode",
    scripted_instance_norm: "TorchScript of Sequential is of evaluation mode",
    exported: "graph of torch.fx or torch.export was made in evaluation mode",
    exported_and_decomposed: "graph of torch.fx or torch.export was made in evaluation mode",
    unflattened: "graph of torch.fx or torch.export was made in evaluation mode",
    symbolically_traced: "graph of torch.fx or torch.export was made in evaluation mode",
}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        yield


def statistics_notes(model: nn.Module) -> list[str]:
    notes = swap.score(model, IMAGES).notes
    return [note for note in notes if "running statistics" in note]


@pytest.mark.parametrize("make", GRAPHS)
def test_what_was_made_in_evaluation_mode(make: Callable[[bool], nn.Module]) -> None:
    (note,) = statistics_notes(make(False))
    assert GRAPHS[make] in note
    assert "instead of the mini-batch's" in note and "score the original model" in note
    assert note.count("score the original model") == 1


@pytest.mark.parametrize("make", GRAPHS)
def test_what_was_made_in_training_mode(make: Callable[[bool], nn.Module]) -> None:
    assert statistics_notes(make(True)) == []


def test_the_note_is_true() -> None:
    """The score of what was made in training mode is that of the original, and the other's is not."""
    torch.manual_seed(0)
    model = plain(True)
    with torch.no_grad():
        model[1].running_mean.fill_(0.7)
    expected = swap.score(model, IMAGES)
    for make in (torch.jit.script, lambda module: torch.jit.trace(module, IMAGES)):
        assert swap.score(make(model.train()), IMAGES) == expected
        assert swap.score(make(model.eval()), IMAGES) != expected


def test_frozen_torchscript() -> None:
    model = torch.jit.freeze(torch.jit.script(plain(False)))
    (note,) = statistics_notes(model)
    assert "frozen, and any it had are constants of it; score the original model" in note


@pytest.mark.parametrize("is_exported", [False, True])
def test_batch_normalisation_of_ones_own(is_exported: bool) -> None:
    model = plain(True, Frozen())
    if is_exported:  # and taken apart
        model = torch.export.export(model, (IMAGES,), strict=False).module()
    (note,) = statistics_notes(model)
    assert (
        "torch.export" if is_exported else "Frozen is not one of torch's batch normalisations"
    ) in note


@pytest.mark.parametrize(
    "norm",
    [
        nn.BatchNorm2d(12),
        nn.BatchNorm2d(12, track_running_stats=False),
        nn.InstanceNorm2d(12, track_running_stats=True),
        nn.GroupNorm(3, 12),
    ],
    ids=lambda norm: type(norm).__name__,
)
@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_torchs_own_use_the_mini_batch(norm: nn.Module, traced: bool, training: bool) -> None:
    model = plain(training, norm)
    assert statistics_notes(torch.fx.symbolic_trace(model) if traced else model) == []


def test_torchscript_without_normalisation() -> None:
    assert statistics_notes(torch.jit.script(plain(False, nn.Identity()))) == []
