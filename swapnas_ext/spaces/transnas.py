"""TransNAS-Bench-101 (Duan et al., CVPR 2021, arXiv 2105.11871): 4,096 cells and 3,256 skeletons.

Architectures are written as base channels, skeleton and cell::

    64-41414-1_02_333    the micro space: one skeleton, the operations of the cell's six edges
    64-1234-basic        the macro space: 4 to 6 modules of residual blocks

A skeleton has a code for each module: 1 changes nothing, 2 doubles the channels, 3 halves the image, 4
does both. A cell has a code for each edge, grouped by the node that it leads to: 0 nothing, 1 a skip
connection, 2 and 3 convolutions of 1x1 and 3x3.
"""

from __future__ import annotations

import itertools
import random
from abc import abstractmethod
from collections.abc import Iterator
from functools import lru_cache

from torch import nn

from swapnas_ext.spaces.base import Graph, SearchSpace
from swapnas_ext.spaces.nasbench201_cell import EDGES, sums_of_cell
from swapnas_ext.spaces.transnas_networks import (
    BLOCKS,
    KERNELS,
    NONE,
    SKIP,
    Architecture,
    Network,
    blocks_of,
)
from swapnas_ext.spaces.transnas_skeletons import (
    DEPTHS,
    MICRO_SKELETON,
    fault,
    longer,
    replaced,
    shorter,
    skeletons,
)
from swapnas_ext.spaces.transnas_strings import (
    MAX_CHANNELS,
    digits_of,
    format_architecture,
    parse_macro,
    parse_micro,
)

OPERATIONS = ("none", "skip_connect", "conv1x1", "conv3x3")
"""By their codes."""
_CHANGES = {
    1: "nothing changes",
    2: "channels doubled",
    3: "image halved",
    4: "channels doubled, image halved",
}
_TRIES = 100


class _TransNAS(SearchSpace):
    """The common part of the two spaces."""

    @abstractmethod
    def parse(self, text: str) -> Architecture: ...

    def __init__(self, *, channels: int = 64, image_size: int = 256, classes: int = 47) -> None:
        if not 2 <= channels <= MAX_CHANNELS:
            raise ValueError(f"channels must be from 2 to {MAX_CHANNELS}, got {channels}")
        if image_size < 1 or classes < 1:
            raise ValueError(
                f"image_size and classes must be at least 1, got {image_size} and {classes}"
            )
        self.channels = channels
        self.classes = classes
        self.input_size = (3, image_size, image_size)

    def format(self, parsed: Architecture) -> str:
        return format_architecture(parsed)

    def _build(self, architecture: str) -> nn.Module:
        return Network(self.parse(architecture), self.classes)

    def size(self, architecture: str) -> int:
        parsed = self.parse(architecture)
        half, width = parsed.channels // 2, parsed.channels
        total = (27 + 2) * half + (9 * half + 2) * width  # the stem
        for channels_in, width, stride in blocks_of(parsed):
            total += _block_weights(parsed.cell, channels_in, width, stride)
        return total + width * self.classes + self.classes


class TransNASMicro(_TransNAS):
    """The cells of TransNAS-Bench-101, in the networks of its scene classification.

    Args:
        channels: C, of the stem, in the architectures that are sampled and listed; 64 in all published
            ones. A string says its own.
        image_size: sides of the images in pixels. All published networks take 256; smaller images
            are scored faster.
        classes: number of outputs, the 47 published scenes by default.

    The 4,096 cells have 1,376 distinct forms in `canonical`.
    """

    def __len__(self) -> int:
        return int(len(OPERATIONS) ** len(EDGES))

    def __iter__(self) -> Iterator[str]:
        cells = itertools.product(range(len(OPERATIONS)), repeat=len(EDGES))
        return (self._format_cell(cell) for cell in cells)

    def _format_cell(self, cell: tuple[int, ...]) -> str:
        return format_architecture(Architecture(self.channels, MICRO_SKELETON, cell))

    def parse(self, text: str) -> Architecture:
        return parse_micro(text)

    def canonical(self, architecture: str) -> str:
        """The cell as the sums that it computes, such as ``64-41414: a=conv3x3(x); a+a``.

        As in `NASBench201.canonical`, zeros, dead edges and the order of sums do not matter, and a skip is
        its input. But a skip from the cell's input has weights where the cell changes channels and image.
        It is therefore an operation here, ``skip(x)``, so that cells of one form compute the same function
        of their live weights at every place in the skeleton. (An operation on zero is zero until a batch
        normalisation learns a shift.)
        """
        parsed = self.parse(architecture)
        names = tuple(
            "skip" if code == SKIP and source == 0 else OPERATIONS[code]
            for (source, _), code in zip(EDGES, parsed.cell, strict=True)
        )
        return f"{parsed.channels}-{digits_of(parsed.modules)}: {_sums(names)}"

    def sample(self, rng: random.Random) -> str:
        return self._format_cell(tuple(rng.randrange(len(OPERATIONS)) for _ in EDGES))

    def mutate(self, architecture: str, rng: random.Random) -> str:
        """Changes the operation of one edge."""
        parsed = self.parse(architecture)
        cell = list(parsed.cell)
        edge = rng.randrange(len(cell))
        cell[edge] = rng.choice([code for code in range(len(OPERATIONS)) if code != cell[edge]])
        return self.format(parsed._replace(cell=tuple(cell)))

    def crossover(self, first: str, second: str, rng: random.Random) -> str:
        """The channels and each edge's operation from one of the parents."""
        parents = self.parse(first), self.parse(second)
        pairs = zip(*(parent.cell for parent in parents), strict=True)
        cell = tuple(rng.choice(pair) for pair in pairs)
        return self.format(rng.choice(parents)._replace(cell=cell))

    def formats(self, architecture: str) -> dict[str, str]:
        self.check(architecture)
        return {"TransNAS-Bench-101": architecture}

    def graphs(self, architecture: str) -> list[Graph]:
        edges = zip(EDGES, self.parse(architecture).cell, strict=True)
        drawn = tuple(
            (source, node, OPERATIONS[code]) for (source, node), code in edges if code != NONE
        )
        return [Graph("cell", ("in", "1", "2", "out"), drawn)]


class TransNASMacro(_TransNAS):
    """The skeletons of TransNAS-Bench-101, in the networks of its scene classification.

    There are four to six modules of two residual blocks; one to three of them double the channels, and
    one to four halve the image.

    Args:
        channels: C, of the stem, in the architectures that are sampled and listed; 64 in all published
            ones. A string says its own.
        image_size: sides of the images in pixels. All published networks take 256; smaller images
            are scored faster.
        classes: number of outputs, the 47 published scenes by default.
    """

    def __len__(self) -> int:
        return len(skeletons())

    def __iter__(self) -> Iterator[str]:
        return (self._format_modules(modules) for modules in skeletons())

    def _format_modules(self, modules: tuple[int, ...]) -> str:
        return format_architecture(Architecture(self.channels, modules, ()))

    def parse(self, text: str) -> Architecture:
        return parse_macro(text)

    def canonical(self, architecture: str) -> str:
        """The string itself, since no two skeletons make the same network."""
        return self.format(self.parse(architecture))

    def sample(self, rng: random.Random) -> str:
        return self._format_modules(rng.choice(skeletons()))

    def mutate(self, architecture: str, rng: random.Random) -> str:
        """Changes the code of one module, adds a module or removes one."""
        parsed = self.parse(architecture)
        kinds = [
            [modules for modules in changed if fault(modules) is None]
            for changed in (
                replaced(parsed.modules),
                longer(parsed.modules),
                shorter(parsed.modules),
            )
        ]
        modules = rng.choice(rng.choice([kind for kind in kinds if kind]))
        return self.format(parsed._replace(modules=modules))

    def crossover(self, first: str, second: str, rng: random.Random) -> str:
        """The channels, the number of modules and each module's code from one of the parents. If no combination
        is in the space, the result is one of the parents."""
        parents = self.parse(first), self.parse(second)
        for _ in range(_TRIES):
            child = rng.choice(parents)
            columns = itertools.zip_longest(*(parent.modules for parent in parents))
            codes = (rng.choice([code for code in column if code]) for column in columns)
            modules = tuple(itertools.islice(codes, len(rng.choice(parents).modules)))
            if fault(modules) is None:
                return self.format(child._replace(modules=modules))
        return self.format(rng.choice(parents))

    def formats(self, architecture: str) -> dict[str, str]:
        modules = self.parse(architecture).modules
        padded = [*modules, *(0,) * (DEPTHS[-1] - len(modules))]
        return {"TransNAS-Bench-101": architecture, "NASLib op_indices": str(padded)}

    def graphs(self, architecture: str) -> list[Graph]:
        parsed = self.parse(architecture)
        widths = [parsed.channels, *(width for _, width, _ in blocks_of(parsed)[1::BLOCKS])]
        nodes = (f"stem, {widths[0]} channels", *(f"{width} channels" for width in widths[1:]))
        edges = ((i, i + 1, _CHANGES[code]) for i, code in enumerate(parsed.modules))
        return [Graph("skeleton", nodes, tuple(edges))]


@lru_cache(4096)
def _sums(names: tuple[str, ...]) -> str:
    return sums_of_cell(names)


def _block_weights(cell: tuple[int, ...], channels_in: int, channels: int, stride: int) -> int:
    changes = stride > 1 or channels_in != channels
    if not cell:
        both = 9 * (channels_in + channels) * channels + 2 * 2 * channels
        return both + changes * (channels_in + 2) * channels
    total = 0
    for (source, _), code in zip(EDGES, cell, strict=True):
        kernel = KERNELS.get(code, 0)
        if code == SKIP and source == 0 and changes:
            kernel = 1  # the two halves of a factorised reduction
        if kernel:
            total += (kernel**2 * (channels if source else channels_in) + 2) * channels
    return total
