"""Layers that run by the package's own kernels, and those that are left to torch."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from contextlib import nullcontext
from types import MethodType
from typing import Any

import numpy as np
import pytest
import torch
from support.small_net import SmallNet
from torch import Tensor, nn
from torch.autograd import forward_ad

import swapnas_ext as swap
from swapnas_ext.forward import fast_layers

OPERATORS = ("batch_norm", "batch_norm_relu_insert", "avg_pool2d", "max_pool2d", "convolve")


def without(layer: nn.Module, name: str) -> nn.Module:
    """A norm that only scales, or only shifts."""
    setattr(layer, name, None)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    return layer


LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "batch norm": (lambda: nn.BatchNorm2d(6), (4, 6, 9, 7)),
    "batch norm without weights": (lambda: nn.BatchNorm2d(6, affine=False), (4, 6, 8, 8)),
    "batch norm without shifts": (lambda: without(nn.BatchNorm2d(6), "bias"), (4, 6, 8, 8)),
    "batch norm without scales": (lambda: without(nn.BatchNorm2d(6), "weight"), (4, 6, 8, 8)),
    "batch norm of rows": (lambda: nn.BatchNorm1d(6), (5, 6)),
    "batch norm of sequences": (lambda: nn.BatchNorm1d(6), (4, 6, 11)),
    "batch norm of volumes": (lambda: nn.BatchNorm3d(6), (4, 6, 3, 4, 5)),
    "average pool": (lambda: nn.AvgPool2d(3, stride=1, padding=1), (4, 6, 9, 7)),
    "average pool of what is there": (
        lambda: nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False),
        (4, 6, 8, 8),
    ),
    "maximum pool": (lambda: nn.MaxPool2d(3, stride=2, padding=1), (4, 6, 9, 7)),
    "dilated maximum pool": (
        lambda: nn.MaxPool2d((3, 2), dilation=2, ceil_mode=True),
        (4, 6, 9, 7),
    ),
    "depthwise convolution": (
        lambda: nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False),
        (4, 6, 16, 16),
    ),
    "dilated depthwise convolution": (
        lambda: nn.Conv2d(6, 6, 5, stride=2, padding=4, dilation=2, groups=6),
        (4, 6, 16, 16),
    ),
    "pointwise convolution": (lambda: nn.Conv2d(6, 8, 1, bias=False), (4, 6, 16, 16)),
}


def scored_as(layer: nn.Module) -> nn.Module:
    """In the mode in which networks are scored."""
    layer.train()
    if hasattr(layer, "track_running_stats"):
        layer.track_running_stats = False
    return layer


class Calls:
    """Counts the calls of the package's operators."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.of: list[str] = []
        for name in OPERATORS:
            operator = getattr(torch.ops.swapnas, name)
            monkeypatch.setattr(torch.ops.swapnas, name, self._counted(name, operator))

    def _counted(self, name: str, operator: Any) -> Any:
        def counted(*args: Any) -> Any:
            self.of.append(name)
            return operator(*args)

        return counted


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_those_of_torch_up_to_rounding(name: str, calls: Calls) -> None:
    torch.manual_seed(0)
    make, shape = LAYERS[name]
    layer = scored_as(make())
    x = torch.randn(shape)
    with torch.no_grad():
        expected = layer(x)
        with fast_layers([layer]):
            found = layer(x)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=2e-6)
    assert "forward" not in vars(layer)
    assert calls.of or isinstance(layer, nn.Conv2d)  # small ones may be torch's


@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_replicates_are_those_of_each(name: str) -> None:
    torch.manual_seed(0)
    make, shape = LAYERS[name]
    layers = [scored_as(make()) for _ in range(3)]
    for layer in layers:
        for parameter in layer.parameters():
            nn.init.normal_(parameter)
    x = torch.randn(3, *shape)
    weights = {
        key: torch.stack([dict(layer.named_parameters())[key].detach() for layer in layers])
        for key, _ in layers[0].named_parameters()
    }

    def replicate(own: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(layers[0], own, (x,))

    with torch.no_grad():
        expected = torch.stack([layer(x_r) for layer, x_r in zip(layers, x, strict=True)])
        with fast_layers(layers[:1]):
            for dim in (0, 1, 2):  # of the replicates
                found = torch.vmap(replicate, in_dims=(0, dim))(weights, x.movedim(0, dim))
                torch.testing.assert_close(found, expected, rtol=1e-5, atol=2e-6)
            if weights:  # all get the same input
                found = torch.vmap(replicate, in_dims=(0, None))(weights, x[0])
                expected = torch.stack([layer(x[0]) for layer in layers])
                torch.testing.assert_close(found, expected, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.double(),
        lambda x: x.to(memory_format=torch.channels_last),
        lambda x: x.to(torch.bfloat16),
        lambda x: x.as_subclass(type("Sub", (Tensor,), {})),
    ],
    ids=["double", "channels_last", "bfloat16", "subclass"],
)
def test_other_tensors_are_left_to_torch(change: Callable[[Tensor], Tensor], calls: Calls) -> None:
    x = change(torch.randn(4, 6, 8, 8))
    for layer in (scored_as(nn.BatchNorm2d(6)).to(x.dtype), nn.AvgPool2d(3), nn.MaxPool2d(3)):
        with torch.no_grad():
            expected = layer(x)
            with fast_layers([layer]):
                assert torch.equal(layer(x), expected)
    assert not calls.of


def test_autograd_is_left_to_torch(calls: Calls) -> None:
    layer = scored_as(nn.Sequential(nn.BatchNorm2d(6), nn.AvgPool2d(3)))
    with fast_layers(layer.modules()):
        layer(torch.randn(4, 6, 8, 8)).sum().backward()
    assert layer[0].weight.grad is not None
    assert not calls.of


def test_modules_of_the_users_own_are_left_alone(calls: Calls) -> None:
    class Doubled(nn.AvgPool2d):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    patched = nn.AvgPool2d(3)
    patched.forward = lambda x: x  # type: ignore[method-assign]
    own = patched.forward
    x = torch.randn(1, 1, 6, 6)
    with torch.no_grad(), fast_layers([Doubled(3), patched]):
        assert torch.equal(Doubled(3)(x), 2 * nn.AvgPool2d(3)(x))
        assert torch.equal(patched(x), x)
    assert patched.forward is own
    assert not calls.of


class Tiled(nn.Module):
    """Changes the geometry of its layers while it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.average, self.maximum = nn.AvgPool2d(2, 1), nn.MaxPool2d(2, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        layers = (self.convolution, self.average, self.maximum)
        outputs = [layer(x) for layer in layers]
        self.convolution.dilation = self.convolution.padding = 2, 2
        self.average.kernel_size = 3
        self.maximum.stride = 2
        outputs += [layer(x) for layer in layers]
        self.convolution.padding = "same"
        self.convolution.padding_mode = "circular"
        self.average.divisor_override = 2
        self.maximum.kernel_size = [2, 3]
        return outputs + [layer(x) for layer in layers]


def test_a_model_may_change_the_geometry_of_its_layers() -> None:
    torch.manual_seed(0)
    model, x = Tiled(), torch.randn(4, 6, 8, 8)
    twin = copy.deepcopy(model)
    with torch.no_grad(), fast_layers(model.modules()):
        found = model(x)
    with torch.no_grad():
        torch.testing.assert_close(found, twin(x))


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Conv2d(6, 6, 1, stride=(2,)),  # type: ignore[arg-type]
        lambda: nn.AvgPool2d(np.int64(2)),  # type: ignore[arg-type]
        lambda: nn.MaxPool2d([2, 3], np.int64(1)),  # type: ignore[arg-type]
        lambda: nn.MaxPool2d((3,), (2,), (1,)),
    ],
)
def test_other_ways_to_write_a_geometry(make: Callable[[], nn.Module]) -> None:
    layer, x = make(), torch.randn(4, 6, 8, 8)
    with torch.no_grad():
        expected = layer(x)
        with fast_layers([layer]):
            torch.testing.assert_close(layer(x), expected)


def test_a_stride_that_is_the_kernel() -> None:
    layer, x = nn.AvgPool2d(2), torch.randn(4, 6, 8, 8)
    expected = layer(x)
    layer.stride = None  # type: ignore[assignment]
    with torch.no_grad(), fast_layers([layer]):
        assert torch.equal(layer(x), expected)


def moved(layer: nn.Conv2d, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.conv2d(x, weight, bias) - 10


def test_a_convolution_that_is_replaced_in_one_module(calls: Calls) -> None:
    layer = nn.Conv2d(6, 6, 1)
    x = torch.randn(4, 6, 8, 8)
    expected = layer(x) - 10
    layer._conv_forward = MethodType(moved, layer)  # type: ignore[method-assign]
    with torch.no_grad(), fast_layers([layer]):
        assert torch.equal(layer(x), expected)
    assert not calls.of


@pytest.mark.parametrize(
    "layer, name, replacement",
    [
        (nn.Conv2d(6, 6, 1), "_conv_forward", moved),
        *(
            (layer, "forward", lambda self, x: x - 10)
            for layer in (nn.Conv2d(6, 6, 1), nn.AvgPool2d(2), nn.MaxPool2d(2), nn.BatchNorm2d(6))
        ),
    ],
)
def test_what_is_replaced_in_a_class_of_torch(
    layer: nn.Module, name: str, replacement: Any, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, x = scored_as(layer), torch.randn(4, 6, 8, 8)
    with torch.no_grad(), fast_layers([layer]):
        layer(x)  # whatever is remembered of the class
    calls.of.clear()
    monkeypatch.setattr(type(layer), name, replacement)
    with torch.no_grad():
        expected = layer(x)
        with fast_layers([layer]):
            assert torch.equal(layer(x), expected)
    assert not calls.of


class Negative(Tensor):
    """A weight that gives convolutions a meaning of its own."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        y = super().__torch_function__(func, types, args, kwargs or {})
        return -y.as_subclass(Tensor) if func is torch.conv2d else y


def test_weights_of_a_class_of_their_own(calls: Calls) -> None:
    layer, x = nn.Conv2d(6, 6, 1), torch.randn(4, 6, 8, 8)
    expected = -layer(x)
    weight = layer.weight.detach().as_subclass(Negative)
    del layer.weight
    layer.weight = weight  # type: ignore[assignment]
    with torch.no_grad(), fast_layers([layer]):
        torch.testing.assert_close(layer(x), expected.detach())
    assert not calls.of


@pytest.mark.parametrize(
    "layer, x",
    [
        (nn.BatchNorm2d(6), torch.randn(1, 6, 1, 1)),  # no variance of one value
        (nn.BatchNorm2d(6), torch.randn(4, 6)),
        (nn.BatchNorm2d(5), torch.randn(4, 6, 8, 8)),
        (nn.AvgPool2d(3, padding=2), torch.randn(4, 6, 8, 8)),
        (nn.MaxPool2d(9), torch.randn(4, 6, 8, 8)),
        (nn.Conv2d(3, 3, 3, groups=3), torch.randn(4, 6, 8, 8)),
    ],
)
def test_errors_are_those_of_torch(layer: nn.Module, x: Tensor) -> None:
    layer = scored_as(layer)
    with torch.no_grad(), pytest.raises((ValueError, RuntimeError)) as expected:
        layer(x)
    with torch.no_grad(), fast_layers([layer]), pytest.raises(type(expected.value)) as found:
        layer(x)
    assert str(found.value) == str(expected.value)


def test_a_norm_that_uses_running_statistics_is_left_to_torch(calls: Calls) -> None:
    x = torch.randn(4, 6, 8, 8)
    for layer in (nn.BatchNorm2d(6).eval(), nn.BatchNorm2d(6).train()):
        twin = copy.deepcopy(layer)
        with torch.no_grad(), fast_layers([layer]):
            assert torch.equal(layer(x), twin(x))
        assert torch.equal(layer.running_mean, twin.running_mean)
    assert not calls.of


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_made_meanwhile_has_its_own_weights(
    copied: Callable[[nn.Module], nn.Module],
) -> None:
    layer = scored_as(nn.BatchNorm2d(6))
    with fast_layers([layer]):
        twin = copied(layer)
    nn.init.constant_(twin.weight, 2.0)
    x = torch.randn(4, 6, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(twin(x), 2 * layer(x))


def test_hooks_of_layers_run(calls: Calls) -> None:
    layer = nn.AvgPool2d(3)
    seen: list[torch.Size] = []
    layer.register_forward_hook(lambda module, args, output: seen.append(output.shape))
    with torch.no_grad(), fast_layers([layer]):
        layer(torch.randn(1, 1, 6, 6))
    assert seen == [(1, 1, 2, 2)]
    assert calls.of == ["avg_pool2d"]


@pytest.mark.parametrize("repeats", [1, 4])
def test_scores_use_them_unless_told_not_to(repeats: int, calls: Calls) -> None:
    torch.manual_seed(0)
    model = SmallNet()
    images = torch.randn(16, 3, 32, 32)
    options: dict[str, Any] = {"repeats": repeats, "init": "gaussian"}
    plain = swap.score(model, images, fast_layers=False, **options)
    assert not calls.of
    fast = swap.score(model, images, **options)
    assert "batch_norm" in calls.of
    assert fast.neurons == plain.neurons
    for ours, theirs in zip(fast.patterns, plain.patterns, strict=True):
        assert abs(ours - theirs) <= 2  # of 16,384 neurons


@pytest.mark.parametrize(
    "options", [{"autocast": torch.bfloat16}, {"channels_last": True}], ids=["autocast", "channels"]
)
def test_other_options_use_torch(options: dict[str, Any], calls: Calls) -> None:
    swap.score(SmallNet(), torch.randn(16, 3, 32, 32), **options)
    assert not calls.of


def test_convolutions_in_an_autocast_of_the_model_are_torchs(calls: Calls) -> None:
    layer = nn.Conv2d(6, 6, 3, padding=1, groups=6)
    x = torch.randn(16, 6, 16, 16)
    with torch.no_grad(), fast_layers([layer]), torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    assert not calls.of


def test_a_models_own_vmap(calls: Calls) -> None:
    layer = scored_as(nn.BatchNorm2d(6, affine=False))
    x = torch.randn(3, 4, 6, 8, 8)
    with torch.no_grad():
        expected = torch.vmap(layer)(x)
        with fast_layers([layer]):
            torch.testing.assert_close(torch.vmap(layer)(x), expected, rtol=1e-5, atol=2e-6)
            nested = torch.vmap(torch.vmap(layer))(x[None])
    torch.testing.assert_close(nested[0], expected, rtol=1e-5, atol=2e-6)


def test_forward_mode_differentiation_is_left_to_torch() -> None:
    layer = scored_as(nn.BatchNorm2d(6))
    x, tangent = torch.randn(2, 4, 6, 8, 8)
    with torch.no_grad():
        _, expected = torch.func.jvp(layer, (x,), (tangent,))
        with fast_layers([layer]):
            _, found = torch.func.jvp(layer, (x,), (tangent,))
    torch.testing.assert_close(found, expected)


def test_tangents_without_a_transform() -> None:
    layer = scored_as(nn.BatchNorm2d(6))
    x, tangent = torch.randn(2, 4, 6, 8, 8)
    with torch.no_grad(), forward_ad.dual_level(), fast_layers([layer]):
        found = forward_ad.unpack_dual(layer(forward_ad.make_dual(x, tangent))).tangent
    _, expected = torch.func.jvp(layer, (x,), (tangent,))
    torch.testing.assert_close(found, expected)


def test_a_failing_pass_leaves_no_trace() -> None:
    layer = nn.AvgPool2d(3)
    with pytest.raises(ZeroDivisionError), fast_layers([layer]):
        raise ZeroDivisionError
    assert "forward" not in vars(layer)
    with nullcontext(), fast_layers([layer, layer]):
        assert "forward" in vars(layer)
    assert "forward" not in vars(layer)


# ---- batch normalisation and the ReLU after it ---------------------------------------------------


class Blocks(nn.Module):
    """ReLUs after batch normalisation, in place and not, in a sequence and outside of one."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU())
        self.second = nn.Sequential(
            nn.BatchNorm2d(6, affine=False), nn.ReLU(inplace=True), nn.ReLU(), nn.AvgPool2d(3)
        )
        self.norm, self.relu = nn.BatchNorm2d(6), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.norm(self.second(self.first(x)))).mean((1, 2, 3))


def layers_of(score: swap.SwapScore) -> list[tuple[str, int, int | None]]:
    return [(layer.name, layer.neurons, layer.new_patterns) for layer in score.layers]


@pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")
@pytest.mark.parametrize("samples", [7, 16, 33])  # bits of a map, and keys of a set that grows
@pytest.mark.parametrize("repeats", [1, 5])
@pytest.mark.parametrize("capture", ["auto", "modules", "operators"])
def test_relus_that_run_with_the_norm_before_them_are_counted_alike(
    samples: int, repeats: int, capture: Any, calls: Calls
) -> None:
    torch.manual_seed(0)
    model = Blocks()
    images = torch.randn(samples, 3, 12, 12)
    options: dict[str, Any] = {"repeats": repeats, "init": "gaussian", "capture": capture}
    plain = swap.Scorer(images, fast_layers=False, **options)(model)
    scorer = swap.Scorer(images, **options)
    for _ in range(2):
        calls.of.clear()
        fast = scorer(model)
        assert fast.patterns == plain.patterns
        assert layers_of(fast) == layers_of(plain)
        assert fast.neurons == plain.neurons
    # The first pass of a class looks closer at each activation.
    assert ("batch_norm_relu_insert" in calls.of) == (capture != "operators")
    assert all("forward" not in vars(module) for module in model.modules())


@pytest.mark.parametrize("place", ["norm", "relu", "sequence"])
def test_hooks_see_what_they_saw(place: str, calls: Calls) -> None:
    model = Blocks()
    module = {"norm": model.first[1], "relu": model.first[2], "sequence": model.first}[place]
    seen: list[Tensor] = []
    module.register_forward_hook(lambda module, args, output: seen.append(output.clone()))
    images = torch.randn(16, 3, 12, 12)
    for fast in (False, True):
        scorer = swap.Scorer(images, fast_layers=fast)
        scorer(model)
        scorer(model)
    half = len(seen) // 2
    for before, after in zip(seen[:half], seen[half:], strict=True):
        torch.testing.assert_close(after, before)
    # The other sequence has no hooks.
    assert calls.of.count("batch_norm_relu_insert") >= 1


def test_a_sequence_that_changes_while_it_runs() -> None:
    class Changing(Blocks):
        def forward(self, x: Tensor) -> Tensor:
            self.first[2] = nn.Identity()
            return super().forward(x)

    images = torch.randn(16, 3, 12, 12)
    counts = [swap.Scorer(images, fast_layers=fast)(Changing()).neurons for fast in (False, True)]
    assert counts[0] == counts[1]


def test_a_relu_that_is_left_out_is_not_counted_with_its_norm() -> None:
    images = torch.randn(16, 3, 12, 12)
    model = Blocks()
    options: dict[str, Any] = {"select": ["second.*", "relu"]}
    fast, plain = (
        swap.Scorer(images, fast_layers=fast, **options)(model) for fast in (True, False)
    )
    assert layers_of(fast) == layers_of(plain)
    assert "first.2" not in [layer.name for layer in fast.layers]
