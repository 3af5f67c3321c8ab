"""AutoFormer (Chen et al., ICCV 2021, arXiv 2107.00651): vision transformers for ImageNet.

An architecture is the width of the tokens and, for each encoder layer, the ratio of its feed-forward part to that
width and its number of heads::

    w192|r3.5h4,r4h4,r3.5h3,r4h4,r3.5h3,r3.5h3,r4h4,r3.5h4,r4h3,r4h3,r4h3,r3.5h4

Each is built as a network of its own, not cut out of a trained supernet.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from torch import Tensor, nn

from swapnas_ext.spaces.autoformer_networks import (
    HEAD_WIDTH,
    PATCH,
    Network,
    feed_forward_width,
)
from swapnas_ext.spaces.base import ArchitectureError, Graph, SearchSpace

Choice = TypeVar("Choice", int, float)


class Ranges(NamedTuple):
    """The values that the architectures of a supernet may have."""

    widths: tuple[int, ...]
    ratios: tuple[float, ...]
    heads: tuple[int, ...]
    depths: tuple[int, ...]


SUPERNETS = {
    "tiny": Ranges((192, 216, 240), (3.5, 4), (3, 4), (12, 13, 14)),
    "small": Ranges((320, 384, 448), (3, 3.5, 4), (5, 6, 7), (12, 13, 14)),
    "base": Ranges((528, 576, 624), (3, 3.5, 4), (8, 9, 10), (14, 15, 16)),
}
_COLUMNS = ("hidden_dim", "depth", "mlp_ratio", "num_heads")
_NUMBER = re.compile(r"\d+(\.\d+)?")


class Layer(NamedTuple):
    ratio: float
    heads: int


class Architecture(NamedTuple):
    width: int
    layers: tuple[Layer, ...]


class AutoFormer(SearchSpace):
    """The networks of one of AutoFormer's three supernets.

    Args:
        supernet: ``"tiny"``, ``"small"`` or ``"base"``: which values the choices have.
        classes: of the linear classifier.
        resolution: sides of the images in pixels, a multiple of 16.

    Images are cut into patches of 16 pixels. A class token and a learned table of places are added. Encoder
    layers normalise before attention and feed-forward part. Heads have 64 channels; queries, keys and values have
    biases. AutoFormer's embeddings of relative positions are left out, and so are dropout and stochastic depth,
    which only matter in training.
    """

    def __init__(
        self, supernet: str = "tiny", *, classes: int = 1000, resolution: int = 224
    ) -> None:
        if supernet not in SUPERNETS:
            raise ValueError(f"supernet must be one of {', '.join(SUPERNETS)}, got {supernet!r}")
        if classes < 1:
            raise ValueError(f"classes must be at least 1, got {classes}")
        if resolution < PATCH or resolution % PATCH:
            raise ValueError(
                f"resolution must be a multiple of {PATCH} pixels, the size of a patch, got {resolution}"
            )
        self.supernet = supernet
        self.classes = classes
        self.input_size = (3, resolution, resolution)

    @property
    def ranges(self) -> Ranges:
        return SUPERNETS[self.supernet]

    def parse(self, text: str) -> Architecture:
        return parse(text, self.ranges)

    def format(self, parsed: Architecture) -> str:
        return format_architecture(parsed)

    def from_entry(self, entry: Mapping[str, Any]) -> str | None:
        """The architecture of a row of ViT-Bench-101 (Wei et al., AAAI 2024): the columns ``hidden_dim``,
        ``depth``, and ``mlp_ratio`` and ``num_heads``, which are lists or their JSON."""
        if not all(name in entry for name in _COLUMNS):
            return None
        row = ", ".join(f"{name} {entry[name]}" for name in _COLUMNS)
        width, depth, ratios, heads = (_value(entry[name]) for name in _COLUMNS)
        if not isinstance(ratios, list) or not isinstance(heads, list):
            problem = "mlp_ratio and num_heads must be lists, with a number for each layer"
            raise ArchitectureError(row, 0, problem)
        if not len(ratios) == len(heads) == depth:
            problem = f"mlp_ratio has {len(ratios)} numbers and num_heads has {len(heads)}, but depth is {depth}"
            raise ArchitectureError(row, 0, problem)
        if not all(isinstance(number, int | float) for number in (width, *ratios, *heads)):
            problem = "hidden_dim, mlp_ratio and num_heads must consist of numbers"
            raise ArchitectureError(row, 0, problem)
        layers = (
            f"r{_written(ratio)}h{_written(count)}"
            for ratio, count in zip(ratios, heads, strict=True)
        )
        return self.format(self.parse(f"w{_written(width)}|{','.join(layers)}"))

    def canonical(self, architecture: str) -> str:
        """The string itself, since each is another network."""
        return self.format(self.parse(architecture))

    def _build(self, architecture: str) -> nn.Module:
        width, layers = self.parse(architecture)
        return Network(width, layers, self.classes, self.input_size[1])

    def size(self, architecture: str) -> int:
        width, layers = self.parse(architecture)
        places = 1 + (self.input_size[1] // PATCH) ** 2
        total = _linear(3 * PATCH**2, width) + (1 + places) * width
        total += sum(_layer_size(width, layer) for layer in layers)
        return total + 2 * width + _linear(width, self.classes)

    def inputs(
        self, samples: int, source: str | Path | None = None, size: int | None = None
    ) -> Tensor:
        """A mini-batch, as of all spaces, but only of the images that the table of places is for."""
        if size not in (None, self.input_size[1]):
            raise ValueError(
                f"size is {size}, and the networks take images of {self.input_size[1]} pixels: give the space "
                f"another resolution instead, such as resolution={size}"
            )
        return super().inputs(samples, source, size)

    def sample(self, rng: random.Random) -> str:
        width, depth = rng.choice(self.ranges.widths), rng.choice(self.ranges.depths)
        return self.format(Architecture(width, self._random_layers(depth, rng)))

    def mutate(self, architecture: str, rng: random.Random) -> str:
        """Changes the width, the number of layers, or the ratio or the heads of one layer. Random layers are
        added at the end, and layers are removed from the end."""
        width, layers = self.parse(architecture)
        values = {"ratio": self.ranges.ratios, "heads": self.ranges.heads}
        places = [(0, "width"), (0, "depth")]
        places += [(k, field) for k in range(len(layers)) for field in values]
        k, what = rng.choice(places)
        if what == "width":
            width = _other(self.ranges.widths, width, rng)
        elif what == "depth":
            depth = _other(self.ranges.depths, len(layers), rng)
            layers = layers[:depth] + self._random_layers(depth - len(layers), rng)
        else:
            value = _other(values[what], getattr(layers[k], what), rng)
            layers = (*layers[:k], layers[k]._replace(**{what: value}), *layers[k + 1 :])
        return self.format(Architecture(width, layers))

    def crossover(self, first: str, second: str, rng: random.Random) -> str:
        """The width, the number of layers, and each layer's ratio and heads from one of the parents. A layer that
        only one parent has comes from that one."""
        parents = self.parse(first), self.parse(second)
        width = rng.choice(parents).width
        layers = []
        for k in range(len(rng.choice(parents).layers)):
            having = [parent.layers[k] for parent in parents if k < len(parent.layers)]
            layers.append(Layer(rng.choice(having).ratio, rng.choice(having).heads))
        return self.format(Architecture(width, tuple(layers)))

    def graphs(self, architecture: str) -> list[Graph]:
        width, layers = self.parse(architecture)
        nodes = ["image", f"patches of {PATCH}, class token"]
        for ratio, heads in layers:
            nodes += [
                f"attention, {heads} heads",
                f"feed-forward {feed_forward_width(width, ratio)}",
            ]
        nodes.append("classes")
        edges = [(node, node + 1, f"{width}" if node else "3") for node in range(len(nodes) - 1)]
        return [Graph("network", tuple(nodes), tuple(edges))]

    def _random_layers(self, count: int, rng: random.Random) -> tuple[Layer, ...]:
        return tuple(
            Layer(rng.choice(self.ranges.ratios), rng.choice(self.ranges.heads))
            for _ in range(count)
        )


@lru_cache(4096)  # a search asks for the size and the children of the same text
def parse(text: str, ranges: Ranges) -> Architecture:
    """Reads ``w192|r3.5h4,r4h4,...``. Raises `ArchitectureError` that points at the mistake."""
    position = 0

    def expect(token: str, what: str) -> None:
        nonlocal position
        if not text.startswith(token, position):
            found = repr(text[position]) if position < len(text) else "the end"
            raise ArchitectureError(text, position, f"expected {what}, found {found}")
        position += len(token)

    def one_of(choices: Sequence[Choice], what: str) -> Choice:
        nonlocal position
        number = _NUMBER.match(text, position)
        for choice in choices:
            if number is not None and number.group() == f"{choice:g}":
                position = number.end()
                return choice
        known = ", ".join(f"{choice:g}" for choice in choices)
        found = number.group() if number else text[position : position + 1]
        raise ArchitectureError(
            text, position, f"{what} must be one of {known}, found {found or 'the end'}"
        )

    expect("w", "'w' and the width")
    width = one_of(ranges.widths, "the width")
    expect("|", "'|' before the layers")
    layers: list[Layer] = []
    while not layers or (text.startswith(",", position) and len(layers) < max(ranges.depths)):
        if layers:
            expect(",", "','")
        expect("r", "a layer such as r4h3")
        ratio = one_of(ranges.ratios, "the ratio")
        expect("h", "'h' and the heads")
        layers.append(Layer(ratio, one_of(ranges.heads, "the heads")))
    if len(layers) < min(ranges.depths):
        least, most = min(ranges.depths), max(ranges.depths)
        expect(",", f"',' and another layer: there are {least} to {most}")
    if position != len(text):
        raise ArchitectureError(text, position, "expected the end of the architecture")
    return Architecture(width, tuple(layers))


def format_architecture(architecture: Architecture) -> str:
    """The string of an architecture; `parse` reads it back."""
    layers = ",".join(f"r{ratio:g}h{heads}" for ratio, heads in architecture.layers)
    return f"w{architecture.width}|{layers}"


def _value(cell: Any) -> Any:
    """The value of a table's cell, which is JSON in a CSV file."""
    if not isinstance(cell, str):
        return cell
    try:
        return json.loads(cell)
    except ValueError:
        return cell


def _written(number: int | float) -> str:
    """A number as architectures have it: 4.0, as tables write it, is 4."""
    return f"{number:g}" if isinstance(number, float) else str(number)


def _linear(inputs: int, outputs: int) -> int:
    return (inputs + 1) * outputs


@lru_cache(1024)
def _layer_size(width: int, layer: Layer) -> int:
    inner, wide = layer.heads * HEAD_WIDTH, feed_forward_width(width, layer.ratio)
    total = _linear(width, 3 * inner) + _linear(inner, width) + 2 * 2 * width
    return total + _linear(width, wide) + _linear(wide, width)


def _other(choices: Sequence[Choice], current: Choice, rng: random.Random) -> Choice:
    return rng.choice([choice for choice in choices if choice != current])
