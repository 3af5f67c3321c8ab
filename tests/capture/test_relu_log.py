"""From the second model of a class on, ReLUs are captured by the compiled part: the scores are the same."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from support.small_net import SmallNet
from torch import Tensor, nn
from torch.autograd import forward_ad

import swapnas_ext as swap
from swapnas_ext import _torch_private
from swapnas_ext.capture import Capture, Plan, dispatch, find_activations
from swapnas_ext.models import take_inventory
from swapnas_ext.patterns import relu_log

pytestmark = [
    pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning"),
    pytest.mark.skipif(not dispatch.LOGS_RELUS, reason="this torch has no key to intercept at"),
]

SAMPLES = 10


def inputs() -> Tensor:
    return torch.randn(SAMPLES, 5, generator=torch.Generator().manual_seed(1))


class Net(nn.Module):
    """Two linear layers, each with an activation."""

    def __init__(self, first: Any, second: Any = F.relu) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two = nn.Linear(5, 40), nn.Linear(40, 30)
        self.first, self.second = first, second

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.two(self.first(self.one(x))))


class MyReLU(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x)


class Holding(nn.GELU):
    """An activation that holds another."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.inner(x))


class NoActivation(nn.ReLU):
    def forward(self, input: Tensor) -> Tensor:
        return input.relu().neg()


shared = nn.ReLU()
MODELS: dict[str, Callable[[], nn.Module]] = {
    "modules": lambda: Net(nn.ReLU(), nn.ReLU()),
    "a module and a function": lambda: Net(nn.ReLU()),
    "a function and a module": lambda: Net(F.relu, nn.ReLU()),
    "a module used twice": lambda: Net(shared, shared),
    "in place": lambda: Net(nn.ReLU(inplace=True), nn.ReLU()),
    "functions in place": lambda: Net(F.relu_, lambda x: x.relu_()),
    "another activation between": lambda: Net(
        nn.ReLU(), nn.Sequential(nn.GELU(), nn.ReLU(), nn.Sigmoid())
    ),
    "one that holds another": lambda: Net(Holding(), nn.ReLU()),
    "a module that is named like one": lambda: Net(MyReLU(), nn.ReLU()),
    "a subclass": lambda: Net(nn.ReLU(), NoActivation()),
    "clamped": lambda: Net(nn.ReLU(), lambda x: x.clamp(min=0)),
    "with a keyword": lambda: Net(lambda x: shared(input=x), nn.ReLU()),
    "of a transposed tensor": lambda: Net(nn.ReLU(), lambda x: shared(x.T.contiguous().T)),
    "half precision": lambda: Net(lambda x: shared(x.half()).float(), nn.ReLU()),
    "a network": SmallNet,
}


def facts(score: swap.SwapScore) -> dict[str, Any]:
    layers = [replace(layer, seconds=0.0) for layer in score.layers]
    return {"value": score.value, "layers": layers} | {
        name: getattr(score, name) for name in ("neurons", "missed", "notes", "ternary")
    }


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of ReLUs of each log."""
    numbers: list[int] = []
    stop = relu_log.stop

    def counted() -> list[relu_log.Call]:
        log = stop()
        numbers.append(len(log))
        return log

    monkeypatch.setattr(relu_log, "stop", counted)
    return numbers


@pytest.mark.parametrize("capture", ["auto", "operators"])
@pytest.mark.parametrize("name", MODELS)
def test_scores_as_the_first_of_its_class(
    name: str, capture: swap.ScoringOptions, logged: Any
) -> None:
    x = torch.randn(SAMPLES, 3, 8, 8) if name == "a network" else inputs()
    model = MODELS[name]()
    scorer = swap.Scorer(x, capture=capture)
    first = scorer(model)
    assert logged == []
    for build in (lambda: model, MODELS[name]):
        again = scorer(build()) if build is not MODELS[name] else scorer(build)
        if name != "a network":
            assert facts(again) == facts(first)
    assert len(logged) == 2
    if capture == "auto" and name == "modules":
        assert logged == [2, 2]
    if capture == "operators":
        assert logged == [0, 0]  # Python finds their names


def test_every_relu_of_a_network_is_logged(logged: list[int]) -> None:
    space = swap.spaces.get("nasbench201")
    model = space.build(
        "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|none~1|nor_conv_1x1~2|"
    )
    scorer = swap.Scorer(torch.randn(8, 3, 16, 16))
    assert facts(scorer(model)) == facts(scorer(model))
    relus = [module for module in model.modules() if type(module) is nn.ReLU]
    assert logged == [sum(not relu.inplace for relu in relus)]


def test_other_samples_go_to_python(logged: list[int]) -> None:
    """As of patterns that need a set that grows."""
    model = Net(nn.ReLU())
    x = torch.randn(32, 5)
    scorer = swap.Scorer(x)
    assert facts(scorer(model)) == facts(scorer(model))
    assert logged == []


def test_names_of_repeats_are_not_looked_for(logged: list[int]) -> None:
    """The first repeat knows them."""
    x = inputs()
    counter = swap.PatternCounter(SAMPLES)
    model = Net(F.relu, nn.ReLU())
    capture = Capture(counter, Plan(), compiled=True)
    with torch.no_grad(), capture.running(find_activations(take_inventory(model), Plan())):
        model(x)
    assert logged == [2] and capture.captured == 2 and capture.seconds > 0
    assert capture.layers == []
    with torch.no_grad():
        hidden = F.relu(model.one(x))
        expected = swap.count_patterns(hidden, F.relu(model.two(hidden)))
    assert counter.count() == expected


class Changing(nn.Module):
    """Does what ``mode`` says."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear, self.relu, self.mode = nn.Linear(5, 40), nn.ReLU(), mode

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.linear(x))
        if self.mode == "rows":
            self.relu(torch.randn(SAMPLES + 1, 4, generator=torch.Generator().manual_seed(0)))
        if self.mode == "rows of a function":
            F.relu(torch.randn(SAMPLES + 1, 4, generator=torch.Generator().manual_seed(0)))
        if self.mode == "integers":
            self.relu(torch.ones(SAMPLES, 4, dtype=torch.int32))
        if self.mode == "integers of a function":
            assert F.relu(-torch.ones(SAMPLES, 4, dtype=torch.int32)).sum() == 0
        if self.mode == "NaN":
            self.relu(x * torch.nan)
        if self.mode == "own error":
            raise KeyError("own")
        if self.mode == "sparse":
            self.relu(y.to_sparse())
        if self.mode == "sparse, of a function":
            F.relu(y.to_sparse())
        if self.mode == "quantised":
            self.relu(torch.quantize_per_tensor(y - 1, 0.1, 0, torch.qint8))
        if self.mode == "vmap":
            torch.func.vmap(F.relu)(y)
        if self.mode == "caught":
            try:
                torch.func.vmap(self.relu)(y)
            except (ValueError, RuntimeError):
                raise IndexError("instead") from None
        return y


@pytest.mark.parametrize(
    "mode",
    [
        *("rows", "rows of a function", "integers", "integers of a function", "NaN", "own error"),
        *("quantised", "vmap", "caught", "sparse", "sparse, of a function"),
    ],
)
def test_what_the_compiled_part_leaves_to_python(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that does what the first of its class did not."""
    outcomes = []
    for logs in (False, True):
        monkeypatch.setattr(dispatch, "LOGS_RELUS", logs)
        scorer = swap.Scorer(inputs())
        scorer(Changing("nothing"))
        try:
            outcome: Any = facts(scorer(Changing(mode)))
        except Exception as error:
            outcome = type(error), str(error)
        outcomes.append(outcome)
    assert outcomes[0] == outcomes[1]
    assert isinstance(outcomes[0], tuple) == (
        mode
        in ("integers", "NaN", "own error", "vmap", "caught", "sparse", "sparse, of a function")
    )
    assert facts(scorer(Changing("nothing"))) == facts(swap.Scorer(inputs())(Changing("nothing")))


def test_gradients_of_a_models_own() -> None:
    gradients: list[Tensor] = []

    def with_gradient(x: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            y = F.relu(x)
            gradients.extend(torch.autograd.grad(y.sum(), x))
        return y.detach()

    model = Net(nn.ReLU(), with_gradient)
    scorer = swap.Scorer(inputs())
    assert facts(scorer(model)) == facts(scorer(model))
    assert torch.equal(gradients[0], gradients[-1]) and 0 < gradients[0].mean() < 1


def test_tangents_of_a_models_own(logged: list[int]) -> None:
    correct: list[bool] = []

    def with_tangent(x: Tensor) -> Tensor:
        with forward_ad.dual_level():
            y = F.relu(forward_ad.make_dual(x, torch.ones_like(x)))
            y, tangent = forward_ad.unpack_dual(y)
            correct.append(tangent is not None and torch.equal(tangent, (x > 0).float()))
        return y

    model = Net(nn.ReLU(), with_tangent)
    scorer = swap.Scorer(inputs())
    assert facts(scorer(model)) == facts(scorer(model))
    assert logged == []
    assert all(correct) and correct


def test_a_replaced_forward_of_relu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn.ReLU, "forward", lambda self, x: F.relu(x - 0.5))
    model = Net(nn.ReLU(), nn.ReLU())
    scorer = swap.Scorer(inputs())
    with torch.no_grad():
        hidden = F.relu(model.one(inputs()) - 0.5)
        expected = swap.count_patterns(hidden, F.relu(model.two(hidden) - 0.5))
    assert [scorer(model).patterns for _ in range(3)] == [(expected,)] * 3


def test_other_threads_are_not_captured() -> None:
    def on_a_thread(x: Tensor) -> Tensor:
        thread = threading.Thread(target=lambda: (F.relu(x), nn.ReLU()(x - 1)))
        thread.start()
        thread.join()
        return x

    model = Net(nn.ReLU(), on_a_thread)
    scorer = swap.Scorer(inputs())
    assert [facts(scorer(model)) for _ in range(2)] == [facts(swap.Scorer(inputs())(model))] * 2


def test_a_models_own_modules_on_another_thread() -> None:
    model = Net(nn.ReLU())
    relu = model.first

    def on_a_thread(x: Tensor) -> Tensor:
        outputs: list[Tensor] = []
        thread = threading.Thread(target=lambda: outputs.append(relu(x - 1)))
        thread.start()
        thread.join()
        return outputs[0]

    model.second = on_a_thread
    scorer = swap.Scorer(inputs())
    first = scorer(model)
    with torch.no_grad():
        hidden = F.relu(model.one(inputs()))
        expected = swap.count_patterns(hidden, F.relu(model.two(hidden) - 1))
    assert first.patterns == (expected,)
    assert [facts(scorer(model)) for _ in range(2)] == [facts(first)] * 2


def test_a_model_that_scores_another() -> None:
    other = Net(nn.ReLU())
    inner = swap.Scorer(inputs())
    scores: list[float] = []

    def scoring(x: Tensor) -> Tensor:
        scores.append(inner(other))
        return F.relu(x)

    model = Net(nn.ReLU(), scoring)
    outer = swap.Scorer(inputs())
    assert facts(outer(model)) == facts(outer(model)) == facts(outer(model))
    assert set(scores) == {swap.score(other, inputs())}


def test_a_model_that_is_being_scored() -> None:
    model = Net(nn.ReLU())
    scorer = swap.Scorer(inputs())
    scorer(model)
    model.second = lambda x: swap.score(model, inputs())
    with pytest.raises(RuntimeError, match="is being scored already"):
        scorer(model)


def test_a_copy_made_while_it_is_scored() -> None:
    copies: list[nn.Module] = []
    model = Net(nn.ReLU())
    model.second = lambda x: (copies.append(copy.deepcopy(model.first)), x)[1]
    scorer = swap.Scorer(inputs())
    for _ in range(2):
        scorer(model)
    with pytest.raises(RuntimeError, match="or was copied while it was"):
        swap.score(nn.Sequential(nn.Linear(5, 4), copies[-1]), inputs())
    assert "forward" not in model.first.__dict__


def test_without_a_log_there_is_none_to_stop() -> None:
    assert relu_log.calls() == 0 and relu_log.marked_layer() == relu_log.UNNAMED
    with pytest.raises(RuntimeError, match="no log"):
        relu_log.stop()
    x = torch.randn(4, 4)
    assert torch.equal(relu_log.forwards(3)[2](x), torch.relu(x))
    with pytest.raises(TypeError):
        relu_log.forwards(1)[0]()
    assert _torch_private.dispatch_keys is not None
