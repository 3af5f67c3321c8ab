"""The measures that others compare with, against their definitions in plain PyTorch."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from support import known_measures
from support.composite import Net, Residual
from support.fingerprint import differences, fingerprint
from support.small_net import SmallNet
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext import measures

pytestmark = pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")

IMAGES = torch.randn(8, 3, 12, 12, generator=torch.Generator().manual_seed(3))
SEED = 5
OF_GRADIENTS = ("jacov", "synflow", "snip", "grad_norm", "zico")
SIZES = ("params", "flops")
NAMES = (*OF_GRADIENTS, "zen", *SIZES)


class Residuals(Net):
    """Residual blocks, with ReLUs in place after batch normalisation, and a classifier."""

    def __init__(self) -> None:
        super().__init__(Residual(4, 4), Residual(4, 8, stride=2))
        self.stem.append(nn.ReLU(inplace=True))
        self.classify = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(super().forward(x))


class Writes(nn.Module):
    """Writes to its input at once, and to the output of a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

    def features(self, x: Tensor) -> Tensor:
        return self.conv(torch.relu_(x + 0)).add_(1).relu_()

    def forward(self, x: Tensor) -> Tensor:
        x = x.mul_(2)
        return self.head(self.features(x).amax((2, 3)))


def features(model: Any, x: Tensor) -> Tensor:
    """What global pooling gets."""
    if isinstance(model, Residuals):
        return model.head[0](model.blocks(model.stem(x)))
    return model.features(x * 2 if isinstance(model, Writes) else x)


def made(kind: type[nn.Module]) -> nn.Module:
    torch.manual_seed(1)
    return kind()


def expected(name: str, model: nn.Module, seed: int = SEED) -> float:
    if name == "zen":
        return known_measures.zen(model, IMAGES, seed, features)
    compute: Callable[..., float] = getattr(known_measures, name)
    return compute(model, IMAGES.clone(), seed)


def log_score(name: str, model: Any, inputs: Any = IMAGES, **options: Any) -> float:
    return swap.score(model, inputs, measure=name, **{"seed": SEED, **options}).log_value


@pytest.mark.parametrize("kind", [SmallNet, Residuals, Writes])
@pytest.mark.parametrize("name", NAMES)
def test_it_is_what_it_is_defined_to_be(name: str, kind: type[nn.Module]) -> None:
    wanted = expected(name, made(kind))
    # Eigenvalues near zero depend on rounding.
    tolerance = {"rel": 1e-3} if name == "jacov" else {"abs": 2e-3 if name == "zen" else 1e-4}
    assert log_score(name, made(kind)) == pytest.approx(wanted, **tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_repeats_are_those_of_other_seeds(name: str) -> None:
    options = {"init": "kaiming"}
    together = swap.score(
        made(Residuals), IMAGES, measure=name, seed=SEED, repeats=3, init="kaiming"
    )
    single = [log_score(name, made(Residuals), seed=SEED + r, **options) for r in range(3)]
    if name in SIZES:
        assert len(set(single)) == 1 and together.spread == 0
    else:
        assert len(set(single)) == 3
    assert together.log_value == pytest.approx(sum(single) / 3, rel=1e-9)
    json.dumps(dict(together.measurement.details))
    builds = swap.score(lambda: Residuals(), IMAGES, measure=name, repeats=2)
    assert builds.repeats == 2 and math.isfinite(builds.log_value)


@pytest.mark.parametrize("name", ["jacov", "zico", "zen"])
def test_scores_that_are_sums_of_logarithms_are_in_the_details(name: str) -> None:
    score = swap.score(made(SmallNet), IMAGES, measure=name, repeats=2, init="kaiming")
    readings = score.measurement.details["score"]
    assert score.log_value == pytest.approx(sum(readings) / 2)
    assert score.value == pytest.approx(math.exp(score.log_value))


def test_sizes() -> None:
    scores = {name: swap.score(made(SmallNet), IMAGES, measure=name) for name in SIZES}
    assert float(scores["params"]) == sum(p.numel() for p in SmallNet().parameters())
    assert scores["flops"].measurement.details == {"flops": float(scores["flops"])}


def test_weights_of_the_command() -> None:
    inits = {name: measures.get(name).default_init for name in NAMES}
    assert inits.pop("zen") == "gaussian" and set(inits.values()) == {"keep"}


def test_labels_are_those_of_the_seed() -> None:
    for name in ("snip", "grad_norm", "zico"):
        first, again, other = (log_score(name, made(SmallNet), seed=seed) for seed in (1, 1, 2))
        assert first == again != other


# ---- the model comes back --------------------------------------------------------------------------


class Restless(SmallNet):
    """Draws random numbers, writes to a buffer, and has frozen weights, a gradient and hooks."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(10))
        self.features[0].requires_grad_(False)
        self.features[5].eval()
        self.head.weight.grad = torch.ones_like(self.head.weight)
        self.head.register_forward_hook(lambda *_: None)
        self.head.register_full_backward_hook(lambda *_: None)

    def forward(self, x: Tensor) -> Tensor:
        scores = super().forward(x) + 0.1 * torch.rand(10)
        self.seen.mul_(0.9).add_(scores.mean(0))
        self.last = scores
        return scores + self.seen


@pytest.mark.parametrize("name", NAMES)
def test_the_model_comes_back_untouched(name: str) -> None:
    model = made(Restless)
    inputs = IMAGES.clone()
    before = fingerprint(model)
    for options in ({}, {"init": "gaussian", "repeats": 3}, {}):
        log_score(name, model, inputs, **options)
        assert not differences(before, fingerprint(model))
        assert torch.equal(inputs, IMAGES)
    assert log_score(name, model) == log_score(name, made(Restless))


@pytest.mark.parametrize("name", NAMES)
def test_the_model_comes_back_from_an_error(name: str) -> None:
    model = made(Restless)

    def fail(*_: object) -> None:
        raise KeyError("broken")

    model.head.register_forward_hook(fail)
    before = fingerprint(model)
    if name == "params":  # runs nothing
        log_score(name, model)
    else:
        with pytest.raises(KeyError, match="broken"):
            log_score(name, model)
    assert not differences(before, fingerprint(model))


@pytest.mark.parametrize("name", OF_GRADIENTS)
def test_frozen_weights_and_no_grad_change_nothing(name: str) -> None:
    wanted = log_score(name, made(SmallNet))
    frozen = made(SmallNet).requires_grad_(False)
    with torch.no_grad():
        assert log_score(name, frozen) == wanted
    with torch.inference_mode():
        assert log_score(name, frozen) == wanted


# ---- networks of other kinds -----------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["bfloat16", "double", "autocast", "channels_last"])
def test_other_numbers_and_layouts(name: str, kind: str) -> None:
    # oneDNN crashes in the gradient of convolutions 1 x 1 with strides and few channels last: its issue 6035.
    network = SmallNet if kind == "channels_last" else Residuals
    wanted = log_score(name, made(network))
    if kind == "autocast":
        found = log_score(name, made(network), autocast=torch.bfloat16)
    elif kind == "channels_last":
        found = log_score(name, made(network), channels_last=True)
    else:
        dtype = getattr(torch, kind)
        found = log_score(name, made(network).to(dtype), IMAGES.to(dtype))
    if name == "zen" and kind != "channels_last":
        assert math.isfinite(found)  # the noise differs, or is a few roundings large
    else:
        exact = kind in ("double", "channels_last")
        assert found == pytest.approx(wanted, rel=1e-3 if exact else 0.2, abs=1e-3)


class Normalised(nn.BatchNorm2d):
    """With an activation in its forward, as those of libraries."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).relu()


@pytest.mark.parametrize("options", [{"track_running_stats": False}, {"affine": False}])
def test_batch_normalisation_of_other_kinds(options: dict[str, Any]) -> None:
    def net(norm: nn.Module, *rest: nn.Module) -> nn.Module:
        torch.manual_seed(0)
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
        return nn.Sequential(nn.Conv2d(3, 4, 3), norm, *rest, *head)

    found = net(Normalised(4, **options))
    before = fingerprint(found)
    wanted = expected("synflow", net(nn.BatchNorm2d(4), nn.ReLU()))
    assert log_score("synflow", found) == pytest.approx(wanted)
    assert math.isfinite(log_score("zen", found))
    assert not differences(before, fingerprint(found))


def test_a_weight_of_two_layers_counts_once() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)
            self.second.weight = self.first.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.second(torch.relu(self.first(x)))

    x = torch.randn(8, 6)
    model = Tied()
    labels = torch.randint(6, (8,), generator=torch.Generator().manual_seed(known_measures.LABELS))
    known_measures.cross_entropy(model(x), labels).backward()
    wanted = math.log(float(model.first.weight.grad.norm()))
    assert log_score("grad_norm", model, x, seed=0) == pytest.approx(wanted, rel=1e-5)


class Nested(nn.Module):
    """Returns its scores in a mapping, after something that is no tensor."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Any:
        return {"kind": "scores", "scores": [self.inner(x), x.sum()]}


@pytest.mark.parametrize("name", NAMES)
def test_the_first_tensor_of_an_output_counts(name: str) -> None:
    assert log_score(name, Nested(made(SmallNet))) == log_score(name, made(SmallNet))


@pytest.mark.parametrize("name", NAMES)
def test_models_without_activations(name: str) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 12 * 12, 4))
    score = swap.score(model, IMAGES, measure=name)
    if name == "jacov":  # all samples have one gradient
        assert score.log_value < -1e5
    assert score.neurons == 0 and not score.layers


def test_layers_that_are_no_children() -> None:
    class Held(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [nn.Linear(6, 6), nn.Linear(6, 3)]

        def forward(self, x: Tensor) -> Tensor:
            first, second = self.layers
            return second(torch.relu(first(x)))

    torch.manual_seed(0)
    model = Held()
    plain = nn.Sequential(model.layers[0], nn.ReLU(), model.layers[1])
    x = torch.randn(8, 6)
    for name in OF_GRADIENTS:
        assert log_score(name, model, x) == pytest.approx(log_score(name, plain, x))


def test_tokens_and_sequences() -> None:
    tokens = torch.randint(20, (8, 5), generator=torch.Generator().manual_seed(0))
    encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.Sequential(nn.Embedding(20, 8), encoder, nn.Linear(8, 20))
    for name in ("snip", "grad_norm", "zico"):
        assert math.isfinite(log_score(name, model, tokens))
    for name, told in (("jacov", "no gradients"), ("synflow", "ones"), ("zen", "noise")):
        with pytest.raises(ValueError, match=f"torch.int64.*{told}"):
            log_score(name, model, tokens)


def test_computed_weights_are_left_out() -> None:
    layers = nn.Linear(6, 6), nn.Linear(6, 3)
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(layers[0]), nn.ReLU(), layers[1])
    score = swap.score(model, torch.randn(8, 6), measure="snip")
    assert any("left out of the gradients: 1 layers" in note for note in score.notes)


def test_several_inputs_and_lists_of_images() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 3)

        def forward(self, x: Tensor, *, scale: Tensor) -> Tensor:
            assert len(x) == len(scale)
            return self.layer(torch.tanh(x)) * scale

    inputs = {"x": torch.randn(8, 6), "scale": torch.rand(8, 1)}
    for name in NAMES:
        assert math.isfinite(log_score(name, Two(), inputs))

    class Listed(SmallNet):
        def forward(self, images: list[Tensor]) -> Tensor:
            return super().forward(torch.stack(images))

    torch.manual_seed(1)
    model = Listed()
    for name in NAMES:
        if name != "zen":  # its noise is drawn for each image by itself
            wanted = log_score(name, made(SmallNet))
            assert log_score(name, model, (list(IMAGES),)) == pytest.approx(wanted, rel=1e-4)


def test_torchscript() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.jit.trace(made(SmallNet).eval(), IMAGES)
    for name in ("jacov", "zen", "params"):
        assert math.isfinite(log_score(name, model))
    for name in ("snip", "grad_norm", "synflow", "zico"):
        with pytest.raises(ValueError, match="has no convolution or linear layer"):
            log_score(name, model)


# ---- the features of the Zen-Score -----------------------------------------------------------------


class Pooled(nn.Module):
    def __init__(self, pool: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv, self.pool = nn.Conv2d(3, 4, 3), pool

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(torch.relu(self.conv(x * torch.sigmoid(x.mean((2, 3), keepdim=True)))))


@pytest.mark.parametrize(
    "pool",
    [
        lambda x: x.mean((2, 3)),
        lambda x: nn.functional.adaptive_avg_pool2d(x, 1).flatten(1),
        lambda x: x.flatten(1)[:, :2],
        lambda x: x.flatten(2).transpose(1, 2)[:, 0],
        nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()),
        nn.Identity(),
    ],
    ids=["mean", "function", "flatten", "token", "module", "none"],
)
def test_features_are_what_global_pooling_gets(pool: Any) -> None:
    """Squeeze and excitation before it does not count."""
    scores = []
    for last in (pool, nn.Identity()):
        torch.manual_seed(0)
        scores.append(log_score("zen", Pooled(last)))
    assert scores[0] == pytest.approx(scores[1], rel=1e-6)


def test_a_branch_that_gives_zeros_has_a_spread() -> None:
    """Batch normalisation divides by the root of its eps there."""
    model = made(Residuals)
    model.blocks[0].body[1].weight.data.zero_()
    model.blocks[0].body[1].bias.data.zero_()
    assert log_score("zen", model) == pytest.approx(expected("zen", model), abs=2e-3)


# ---- errors ----------------------------------------------------------------------------------------


class Detached(SmallNet):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).detach()


class Unused(nn.Module):
    """Its only layer has no part in the output."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * torch.ones(len(x), 3)


class Integers(SmallNet):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).argmax(1)


class Nothing(SmallNet):
    def forward(self, x: Tensor) -> None:
        super().forward(x)


class Spoilt(nn.Module):
    """Writes to what the gradient of its sigmoid needs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.sigmoid(self.layer(x[:, 0, 0]))
        return y.mul_(2)


@pytest.mark.parametrize("name", OF_GRADIENTS)
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Detached, "the output of Detached has no gradient"),
        (Unused, "the output of Unused has no gradient"),
        (Integers, "Integers returns a tensor of torch.int64"),
        (Nothing, "Nothing returns NoneType"),
        (Spoilt, "Spoilt has no gradients, since it changes a tensor in place"),
    ],
)
def test_networks_without_gradients(name: str, kind: type[nn.Module], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        log_score(name, made(kind))


@pytest.mark.parametrize("name", ["synflow", "snip", "grad_norm", "zico"])
def test_networks_without_layers(name: str) -> None:
    with pytest.raises(ValueError, match="ReLU has no convolution or linear layer"):
        log_score(name, nn.ReLU())


@pytest.mark.parametrize(
    ("name", "model", "told"),
    [
        ("params", nn.ReLU(), "ReLU has no parameters"),
        ("flops", nn.ReLU(), "no operation of ReLU could be counted"),
        ("zen", Nothing(), "Nothing returns NoneType"),
        ("snip", nn.Sequential(nn.Flatten(0), nn.Linear(3456, 3)), r"shape \[3\]: cross-entropy"),
        ("grad_norm", nn.Sequential(nn.Flatten(), nn.Linear(432, 1)), "two classes or more"),
    ],
)
def test_what_is_missing(name: str, model: nn.Module, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        log_score(name, model)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0.0, math.nan, math.inf])
def test_scores_that_are_not_finite(name: str, value: float) -> None:
    model = made(SmallNet)
    for parameter in model.parameters():
        nn.init.constant_(parameter, value)
    if name in SIZES:
        assert math.isfinite(log_score(name, model))
        return
    with pytest.raises(ValueError, match=r"finite|spread|without variation"):
        log_score(name, model)


@pytest.mark.parametrize("name", ["jacov", "zico"])
def test_one_sample(name: str) -> None:
    with pytest.raises(ValueError, match="1 sample was given, and two or more are needed"):
        log_score(name, made(SmallNet), IMAGES[:1])


def test_double_precision_that_a_network_does_not_take() -> None:
    class Single(SmallNet):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.float())

    with pytest.raises(ValueError, match="Single can't run in double precision"):
        log_score("synflow", made(Single))


# ---- what they use of a prepared network -----------------------------------------------------------


def test_output_starts_from_the_same_state() -> None:
    outputs: list[Tensor] = []

    def twice(network: measures.PreparedNetwork) -> float:
        for arguments in (None, network.varied(torch.clone), None):
            with network.output(arguments) as output:
                assert not output.requires_grad
                outputs.append(output)
        with network.output(network.varied(torch.zeros_like, [5, 1])) as output:
            assert output.shape == (2, 10)
        with network.output(hooks=partial(torch.enable_grad)) as output:
            assert output.requires_grad
        return 0.0

    swap.score(made(Restless), IMAGES, measure=twice)
    assert all(torch.equal(output, outputs[0]) for output in outputs)
