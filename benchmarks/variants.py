"""Networks of a space with other activations, or without batch statistics, to study their effect on a score."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from swapnas_ext import spaces
from swapnas_ext.spaces import SearchSpace

ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}
_REPLACED = (nn.ReLU, nn.GELU)


class Variant(SearchSpace):
    """A space that changes its networks after building them.

    Args:
        name, options: of the space.
        activation: replaces its ReLUs and GELUs; by default they stay.
        batch_statistics: if false, batch normalisation does nothing, as in an untrained network in
            evaluation mode.
        channels: for TransNAS-Bench-101: the channels of the scored networks, instead of those in the
            architectures. Sizes still follow the architectures.
    """

    def __init__(
        self,
        name: str,
        options: Mapping[str, Any],
        *,
        activation: str | None = None,
        batch_statistics: bool = True,
        channels: int | None = None,
    ) -> None:
        self._space = spaces.get(name, **options)
        self.name = name
        self.options = repr(dict(options))
        self.activation = activation
        self.batch_statistics = batch_statistics
        self.channels = channels
        self.input_size = self._space.input_size

    def _build(self, architecture: str) -> nn.Module:
        if self.channels is not None:
            architecture = f"{self.channels}-{architecture.partition('-')[2]}"
        network = self._space._build(architecture)
        self._change(network)
        return network

    def _change(self, module: nn.Module) -> None:
        for name, child in module.named_children():
            if self.activation is not None and isinstance(child, _REPLACED):
                setattr(module, name, ACTIVATIONS[self.activation]())
            elif not self.batch_statistics and isinstance(child, _BatchNorm):
                setattr(module, name, nn.Identity())
            else:
                self._change(child)

    def parse(self, text: str) -> Any:
        return self._space.parse(text)

    def format(self, parsed: Any) -> str:
        return self._space.format(parsed)

    def canonical(self, architecture: str) -> str:
        return self._space.canonical(architecture)

    def size(self, architecture: str) -> int:
        return self._space.size(architecture)

    def final(self) -> SearchSpace:
        return self._space.final()

    def sample(self, rng: random.Random) -> str:
        return self._space.sample(rng)

    def mutate(self, architecture: str, rng: random.Random) -> str:
        return self._space.mutate(architecture, rng)

    def crossover(self, first: str, second: str, rng: random.Random) -> str:
        return self._space.crossover(first, second, rng)
