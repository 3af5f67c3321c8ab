"""NAS-Bench-Macro (Su et al., CVPR 2021, arXiv 2103.11922): 6,561 networks for CIFAR-10.

An architecture is a digit for each of eight layers, such as ``00000012``:

* ``0`` is an identity: a 1x1 convolution with batch normalisation where the shape changes,
* ``1`` is an inverted residual block with kernel 3 and expansion 3,
* ``2`` is one with kernel 5 and expansion 6.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from swapnas_ext.spaces.base import ArchitectureError, Graph, SearchSpace
from swapnas_ext.spaces.nasbench_macro_networks import (
    FIRST_WIDTH,
    HEAD_WIDTH,
    IDENTITY,
    LAYERS,
    RESIDUALS,
    Network,
)

DIGITS = (IDENTITY, *RESIDUALS)
_SMALLEST = 8  # pixels: the network divides the image's sides by 8


class NASBenchMacro(SearchSpace):
    """The networks of NAS-Bench-Macro.

    Args:
        classes: of the linear classifier.
        resolution: sides of the images in pixels.

    The layers have 64, 64, 128, 128, 128, 256, 256 and 256 channels; the first, third and sixth halve the image.
    All activations are ReLU6, as in MobileNetV2. The benchmark's training code has ReLUs in their place.
    """

    def __init__(self, *, classes: int = 10, resolution: int = 32) -> None:
        if classes < 1:
            raise ValueError(f"classes must be at least 1, got {classes}")
        if resolution < _SMALLEST:
            raise ValueError(f"resolution must be at least {_SMALLEST} pixels, got {resolution}")
        self.classes = classes
        self.input_size = (3, resolution, resolution)

    def __len__(self) -> int:
        return int(len(DIGITS) ** len(LAYERS))

    def __iter__(self) -> Iterator[str]:
        return map("".join, itertools.product(DIGITS, repeat=len(LAYERS)))

    def parse(self, text: str) -> tuple[str, ...]:
        """The digits of the eight layers."""
        for position, digit in enumerate(text[: len(LAYERS)]):
            if digit not in DIGITS:
                problem = (
                    f"layer {position + 1} must be one of {', '.join(DIGITS)}, found {digit!r}"
                )
                raise ArchitectureError(text, position, problem)
        if len(text) < len(LAYERS):
            problem = (
                f"expected {len(LAYERS)} digits, found {len(text)} (leading zeros are lost where the "
                "digits were read as a number)"
            )
            raise ArchitectureError(text, len(text), problem)
        if len(text) > len(LAYERS):
            raise ArchitectureError(text, len(LAYERS), "expected the end of the architecture")
        return tuple(text)

    def format(self, parsed: tuple[str, ...]) -> str:
        return "".join(parsed)

    def from_entry(self, entry: Mapping[str, Any]) -> str | None:
        """The architecture in a row's column ``arch``: text, or a number, whose leading zeros come back."""
        digits = entry.get("arch")
        if isinstance(digits, bool) or not isinstance(digits, str | int):
            return None
        text = digits if isinstance(digits, str) else str(digits).zfill(len(LAYERS))
        return self.format(self.parse(text))

    def canonical(self, architecture: str) -> str:
        """The digits without identities that keep the shape, stage by stage, such as ``01-0-021``: these pass on
        what they get, wherever in the stage they are."""
        text = ""
        for digit, layer in zip(self.parse(architecture), LAYERS, strict=True):
            if not layer.keeps_shape:
                text += f"-{digit}"
            elif digit != IDENTITY:
                text += digit
        return text.removeprefix("-")

    def _build(self, architecture: str) -> nn.Module:
        return Network(self.parse(architecture), self.classes)

    def size(self, architecture: str) -> int:
        total = (27 + 2) * FIRST_WIDTH  # the stem
        for digit, layer in zip(self.parse(architecture), LAYERS, strict=True):
            channels_in, channels, _ = layer
            if digit in RESIDUALS:
                kernel, expansion = RESIDUALS[digit]
                wide = channels_in * expansion
                total += (channels_in + 2 + kernel**2 + 2) * wide + (wide + 2) * channels
            elif not layer.keeps_shape:
                total += (channels_in + 2) * channels
        return total + (channels + 2) * HEAD_WIDTH + (HEAD_WIDTH + 1) * self.classes

    def sample(self, rng: random.Random) -> str:
        return "".join(rng.choice(DIGITS) for _ in LAYERS)

    def mutate(self, architecture: str, rng: random.Random) -> str:
        """Changes the digit of one layer."""
        digits = list(self.parse(architecture))
        place = rng.randrange(len(digits))
        digits[place] = rng.choice([digit for digit in DIGITS if digit != digits[place]])
        return "".join(digits)

    def crossover(self, first: str, second: str, rng: random.Random) -> str:
        pairs = zip(self.parse(first), self.parse(second), strict=True)
        return "".join(rng.choice(pair) for pair in pairs)

    def graphs(self, architecture: str) -> list[Graph]:
        nodes, channels = ["image", "stem"], [3, FIRST_WIDTH]
        for digit, layer in zip(self.parse(architecture), LAYERS, strict=True):
            if digit in RESIDUALS:
                kernel, expansion = RESIDUALS[digit]
                nodes.append(f"{kernel}x{kernel}, expansion {expansion}")
            else:
                nodes.append("identity" if layer.keeps_shape else "1x1 convolution")
            channels.append(layer.channels)
        nodes.append("head")
        edges = tuple((node, node + 1, f"{count}") for node, count in enumerate(channels))
        return [Graph("network", tuple(nodes), edges)]
