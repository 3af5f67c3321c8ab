"""Sentences about weak scores, on made-up scores: each reason is told, and only where it holds."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from swapnas_ext.correlation import Standing, caveats
from swapnas_ext.search import Candidate, Outcome, Ranked

COUNT = 24
RNG = random.Random(0)
ANY = [RNG.random() for _ in range(COUNT)]
OTHER = [RNG.random() for _ in range(COUNT)]


def standings(
    scores: Sequence[float] = ANY,
    parameters: Sequence[int] = (7,) * COUNT,
    flops: Sequence[int | None] = (None,) * COUNT,
    measure: str = "patterns",
    **known: Any,
) -> list[Standing]:
    return [
        Standing(measure, score, size, count, **known)
        for score, size, count in zip(scores, parameters, flops, strict=False)
    ]


def increasing(values: Sequence[float]) -> list[int]:
    """Numbers that rank as the values do."""
    return [1 + round(1000 * value) for value in values]


def test_nothing_is_told_without_a_reason() -> None:
    assert caveats([]) == []
    assert caveats(standings()) == []
    assert caveats(standings(parameters=increasing(OTHER), flops=increasing(OTHER))) == []


def test_saturated_scores() -> None:
    (line,) = caveats([*standings(saturated=True)[:3], *standings()])
    assert line.startswith(f"3 of {COUNT + 3} are saturated, and not told apart well")
    assert "--samples auto" in line


def test_binary_and_ternary_patterns() -> None:
    assert caveats(standings(ternary=True)) == caveats(standings(ternary=None)) == []
    (line,) = caveats([*standings(ternary=True), *standings(ternary=False)[:2]])
    assert line.startswith(f"ternary patterns ({COUNT}) and binary ones (2) are compared")


@pytest.mark.parametrize("size", ["parameters", "operations"])
def test_a_size_that_ranks_as_the_score_does(size: str) -> None:
    alike, other = increasing(ANY), increasing(OTHER)
    sizes = (alike, other) if size == "parameters" else (other, alike)
    (line,) = caveats(standings(ANY, *sizes))
    assert line.startswith(f"the number of {size} alone ranks these nearly as the score does")
    assert "rho 1.00" in line
    assert caveats(standings(ANY, *sizes)[:9]) == []  # by chance
    assert caveats(standings(ANY, *sizes, measure="params")) == []  # no news


def test_measures_that_disagree() -> None:
    def found(first: float, other: float) -> dict[str, dict[str, Any]]:
        return {
            "patterns": {"log_score": first},
            "nwot": {"log_score": first**3},
            "zen": {"log_score": other} if other < 0.9 else {"error": "ValueError: it has none"},
            "params": {"log_score": -first},
        }

    told = [
        Standing("patterns", first, 7, by_measure=found(first, other))
        for first, other in zip(ANY, OTHER, strict=True)
    ]
    (line,) = caveats(told)
    assert line.startswith(
        "other measures rank these unlike SWAP-Score (Spearman's rho: Zen-Score "
    )
    assert "NWOT" not in line
    assert "parameters" not in line
    assert caveats(told[:9]) == []


def test_saturation_of_another_measure() -> None:
    found = {"capacity": {"log_score": 1.0}, "patterns": {"log_score": 2.0, "saturated": True}}
    (line,) = caveats(standings(by_measure=found, measure="capacity"))
    assert line.startswith(f"{COUNT} of {COUNT} are saturated by SWAP-Score")


def test_candidates_and_what_a_search_ranks() -> None:
    candidates = [
        Candidate(
            place,
            0,
            f"text {place}",
            f"form {place}",
            (),
            1000 + place,
            Outcome.of_patterns(100.0 + place, saturated=place == 0),
        )
        for place in range(COUNT)
    ]
    lines = caveats(candidates)
    assert [line.partition(",")[0] for line in lines] == [
        f"1 of {COUNT} are saturated",
        "the number of parameters alone ranks these nearly as the score does (Spearman's rho 1.00): the score tells "
        "little beyond size here; compare architectures of one size (--target-params)",
    ]
    of_one_size = [Ranked(one, -((one.parameters - 1012) ** 2)) for one in candidates]
    assert len(caveats(of_one_size)) == 1  # what is ranked is the regularised score


def test_scores_of_several_measures_are_told_apart() -> None:
    found = {"synflow": {"error": "no"}, "patterns": {"log_score": 2.0, "saturated": True}}
    others = standings(by_measure=found, measure="patterns", saturated=True)[:4]
    of_first = {"synflow": {"log_score": 1.0}, "patterns": {"log_score": 1.0}}
    alike = standings(ANY, increasing(ANY), by_measure=of_first, measure="synflow")
    lines = caveats([*alike, *others])
    assert [line.partition(",")[0] for line in lines[:-1]] == [
        f"4 of {COUNT + 4} are saturated by SWAP-Score"
    ]
    assert "rho 1.00" in lines[-1]
