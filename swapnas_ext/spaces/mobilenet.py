"""Mobile networks for ImageNet: the space of Once-for-All (Cai et al., ICLR 2020, arXiv 1908.09791).

Five stages of two to four inverted residual blocks, each with a kernel of 3, 5 or 7 and an expansion of
3, 4 or 6, in a network of width 1.0 or 1.2. The frame is MobileNetV3 (Howard et al., ICCV 2019, arXiv
1905.02244). An architecture is its width and, stage by stage, its blocks::

    w1.0|k3e6,k5e4|k7e3,k3e3,k5e6|k3e3,k3e3|k5e4,k5e4,k5e4,k5e4|k3e6,k7e6

Each is built as a network of its own, not cut out of the trained Once-for-All network.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

from torch import nn

from swapnas_ext.spaces.base import ArchitectureError, Graph, SearchSpace
from swapnas_ext.spaces.mobilenet_networks import (
    FINAL_WIDTH,
    FIRST_WIDTH,
    HEAD_WIDTH,
    STAGES,
    MobileNetV3,
    divisible,
    expanded_width,
    squeezed_width,
)

WIDTHS = ("1.0", "1.2")  # of the two networks that were published
DEPTHS = (2, 3, 4)
KERNELS = (3, 5, 7)
EXPANSIONS = (3, 4, 6)
_VALUES = {"kernel": KERNELS, "expansion": EXPANSIONS}

_SMALLEST = 32  # pixels: the network divides the image's sides by 32

Choice = TypeVar("Choice")


class Block(NamedTuple):
    kernel: int
    expansion: int


class Architecture(NamedTuple):
    """The width as its text, and the blocks of the five stages."""

    width: str
    stages: tuple[tuple[Block, ...], ...]


class MobileNet(SearchSpace):
    """The networks of Once-for-All's MobileNetV3 space, about 4e19.

    Args:
        classes: of the linear classifier.
        resolution: sides of the images in pixels; Once-for-All uses 128 to 224.

    Stages have 24, 40, 80, 112 and 160 channels times the width, rounded to multiples of eight; the first,
    second, third and fifth halve the image. The first two use ReLUs, the others hard swishes. The second,
    fourth and fifth have squeeze-and-excitation. Dropout is left out, since it only matters in training.
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

    def canonical(self, architecture: str) -> str:
        """The string itself, since each is another network."""
        return format_architecture(parse(architecture))

    def _build(self, architecture: str) -> nn.Module:
        width, stages = parse(architecture)
        return MobileNetV3(float(width), stages, self.classes)

    def size(self, architecture: str) -> int:
        width_text, stages = parse(architecture)
        width = float(width_text)
        channels = divisible(FIRST_WIDTH * width)
        total = (27 + 2) * channels + (9 + 2) * channels + channels**2 + 2 * channels  # the stem
        for stage, blocks in zip(STAGES, stages, strict=True):
            channels_out = divisible(stage.width * width)
            for kernel, expansion in blocks:
                total += _block_size(channels, channels_out, kernel, expansion, stage.squeeze)
                channels = channels_out
        final, head = divisible(FINAL_WIDTH * width), divisible(HEAD_WIDTH * width)
        return total + (channels + 2) * final + final * head + (head + 1) * self.classes

    def sample(self, rng: random.Random) -> str:
        stages = tuple(_random_blocks(rng.choice(DEPTHS), rng) for _ in STAGES)
        return format_architecture(Architecture(rng.choice(WIDTHS), stages))

    def mutate(self, architecture: str, rng: random.Random) -> str:
        """Changes the width, the depth of one stage, or the kernel or expansion of one block. A stage grows by
        random blocks at its end, and shrinks by its last ones."""
        width, stages = parse(architecture)
        places: list[tuple[int, int, str]] = [(0, 0, "width")]
        for number, blocks in enumerate(stages):
            places.append((number, 0, "depth"))
            places += [(number, k, field) for k in range(len(blocks)) for field in Block._fields]
        number, k, what = rng.choice(places)
        if what == "width":
            return format_architecture(Architecture(_other(WIDTHS, width, rng), stages))
        blocks = stages[number]
        if what == "depth":
            depth = _other(DEPTHS, len(blocks), rng)
            blocks = blocks[:depth] + _random_blocks(depth - len(blocks), rng)
        else:
            value = _other(_VALUES[what], getattr(blocks[k], what), rng)
            blocks = (*blocks[:k], blocks[k]._replace(**{what: value}), *blocks[k + 1 :])
        stages = (*stages[:number], blocks, *stages[number + 1 :])
        return format_architecture(Architecture(width, stages))

    def crossover(self, first: str, second: str, rng: random.Random) -> str:
        """The width, each stage's depth, and each block's kernel and expansion from one of the parents. A block
        that only one parent has comes from that one."""
        parents = parse(first), parse(second)
        stages = []
        for pair in zip(*(parent.stages for parent in parents), strict=True):
            depth = len(rng.choice(pair))
            blocks = []
            for place in range(depth):
                having = [blocks[place] for blocks in pair if place < len(blocks)]
                blocks.append(Block(*(rng.choice(values) for values in zip(*having, strict=True))))
            stages.append(tuple(blocks))
        return format_architecture(
            Architecture(rng.choice([parent.width for parent in parents]), tuple(stages))
        )

    def formats(self, architecture: str) -> dict[str, str]:
        width, stages = parse(architecture)
        settings = {
            "wid": None,  # its place in a list of widths, where a network has several
            "ks": [kernel for kernel, _ in _padded(stages)],
            "e": [expansion for _, expansion in _padded(stages)],
            "d": [len(blocks) for blocks in stages],
        }
        network = f"ofa_mbv3_d234_e346_k357_w{width}"
        return {f"Once-for-All, sub-network of {network}, JSON": json.dumps(settings)}

    def graphs(self, architecture: str) -> list[Graph]:
        width, stages = parse(architecture)
        nodes, channels = ["image", "stem"], [3, divisible(FIRST_WIDTH * float(width))]
        for number, (stage, blocks) in enumerate(zip(STAGES, stages, strict=True), start=1):
            for kernel, expansion in blocks:
                nodes.append(f"stage {number}: {kernel}x{kernel}, expansion {expansion}")
                channels.append(divisible(stage.width * float(width)))
        nodes.append("head")
        edges = tuple((node, node + 1, f"{count}") for node, count in enumerate(channels))
        return [Graph("network", tuple(nodes), edges)]


@lru_cache(4096)  # a search asks for the size and the children of the same text
def parse(text: str) -> Architecture:
    """Reads ``w1.0|k3e6,...|...``. Raises `ArchitectureError` that points at the mistake."""
    position = 0

    def expect(token: str, what: str) -> None:
        nonlocal position
        if not text.startswith(token, position):
            found = repr(text[position]) if position < len(text) else "the end"
            raise ArchitectureError(text, position, f"expected {what}, found {found}")
        position += len(token)

    def one_of(choices: Sequence[Choice], what: str) -> Choice:
        nonlocal position
        for choice in choices:
            if text.startswith(str(choice), position):
                position += len(str(choice))
                return choice
        known = ", ".join(map(str, choices))
        found = repr(text[position : position + 3]) if position < len(text) else "the end"
        raise ArchitectureError(text, position, f"{what} must be one of {known}, found {found}")

    expect("w", "'w' and the width")
    width = one_of(WIDTHS, "the width")
    stages = []
    for number in range(1, len(STAGES) + 1):
        expect("|", f"'|' before stage {number}")
        blocks: list[Block] = []
        while not blocks or (text.startswith(",", position) and len(blocks) < max(DEPTHS)):
            if blocks:
                expect(",", "','")
            expect("k", "a block such as k3e6")
            kernel = one_of(KERNELS, "the kernel")
            expect("e", "'e' and the expansion")
            blocks.append(Block(kernel, one_of(EXPANSIONS, "the expansion")))
        if len(blocks) < min(DEPTHS):
            expect(",", f"',' and another block: a stage has {min(DEPTHS)} to {max(DEPTHS)}")
        stages.append(tuple(blocks))
    if position != len(text):
        raise ArchitectureError(text, position, "expected the end of the architecture")
    return Architecture(width, tuple(stages))


def format_architecture(architecture: Architecture) -> str:
    """The string of an architecture; `parse` reads it back."""
    stages = (
        ",".join(f"k{kernel}e{expansion}" for kernel, expansion in blocks)
        for blocks in architecture.stages
    )
    return "|".join((f"w{architecture.width}", *stages))


@lru_cache(None)
def _block_size(
    channels_in: int, channels_out: int, kernel: int, expansion: int, squeeze: bool
) -> int:
    wide = expanded_width(channels_in, expansion)
    total = (channels_in + 2) * wide + (kernel**2 + 2) * wide + (wide + 2) * channels_out
    if squeeze:
        squeezed = squeezed_width(wide)
        total += (wide + 1) * squeezed + (squeezed + 1) * wide
    return total


def _random_blocks(count: int, rng: random.Random) -> tuple[Block, ...]:
    return tuple(Block(rng.choice(KERNELS), rng.choice(EXPANSIONS)) for _ in range(count))


def _other(choices: Sequence[Choice], current: Choice, rng: random.Random) -> Choice:
    return rng.choice([choice for choice in choices if choice != current])


def _padded(stages: tuple[tuple[Block, ...], ...]) -> list[Block]:
    """Four blocks for each stage. Missing ones are zeros, as in Once-for-All's encoding."""
    missing = Block(0, 0)
    return [
        blocks[place] if place < len(blocks) else missing
        for blocks in stages
        for place in range(max(DEPTHS))
    ]
