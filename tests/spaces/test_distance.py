"""In how many choices architectures differ."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

import swapnas_ext as swap
from swapnas_ext.spaces.differing import differing
from swapnas_ext.spaces.nasbench201 import NASBench201


@pytest.mark.parametrize("name", swap.spaces.names())
def test_a_mutant_differs_in_one_choice(name: str) -> None:
    space, rng = swap.spaces.get(name), random.Random(0)
    for _ in range(40):
        first, other = space.sample(rng), space.sample(rng)
        mutant = space.mutate(first, rng)
        same_size = name != "nasbench101" or len(first) == len(
            mutant
        )  # else it gets unused vertices
        assert not same_size or space.distance(first, mutant) == 1
        assert space.distance(first, first) == 0
        assert space.distance(first, other) == space.distance(other, first)
        assert (space.distance(first, other) == 0) == (first == other)


def test_two_mutations_of_other_choices_differ_in_two() -> None:
    space = swap.spaces.get("nasbench-macro")
    assert space.distance("00000000", "01000002") == 2


def test_the_edges_of_a_darts_node_have_no_order() -> None:
    space, rng = swap.spaces.get("darts", network="cifar10"), random.Random(0)
    genotype = space.parse(space.sample(rng))
    first, second, *others = genotype.normal
    swapped = space.format(genotype._replace(normal=(second, first, *others)))
    assert space.distance(space.format(genotype), swapped) == 0
    changed = space.format(genotype._replace(normal_concat=(3, 4, 5)))
    assert space.distance(space.format(genotype), changed) == 1


@dataclasses.dataclass
class Layer:
    width: int
    kernel: int = 3


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [
        ((1, 2, 3), (1, 2, 3), 0),
        ((1, 2, 3), (1, 5, 6), 2),
        (((1, 2), (3, 4)), ((1, 9), (3, 9)), 2),
        ((1, 2, 3, 4), (1, 3, 4), 1),  # one less in the middle
        ((1, 2, 3), (1, 2, 3, 4, 5), 1),  # longer
        ((1, 2, 3), (9, 2, 8, 7), 3),
        ([1, "ab"], [1, "cd"], 1),  # texts are single values
        ({"a": 1, "b": (1, 2)}, {"a": 2, "b": (1, 3)}, 2),
        ({"a": 1}, {"b": 1}, 2),
        (Layer(1), Layer(2, 5), 2),
        ((1, None), (1, (2, 3)), 1),
    ],
)
def test_structures_differ_in_values(first: Any, second: Any, count: int) -> None:
    assert differing(first, second) == differing(second, first) == count


def test_spaces_without_a_structure_are_compared_by_words() -> None:
    class Opaque(NASBench201):
        def parse(self, text: str) -> Any:
            super().parse(text)
            return text

        def format(self, parsed: Any) -> str:
            return str(parsed)

    space, rng = Opaque(), random.Random(0)
    first = space.sample(rng)
    assert space.distance(first, space.mutate(first, rng)) == 1
    with pytest.raises(swap.spaces.ArchitectureError):
        space.distance(first, "no architecture")
