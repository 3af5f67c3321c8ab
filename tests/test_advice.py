"""What errors and warnings tell to do works, done to the letter."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

import swapnas_ext as swap
from swapnas_ext import Rule

X = torch.randn(12, 8, generator=torch.Generator().manual_seed(0))
SEQUENCES = torch.randn(12, 5, 8, generator=torch.Generator().manual_seed(0))


class Around(nn.Module):
    """A layer whose activations are not seen, and a ReLU."""

    def __init__(self, layer: Any, width: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = layer
        self.linear = nn.Linear(width, 300)
        self.relu = nn.ReLU()

    def forward(self, x: Any) -> Tensor:
        y = self.layer(x)
        while isinstance(y, tuple):
            y = y[0]
        return self.relu(self.linear(y))


class SwishAndMore(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, int]:
        return x * torch.erf(x), 3


RECURRENT = [
    (nn.LSTM(8, 16, batch_first=True), SEQUENCES, 5 * 16),
    (nn.GRU(8, 16, batch_first=True, bidirectional=True), SEQUENCES, 5 * 32),
    (nn.RNN(8, 16, batch_first=True), SEQUENCES, 5 * 16),
    (nn.LSTMCell(8, 16), X, 16),
    (nn.GRUCell(8, 16), X, 16),
    (SwishAndMore(), X, 8),
]


@pytest.mark.parametrize(
    ("layer", "inputs", "neurons"), RECURRENT, ids=lambda value: type(value).__name__
)
@pytest.mark.parametrize("measure", ["patterns", "composite"])
def test_rules_for_what_was_missed(
    layer: nn.Module, inputs: Tensor, neurons: int, measure: Any
) -> None:
    width = 32 if getattr(layer, "bidirectional", False) else 8 if neurons == 8 else 16
    model = Around(layer, width)
    with pytest.warns(
        swap.ScoreWarning, match=r"Give rules= for them, or leave them out on purpose"
    ):
        swap.score(model, inputs, measure=measure)
    for rule in (Rule(), Rule(signed=True), Rule(upper=1.0)):
        score = swap.score(model, inputs, rules={type(layer): rule}, measure=measure)
        assert score.missed == ()
        assert next((found.name, found.neurons) for found in score.layers) == ("layer", neurons)
    score = swap.score(model, inputs, rules={type(layer): None}, measure=measure)
    assert score.missed == () and [found.name for found in score.layers] == ["relu"]


def test_a_rule_for_an_lstm_of_packed_sequences() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.lstm = nn.LSTM(8, 16)
            self.relu = nn.ReLU()

        def forward(self, padded: Tensor) -> Tensor:
            packed: PackedSequence = pack_sequence(list(padded))
            return self.relu(self.lstm(packed)[1][0][-1])

    for rule in (Rule(signed=True), Rule(of_input=True)):
        score = swap.score(Recurrent(), SEQUENCES, rules={nn.LSTM: rule})
        assert score.missed == ()
        assert (
            "left out, since it does not have its rows in the order of the samples: lstm"
            in score.notes
        )


@pytest.mark.parametrize("name", ["erf", "glu", "hardshrink", "softshrink", "log_sigmoid"])
def test_rules_for_operators_that_were_missed(name: str) -> None:
    class Function(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return getattr(torch.ops.aten, name)(x)

    model = Around(nn.Linear(8, 60), 30 if name == "glu" else 60)
    model.layer = nn.Sequential(nn.Linear(8, 60), Function())
    with pytest.warns(
        swap.ScoreWarning, match=f"'{name}'.*Give rules= for them, or leave them out"
    ):
        swap.score(model, X)
    assert len(swap.score(model, X, rules={name: Rule(signed=True)}).layers) == 2
    for rule in (Rule(signed=True), None):
        assert swap.score(model, X, rules={name: rule}).missed == ()


def test_a_rule_for_what_gives_no_tensor() -> None:
    class Nothing(nn.Module):
        def forward(self, x: Tensor) -> None:
            pass

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.nothing, self.linear = Nothing(), nn.Linear(8, 300)

        def forward(self, x: Tensor) -> Tensor:
            self.nothing(x)
            return torch.relu(self.linear(x))

    with pytest.raises(
        TypeError, match=r"'nothing' \(Nothing\): its rule needs a tensor, got NoneType"
    ):
        swap.score(Net(), X, rules={Nothing: Rule()})
    assert swap.score(Net(), X, rules={Nothing: None}) == swap.score(Net(), X)


def test_samples_where_no_row_fits() -> None:
    model = nn.Sequential(nn.Linear(8, 300), nn.ReLU())
    windows = X.reshape(4, 3, 8)
    with pytest.raises(ValueError, match="12 rows, which is not a multiple of samples=5") as raised:
        swap.score(model, X, samples=5)
    assert str(raised.value).endswith("number of samples, pass samples=")
    assert swap.score(model, windows, samples=4).samples == 4


def test_a_copy_made_while_its_original_is_scored() -> None:
    model = nn.Sequential(nn.Linear(8, 300), nn.ReLU(), nn.Identity())
    copies: list[nn.Module] = [copy.deepcopy(model)]
    hook = model[2].register_forward_hook(lambda *_: copies.append(copy.deepcopy(model)))
    expected = swap.score(model, X)
    hook.remove()
    before, meanwhile = copies[0], copies[1]
    meanwhile[2]._forward_hooks.clear()
    advice = "or was copied while it was; score it after that, or a copy .* made before"
    with pytest.raises(RuntimeError, match=advice):
        swap.score(meanwhile, X)
    assert swap.score(before, X) == expected


@pytest.mark.parametrize(("samples", "neurons"), [(1, 1), (2, 1), (12, 30), (3, 5000)])
def test_samples_of_a_saturated_score(samples: int, neurons: int) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, neurons), nn.ReLU())
    inputs = torch.randn(40, 8)
    score = swap.Scorer(inputs[:samples], init="gaussian")(model)
    found = re.search(r"use (\d+) samples", " ".join(score.notes))
    if samples == 1:
        assert score.is_saturated and found is None
    elif found is not None and neurons > 1:
        assert not swap.score(model, inputs[: int(found[1])], init="gaussian").is_saturated
