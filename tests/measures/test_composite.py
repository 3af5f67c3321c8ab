"""The composite score, against its definition in plain PyTorch."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.composite import IMAGES, SEED, Net, Residual, composite
from support.searches import small_space
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import swapnas_ext as swap
from swapnas_ext.measures.blocks import blocks_of
from swapnas_ext.measures.channels import effective_part
from swapnas_ext.models.initialization import kaiming_
from swapnas_ext.search.size_control import for_ranking, for_target

pytestmark = pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")


def net() -> Net:
    return Net(Residual(4, 4), Residual(4, 4), Residual(4, 8, stride=2), Residual(8, 8))


def by_definition(model: Net) -> tuple[float, float, float, float]:
    """Diversity, FLOPs, gain and directness, from the docstring of the module."""
    model = model.train()
    kaiming_(model, torch.Generator().manual_seed(SEED))
    generator = torch.Generator().manual_seed(SEED + (0x5EED << 40))
    noise = torch.randn(4, *IMAGES.shape[1:], generator=generator)
    entering: list[Tensor] = []
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_pre_hook(lambda m, args: entering.append(args[0].clone()))
    with torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            model(IMAGES)
        samples, entering[:] = entering[:], []
        model(noise)
        diversity = 0.0
        for on_samples, on_noise in zip(samples, entering, strict=True):
            patterns = (on_samples > 0).flatten(1)
            eigenvalues = torch.linalg.eigvalsh(torch.cov(on_noise.transpose(0, 1).flatten(1)))
            effective = eigenvalues.sum() ** 2 / (eigenvalues**2).sum() / len(eigenvalues)
            diversity += patterns.unique(dim=1).shape[1] * float(effective) ** 2
        x = model.stem(noise)
        gains, direct = [], []
        for number, block in enumerate(model.blocks):
            y = block(x)
            if number > 0:
                disturbance = torch.randn(x.shape, generator=generator)
                step = 0.01 * x.std()
                response = (block(x + step * disturbance) - y) / step
                gain = response.std() / disturbance.std() * x.std() / y.std()
                gains.append(abs(math.log(float(gain))))
                shrunk = F.pixel_unshuffle(disturbance, x.shape[-1] // y.shape[-1])
                positions = y[:, 0].numel()
                mean = torch.einsum("schw,sdhw->cd", shrunk, response) / positions
                part = float(torch.linalg.svdvals(mean)[0] / response.std())
                direct.append(math.log(min(1.0, part)))
            x = y
    flops = counter.get_total_flops() / len(IMAGES)
    return diversity, flops, sum(gains) / len(gains), sum(direct) / len(direct)


def test_it_is_what_it_is_defined_to_be() -> None:
    (found,) = composite(net()).composites
    diversity, flops, gain, directness = by_definition(net())
    assert found.diversity == pytest.approx(diversity, rel=1e-4)
    assert found.flops == flops
    assert found.gain == pytest.approx(gain, rel=1e-3)
    assert found.directness == pytest.approx(directness, rel=1e-3)
    expected = math.log(diversity) + math.log(flops) / 2 - 2 * gain + directness
    assert found.log_score == pytest.approx(expected, rel=1e-4)


def test_the_score_is_that_of_its_composites() -> None:
    score = composite(net(), repeats=3, mu=1.0, sigma=2.0)
    assert len(score.composites) == len(score.patterns) == 3
    logs = [found.log_score for found in score.composites]
    factor = -((score.parameters / 1e3 - 1) ** 2) / 2
    assert score.log_value == pytest.approx(sum(logs) / 3 + factor)
    assert score.value == pytest.approx(math.exp(score.log_value))
    assert score.log_factor == pytest.approx(factor)


def test_patterns_are_the_published_score() -> None:
    plain = swap.score(net(), IMAGES, init="kaiming", seed=SEED, repeats=3)
    score = composite(net(), repeats=3)
    assert score.patterns == plain.patterns
    assert score.mean == plain.value
    assert score.neurons == plain.neurons
    assert plain.composites == ()


def test_repeats_are_those_of_other_seeds() -> None:
    together = composite(net(), repeats=3).composites
    alone = [composite(net(), seed=SEED + repeat).composites[0] for repeat in range(3)]
    assert list(together) == alone


def test_the_model_comes_back_untouched() -> None:
    model = net()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.random.get_rng_state()
    composite(model)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    for module in model.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks
        assert "forward" not in vars(module)
        assert module.training


def test_it_comes_back_untouched_from_an_error() -> None:
    class Broken(Residual):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            Broken.calls += 1  # an attribute of its own is restored between the passes
            if Broken.calls == 3:  # on the samples, on noise, disturbed
                raise KeyError("broken")
            return super().forward(x)

    model = Net(Residual(4, 4), Broken(4, 4))
    with pytest.raises(KeyError, match="broken"):
        composite(model)
    for module in model.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks
        assert "forward" not in vars(module)


@given(
    samples=st.integers(2, 5),
    channels=st.integers(1, 9),
    rest=st.lists(st.integers(1, 4), max_size=3),
    seed=st.integers(0, 1000),
)
def test_effective_channels(samples: int, channels: int, rest: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    shape = (samples, *rest, channels) if len(rest) == 1 else (samples, channels, *rest)
    x = torch.randn(shape, generator=generator) * 1e12
    rows = x.reshape(-1, channels) if len(rest) == 1 else x.transpose(0, 1).flatten(1).T
    eigenvalues = torch.linalg.eigvalsh(torch.cov(rows.T.double()).reshape(channels, channels))
    expected = eigenvalues.sum() ** 2 / (eigenvalues**2).sum() / channels
    assert effective_part(x) == pytest.approx(float(expected), rel=1e-3)


def test_channels_that_do_not_vary_count_for_nothing() -> None:
    assert effective_part(torch.zeros(4, 3, 2, 2)) == 0
    assert effective_part(torch.full((4, 3, 2, 2), math.inf)) == 0


class Keeps(nn.Module):
    """A block that returns its input."""

    def __init__(self) -> None:
        super().__init__()
        self.part = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return x


def test_a_block_that_keeps_its_input_neither_gains_nor_loses() -> None:
    (found,) = composite(Net(Keeps(), Keeps(), Keeps())).composites
    assert found.gain == pytest.approx(0, abs=1e-3)
    assert found.directness == pytest.approx(0, abs=1e-3)


class Drops(Keeps):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


def test_a_block_that_drops_its_input_is_punished() -> None:
    (found,) = composite(Net(Keeps(), Drops(), Keeps())).composites
    assert found.gain == pytest.approx(math.log(1000))
    assert found.directness == pytest.approx(-math.log(1000))
    assert math.isfinite(found.log_score)


def test_networks_without_blocks() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    (found,) = composite(model).composites
    assert (found.gain, found.directness) == (0, 0)
    assert found.diversity > 0


def test_blocks_of_networks() -> None:
    model = net()
    assert blocks_of(model) == list(model.blocks)
    space = small_space()
    cell = space.sample(random.Random(0))
    names = {type(block).__name__ for block in blocks_of(space.build(cell))}
    assert names == {"CellModule", "Reduction"}
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 3)
    assert blocks_of(encoder) == list(encoder.layers)


def test_every_cell_has_a_score() -> None:
    space = small_space()
    scorer = swap.Scorer(space.inputs(8), init="kaiming", measure="composite")
    for operation in ("none", "skip_connect", "avg_pool_3x3", "nor_conv_3x3"):
        cell = f"|{operation}~0|+|{operation}~0|{operation}~1|+|{operation}~0|{operation}~1|{operation}~2|"
        assert math.isfinite(scorer(lambda cell=cell: space.build(cell)).log_value)


def test_tokens_are_not_replaced_by_noise() -> None:
    space = swap.spaces.get("flexibert", sequence_length=8)
    text = space.sample(random.Random(0))
    score = swap.score(
        lambda: space.build(text), space.inputs(4), init="kaiming", measure="composite"
    )
    assert score.composites[0].diversity > 0


def test_a_measure_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="measure must be one of patterns, capacity, composite"):
        swap.Scorer(IMAGES, measure="swop")  # type: ignore[arg-type]


class Shifts(nn.Module):
    """Runs a block, and adds what it is told by a keyword; or masks, where that is what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.block = Residual(4, 4)

    def forward(self, x: Tensor, mask: Tensor | None = None, *, shift: float = 0.0) -> Any:
        y = self.block(x) + shift
        return (y if mask is None else y * mask[:, None, None, None]), None


class Tells(Net):
    """Calls its blocks with more than their input."""

    def __init__(self, masked: bool, shift: float) -> None:
        super().__init__(*(Shifts() for _ in range(3)))
        self.masked, self.shift = masked, shift

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        mask = torch.ones(len(x)) if self.masked else None
        for block in self.blocks:
            x, _ = block(x, mask, shift=self.shift)
        return self.head(x)


@pytest.mark.parametrize("masked", [False, True])
def test_blocks_are_disturbed_with_all_that_they_were_given(masked: bool) -> None:
    (plain,) = composite(Net(*(Residual(4, 4) for _ in range(3)))).composites
    (found,) = composite(Tells(masked, shift=0.0)).composites
    assert found.gain == pytest.approx(plain.gain, abs=1e-6)
    (shifted,) = composite(Tells(masked, shift=0.25)).composites
    assert shifted.gain == pytest.approx(plain.gain, abs=0.2)


def test_a_padding_mask_is_no_noise() -> None:
    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 3, enable_nested_tensor=False
    )
    tokens = torch.randn(5, 6, 8, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(5, 6, dtype=torch.bool)
    options = {"init": "kaiming", "measure": "composite"}
    (plain,) = swap.score(encoder, tokens, **options).composites
    inputs = {"src": tokens, "src_key_padding_mask": mask}
    (found,) = swap.score(encoder, inputs, **options).composites
    assert found.gain == pytest.approx(plain.gain, abs=1e-4)


@pytest.mark.parametrize("kind", ["half", "double", "autocast"])
def test_other_types_of_numbers(kind: str) -> None:
    (expected,) = composite(net()).composites
    if kind == "autocast":
        (found,) = composite(net(), autocast=torch.bfloat16).composites
    else:
        kind_of = torch.bfloat16 if kind == "half" else torch.float64
        images = IMAGES.to(kind_of)
        score = swap.score(
            net().to(kind_of), images, init="kaiming", seed=SEED, measure="composite"
        )
        (found,) = score.composites
    assert found.flops == expected.flops
    assert found.log_score == pytest.approx(expected.log_score, abs=1.5)


def test_a_block_that_is_no_number_when_disturbed_has_collapsed() -> None:
    class Third(Keeps):
        """Its third call is the disturbed one: after those on samples and on noise."""

        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            Third.calls += 1
            return x * math.nan if Third.calls == 3 else x

    (found,) = composite(Net(Keeps(), Third())).composites
    assert found.gain == pytest.approx(math.log(1000))
    assert found.directness == pytest.approx(-math.log(1000))


def test_torchscript() -> None:
    scripted = torch.jit.trace(Residual(4, 4), torch.zeros(1, 4, 8, 8))
    score = composite(Net(Residual(4, 4), scripted, Residual(4, 4)))
    assert math.isfinite(score.log_value)
    model = torch.jit.trace(net(), IMAGES)
    score = swap.score(model, IMAGES, measure="composite")
    assert any("operations could not be counted" in note for note in score.notes)


def test_inference_mode_makes_no_difference() -> None:
    model = net()
    expected = composite(model).composites
    with torch.inference_mode():
        assert composite(model).composites == expected


def test_many_channels_of_few_elements() -> None:
    """Their covariance would not fit into memory."""
    x = torch.randn(4, 200_000, generator=torch.Generator().manual_seed(0))
    assert 0 < effective_part(x) < 4 / 200_000


def test_blocks_in_two_containers_are_there_once() -> None:
    model = net()
    model.again = nn.ModuleList(model.blocks)
    assert blocks_of(model) == list(model.blocks)


@pytest.mark.parametrize("measure", ["patterns", "composite"])
def test_flops_of_listed_architectures(measure: str) -> None:
    space = small_space()
    cell = "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|"
    scorer = swap.Scorer(space.inputs(8), init="kaiming", measure=measure)  # type: ignore[arg-type]
    found = swap.search.score_listed(space, scorer, [cell]).candidates[0].outcome
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        space.build(cell)(space.inputs(8))
    assert found is not None
    assert found.flops == counter.get_total_flops() / 8


def test_targets_are_not_moved_by_networks_that_collapse() -> None:
    generator = random.Random(1)
    sizes = [generator.randrange(100_000, 200_000) for _ in range(200)]
    logs = [10 + size / 1e5 + generator.gauss(0, 0.5) for size in sizes]
    collapsed = [*logs[:-6], *[-40.0] * 6]
    for calibrate in (for_ranking, lambda *rows, **how: for_target(150_000, *rows, **how)):
        plain = calibrate(logs, sizes, heavy_tails=True)
        found = calibrate(collapsed, sizes, heavy_tails=True)
        assert found.sigma == pytest.approx(plain.sigma, rel=0.2)


def test_a_fused_layer_runs_in_its_parts_on_noise_too() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    tokens = torch.randn(12, 3, 8, generator=torch.Generator().manual_seed(0))
    score = swap.score(layer, tokens, init="kaiming", measure="composite")
    assert score.composites[0].diversity > 1
    assert not any("noise" in note for note in score.notes)


def test_the_first_score_of_a_class_is_that_of_the_next_ones() -> None:
    class Changes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            self.second.weight.mul_(1 + x[0].mean())  # by the order of the samples
            return torch.relu(self.second(torch.relu(self.first(x))))

    scorer = swap.Scorer(torch.randn(9, 6), init="kaiming", measure="composite")
    model = Changes()
    assert len({scorer(model).log_value for _ in range(3)}) == 1
