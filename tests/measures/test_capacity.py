"""The capacity score, against its definition in plain PyTorch."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from support.composite import IMAGES, SEED, Net, Residual
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import swapnas_ext as swap
from swapnas_ext import measures
from swapnas_ext.measures import noise_pass
from swapnas_ext.measures.capacity import Capacity, use, width
from swapnas_ext.measures.channels import LayerChannels
from swapnas_ext.models.initialization import kaiming_

pytestmark = pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")

_PAIRS = 4


def capacity(model: Any, inputs: Any = IMAGES, **options: Any) -> swap.SwapScore:
    options = {"init": "kaiming", "seed": SEED, **options}
    return swap.score(model, inputs, measure="capacity", **options)


def part(model: Any, inputs: Any = IMAGES, **options: Any) -> Capacity:
    (found,) = capacity(model, inputs, **options).measurement.parts
    assert isinstance(found, Capacity)
    return found


def net() -> Net:
    return Net(Residual(4, 4), Residual(4, 4), Residual(4, 8, stride=2), Residual(8, 8))


class Classifier(Net):
    """With an activation that has one position a sample."""

    def __init__(self, *blocks: nn.Module) -> None:
        super().__init__(*blocks)
        self.classify = nn.Sequential(nn.Linear(8, 6), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(super().forward(x))


def classifier() -> Classifier:
    return Classifier(*net().blocks)


def by_definition(model: Net, seed: int = SEED) -> tuple[float, float, float, int, float, float]:
    """Width, use, operations, patterns, drift and directness, from the docstring of the module."""
    model = model.train()
    kaiming_(model, torch.Generator().manual_seed(seed))
    generator = torch.Generator().manual_seed(seed + (0x5EED << 40))
    noise = torch.randn(_PAIRS, *IMAGES.shape[1:], generator=generator)
    entering: list[Tensor] = []
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_pre_hook(lambda m, args: entering.append(args[0].clone()))
    with torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            model(IMAGES)
        signs = torch.cat([(x > 0).flatten(1) for x in entering], 1)
        entering.clear()
        x = model.stem(torch.cat([noise, noise]))
        gains, direct = [], []
        for number, block in enumerate(model.blocks):
            first = x[:_PAIRS]
            step, disturbance = 0.01 * first.std(), torch.zeros_like(first)
            if number > 0:
                disturbance = torch.randn(first.shape, generator=generator)
            x = block(torch.cat([first, first + step * disturbance]))
            if number > 0:
                y, other = x.chunk(2)
                response = (other - y) / step
                gain = response.std() / disturbance.std() * first.std() / y.std()
                gains.append(math.log(float(gain)))
                shrunk = F.pixel_unshuffle(disturbance, first.shape[-1] // y.shape[-1])
                positions = y[:, 0].numel()
                mean = torch.einsum("schw,sdhw->cd", shrunk, response) / positions
                direct.append(
                    math.log(min(1.0, float(torch.linalg.svdvals(mean)[0] / response.std())))
                )
        x = model.head(x)
        if isinstance(model, Classifier):
            model.classify(x)
    by_resolution: dict[int, float] = {}
    uses = []
    for x in entering:
        channels = x[:_PAIRS].transpose(0, 1).flatten(1)
        eigenvalues = torch.linalg.eigvalsh(torch.cov(channels))
        effective = float(eigenvalues.sum() ** 2 / (eigenvalues**2).sum())
        positions = x[0, 0].numel()
        known = by_resolution.get(positions, 0.0)
        by_resolution[positions] = known + math.sqrt(effective * len(channels))
        if positions > 1:
            uses.append((effective / len(channels)) ** 2)
    return (
        sum(math.sqrt(total) for total in by_resolution.values()) ** 2,
        sum(uses) / len(uses),
        counter.get_total_flops() // len(IMAGES),
        signs.unique(dim=1).shape[1],
        sum(gains) / len(gains),
        sum(direct) / len(direct),
    )


@pytest.mark.parametrize("build", [net, classifier])
@pytest.mark.parametrize("repeat", [0, 1])
def test_it_is_what_it_is_defined_to_be(build: Any, repeat: int) -> None:
    found = capacity(build(), repeats=2).measurement.parts[repeat]
    wide, used, flops, patterns, drift, directness = by_definition(build(), SEED + repeat)
    assert found.width == pytest.approx(wide, rel=1e-4)
    assert found.use == pytest.approx(used, rel=1e-4)
    assert (found.flops, found.patterns) == (flops, patterns)
    assert found.drift == pytest.approx(drift, abs=1e-3)
    assert found.directness == pytest.approx(directness, abs=1e-3)
    expected = math.log(wide) + math.log(flops * patterns * used) / 2 - drift**2 + directness
    assert found.log_score == pytest.approx(expected, abs=1e-3)


def test_width_of_layers_of_several_resolutions() -> None:
    layers = [LayerChannels(0.25, 8, 64), LayerChannels(1.0, 5, 64), LayerChannels(0.0625, 64, 1)]
    assert width(layers) == pytest.approx((math.sqrt(4 + 5) + math.sqrt(16)) ** 2)
    assert use(layers) == pytest.approx((0.25**2 + 1) / 2)
    assert use(layers[2:]) == 0.0625**2
    assert width([]) == use([]) == 0


def test_the_score_is_that_of_its_parts() -> None:
    score = capacity(net(), repeats=3)
    assert score.notes == ()
    parts = score.measurement.parts
    assert score.log_value == pytest.approx(sum(found.log_score for found in parts) / 3)
    details = score.measurement.details
    for name in ("width", "use", "drift", "directness"):
        assert details[name] == [getattr(found, name) for found in parts]
    assert details["flops"] == parts[0].flops
    assert score.patterns == tuple(found.patterns for found in parts)
    json.dumps(details)


def test_patterns_are_the_published_score() -> None:
    plain = swap.score(net(), IMAGES, init="kaiming", seed=SEED, repeats=3)
    assert capacity(net(), repeats=3).patterns == plain.patterns


def test_repeats_are_those_of_other_seeds() -> None:
    together = capacity(net(), repeats=3).measurement.parts
    assert list(together) == [part(net(), seed=SEED + repeat) for repeat in range(3)]


def test_the_command_scores_weights_as_built() -> None:
    assert measures.get("capacity").default_init == "keep"


def test_scores_do_not_depend_on_what_was_scored_before() -> None:
    expected = part(net())
    scorer = swap.Scorer(IMAGES, measure="capacity", init="kaiming", seed=SEED)
    for model in (net(), net(), net, classifier(), net, net()):
        (found,) = scorer(model).measurement.parts
        assert (found != expected) is isinstance(model, Classifier)


@pytest.mark.parametrize("init", [None, "kaiming"])
def test_the_model_comes_back_untouched(init: Any) -> None:
    model = net()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    tensors = [*model.parameters(), *model.buffers()]
    state = torch.random.get_rng_state()
    capacity(model, init=init)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(
        a is b for a, b in zip(tensors, [*model.parameters(), *model.buffers()], strict=True)
    )
    for module in model.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks
        assert "forward" not in vars(module)
        assert module.training


# ---- networks of other kinds -----------------------------------------------------------------------


def test_layers_without_positions() -> None:
    layers = [nn.Sequential(nn.Linear(6, 6), nn.ReLU()) for _ in range(3)]
    found = part(nn.Sequential(*layers), torch.randn(9, 6, generator=torch.Generator()))
    assert 0 < found.use < 1
    assert found.flops == 3 * 2 * 36
    assert found.drift != 0


def test_signals_have_their_channels_first() -> None:
    torch.manual_seed(0)

    def block(channels: int) -> nn.Sequential:
        convolution = nn.Conv1d(channels, 8, 3, padding=1)
        return nn.Sequential(convolution, nn.BatchNorm1d(8), nn.ReLU())

    class OfSignals(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.Sequential(block(3), block(8), block(8))
            self.head = nn.Linear(8, 5)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.head(self.blocks(x).mean(2))
            return out

    class OfImages(OfSignals):
        def __init__(self, other: OfSignals) -> None:
            super().__init__()
            for mine, theirs in zip(self.blocks, other.blocks, strict=True):
                mine[0] = nn.Conv2d(theirs[0].in_channels, 8, (1, 3), padding=(0, 1))
                mine[0].weight.data = theirs[0].weight.data.unsqueeze(2)
                mine[0].bias.data = theirs[0].bias.data
                mine[1] = nn.BatchNorm2d(8)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.head(self.blocks(x).mean((2, 3)))
            return out

    signals = torch.randn(9, 3, 20)
    model = OfSignals()
    score = capacity(model, signals, init="keep")
    of_images = capacity(OfImages(model), signals.unsqueeze(2), init="keep")
    assert score.log_value == pytest.approx(of_images.log_value, abs=1e-3)


def test_one_layer() -> None:
    score = capacity(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    (note,) = score.notes
    assert "fewer than two blocks" in note
    (found,) = score.measurement.parts
    assert (found.drift, found.directness) == (0, 0)
    assert found.width == pytest.approx(4 * found.use**0.25, rel=1e-6)


def test_no_operations() -> None:
    score = capacity(nn.ReLU())
    assert score.measurement.parts[0].flops == 0
    assert math.isfinite(score.log_value)
    assert any("operations could not be counted" in note for note in score.notes)


@pytest.mark.parametrize("kind", ["video", "signal", "tokens", "ids"])
def test_other_inputs(kind: str) -> None:
    generator = torch.Generator().manual_seed(0)
    layers: list[nn.Module]
    if kind == "video":
        inputs = torch.randn(6, 4, 3, 5, 5, generator=generator)
        layers = [nn.Conv3d(4, 4, 3, padding=1) for _ in range(3)]
    elif kind == "signal":
        inputs = torch.randn(6, 4, 20, generator=generator)
        layers = [nn.Conv1d(4, 4, 3, padding=1) for _ in range(3)]
    else:
        inputs = torch.randn(6, 5, 4, generator=generator)
        layers = [nn.Linear(4, 4) for _ in range(3)]
    model = nn.Sequential(*(nn.Sequential(layer, nn.ReLU()) for layer in layers))
    if kind == "ids":
        inputs = torch.randint(20, (6, 5), generator=generator)
        model.insert(0, nn.Embedding(20, 4))
    found = part(model, inputs)
    assert 0 < found.use <= 1
    assert found.flops > 0
    assert found.drift != 0


def test_dead_networks() -> None:
    model = net()
    for weights in model.parameters():
        nn.init.zeros_(weights)
    found = part(model, init=None)
    assert (found.width, found.use, found.patterns) == (0, 0, 1)
    assert found.drift == found.directness == pytest.approx(-math.log(1000))
    assert math.isfinite(found.log_score)


def test_activations_that_are_no_numbers() -> None:
    model = net()
    model.blocks[1].body[1].weight.data.fill_(math.nan)
    with pytest.raises(swap.NanActivationError, match=r"blocks\.2\.body\.0"):
        capacity(model, init=None)
    assert math.isfinite(capacity(model, init=None, nan_policy="ignore").log_value)


@pytest.mark.parametrize("factor", [1e-5, 1e20, 1e30])
def test_directness_of_signals_of_any_size(factor: float) -> None:
    """Squares of some of them are not finite."""

    class Scaled(Residual):
        def __init__(self, factor: float) -> None:
            super().__init__(4, 4)
            self.factor = factor

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * self.factor

    plain, found = (part(Net(Residual(4, 4), Scaled(size))) for size in (1.0, factor))
    assert plain.directness < -0.01
    assert found.directness == pytest.approx(plain.directness, abs=1e-3)
    assert found.drift == pytest.approx(plain.drift, abs=1e-3)


@pytest.mark.parametrize("kind", ["half", "double", "autocast", "channels_last"])
def test_other_numbers_and_layouts(kind: str) -> None:
    expected = part(net())
    if kind == "autocast":
        found = part(net(), autocast=torch.bfloat16)
    elif kind == "channels_last":
        found = part(net(), channels_last=True)
    else:
        kind_of = torch.bfloat16 if kind == "half" else torch.float64
        found = part(net().to(kind_of), IMAGES.to(kind_of))
    assert found.flops == expected.flops
    assert found.log_score == pytest.approx(expected.log_score, abs=1.5)


def test_torchscript() -> None:
    score = capacity(torch.jit.trace(net(), IMAGES))
    assert math.isfinite(score.log_value)


# ---- which way it takes ----------------------------------------------------------------------------


class Noisy(Residual):
    """Draws random numbers: of torch, of a generator of its own, or for dropout that is always on."""

    def __init__(self, source: str) -> None:
        super().__init__(4, 4)
        self.source = source
        if source == "generator":
            self.generator = torch.Generator().manual_seed(0)

    def forward(self, x: Tensor) -> Tensor:
        if self.source == "dropout":
            return super().forward(F.dropout(x, 0.3, training=True))
        generator = self.generator if self.source == "generator" else None
        return super().forward(x) + torch.randn(x.shape, generator=generator)


@pytest.mark.parametrize("source", ["torch", "dropout", "generator"])
def test_models_that_draw_random_numbers(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their rows are not alike, so each block runs twice, with the same random numbers."""
    monkeypatch.setattr(noise_pass, "Pairs", None)
    model = Net(*(Noisy(source) for _ in range(3)))
    found = part(model)
    assert found.drift == pytest.approx(0, abs=1)
    assert part(model) == found


def test_a_model_for_one_number_of_samples() -> None:
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in "ab"))

        def forward(self, x: Tensor) -> Tensor:
            return self.layers(x.view(12, 5, 4))

    assert part(Fixed(), torch.randn(12, 5, 4)).flops == 2 * 2 * 16 * 5


def test_an_error_of_the_model_is_told() -> None:
    class Broken(Residual):
        def forward(self, x: Tensor) -> Tensor:
            if len(x) != len(IMAGES):
                raise KeyError("broken")
            return super().forward(x)

    model = Net(Residual(4, 4), Broken(4, 4))
    with pytest.raises(KeyError, match="broken"):
        capacity(model)
    for module in model.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks
        assert "forward" not in vars(module)
