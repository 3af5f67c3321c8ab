"""FlexiBERT (Tuli et al., JAIR 2023, arXiv 2205.11656): heterogeneous Transformer encoders for text.

This is the subset, with the networks, of the benchmark of Serianni and Kalita (ACL 2023, arXiv 2306.00288): two or
four encoder layers, each with its own operation, heads and feed-forward stack, and one hidden size. An
architecture is JSON without spaces::

    {"hidden_size":256,"encoder_layers":[{"operation_type":"SA","operation_parameter":"WMA",
    "num_operation_heads":4,"feed_forward_dimension":1024,"num_feed_forward":3},...]}
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from swapnas_ext.data import text as texts
from swapnas_ext.spaces.base import Graph, SearchSpace
from swapnas_ext.spaces.differing import differing
from swapnas_ext.spaces.flexibert_json import (
    DEPTHS,
    HIDDEN_SIZES,
    OPERATIONS,
    VALUES,
    Architecture,
    Layer,
    format_architecture,
    parse,
)
from swapnas_ext.spaces.flexibert_networks import (
    CLASSES,
    EMBEDDING,
    POSITIONS,
    TOKEN_TYPES,
    Network,
)

_LAYER_CHOICES = ("operation", *VALUES)

Choice = TypeVar("Choice")


class FlexiBERT(SearchSpace):
    """The networks of the FlexiBERT benchmark, 10,621,440 of them: they take token ids.

    Args:
        vocabulary: number of token ids.
        sequence_length: tokens of a passage, 2 to 512.

    The papers and their code leave some things open or disagree. Here:

    * ``num_feed_forward`` layers of ``feed_forward_dimension`` follow each other, each with a GELU, before
      the one layer that leads back to the hidden size: FlexiBERT's stack.
    * Weighted multiplicative attention has one matrix over all heads, as in the benchmark; FlexiBERT's own
      code shares one of a head's size.
    * Linear transforms work on each head by itself, after a linear layer, and all operations end in one.
    * Half of the heads of a dynamic span convolution attend, as in ConvBERT.
    * Embeddings have 128 dimensions, and a linear layer leads to a hidden size of 256, as in ELECTRA. They
      are the same in all networks: initialisers do not draw them, so a score depends only on its seed.
    * A linear layer and a tanh of the first token lead to two classes, as in BERT. There is no dropout.
    """

    def __init__(self, *, vocabulary: int = 30522, sequence_length: int = 64) -> None:
        if vocabulary < 2:
            raise ValueError(f"vocabulary must be at least 2, got {vocabulary}")
        _check_length("sequence_length", sequence_length)
        self.vocabulary = vocabulary
        self.sequence_length = sequence_length
        self.input_size = (1, sequence_length, 1)  # one channel: a column of tokens

    def parse(self, text: str) -> Architecture:
        return parse(text)

    def format(self, parsed: Architecture) -> str:
        return format_architecture(parsed)

    def from_entry(self, entry: Mapping[str, Any]) -> str | None:
        """The architecture of an entry in the benchmark's table, with or without scores:
        ``{"hidden_size": ..., "nas_config": {"encoder_layers": [...]}}``."""
        if "nas_config" not in entry:
            return None
        own = {name: entry[name] for name in ("hidden_size", "nas_config") if name in entry}
        return format_architecture(parse(json.dumps(own)))

    def canonical(self, architecture: str) -> str:
        """The JSON without spaces, since each architecture is another network."""
        return format_architecture(parse(architecture))

    def _build(self, architecture: str) -> nn.Module:
        hidden, layers = parse(architecture)
        return Network(self.vocabulary, hidden, layers)

    def size(self, architecture: str) -> int:
        hidden, layers = parse(architecture)
        total = (self.vocabulary + POSITIONS + TOKEN_TYPES + 2) * EMBEDDING
        if hidden != EMBEDDING:
            total += _linear(EMBEDDING, hidden)
        total += sum(_layer_size(hidden, layer) for layer in layers)
        return total + _linear(hidden, hidden) + _linear(hidden, CLASSES)

    def inputs(
        self, samples: int, source: str | Path | None = None, size: int | None = None
    ) -> Tensor:
        """Passages as int64 token ids ``[samples, size]``.

        Args:
            source: a text file, as `text.passages` reads it; by default Python's help texts.
            size: tokens of a passage; by default ``sequence_length``.
        """
        size = self.sequence_length if size is None else size
        _check_length("size", size)
        return texts.passages(samples, size, self.vocabulary, source)

    def sample(self, rng: random.Random) -> str:
        hidden = rng.choice(HIDDEN_SIZES)
        return format_architecture(Architecture(hidden, _random_layers(rng.choice(DEPTHS), rng)))

    def mutate(self, architecture: str, rng: random.Random) -> str:
        """Changes the hidden size, the number of layers, or one choice of a layer: its operation with the
        parameter, its heads, or its feed-forward stack. Random layers are added at the end, and layers are
        removed from the end."""
        hidden, layers = parse(architecture)
        places = [(0, "hidden_size"), (0, "depth")]
        places += [(k, choice) for k in range(len(layers)) for choice in _LAYER_CHOICES]
        k, what = rng.choice(places)
        if what == "hidden_size":
            hidden = _other(HIDDEN_SIZES, hidden, rng)
        elif what == "depth":
            depth = _other(DEPTHS, len(layers), rng)
            layers = layers[:depth] + _random_layers(depth - len(layers), rng)
        else:
            layer = layers[k]
            if what == "operation":
                layer = Layer(*_other(OPERATIONS, layer[:2], rng), *layer[2:])
            else:
                value = _other(VALUES[what], getattr(layer, what), rng)
                layer = layer._replace(**{what: value})
            layers = (*layers[:k], layer, *layers[k + 1 :])
        return format_architecture(Architecture(hidden, layers))

    def crossover(self, first: str, second: str, rng: random.Random) -> str:
        """The hidden size, the number of layers, and each choice of a layer from one of the parents. A layer
        that only one parent has comes from that one."""
        parents = parse(first), parse(second)
        hidden = rng.choice([parent.hidden_size for parent in parents])
        layers = []
        for k in range(len(rng.choice(parents).encoder_layers)):
            having = [p.encoder_layers[k] for p in parents if k < len(p.encoder_layers)]
            kind, parameter = rng.choice(having)[:2]
            others = (rng.choice([getattr(layer, name) for layer in having]) for name in VALUES)
            layers.append(Layer(kind, parameter, *others))
        return format_architecture(Architecture(hidden, tuple(layers)))

    def distance(self, first: str, second: str) -> int:
        """In how many choices two encoders differ, as of all spaces; an operation with its parameter is one."""
        return differing(*map(_choices, (parse(first), parse(second))))

    def formats(self, architecture: str) -> dict[str, str]:
        hidden, layers = parse(architecture)
        nas_config = {"encoder_layers": [layer._asdict() for layer in layers]}
        model_dict = {
            "l": len(layers),
            "o": [{"SA": "sa", "LT": "l", "DSC": "c"}[layer.operation_type] for layer in layers],
            "h": [hidden] * len(layers),
            "n": [layer.num_operation_heads for layer in layers],
            "f": [[layer.feed_forward_dimension] * layer.num_feed_forward for layer in layers],
            "p": [_lower(layer.operation_parameter) for layer in layers],
        }
        entry = {"hidden_size": hidden, "nas_config": nas_config}
        return {
            "entry of the benchmark's table, JSON": json.dumps(entry),
            "FlexiBERT model dictionary": str(model_dict),
        }

    def graphs(self, architecture: str) -> list[Graph]:
        hidden, layers = parse(architecture)
        nodes = ["tokens", f"embeddings, {EMBEDDING} to {hidden}"]
        for layer in layers:
            heads = layer.num_operation_heads
            nodes.append(f"{layer.operation_type} {layer.operation_parameter}, {heads} heads")
            nodes.append(f"{layer.num_feed_forward} x feed-forward {layer.feed_forward_dimension}")
        nodes.append("classes")
        edges = tuple((node, node + 1, "") for node in range(len(nodes) - 1))
        return [Graph("network", tuple(nodes), edges)]


def _check_length(name: str, length: int) -> None:
    if not 2 <= length <= POSITIONS:
        raise ValueError(f"{name} must be 2 to {POSITIONS} tokens, got {length}")


def _choices(encoder: Architecture) -> tuple[Any, ...]:
    layers = tuple(
        (f"{layer.operation_type} {layer.operation_parameter}", *layer[2:])
        for layer in encoder.encoder_layers
    )
    return encoder.hidden_size, layers


def _random_layers(count: int, rng: random.Random) -> tuple[Layer, ...]:
    return tuple(
        Layer(*rng.choice(OPERATIONS), *(rng.choice(values) for values in VALUES.values()))
        for _ in range(count)
    )


def _other(choices: Sequence[Choice], current: Choice, rng: random.Random) -> Choice:
    return rng.choice([choice for choice in choices if choice != current])


def _lower(parameter: str | int) -> str | int:
    return parameter.lower() if isinstance(parameter, str) else parameter


def _linear(inputs: int, outputs: int) -> int:
    return (inputs + 1) * outputs


@lru_cache(1024)
def _layer_size(hidden: int, layer: Layer) -> int:
    kind, parameter, heads, wide, count = layer
    if kind == "SA":
        total = 3 * _linear(hidden, hidden) + (hidden**2 if parameter == "WMA" else 0)
    elif kind == "LT":
        total = _linear(hidden, hidden)
    else:
        half, kernel = hidden // 2, int(parameter)
        total = 5 * _linear(hidden, half) + hidden * kernel + _linear(half, heads // 2 * kernel)
    total += _linear(hidden, hidden) + 2 * 2 * hidden  # the operation's last layer, normalisations
    total += _linear(hidden, wide) + (count - 1) * _linear(wide, wide) + _linear(wide, hidden)
    return total
