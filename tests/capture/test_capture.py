"""Activations of every kind are captured, however a model calls them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import torch
import torch.nn.functional as F
from support.small_net import SmallNet
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext import Rule
from swapnas_ext.capture import capturing
from swapnas_ext.capture.dispatch import intercepted, paused
from swapnas_ext.capture.rules import MODULE_RULES, OPERATOR_RULES
from swapnas_ext.patterns import reference

pytestmark = pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")

SAMPLES = 10


class Calls(nn.Module):
    """A linear layer, and a function of its output."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(5, 300)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(3 * self.linear(x))


def inputs() -> Tensor:
    return torch.randn(SAMPLES, 5, generator=torch.Generator().manual_seed(1))


def before_activation() -> Tensor:
    with torch.no_grad():
        return Calls(lambda x: x)(inputs())


def distinct(*states: Tensor) -> int:
    """Distinct columns of states [S, V]."""
    return torch.unique(torch.cat([s.int() for s in states], dim=1).T, dim=0).shape[0]


def signs(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda x: torch.sign(function(x))


def above(boundary: float, function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda x: function(x) > boundary


def regions(low: float, high: float) -> Callable[[Tensor], Tensor]:
    return lambda x: (x > low).int() + (x >= high).int()


FUNCTIONS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor], str]] = {
    "F.relu": (F.relu, above(0, torch.relu), "relu"),
    "torch.relu": (torch.relu, above(0, torch.relu), "relu"),
    "relu_": (lambda x: x.relu_(), above(0, torch.relu), "relu"),
    "F.relu inplace": (lambda x: F.relu(x, inplace=True), above(0, torch.relu), "relu"),
    "clamp(min=0)": (lambda x: x.clamp(min=0), above(0, torch.relu), "clamp"),
    "clamp_(min=0)": (lambda x: x.clamp_(min=0), above(0, torch.relu), "clamp"),
    "clip": (lambda x: torch.clip(x, 0.0), above(0, torch.relu), "clamp"),
    "clamp_min": (lambda x: torch.clamp_min(x, 0), above(0, torch.relu), "clamp_min"),
    "threshold": (lambda x: F.threshold(x, 0, 0), above(0, torch.relu), "threshold"),
    "relu6": (F.relu6, regions(0, 6), "relu6"),
    "clamp(0, 6)": (lambda x: x.clamp(0, 6), regions(0, 6), "clamp"),
    "hardtanh(0, 1)": (lambda x: F.hardtanh(x, 0, 1), regions(0, 1), "hardtanh"),
    "hardtanh": (F.hardtanh, signs(F.hardtanh), "hardtanh"),
    "gelu": (F.gelu, signs(F.gelu), "gelu"),
    "gelu tanh": (
        lambda x: F.gelu(x, approximate="tanh"),
        signs(lambda x: F.gelu(x, approximate="tanh")),
        "gelu",
    ),
    "silu": (F.silu, signs(F.silu), "silu"),
    "silu inplace": (lambda x: F.silu(x, inplace=True), signs(F.silu), "silu"),
    "mish": (F.mish, signs(F.mish), "mish"),
    "hardswish": (F.hardswish, signs(F.hardswish), "hardswish"),
    "leaky_relu": (F.leaky_relu, signs(F.leaky_relu), "leaky_relu"),
    "elu": (F.elu, signs(F.elu), "elu"),
    "selu": (F.selu, signs(F.selu), "selu"),
    "celu": (F.celu, signs(F.celu), "celu"),
    "rrelu": (F.rrelu, signs(F.rrelu), "rrelu"),
    "prelu": (lambda x: F.prelu(x, torch.tensor(0.2)), signs(F.leaky_relu), "prelu"),
    "tanh": (torch.tanh, signs(torch.tanh), "tanh"),
    "sigmoid": (torch.sigmoid, above(0.5, torch.sigmoid), "sigmoid"),
    "sigmoid_": (lambda x: x.sigmoid_(), above(0.5, torch.sigmoid), "sigmoid"),
    "hardsigmoid": (F.hardsigmoid, above(0.5, F.hardsigmoid), "hardsigmoid"),
    "softplus": (F.softplus, lambda x: x > 0, "softplus"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("capture", ["auto", "operators"])
def test_functions(name: str, capture: str) -> None:
    function, states, operator = FUNCTIONS[name]
    score = swap.score(Calls(function), inputs(), capture=capture)
    assert score == distinct(states(before_activation()))
    (layer,) = score.layers
    assert (layer.name, layer.kind, layer.how) == (f":{operator}", operator, "operator")
    assert layer.neurons == 300
    assert layer.new_patterns == score
    assert score.missed == ()


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "F.relu inplace"])
def test_the_model_computes_what_it_did(name: str) -> None:
    results = []

    def remembered(x: Tensor) -> Tensor:
        results.append(FUNCTIONS[name][0](x))
        return results[-1]

    model = Calls(remembered)
    swap.score(model, inputs())
    with torch.no_grad():
        model(inputs())
    assert torch.equal(results[-1], results[0])
    assert all(len(result) == len(results[0]) for result in results)  # the samples in other orders


def test_every_operator_of_the_table_is_tested() -> None:
    assert {operator for _, _, operator in FUNCTIONS.values()} == {*OPERATOR_RULES} - {
        "_addmm_activation"
    }  # in test_encoder_layers


@pytest.mark.parametrize("kind", MODULE_RULES)
def test_modules_score_as_the_operators_in_them(kind: type[nn.Module]) -> None:
    module = (nn.Threshold(0, 0) if kind is nn.Threshold else kind()).eval()
    by_module = swap.score(Calls(module), inputs())
    assert [layer.how for layer in by_module.layers] == ["module"]
    assert by_module.layers[0].name == "function"
    if kind is not nn.Softsign:  # made of several operators
        assert swap.score(Calls(module), inputs(), capture="operators") == by_module


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.clamp(max=1),
        lambda x: x.clamp(min=0.1),
        lambda x: x.clamp(-1, 2),
        lambda x: x.clamp(min=torch.zeros(300)),
        lambda x: F.threshold(x, 1, 20),
        lambda x: x + x.round().int().clamp(min=0),
        lambda x: x + x.mean().clamp(min=0),
    ],
)
def test_what_is_no_activation(function: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(ValueError, match="no activation of Calls was captured"):
        swap.score(Calls(function), inputs())


def test_functions_and_modules_together() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.first, self.second = nn.Linear(5, 80), nn.Linear(80, 80)
            self.act = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            x = self.act(self.first(x))
            for _ in range(2):
                x = F.relu(self.second(x))
            return torch.relu(x - 0.1)

    model = Mixed()
    score = swap.score(model, inputs())
    assert [(layer.name, layer.neurons) for layer in score.layers] == [
        ("act", 80),
        (":relu", 160),
        (":relu#2", 80),
    ]
    with torch.no_grad():
        a = torch.relu(model.first(inputs()))
        b = torch.relu(model.second(a))
        c = torch.relu(model.second(b))
        d = torch.relu(c - 0.1)
    assert score == distinct(*(y > 0 for y in (a, b, c, d)))
    modules_only = swap.score(model, inputs(), capture="modules")
    assert modules_only == distinct(a > 0)


def test_a_signed_function_among_binary_modules() -> None:
    """That patterns are ternary shows only when the model runs."""

    class Late(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.linear, self.act = nn.Linear(5, 200), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return F.gelu(self.linear(x)) + self.act(self.linear(-x))

    model = Late()
    scorer = swap.Scorer(inputs())
    with torch.no_grad():
        gelu = torch.sign(F.gelu(model.linear(inputs())))
        relu = torch.relu(model.linear(-inputs())) > 0
    for _ in range(2):  # the second time it is known beforehand
        score = scorer(model)
        assert score == distinct(gelu, relu)
        assert score.ternary
    assert swap.score(Late(), inputs(), init="gaussian", repeats=6).patterns == tuple(
        int(swap.score(Late(), inputs(), init="gaussian", seed=seed)) for seed in range(6)
    )


@pytest.mark.parametrize("activation", ["relu", "gelu", F.silu, nn.GELU()])
@pytest.mark.parametrize("fast_path", [True, False])
def test_encoder_layers(activation: object, fast_path: bool) -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 32, activation=activation, batch_first=True)
    x = torch.randn(6, 7, 16)
    seen: list[Tensor] = []
    function = {"relu": F.relu, "gelu": F.gelu}.get(activation, activation)  # type: ignore[call-overload]
    layer.eval()
    with torch.no_grad():
        attended = layer.norm1(x + layer.self_attn(x, x, x, need_weights=False)[0])
        seen.append(function(layer.linear1(attended)))
    torch.backends.mha.set_fastpath_enabled(fast_path)
    try:
        score = swap.score(layer, x)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    assert score.neurons == 7 * 32
    assert score == distinct(torch.sign(seen[0]).reshape(6, -1))
    assert not score.missed


def test_an_encoder_with_a_padding_mask() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    model = nn.TransformerEncoder(layer, 2).eval()
    x = torch.randn(6, 7, 16)
    mask = torch.zeros(6, 7, dtype=torch.bool)
    mask[:3, 5:] = True
    score = swap.score(model, {"src": x, "src_key_padding_mask": mask})
    assert score.neurons == 2 * 7 * 32
    assert model.use_nested_tensor


@pytest.mark.parametrize("compile_", ["trace", "script"])
def test_torchscript_parts(compile_: str) -> None:
    part = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()).train()
    x = torch.randn(8, 3, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = torch.jit.trace(part, x) if compile_ == "trace" else torch.jit.script(part)
    model = nn.Sequential(compiled, nn.Conv2d(8, 4, 3), nn.ReLU())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for _ in range(3):  # TorchScript optimises what it has seen twice
        score = swap.score(model, x)
        assert [layer.kind for layer in score.layers] == ["relu", "ReLU"]
        assert score.neurons == 8 * 6 * 6 + 4 * 4 * 4
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    score = swap.score(model, x, init="gaussian", repeats=3)
    assert len(score.patterns) == 3
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_activations_of_other_libraries() -> None:
    """By the names of their classes: the libraries need not be there."""
    source = (
        "import torch\nfrom torch import nn\n"
        "class NewGELUActivation(nn.Module):\n"
        "    def forward(self, x):\n"
        "        return 0.5 * x * (1 + torch.tanh(0.8 * (x + 0.045 * x ** 3)))\n"
    )
    namespace: dict[str, object] = {"__name__": "transformers.activations"}
    exec(compile(source, "activations.py", "exec"), namespace)
    act = namespace["NewGELUActivation"]()  # type: ignore[operator]
    score = swap.score(Calls(act), inputs())
    assert [(layer.kind, layer.how) for layer in score.layers] == [("NewGELUActivation", "module")]
    assert score == distinct(torch.sign(act(before_activation())))


@pytest.mark.slow
def test_hugging_face_activations() -> None:
    activations = pytest.importorskip("transformers.activations", reason="transformers is absent")
    for name in (
        "gelu",
        "gelu_new",
        "gelu_fast",
        "gelu_python",
        "quick_gelu",
        "relu",
        "silu",
        "mish",
    ):
        act = activations.ACT2FN[name]
        score = swap.score(Calls(act), inputs())
        assert len(score.layers) == 1, name
        assert score.layers[0].how == "module", name
        assert score == distinct(torch.sign(act(before_activation()))), name


# ---- the user's own -----------------------------------------------------------------------------


class Snake(nn.Module):
    """An activation that no table knows."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.sin(x) ** 2


class Square(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x


def test_rules_of_the_users_own() -> None:
    before = before_activation()
    after = Snake()(before)
    scores = {
        rule: swap.score(Calls(Snake()), inputs(), rules={Snake: rule})
        for rule in (Rule(), Rule(signed=True), Rule(of_input=True), Rule(upper=2.0))
    }
    assert scores[Rule()] == distinct(after > 0)
    assert scores[Rule(signed=True)] == distinct(torch.sign(after))
    assert scores[Rule(of_input=True)] == distinct(before > 0)
    assert scores[Rule(upper=2.0)] == distinct((after > 0).int() + (after >= 2).int())
    assert scores[Rule()].layers[0].rule == Rule()
    by_operator = swap.score(Calls(torch.sin), inputs(), rules={"sin": Rule(signed=True)})
    assert by_operator == distinct(torch.sign(torch.sin(before)))
    with pytest.raises(ValueError, match="no activation"):  # and gone with the scorer
        swap.score(Calls(torch.sin), inputs())


def test_a_rule_of_none_leaves_out() -> None:
    model = nn.Sequential(Calls(nn.ReLU()), nn.Linear(300, 40), nn.GELU())
    score = swap.score(model, inputs(), rules={nn.ReLU: None})
    assert [layer.kind for layer in score.layers] == ["GELU"]
    model = nn.Sequential(Calls(F.relu), nn.Linear(300, 40), nn.GELU())
    score = swap.score(model, inputs(), rules={"relu": None})
    assert [layer.kind for layer in score.layers] == ["GELU"]


def test_bad_rules() -> None:
    with pytest.raises(ValueError, match="no operator 'no_such_operator'"):
        swap.Scorer(inputs(), rules={"no_such_operator": Rule()})
    with pytest.raises(TypeError, match="module classes"):
        swap.Scorer(inputs(), rules={3: Rule()})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="must be a Rule or None"):
        swap.Scorer(inputs(), rules={nn.ReLU: "signed"})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="upper"):
        Rule(signed=True, upper=6)
    with pytest.raises(ValueError, match="auto, modules, operators"):
        swap.Scorer(inputs(), capture="everything")  # type: ignore[arg-type]


@pytest.mark.parametrize("capture", ["auto", "operators"])
def test_select(capture: str, small_net: SmallNet) -> None:
    x = torch.randn(8, 3, 8, 8)
    whole = swap.score(small_net, x, capture=capture)
    _, second = whole.layers
    for select in (second.name, [second.name], lambda layer: layer.name == second.name):
        score = swap.score(small_net, x, capture=capture, select=select, init="gaussian", repeats=4)
        assert [layer.name for layer in score.layers] == [second.name]
        assert score.neurons == second.neurons
    assert swap.score(small_net, x, capture=capture, select="features.*") == whole
    with pytest.raises(ValueError, match=r"select= leaves out: features\.2.*, features\.6"):
        swap.score(small_net, x, capture=capture, select="head.*")


def test_missed_activations_are_told() -> None:
    class MySwish(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x / (1 + torch.exp(-x))

    class ByHand(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * (1 + torch.erf(x)) / 2

    model = nn.Sequential(Calls(F.relu), MySwish(), ByHand(), nn.GRU(300, 4, batch_first=True))
    scorer = swap.Scorer(inputs())
    with pytest.warns(swap.ScoreWarning, match="not captured: '1' .MySwish.*rules="):
        score = scorer(model)
    assert [text.split(",")[0] for text in score.missed] == [
        "'1' (MySwish)",
        "an activation made of 'erf' in '2'",
        "the activations inside the fused GRU '3'",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scorer(model)  # once for a class of models
        quiet = {MySwish: Rule(signed=True), ByHand: None, nn.GRU: None}
        assert not swap.score(model, inputs(), rules=quiet).missed


def test_a_module_named_like_an_activation_that_holds_one() -> None:
    class ReLUBlock(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x)

    class FancyReLU(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.relu(x)

    for module in (ReLUBlock(), FancyReLU()):
        score = swap.score(Calls(module), inputs())
        assert not score.missed
        assert score == distinct(before_activation() > 0)


# ---- rows that are not samples -------------------------------------------------------------------


def test_rows_that_are_no_samples_are_named_with_the_choices() -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.table = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 5))
            self.body = Calls(F.relu)

        def forward(self, x: Tensor) -> Tensor:
            return self.body(x + self.table(torch.ones(7, 2)).mean(0))

    model = Positions()
    score = swap.score(model, inputs())
    assert [layer.name for layer in score.layers] == ["body:relu"]
    assert (
        score.notes[0]
        == f"left out, since its rows are no multiple of {len(inputs())} samples: table.1"
    )
    selected = swap.score(model, inputs(), select=lambda layer: layer.name != "table.1")
    assert selected == score and "left out" not in str(selected.notes)
    with pytest.raises(ValueError, match=r"'table\.1' \(ReLU\).*7 rows.*select=.*samples="):
        swap.score(model, inputs(), select="table.1")


# ---- interception -------------------------------------------------------------------------------


def test_interception_is_of_one_thread_and_one_time() -> None:
    calls: list[str] = []

    def handler(name, operator, args, kwargs):  # type: ignore[no-untyped-def]
        calls.append(name)
        return operator(*args, **kwargs)

    x = torch.randn(4, 4)
    inside, done = Event(), Event()

    def elsewhere() -> None:
        inside.wait()
        torch.relu(x)
        done.set()

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(elsewhere)
        with intercepted(handler):
            inside.set()
            done.wait()
            assert torch.equal(torch.relu(x), x.clamp(min=0))
            with paused():
                torch.relu(x)
        future.result()
    torch.relu(x)
    assert calls == ["relu", "clamp"]
    with pytest.raises(RuntimeError, match="mine"), intercepted(handler):
        raise RuntimeError("mine")
    torch.relu(x)
    assert calls == ["relu", "clamp"]


def test_interception_keeps_gradients() -> None:
    x = torch.randn(4, 4, requires_grad=True)
    with intercepted(lambda name, operator, args, kwargs: operator(*args, **kwargs)):
        torch.relu(x).sum().backward()
    assert torch.equal(x.grad, (x > 0).float())


def test_the_reference_is_the_definition() -> None:
    """Of the whole chain: capture, counting, ternary patterns."""
    y = F.silu(before_activation())
    assert swap.score(Calls(F.silu), inputs()) == reference.count_patterns(
        y, samples=SAMPLES, ternary=True
    )


def test_capturing_in_a_loop_of_ones_own(small_net: SmallNet) -> None:
    x = torch.randn(8, 3, 8, 8)
    counter = swap.PatternCounter(8)
    small_net.eval()
    with torch.no_grad(), capturing(small_net, counter) as capture:
        small_net(x)
    with torch.no_grad():
        first = small_net.features[:3](x)
        second = small_net.features(x)
    assert counter.count() == distinct(first.flatten(1) > 0, second.flatten(1) > 0)
    assert capture.captured == 2
    for model in (Calls(nn.GELU()), Calls(F.gelu)):
        with (
            pytest.raises(ValueError, match="ternary=True"),
            capturing(model, swap.PatternCounter(SAMPLES)),
        ):
            model(inputs())
        with capturing(model, swap.PatternCounter(SAMPLES, ternary=True)):
            model(inputs())


@pytest.mark.parametrize("act", [F.relu, F.gelu, nn.ReLU(), nn.ReLU(inplace=True)])
def test_a_model_that_uses_autograd(act: Callable[[Tensor], Tensor]) -> None:
    class Gradients(Calls):
        def forward(self, x: Tensor) -> Tensor:
            with torch.enable_grad():
                y = self.function(self.linear(x))
                (gradient,) = torch.autograd.grad(y.sum(), self.linear.weight)
                gradients.append(gradient)
                return y

    gradients: list[Tensor] = []
    model = Gradients(act)
    expected = distinct(torch.sign(model(inputs())))
    assert swap.score(model, inputs()) == expected
    assert torch.equal(gradients[0], gradients[1])


def test_a_vmap_of_the_models_own_is_refused() -> None:
    """What is a sample there can't be known."""
    for function in (F.relu, nn.ReLU()):
        with pytest.raises(ValueError, match=r"under a vmap of the model's own|not a multiple"):
            swap.score(Calls(torch.func.vmap(function)), inputs())
