"""Short names of architectures, for tables and charts: what they are made of."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from swapnas_ext._util import shortened

if TYPE_CHECKING:
    from swapnas_ext.spaces import SearchSpace

_SHORT = 40
"""Strings that are no longer are their own names."""
_LONGEST = 60
_SHORTER = (
    (re.compile(r"^stage \d+: "), ""),
    (re.compile(r"nor_conv_"), "conv"),
    (re.compile(r"(sep|dil)_conv_"), r"\1"),
    (re.compile(r"(avg|max)_pool_"), r"\1"),
    (re.compile(r"_connect$"), ""),
    (re.compile(r", expansion "), "e"),
)
"""Abbreviations that the field uses."""
_NOTHING = ("none", "zero", "stem", "head")


def short_name(architecture: str, space: SearchSpace | None) -> str:
    """The architecture in a few words: how often it has which operation, the most frequent first, as in ``conv3x3·4
    skip·1``. A short string is its own name, and so is the beginning of a long one whose space has no drawings.

    Several architectures may have one name.
    """
    if len(architecture) <= _SHORT or space is None:
        return shortened(architecture, _LONGEST)
    try:
        graphs = space.graphs(architecture)
    except ValueError:  # a run file may say anything
        return shortened(architecture, _LONGEST)
    labels = [label for graph in graphs for *_, label in graph.edges if _is_word(label)]
    if not labels:  # nodes are operations; the first and the last are the input and the output
        labels = [label for graph in graphs for label in graph.nodes[1:-1] if _is_word(label)]
    counts = Counter(map(_shorter, (label for label in labels if label not in _NOTHING)))
    told = " ".join(f"{name}·{count}" for name, count in counts.most_common())
    return shortened(told or architecture, _LONGEST)


def _is_word(label: str) -> bool:
    return any(letter.isalpha() for letter in label)


def _shorter(label: str) -> str:
    for pattern, shorter in _SHORTER:
        label = pattern.sub(shorter, label)
    return label
