"""EfficientNets for ImageNet: the space of Accel-NASBench (Ahmad et al., CVPR Workshops 2024), which is MnasNet's
(Tan et al., CVPR 2019, arXiv 1807.11626).

Each of the seven stages of EfficientNet-B0 (Tan and Le, ICML 2019, arXiv 1905.11946) has an expansion, a kernel, a
number of layers, and perhaps squeeze-and-excitation. An architecture is ``e<expansion>k<kernel>l<layers>`` for each
stage, followed by ``s`` where there is squeeze-and-excitation. EfficientNet-B0 itself is::

    e1k3l1s-e6k3l2s-e6k5l2s-e6k3l3s-e6k5l3s-e6k5l4s-e6k3l1s
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from torch import nn

from swapnas_ext.spaces.base import ArchitectureError, Graph, SearchSpace
from swapnas_ext.spaces.efficientnet_networks import (
    FIRST_WIDTH,
    HEAD_WIDTH,
    STRIDES,
    WIDTHS,
    Block,
    Network,
    squeezed_width,
)

STAGES = len(WIDTHS)
EXPANSIONS = (1, 4, 6)
KERNELS = (3, 5)
LAYERS = ((1, 2, 3),) * 5 + ((1, 2, 3, 4), (1, 2, 3))
"""Numbers of layers that each stage may have."""

_SMALLEST = 32  # pixels: the network divides the image's sides by 32


class Stage(NamedTuple):
    expansion: int
    kernel: int
    layers: int
    squeeze: bool


Architecture = tuple[Stage, ...]
"""The seven stages."""


class EfficientNet(SearchSpace):
    """The networks of Accel-NASBench, about 1e11.

    Args:
        classes: of the linear classifier.
        resolution: sides of the images in pixels.

    Stages have 16, 24, 40, 80, 112, 192 and 320 channels; the second, third, fourth and sixth halve the image.
    All activations are SiLUs. Squeeze-and-excitation narrows to a quarter of the channels that go into the block.
    Dropout and stochastic depth are left out, since they only matter in training.
    """

    def __init__(self, *, classes: int = 1000, resolution: int = 224) -> None:
        if classes < 1:
            raise ValueError(f"classes must be at least 1, got {classes}")
        if resolution < _SMALLEST:
            raise ValueError(f"resolution must be at least {_SMALLEST} pixels, got {resolution}")
        self.classes = classes
        self.input_size = (3, resolution, resolution)

    def parse(self, text: str) -> Architecture:
        return parse(text)

    def format(self, parsed: Architecture) -> str:
        return format_architecture(parsed)

    def from_entry(self, entry: Mapping[str, Any]) -> str | None:
        """The architecture in a row's column ``arch``."""
        text = entry.get("arch")
        return format_architecture(parse(text)) if isinstance(text, str) else None

    def canonical(self, architecture: str) -> str:
        """The string itself, since each is another network."""
        return format_architecture(parse(architecture))

    def _build(self, architecture: str) -> nn.Module:
        return Network(_blocks(parse(architecture)), self.classes)

    def size(self, architecture: str) -> int:
        total = (27 + 2) * FIRST_WIDTH + sum(map(_block_size, _blocks(parse(architecture))))
        return total + (WIDTHS[-1] + 2) * HEAD_WIDTH + (HEAD_WIDTH + 1) * self.classes

    def sample(self, rng: random.Random) -> str:
        return format_architecture(
            tuple(Stage(*map(rng.choice, _values(number).values())) for number in range(STAGES))
        )

    def mutate(self, architecture: str, rng: random.Random) -> str:
        """Changes the expansion, the kernel, the number of layers or the squeeze-and-excitation of one stage."""
        stages = list(parse(architecture))
        number = rng.randrange(STAGES)
        field, values = rng.choice(list(_values(number).items()))
        current = getattr(stages[number], field)
        value = rng.choice([value for value in values if value != current])
        stages[number] = stages[number]._replace(**{field: value})
        return format_architecture(tuple(stages))

    def crossover(self, first: str, second: str, rng: random.Random) -> str:
        """Each choice of each stage from one of the parents."""
        stages = []
        for pair in zip(parse(first), parse(second), strict=True):
            values = {field: getattr(rng.choice(pair), field) for field in Stage._fields}
            stages.append(Stage(**values))
        return format_architecture(tuple(stages))

    def graphs(self, architecture: str) -> list[Graph]:
        stages = parse(architecture)
        nodes, channels = ["image", "stem"], [3, FIRST_WIDTH]
        for number, (expansion, kernel, layers, squeeze) in enumerate(stages, start=1):
            squeezed = ", squeeze" if squeeze else ""
            nodes += [
                f"stage {number}: {kernel}x{kernel}, expansion {expansion}{squeezed}"
            ] * layers
            channels += [WIDTHS[number - 1]] * layers
        nodes.append("head")
        edges = tuple((node, node + 1, f"{count}") for node, count in enumerate(channels))
        return [Graph("network", tuple(nodes), edges)]


@lru_cache(4096)  # a search asks for the size and the children of the same text
def parse(text: str) -> Architecture:
    """Reads ``e4k5l1-e1k3l2s-...``. Raises `ArchitectureError` that points at the mistake."""
    position = 0

    def expect(token: str, what: str) -> None:
        nonlocal position
        if not text.startswith(token, position):
            found = repr(text[position]) if position < len(text) else "the end"
            raise ArchitectureError(text, position, f"expected {what}, found {found}")
        position += len(token)

    def one_of(choices: Sequence[int], what: str) -> int:
        nonlocal position
        for choice in choices:
            if text.startswith(str(choice), position):
                position += len(str(choice))
                return choice
        known = ", ".join(map(str, choices))
        found = repr(text[position]) if position < len(text) else "the end"
        raise ArchitectureError(text, position, f"{what} must be one of {known}, found {found}")

    stages = []
    for number in range(STAGES):
        if number:
            expect("-", f"'-' before stage {number + 1}")
        expect("e", "a stage such as e4k5l1 or e1k3l2s")
        expansion = one_of(EXPANSIONS, "the expansion")
        expect("k", "'k' and the kernel")
        kernel = one_of(KERNELS, "the kernel")
        expect("l", "'l' and the number of layers")
        layers = one_of(LAYERS[number], f"the number of layers of stage {number + 1}")
        squeeze = text.startswith("s", position)
        position += squeeze
        stages.append(Stage(expansion, kernel, layers, squeeze))
    if position != len(text):
        raise ArchitectureError(text, position, "expected the end of the architecture")
    return tuple(stages)


def format_architecture(stages: Architecture) -> str:
    """The string of an architecture; `parse` reads it back."""
    return "-".join(
        f"e{expansion}k{kernel}l{layers}{'s' if squeeze else ''}"
        for expansion, kernel, layers, squeeze in stages
    )


def _values(number: int) -> dict[str, Sequence[Any]]:
    """The values that each field of a stage may have."""
    values = EXPANSIONS, KERNELS, LAYERS[number], (False, True)
    return dict(zip(Stage._fields, values, strict=True))


def _blocks(stages: Architecture) -> list[Block]:
    blocks = []
    channels = FIRST_WIDTH
    for stage, width, stride in zip(stages, WIDTHS, STRIDES, strict=True):
        for place in range(stage.layers):
            step = stride if place == 0 else 1
            blocks.append(
                Block(channels, width, stage.kernel, stage.expansion, step, stage.squeeze)
            )
            channels = width
    return blocks


@lru_cache(None)
def _block_size(block: Block) -> int:
    channels_in, channels, kernel, expansion, _, squeeze = block
    wide = channels_in * expansion
    total = (kernel**2 + 2) * wide + (wide + 2) * channels
    if expansion != 1:
        total += (channels_in + 2) * wide
    if squeeze:
        squeezed = squeezed_width(channels_in)
        total += (wide + 1) * squeezed + (squeezed + 1) * wide
    return total
