"""Models that torch quantised, and activations that are quantised tensors."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.ao import quantization

import swapnas_ext as swap
from swapnas_ext import Rule

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(
        "fbgemm" not in torch.backends.quantized.supported_engines,
        reason="this torch has no fbgemm",
    ),
]
X = torch.randn(12, 8, generator=torch.Generator().manual_seed(0))
IMAGES = torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    def __init__(self, activation: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.quantize = quantization.QuantStub()
        self.conv1, self.act1 = nn.Conv2d(3, 8, 3), activation()
        self.conv2, self.act2 = nn.Conv2d(8, 8, 3), activation()
        self.dequantize = quantization.DeQuantStub()

    def forward(self, x: Tensor) -> Tensor:
        x = self.act1(self.conv1(self.quantize(x)))
        return self.dequantize(self.act2(self.conv2(x)))


def static(activation: Any = nn.ReLU, *, fused: bool = False) -> nn.Module:
    model = Net(activation).eval()
    model.qconfig = quantization.get_default_qconfig("fbgemm")
    if fused:
        model = quantization.fuse_modules(model, [["conv1", "act1"], ["conv2", "act2"]])
    quantization.prepare(model, inplace=True)
    model(IMAGES)
    return quantization.convert(model)


def graph() -> nn.Module:
    """As of torch.ao.quantization.quantize_fx, which takes seconds to import."""
    return torch.fx.symbolic_trace(static(fused=True))


def dynamic() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 300), nn.ReLU(), nn.Linear(300, 50), nn.ReLU())
    return quantization.quantize_dynamic(model, {nn.Linear}, torch.qint8)


def outputs(model: nn.Module, names: list[str], inputs: Tensor) -> list[Tensor]:
    found: list[Tensor] = []

    def note(module: nn.Module, args: Any, output: Tensor) -> None:
        found.append(output.dequantize() if output.is_quantized else output)

    hooks = [model.get_submodule(name).register_forward_hook(note) for name in names]
    model(inputs)
    for hook in hooks:
        hook.remove()
    return found


CASES = {
    "static": (static, ["act1", "act2"], IMAGES),
    "in place": (lambda: static(lambda: nn.ReLU(inplace=True)), ["act1", "act2"], IMAGES),
    "fused": (lambda: static(fused=True), ["conv1", "conv2"], IMAGES),
    "graph": (graph, ["conv1", "conv2"], IMAGES),
    "dynamic": (dynamic, ["1", "3"], X),
}


@pytest.mark.parametrize("case", CASES)
def test_patterns_are_those_of_the_dequantized(case: str) -> None:
    build, names, inputs = CASES[case]
    model = build()
    before, output = copy.deepcopy(model), model(inputs)
    score = swap.score(model, inputs)
    assert score == swap.count_patterns(*outputs(model, names, inputs))
    assert [layer.name for layer in score.layers] == names and score.missed == ()
    assert swap.score(model, inputs, measure="composite").patterns == score.patterns
    # The weights are packed: an initialiser can't draw them, and says so.
    drawn = swap.score(model, inputs, init="gaussian", repeats=2)
    assert drawn.patterns == score.patterns * 2
    assert any("init draws no quantised weights; these kept theirs" in note for note in drawn.notes)
    assert torch.equal(model(inputs), output) and torch.equal(before(inputs), output)


@pytest.mark.parametrize("activation", [nn.Hardswish, nn.LeakyReLU, nn.ReLU6])
def test_activations_of_three_states(activation: Any) -> None:
    score = swap.score(static(activation), IMAGES)
    assert score.ternary and [layer.name for layer in score.layers] == ["act1", "act2"]


def test_what_no_operator_tells_is_named() -> None:
    model = static(fused=True)
    advice = r"\(ConvReLU2d\).*give rules= for them and capture='auto'"
    with pytest.raises(ValueError, match=advice):
        swap.score(model, IMAGES, capture="operators")
    rules = {type(model.conv1): Rule()}
    assert swap.score(model, IMAGES, rules=rules, capture="auto") == swap.score(model, IMAGES)


@pytest.mark.parametrize("function", [nn.ReLU(), nn.ReLU(inplace=True), torch.relu, torch.relu_])
@pytest.mark.parametrize("measure", ["patterns", "composite"])
def test_quantized_tensors_in_other_models(function: Any, measure: Any) -> None:
    class Quantizes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.linear = nn.Linear(8, 300)
            self.function = function

        def quantized(self, x: Tensor) -> Tensor:
            return torch.quantize_per_tensor(self.linear(x), 0.02, 64, torch.quint8)

        def forward(self, x: Tensor) -> Tensor:
            return self.function(self.quantized(x)).dequantize()

    model = Quantizes()
    expected = swap.count_patterns(model(X).detach())
    assert swap.score(model, X, measure=measure).patterns == (expected,)
    with pytest.raises(TypeError, match=r"got torch.quint8; call \.dequantize\(\)"):
        swap.count_patterns(model.quantized(X))
    assert swap.count_patterns(model.quantized(X).dequantize()) == expected


def test_models_that_are_prepared_come_back() -> None:
    model = Net(nn.ReLU).train()
    model.qconfig = quantization.get_default_qat_qconfig("fbgemm")
    quantization.prepare_qat(model, inplace=True)
    before = copy.deepcopy(model.state_dict())
    assert swap.score(model, IMAGES, init="gaussian", repeats=2) > 0
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
