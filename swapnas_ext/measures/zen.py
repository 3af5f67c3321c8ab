"""The Zen-Score: how much the features of a network change with its input, scaled back by its batch normalisation.

Source: Lin et al., ICCV 2021, arXiv 2102.01063.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext._torch_private import BATCH_NORMS
from swapnas_ext.measures.features import FeatureWatch
from swapnas_ext.measures.gradients import scores_of
from swapnas_ext.measures.one_number import OfLogarithms, finite, logarithm, name_of_model
from swapnas_ext.measures.prepared_network import Arguments, Hooks, PreparedNetwork
from swapnas_ext.measures.registry import register
from swapnas_ext.models import main_input

_NOISE = 0x2E4 << 40
"""The stream of random numbers for noise, which differs from that for weights."""
_STEP = 0.01


@register
class Zen(OfLogarithms):
    """``log mean ||f(x) - f(x + 0.01 e)|| + sum over batch normalisation layers of log sigma``.

    * x, e: standard normal numbers, of the shape of the samples; the mean is over the samples.
    * f, the features before global pooling: see `FeatureWatch`. The norm is the Frobenius norm of the paper; its code
      sums absolute values.
    * sigma^2, the mean over channels of the variance (population) of what enters the layer with x, plus the layer's
      eps: the layer divides by about sigma. The code has the running variance instead, which mixes this with its
      initial value of one.

    The weights of the paper are N(0, 1), the initialiser "gaussian". Residual links stay, which the paper removes: no
    rule finds them in any model.

    Raises (when read):
        ValueError: samples of integers such as tokens, or a difference that is zero, infinite or not a number.
    """

    name = "zen"
    title = "Zen-Score"
    description = "how much features change with noise, and the spread before batch normalisation"
    default_init = "gaussian"

    def read(self, network: PreparedNetwork) -> float:
        generator = network.generator(_NOISE)
        noise: list[Tensor] = []

        def drawn(like: Tensor) -> Tensor:
            if not like.is_floating_point():
                raise ValueError(
                    f"{name_of_model(network)} takes {like.dtype}, such as tokens: the Zen-Score adds a little noise "
                    "to the input, and needs a network that takes floating-point numbers, such as images"
                )
            made = torch.randn(
                like.shape, generator=generator, device=like.device, dtype=like.dtype
            )
            return torch.empty_like(like).copy_(made)

        def kept(like: Tensor) -> Tensor:
            noise.append(drawn(like))
            return noise[-1].clone()  # a network may write to it

        def disturbed(like: Tensor) -> Tensor:
            return noise.pop(0) + _STEP * drawn(like)

        spreads: list[float] = []
        hooks = partial(_watched, network.modules, spreads)
        features = _features(network, network.varied(kept), hooks)
        others = _features(network, network.varied(disturbed))
        if others.shape != features.shape:
            raise ValueError(
                f"the features of {name_of_model(network)} have the shape {list(features.shape)} and, with a little "
                f"noise, {list(others.shape)}: the Zen-Score compares them, and needs one shape"
            )
        change = _by_sample(features.double() - others.double(), network.samples)
        size = float(torch.linalg.vector_norm(change, dim=1).mean())
        change_of = "the change of the features"
        return finite(logarithm(size, change_of, network) + sum(spreads), "the Zen-Score", network)


def _by_sample(x: Tensor, samples: int) -> Tensor:
    """``[S, elements]``; a single row where the tensor does not have the rows of S samples."""
    has_rows = x.dim() > 0 and len(x) % samples == 0
    return x.reshape(samples if has_rows else 1, -1)


def _features(network: PreparedNetwork, arguments: Arguments, hooks: Hooks = nullcontext) -> Tensor:
    watch = FeatureWatch(network.samples)

    @contextmanager
    def watching() -> Iterator[None]:
        with hooks(), watch:
            yield

    with network.output(arguments, hooks=watching) as output:
        scores = scores_of(network, output)
    return watch.features(scores)


@contextmanager
def _watched(modules: Sequence[nn.Module], spreads: list[float]) -> Iterator[None]:
    """Adds log sigma of each call of a batch normalisation."""

    def note(norm: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        x = main_input(args, kwargs)
        if isinstance(x, Tensor) and x.dim() > 1 and x.numel():
            variance = x.double().transpose(0, 1).flatten(1).var(1, correction=0).mean()
            sigma = math.sqrt(float(variance) + float(norm.eps))  # type: ignore[arg-type]
            spreads.append(math.log(sigma) if sigma > 0 else -math.inf)

    hooks = [
        module.register_forward_pre_hook(note, with_kwargs=True)
        for module in modules
        if isinstance(module, BATCH_NORMS)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
