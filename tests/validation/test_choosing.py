"""The best, the middle and the worst of a run."""

from __future__ import annotations

import pytest

from swapnas_ext.search import Candidate, Control, Outcome, SearchResult
from swapnas_ext.validation.choosing import choose


def run_of(scores: list[float], forms: list[str] | None = None, **others: object) -> SearchResult:
    forms = forms or [f"form {number}" for number in range(len(scores))]
    candidates = [
        Candidate(number, 0, f"a{number}", form, (), 1000 + number, Outcome.of_patterns(score))
        for number, (score, form) in enumerate(zip(scores, forms, strict=True))
    ]
    return SearchResult(candidates, (), **others)  # type: ignore[arg-type]


def test_a_third_of_each() -> None:
    run = run_of([float(score) for score in range(1, 101)])
    chosen = choose(run, 12)
    places = {
        name: sorted(c.place for c in chosen if c.group == name)
        for name in ("best", "middle", "worst")
    }
    assert places == {"best": [1, 2, 3, 4], "middle": [49, 50, 51, 52], "worst": [97, 98, 99, 100]}
    assert [choice.group for choice in chosen] == ["best", "worst", "middle"] * 4
    assert [choice.place for choice in chosen[:3]] == [1, 100, 49]
    assert chosen[0].ranked.architecture == "a99"


@pytest.mark.parametrize("networks", [3, 4, 5, 7, 11, 13])
@pytest.mark.parametrize("candidates", [3, 4, 7, 11, 12, 50])
def test_no_architecture_comes_twice(networks: int, candidates: int) -> None:
    chosen = choose(run_of([float(score + 1) for score in range(candidates)]), networks)
    places = [choice.place for choice in chosen]
    assert len(set(places)) == len(places) == min(networks, candidates)
    assert {1, candidates} <= set(places)
    assert {choice.group for choice in chosen} == {"best", "middle", "worst"}


def test_the_ranking_is_that_of_the_run() -> None:
    """Its size control counts, and one canonical form counts once."""
    run = run_of([5.0, 4.0, 3.0, 2.0], ["a", "a", "b", "c"])
    assert sorted(choice.place for choice in choose(run, 12)) == [1, 2, 3]
    assert choose(run, 3)[0].ranked.architecture == "a0"
    small = SearchResult(run.candidates, (Control(1.003, 1e-6),))
    assert choose(small, 3)[0].ranked.architecture == "a3"


def test_errors() -> None:
    with pytest.raises(ValueError, match="networks must be at least 3, got 2"):
        choose(run_of([1.0, 2.0, 3.0]), 2)
    with pytest.raises(ValueError, match="has 2 scored architectures: expected at least 3"):
        choose(run_of([1.0, 2.0, 3.0], ["a", "b", "b"]), 3)
    with pytest.raises(ValueError, match="all 3 architectures of the run have the score 7"):
        choose(run_of([7.0, 7.0, 7.0]), 3)
