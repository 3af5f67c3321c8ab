"""Scores, against the published way: keep every activation, then torch.unique."""

from __future__ import annotations

import copy
import math
import pickle
import statistics
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from support.pattern_counts import assert_same_patterns, published_score
from support.small_net import SmallNet
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext.models import initialization


def without_dropout(model: nn.Module) -> nn.Module:
    """A copy in training mode, but for dropout: what a score sees."""
    model = copy.deepcopy(model).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    return model


@pytest.mark.parametrize("samples", [4, 16, 24, 40, 80])
def test_relu_network(small_net: SmallNet, samples: int) -> None:
    x = torch.randn(samples, 3, 12, 12)
    score = swap.score(small_net, x)
    assert score == published_score(without_dropout(small_net), x, (nn.ReLU,))
    assert score.patterns == (int(score),)
    assert score.neurons == 2 * 8 * 12 * 12
    assert score.samples == samples
    assert score.saturation == score / min(score.neurons, 2**samples)
    assert [layer.name for layer in score.layers] == ["features.2", "features.6"]
    assert sum(layer.new_patterns for layer in score.layers) == score
    assert score.parameters == sum(p.numel() for p in small_net.parameters())


@pytest.mark.parametrize("kind", [nn.GELU, nn.SiLU, nn.LeakyReLU, nn.Tanh, nn.ELU, nn.Hardswish])
def test_signed_activations_are_ternary(kind: type[nn.Module]) -> None:
    torch.manual_seed(1)
    model = SmallNet(kind)
    x = torch.randn(16, 3, 8, 8)
    score = swap.score(model, x)
    assert score.ternary
    assert score == published_score(without_dropout(model), x, (kind,))


def test_a_sigmoid_is_active_above_one_half() -> None:
    model = nn.Sequential(nn.Linear(5, 300), nn.Sigmoid())
    x = torch.randn(6, 5)
    with torch.no_grad():
        expected = torch.unique((model(x) > 0.5).T, dim=0).size(0)
    assert swap.score(model, x) == expected


def test_relu6_mixed_and_subclassed_activations() -> None:
    class Doubled(nn.ReLU):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    model = nn.Sequential(nn.Linear(5, 300), nn.ReLU6(), nn.Linear(300, 200), Doubled())
    x = 5 * torch.randn(10, 5)
    score = swap.score(model, x)
    with torch.no_grad():
        y = model[:2](x)
        states = torch.cat([(y > 0).int() + (y >= 6).int(), (model(x) > 0).int()], dim=1)
    assert states.unique().tolist() == [0, 1, 2]
    assert score == torch.unique(states.T, dim=0).size(0)
    assert score.ternary
    assert [layer.kind for layer in score.layers] == ["ReLU6", "Doubled"]


def test_a_module_used_twice_counts_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(40, 40)
            self.act = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return self.act(self.linear(self.act(self.linear(x))))

    score = swap.score(Twice(), torch.randn(8, 40))
    assert score.neurons == 80
    assert len(score.layers) == 1


def test_relus_of_one_tensor_and_of_its_later_values() -> None:
    class Edges(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.acts = nn.ModuleList(nn.ReLU() for _ in range(4))

        def forward(self, x: Tensor) -> Tensor:
            x = x.clone()
            y = self.acts[0](x) + self.acts[1](x)
            x -= 0.5
            y = y + self.acts[2](x)
            x.view(-1)[:7] += 3
            return y + self.acts[3](x)

    x = torch.randn(10, 300)
    score = swap.score(Edges(), x)
    assert score == published_score(Edges(), x, (nn.ReLU,))
    assert score.neurons == 4 * 300
    assert [layer.new_patterns == 0 for layer in score.layers] == [False, True, False, False]


def test_windows_are_chunks_of_neurons() -> None:
    """Windowed attention: [S * windows, tokens, channels] inside the model."""

    class Windows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.GELU()

        def forward(self, x: Tensor) -> Tensor:
            return self.act(x.reshape(len(x) * 4, -1))

    x = torch.randn(6, 4, 50)
    expected = torch.unique(torch.sign(x.reshape(6, -1)).T, dim=0).size(0)
    assert swap.score(Windows(), x) == expected


def test_inputs_as_tuple_and_mapping() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return self.act(a - b)

    a, b = torch.randn(8, 100), torch.randn(8, 100)
    expected = swap.count_patterns(torch.relu(a - b))
    assert swap.score(Two(), (a, b)) == expected
    assert swap.score(Two(), {"b": b, "a": a}) == expected
    assert swap.score(Two(), (a.reshape(16, 50), b.reshape(16, 50)), samples=8) == expected


# ---- repeats and initialisation ------------------------------------------------------------------


@pytest.mark.parametrize("init", ["gaussian", "kaiming"])
def test_repeats_are_seeded(small_net: SmallNet, init: str) -> None:
    x = torch.randn(16, 3, 8, 8)
    score = swap.score(small_net, x, repeats=4, init=init, seed=3)
    singles = [swap.score(small_net, x, init=init, seed=seed) for seed in (3, 4, 5, 6)]
    assert_same_patterns(score.patterns, tuple(int(single) for single in singles))
    assert len(set(score.patterns)) > 1
    assert score.mean == sum(score.patterns) / 4
    assert score.std == torch.tensor(score.patterns, dtype=torch.float64).std().item()


@pytest.mark.parametrize("measure", ["patterns", "capacity"])
def test_a_function_that_builds_the_model_is_called_for_each_repeat(measure: str) -> None:
    x = torch.randn(16, 3, 8, 8)
    torch.manual_seed(5)
    singles = [swap.score(SmallNet, x, measure=measure, seed=seed) for seed in range(3)]
    torch.manual_seed(5)
    score = swap.score(SmallNet, x, measure=measure, repeats=3)
    assert score.measurement.repeats == 3
    assert score.log_value == pytest.approx(statistics.fmean(s.log_value for s in singles), 1e-3)
    assert_same_patterns(score.patterns, tuple(single.patterns[0] for single in singles))
    assert score.std > 0
    assert score.timing.build > 0
    torch.manual_seed(5)
    early = swap.score(SmallNet, x, measure=measure, repeats=9, tolerance=0.99)
    assert early.patterns == score.patterns  # three of nine


def test_repeats_of_the_weights_of_a_model_are_refused(small_net: SmallNet) -> None:
    x = torch.randn(16, 3, 8, 8)
    with pytest.raises(ValueError, match=r"repeats=2 of the same weights.*a function that builds"):
        swap.score(small_net, x, repeats=2)
    sizes = iter([4, 5])
    problem = r"must build the same network for each repeat: .* of 16 parameters .* a Sequential of 20 and 320"
    with pytest.raises(ValueError, match=problem):
        swap.score(lambda: nn.Sequential(nn.Conv2d(3, next(sizes), 1), nn.ReLU()), x, repeats=2)


@pytest.mark.parametrize("measure", ["patterns", "capacity"])
def test_repeats_of_a_function_that_draws_no_weights(small_net: SmallNet, measure: str) -> None:
    x = torch.randn(16, 3, 8, 8)
    with pytest.raises(ValueError, match="returns the same SmallNet each time: let it build"):
        swap.score(lambda: small_net, x, measure=measure, repeats=3)
    single = swap.score(lambda: small_net, x, measure=measure)
    assert not any("the same weights" in note for note in single.notes)
    copied = swap.score(lambda: copy.deepcopy(small_net), x, measure=measure, repeats=3)
    (note,) = (note for note in copied.notes if "the same weights" in note)
    assert "draws none" in note
    drawn = swap.score(SmallNet, x, measure=measure, repeats=3)
    assert not any("the same weights" in note for note in drawn.notes)


def test_gaussian_is_the_published_initialisation(small_net: SmallNet) -> None:
    expected = copy.deepcopy(small_net)
    torch.manual_seed(7)
    with torch.no_grad():
        for module in expected.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
    initialization.gaussian_(small_net, torch.Generator().manual_seed(7))
    for mine, theirs in zip(small_net.parameters(), expected.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_own_initialiser(small_net: SmallNet) -> None:
    def zeros(model: nn.Module, generator: torch.Generator) -> None:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()

    assert swap.score(small_net, torch.randn(4, 3, 8, 8), init=zeros) == 1


# ---- regularisation ------------------------------------------------------------------------------


def test_regularised_score(small_net: SmallNet) -> None:
    x = torch.randn(16, 3, 8, 8)
    raw = swap.score(small_net, x)
    theta = raw.parameters / 1e3
    score = swap.score(small_net, x, mu=theta + 0.5, sigma=2.0)
    assert score.mean == raw
    assert score.factor == pytest.approx(math.exp(-0.125))
    assert score == pytest.approx(raw * math.exp(-0.125))
    assert score.log_value == pytest.approx(math.log(score))


def test_log_value_survives_underflow(small_net: SmallNet) -> None:
    x = torch.randn(16, 3, 8, 8)
    near, far = (swap.score(small_net, x, mu=mu, sigma=1.0) for mu in (100.0, 200.0))
    assert near == far == 0
    assert near.log_value > far.log_value


@pytest.mark.parametrize(("mu", "sigma"), [(1.0, None), (None, 1.0), (1.0, 0.0), (math.nan, 1.0)])
def test_bad_mu_and_sigma(small_net: SmallNet, mu: float | None, sigma: float | None) -> None:
    with pytest.raises(ValueError, match="mu"):
        swap.score(small_net, torch.randn(2, 3, 8, 8), mu=mu, sigma=sigma)


# ---- the result, and several models --------------------------------------------------------------


def test_score_is_a_float_that_tells_more(small_net: SmallNet) -> None:
    score = swap.score(small_net, torch.randn(16, 3, 8, 8), repeats=2, init="gaussian")
    assert score + 1 == score.value + 1
    assert "repeats=2" in repr(score)
    for again in (pickle.loads(pickle.dumps(score)), copy.deepcopy(score)):
        assert again == score
        assert again.layers == score.layers
        assert again.timing == score.timing
    assert 0 < score.timing.count < score.timing.total


def test_rank(small_net: SmallNet) -> None:
    narrow = nn.Sequential(nn.Conv2d(3, 1, 1), nn.ReLU())
    scorer = swap.Scorer(torch.randn(16, 3, 8, 8), init="gaussian")
    ranked = scorer.rank([narrow, small_net])
    assert [model for _, model in ranked] == [small_net, narrow]
    assert ranked[0][0] == scorer(small_net) > ranked[1][0]


def test_threads_may_share_a_scorer() -> None:
    models = [SmallNet() for _ in range(8)]
    scorer = swap.Scorer(torch.randn(24, 3, 8, 8))
    expected = [scorer(model) for model in models]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(scorer, models)) == expected


def test_a_scorer_can_be_sent_to_a_worker(small_net: SmallNet) -> None:
    scorer = swap.Scorer(torch.randn(24, 3, 8, 8), init="gaussian")
    assert pickle.loads(pickle.dumps(scorer))(small_net) == scorer(small_net)


# ---- bad input -----------------------------------------------------------------------------------


def test_bad_models(small_net: SmallNet) -> None:
    x = torch.randn(16, 3, 8, 8)
    with pytest.raises(ValueError, match="no activation of Linear"):
        swap.score(nn.Linear(3, 3), torch.randn(4, 3))
    with pytest.raises(TypeError, match=r"nn\.Module.*got str"):
        swap.score("resnet18", x)
    with pytest.raises(TypeError, match=r"got int from <function"):
        swap.score(lambda: 3, x)
    for one in (small_net, SmallNet, nn.Sequential(small_net)):
        with pytest.raises(TypeError, match=r"rank takes several models.*got S"):
            swap.Scorer(x).rank(one)

    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return x

    with pytest.raises(ValueError, match="does not call"):
        swap.score(Unused(), x)
    for dtype in (torch.uint8, torch.int64):
        with pytest.raises(
            RuntimeError, match=r"inputs of whole numbers: .* \.to\(torch\.float32\) / 255"
        ):
            swap.score(small_net, x.to(dtype))
    with pytest.raises(
        ValueError, match=r"no activation of LSTM .* no score; not captured: .*LSTM"
    ):
        swap.score(nn.LSTM(8, 4), torch.randn(4, 5, 8))
    with pytest.raises(ValueError, match=r"'features\.2' \(ReLU\).*not a multiple of samples=5"):
        swap.score(small_net, x, samples=5)
    with torch.no_grad():
        small_net.features[4].weight[0] = torch.nan
    with pytest.raises(swap.NanActivationError, match=r"'features\.6'"):
        swap.score(small_net, x)
    assert swap.score(small_net, x, nan_policy="ignore") > 0


def test_bad_arguments(small_net: SmallNet) -> None:
    x = torch.randn(16, 3, 8, 8)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        swap.Scorer(x, repeats=0)
    with pytest.raises(ValueError, match="gaussian, kaiming, keep"):
        swap.Scorer(x, init="xavier")
    with pytest.raises(ValueError, match="empty"):
        swap.Scorer(torch.empty(0, 3, 8, 8))
    with pytest.raises(TypeError, match="a tensor, a tuple or list"):
        swap.Scorer("images")
    with pytest.raises(ValueError, match="pass samples="):
        swap.Scorer({"text": "hello"})


# ---- binary and ternary patterns -----------------------------------------------------------------------


class Mixed(nn.Module):
    """Of three regions, signed, and of two states."""

    def __init__(self, neurons: int) -> None:
        super().__init__()
        self.linear = nn.Linear(8, neurons)

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x)
        return nn.functional.relu6(x) + nn.functional.gelu(x) + torch.relu(x)


@pytest.mark.parametrize("neurons", [20, 5000])
@pytest.mark.parametrize("samples", [1, 2, 4, 6])
@pytest.mark.parametrize(
    "kind", [nn.ReLU6, nn.Hardtanh, nn.GELU, nn.SiLU, nn.LeakyReLU, nn.Hardswish, nn.PReLU, None]
)
@pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")
def test_ternary_patterns_are_at_most_as_many_as_three_states_make(
    kind: type[nn.Module] | None, samples: int, neurons: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    x = 100 * torch.randn(samples, 8, generator=generator)
    model = Mixed(neurons) if kind is None else nn.Sequential(nn.Linear(8, neurons), kind())
    score = swap.score(model, x, init="kaiming")
    assert score.ternary and "ternary=True" in repr(score)
    assert score.saturation == score.mean / min(score.neurons, 3**samples) <= 1


def test_functions_that_are_never_zero_are_saturated_with_two_states() -> None:
    x = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    with pytest.warns(swap.ScoreWarning, match="4 samples make 16 without zero"):
        score = swap.score(nn.Sequential(nn.Linear(8, 5000), nn.LeakyReLU()), x, init="kaiming")
    assert score.mean == 16 and score.saturation == 16 / 81
    assert score.is_saturated
    advised = int(score.notes[-1].rpartition("use ")[2].split()[0])
    assert advised == round(math.log2(5000))


def test_sixteen_of_three_regions_are_few() -> None:
    x = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    layer = nn.Linear(8, 5000)
    few = swap.score(nn.Sequential(layer, nn.ReLU6()), x)
    assert few.mean < 0.9 * 81 and not few.is_saturated and not few.notes


def test_a_ranking_of_both_kinds_warns_once() -> None:
    x = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    binary, ternary = (nn.Sequential(nn.Linear(8, 60), kind()) for kind in (nn.ReLU, nn.GELU))
    scorer = swap.Scorer(x, init="kaiming")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scorer.rank([binary, binary])
        assert not any("ternary" in str(warning.message) for warning in caught)
        ranked = scorer.rank([binary, ternary])
        scorer.rank([ternary, binary])
    told = [warning for warning in caught if "ternary patterns" in str(warning.message)]
    assert len(told) == 1 and told[0].category is swap.ScoreWarning
    assert {model: score.ternary for score, model in ranked} == {binary: False, ternary: True}


class Chosen(nn.Module):
    """Which kind it is is not to be seen from its class, nor from its modules."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.linear, self.function = nn.Linear(8, 60), function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.linear(x))


def test_the_kind_is_not_that_of_the_model_before() -> None:
    scorer = swap.Scorer(torch.randn(8, 8), init="kaiming")
    with pytest.warns(swap.ScoreWarning):
        kinds = [scorer(Chosen(f)).ternary for f in (torch.relu, nn.functional.gelu, torch.relu)]
    assert kinds == [False, True, False]


def test_one_repeat_tells_no_deviation(small_net: SmallNet) -> None:
    x = torch.randn(16, 3, 8, 8)
    score = swap.score(small_net, x, init="kaiming")
    assert math.isnan(score.std) and "std" not in repr(score)
    assert "std=" in repr(swap.score(small_net, x, init="kaiming", repeats=2))
