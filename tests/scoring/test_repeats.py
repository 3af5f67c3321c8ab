"""Repeats in one forward pass have the scores of repeats one after another, and fall back where they
can't run so."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from support.pattern_counts import assert_same_patterns
from support.small_net import SmallNet
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext.models import initialization
from swapnas_ext.scoring import replicates as batching
from swapnas_ext.scoring.repeats import Repeats

pytestmark = pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")

GENOTYPE = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('dil_conv_5x5', 1), ('skip_connect', 0), "
    "('max_pool_3x3', 1), ('avg_pool_3x3', 2), ('none', 3), ('sep_conv_5x5', 0), ('dil_conv_3x3', 4)], "
    "normal_concat=[2, 3, 4, 5], reduce=[('sep_conv_3x3', 0), ('dil_conv_5x5', 1), "
    "('skip_connect', 0), ('max_pool_3x3', 1), ('avg_pool_3x3', 2), ('none', 3), "
    "('sep_conv_5x5', 0), ('dil_conv_3x3', 4)], reduce_concat=[2, 3, 4, 5])"
)


class Functional(nn.Module):
    """Functions, linear layers, layer and group normalisation, an activation of the input itself."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.GroupNorm(2, 8)
        self.linear = nn.Linear(8, 64)
        self.scale = nn.Parameter(torch.full((64,), 0.5))
        self.layer_norm = nn.LayerNorm(64)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(F.relu(x)))
        x = F.gelu(x).mean((2, 3))
        return torch.relu_(self.layer_norm(self.linear(x) * self.scale))


class Dictionary(nn.Module):
    """Takes keywords, returns a mapping, and has a tied weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(12, 12), nn.Linear(12, 12)
        self.second.weight = self.first.weight
        self.act = nn.ReLU6()

    def forward(self, *, x: Tensor, scale: float) -> dict[str, Tensor]:
        return {"y": self.act(self.second(self.act(self.first(x)))) * scale}


class HalfNorms(nn.Module):
    """One norm that only scales, one that only shifts, and one that the model switches to running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(channels, 8, 3) for channels in (3, 8, 8))
        self.norms = nn.ModuleList(nn.BatchNorm2d(8) for _ in range(3))
        self.norms[0].bias = None
        self.norms[1].weight, self.norms[1].bias = None, nn.Parameter(torch.linspace(-1, 1, 8))

    def forward(self, x: Tensor) -> Tensor:
        self.norms[2].eval()
        self.norms[2].track_running_stats = True
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.relu(norm(conv(x)))
        return x


def models() -> dict[str, tuple[nn.Module, Any]]:
    torch.manual_seed(0)
    images = torch.randn(8, 3, 16, 16)
    cell = "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
    return {
        "small": (SmallNet(), images),
        "small tanh": (SmallNet(nn.Tanh), images),
        "darts": (swap.spaces.get("darts").build(GENOTYPE), swap.data.photograph(16)),
        "nasbench201": (swap.spaces.get("nasbench201", channels=4, cells=1).build(cell), images),
        "functional": (Functional(), images),
        "half norms": (HalfNorms(), images),
        "dictionary": (Dictionary(), {"x": torch.randn(8, 12), "scale": 2.0}),
    }


MODELS = models()


@pytest.fixture
def batch_sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many repeats ran at once, each time."""
    sizes: list[int] = []
    original = Repeats._batch_of

    def noted(self: Repeats, repeats: range) -> list[int]:
        counts = original(self, repeats)
        sizes.append(len(repeats))
        return counts

    monkeypatch.setattr(Repeats, "_batch_of", noted)
    return sizes


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("init", ["gaussian", "kaiming"])
@pytest.mark.parametrize("samples", [8, 24])
def test_same_scores_as_one_after_another(
    name: str, init: str, samples: int, batch_sizes: list[int]
) -> None:
    torch.manual_seed(0)
    model, inputs = MODELS[name]
    if samples == 24:  # sets that grow
        inputs = (
            {"x": torch.randn(24, 12), "scale": 2.0}
            if name == "dictionary"
            else torch.randn(24, 3, 16, 16)
        )
    scorer = swap.Scorer(inputs, init=init, repeats=7, seed=5)
    one_by_one = swap.Scorer(inputs, init=init, repeats=7, seed=5, max_memory=1)(model)
    assert batch_sizes == []
    for expected_sizes in (
        [6],
        [6, 7],
    ):  # the second time, sizes are known and the first is with them
        score = scorer(model)
        assert batch_sizes == expected_sizes
        assert_same_patterns(score.patterns, one_by_one.patterns)
        assert score.notes == one_by_one.notes
        assert [(row.name, row.neurons) for row in score.layers] == [
            (row.name, row.neurons) for row in one_by_one.layers
        ]
        for row, alone in zip(score.layers, one_by_one.layers, strict=True):
            assert_same_patterns((row.new_patterns,), (alone.new_patterns,))


class Views(nn.Module):
    """Two weights of one tensor, with the distance ``step``; each has six rows."""

    def __init__(self, step: int) -> None:
        super().__init__()
        both = torch.randn(12, 6)
        self.one, self.two = nn.Linear(6, 6), nn.Linear(6, 6)
        self.one.weight = nn.Parameter(both[:6])
        self.two.weight = nn.Parameter(both[step : step + 6])

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.two(F.relu(self.one(x))))


@pytest.mark.parametrize("step", [6, 5, 0])
def test_weights_that_share_memory(step: int, batch_sizes: list[int]) -> None:
    torch.manual_seed(0)
    model, inputs = Views(step), torch.randn(12, 6)
    options: swap.ScoringOptions = {"init": "kaiming", "repeats": 4}
    expected = swap.score(model, inputs, max_memory=1, **options).patterns
    scorer = swap.Scorer(inputs, **options)
    for _ in range(2):
        score = scorer(model)
        assert_same_patterns(score.patterns, expected)
        assert ("weights share memory" in str(score.notes)) == (step < 6)
    assert batch_sizes == ([3, 4] if step == 6 else [])


@pytest.mark.parametrize("fast_layers", [True, False])
def test_norms_without_some_weights(fast_layers: bool, batch_sizes: list[int]) -> None:
    model, inputs = MODELS["half norms"]
    options: swap.ScoringOptions = {"init": "kaiming", "repeats": 4, "fast_layers": fast_layers}
    score = swap.score(model, inputs, **options)
    assert batch_sizes == [3]
    assert_same_patterns(
        score.patterns, swap.score(model, inputs, max_memory=1, **options).patterns
    )


def test_initialiser_of_the_users_own(batch_sizes: list[int]) -> None:
    def uniform(model: nn.Module, generator: torch.Generator) -> None:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.uniform_(-1, 1, generator=generator)

    model, inputs = MODELS["small"]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    score = swap.score(model, inputs, init=uniform, repeats=5)
    assert batch_sizes == [4]
    assert (
        score.patterns == swap.score(model, inputs, init=uniform, repeats=5, max_memory=1).patterns
    )
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_stacked_weights_are_those_of_each_seed() -> None:
    for model, _ in MODELS.values():
        for initialize in (initialization.gaussian_, initialization.kaiming_):
            generators = [torch.Generator().manual_seed(seed) for seed in (3, 4)]
            parameters = list(model.parameters())
            stacks = initialization.stacked(initialize, model, parameters, generators)
            before = {name: value.clone() for name, value in model.named_parameters()}
            for replicate, seed in enumerate((3, 4)):
                initialize(model, torch.Generator().manual_seed(seed))
                for name, parameter in model.named_parameters():
                    assert torch.equal(stacks[id(parameter)][replicate], parameter), name
            for name, parameter in model.named_parameters():
                parameter.data.copy_(before[name])


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, 16),  # 31 in two equal parts, as the cache allows
        ({"largest": 1000}, 31),
        ({"largest": 5 << 20}, 1),
        ({"max_memory": 30 << 20}, 8),  # 31 in four
        ({"max_memory": 1}, 1),
        ({"device": "cuda"}, 31),
    ],
)
def test_replicates_at_once(limits: dict[str, Any], expected: int) -> None:
    sizes = {
        "largest": 400_000,
        "activations": 3 << 20,
        "weights": 1 << 10,
        "max_memory": 1 << 30,
        "device": "cpu",
    }
    assert batching.replicates_at_once(31, **(sizes | limits)) == expected


# ---- models that can't be batched ----------------------------------------------------------------


class Noisy(SmallNet):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + torch.rand_like(x) + F.dropout(x))


class Branching(SmallNet):
    def forward(self, x: Tensor) -> Tensor:
        y = self.features(x)
        return y if y.sum().item() > 0 else -y


class Counting(SmallNet):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        y = self.features(x)
        self.total += y.mean()
        return y


@pytest.mark.parametrize("kind", [Noisy, Branching, Counting])
def test_falls_back_and_says_so(kind: type[nn.Module], batch_sizes: list[int]) -> None:
    x = torch.randn(8, 3, 8, 8)
    scorer = swap.Scorer(x, init="gaussian", repeats=4)
    for _ in range(2):
        model = kind()
        score = scorer(model)
        assert batch_sizes == []
        assert any(
            "ran one after another" in note and kind.__name__ in note for note in score.notes
        )
        singles = [swap.score(kind(), x, init="gaussian", seed=seed) for seed in range(4)]
        assert_same_patterns(score.patterns, tuple(int(single) for single in singles))


def test_random_models_are_reproducible() -> None:
    x = torch.randn(8, 3, 8, 8)
    state = torch.get_rng_state()
    first = swap.score(Noisy(), x, init="gaussian", repeats=4, seed=1)
    torch.rand(5)
    again = swap.score(Noisy(), x, init="gaussian", repeats=4, seed=1)
    assert again.patterns == first.patterns
    later = swap.score(Noisy(), x, init="gaussian", repeats=3, seed=2)
    assert later.patterns == first.patterns[1:]
    assert len(set(first.patterns)) > 1
    torch.set_rng_state(state)


def test_memory_runs_out_in_a_batch(
    monkeypatch: pytest.MonkeyPatch, batch_sizes: list[int]
) -> None:
    original = batching.run_replicates

    def small(model: nn.Module, parameters: dict[str, Tensor], *arguments: Any) -> None:
        if len(next(iter(parameters.values()))) > 3:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate ...")
        original(model, parameters, *arguments)

    monkeypatch.setattr(batching, "run_replicates", small)
    model, x = MODELS["small"]
    score = swap.score(model, x, init="gaussian", repeats=8)
    assert batch_sizes == [3, 3]  # of 7, and the last by itself
    assert_same_patterns(
        score.patterns, swap.score(model, x, init="gaussian", repeats=8, max_memory=1).patterns
    )


def test_memory_runs_out_in_one_pass() -> None:
    class Huge(SmallNet):
        def forward(self, x: Tensor) -> Tensor:
            return torch.empty(1 << 50) + super().forward(x)

    with pytest.raises(RuntimeError, match=r"cpu has too little memory.*fewer samples"):
        swap.score(Huge(), torch.randn(4, 3, 8, 8))


@pytest.mark.parametrize("max_memory", [None, 1])
def test_ternary_patterns_that_only_a_later_repeat_has(max_memory: int | None) -> None:
    class Moody(SmallNet):
        def forward(self, x: Tensor) -> Tensor:
            y = self.features(x)
            return F.gelu(y - 0.5) if self.head.bias[0] > 0 else y

    def init(model: nn.Module, generator: torch.Generator) -> None:
        initialization.gaussian_(model, generator)
        with torch.no_grad():
            model.head.bias.fill_(generator.initial_seed() - 1.5)

    x = torch.randn(8, 3, 8, 8)
    score = swap.score(Moody(), x, init=init, repeats=4, max_memory=max_memory)
    assert score.ternary
    scorer = swap.Scorer(x, init=init, seed=2)  # GELU from the first on
    assert_same_patterns(score.patterns[2:3], (int(scorer(Moody())),))


# ---- weights that a forward pass changes ---------------------------------------------------------


class Drifting(SmallNet):
    """Changes a weight that no initialiser knows."""

    drifts = True

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        if self.drifts:
            with torch.no_grad():
                self.shift.add_(0.3)
        return super().forward(x + self.shift)


def test_changed_weights_come_back(batch_sizes: list[int]) -> None:
    model, x = Drifting(), torch.randn(8, 3, 8, 8)
    scorer = swap.Scorer(x)
    assert scorer(model) == scorer(model)
    assert model.shift.item() == 0
    score = swap.score(model, x, init="gaussian", repeats=3)
    singles = [swap.score(model, x, init="gaussian", seed=seed) for seed in range(3)]
    assert_same_patterns(score.patterns, tuple(int(single) for single in singles))
    assert model.shift.item() == 0
    assert batch_sizes == []


def test_weights_changed_by_one_of_a_class_that_did_not() -> None:
    steady, drifting = Drifting(), Drifting()
    steady.drifts = False
    scorer = swap.Scorer(torch.randn(8, 3, 8, 8))
    scorer(steady)
    before, version = drifting.shift.item(), drifting.shift._version
    assert scorer(drifting) > 0
    assert (drifting.shift.item(), drifting.shift._version) == (before, version)


def test_attributes_set_by_the_forward_pass_are_no_wrappers() -> None:
    class Keeps(SmallNet):
        def forward(self, x: Tensor) -> Tensor:
            self.last = self.features(x)
            return self.last

    model = Keeps()
    score = swap.score(model, torch.randn(8, 3, 8, 8), init="gaussian", repeats=6)
    assert len(score.patterns) == 6
    assert not score.notes or "one after" not in score.notes[0]
    if "last" in model.__dict__:
        assert torch.isfinite(model.last).all()


# ---- tolerance -----------------------------------------------------------------------------------


@pytest.mark.parametrize("max_memory", [None, 1])
def test_tolerance(max_memory: int | None) -> None:
    model, x = MODELS["darts"]
    full = swap.score(model, x, init="gaussian", repeats=12).patterns
    score = swap.score(model, x, init="gaussian", repeats=12, tolerance=0.06, max_memory=max_memory)
    stopped = len(score.patterns)
    assert score.patterns == full[:stopped]
    assert 3 <= stopped < 12
    assert score.std / stopped**0.5 <= 0.06 * score.mean
    shorter = torch.tensor(full[: stopped - 1], dtype=torch.float64)
    assert stopped == 3 or shorter.std() / (stopped - 1) ** 0.5 > 0.06 * shorter.mean()
    tight = swap.score(model, x, init="gaussian", repeats=12, tolerance=1e-6, max_memory=max_memory)
    assert tight.patterns == full


# ---- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "problem"),
    [
        ({"repeats": 0}, ValueError, "repeats must be at least 1, got 0"),
        ({"repeats": 2.0}, TypeError, "repeats must be an int"),
        ({"max_memory": 0}, ValueError, "max_memory must be at least 1"),
        ({"max_memory": "1G"}, TypeError, "max_memory must be an int"),
        ({"tolerance": 0.0}, ValueError, "between 0 and 1"),
        ({"tolerance": 1.5}, ValueError, "between 0 and 1"),
        ({"autocast": torch.float32}, ValueError, "autocast must be"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], problem: str) -> None:
    with pytest.raises(error, match=problem):
        swap.Scorer(torch.randn(4, 3, 8, 8), init="gaussian", **arguments)


def test_a_batch_that_the_model_rejects() -> None:
    with pytest.raises(RuntimeError, match="channels"):
        swap.score(SmallNet(), torch.randn(4, 5, 8, 8), init="gaussian", repeats=3)


def test_nan_in_a_later_repeat_is_named() -> None:
    def breaks(model: nn.Module, generator: torch.Generator) -> None:
        initialization.gaussian_(model, generator)
        if generator.initial_seed() == 2:
            with torch.no_grad():
                model.features[4].weight[0] = torch.nan

    with pytest.raises(swap.NanActivationError, match=r"'features\.6' \(ReLU\)"):
        swap.score(SmallNet(), torch.randn(4, 3, 8, 8), init=breaks, repeats=5)


# ---- threads -------------------------------------------------------------------------------------


def test_two_threads_and_one_model() -> None:
    class Waits(SmallNet):
        def forward(self, x: Tensor) -> Tensor:
            entered.set()
            leave.wait(10)
            return super().forward(x)

    entered, leave = threading.Event(), threading.Event()
    model, x = Waits(), torch.randn(8, 3, 8, 8)
    scores: list[float] = []
    weight = model.features[0].weight
    thread = threading.Thread(target=lambda: scores.append(swap.score(model, x)))
    thread.start()
    entered.wait(10)
    later = [
        threading.Thread(target=lambda part=part: scores.append(swap.score(part, x)))
        for part in (model, nn.Sequential(model))
    ]
    for other in later:
        other.start()
    assert scores == []  # they wait for their turn
    leave.set()
    for each in (thread, *later):
        each.join()
    assert scores == 3 * [swap.score(model, x)]
    assert model.features[0].weight is weight


def test_a_model_that_scores_itself() -> None:
    class Inside(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            with pytest.raises(RuntimeError, match="is being scored already"):
                swap.score(model, x)
            return x

    model, x = nn.Sequential(nn.ReLU(), Inside()), torch.randn(8, 3, 8, 8)
    assert swap.score(model, x) > 0


@pytest.mark.parametrize("options", [{"channels_last": True}, {"autocast": torch.bfloat16}])
def test_layout_and_precision(options: dict[str, Any]) -> None:
    model, x = MODELS["small"]
    before = [(p.data_ptr(), p.stride()) for p in model.parameters()]
    plain = swap.score(model, x, init="gaussian", repeats=4)
    score = swap.score(model, x, init="gaussian", repeats=4, **options)
    assert score.neurons == plain.neurons
    assert abs(score - plain) < 0.1 * plain
    assert [(p.data_ptr(), p.stride()) for p in model.parameters()] == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_forked_while_another_thread_scores() -> None:
    class Waits(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            entered.set()
            leave.wait(30)
            return torch.relu(x)

    entered, leave = threading.Event(), threading.Event()
    x = torch.randn(4, 3)
    thread = threading.Thread(target=swap.score, args=(Waits(), x))
    thread.start()
    entered.wait(10)
    try:
        child = os.fork()
        if child == 0:
            torch.set_num_threads(1)
            os._exit(0 if swap.score(nn.ReLU(), x) > 0 else 1)
        _, status = os.waitpid(child, 0)
    finally:
        leave.set()
        thread.join()
    assert os.waitstatus_to_exitcode(status) == 0
