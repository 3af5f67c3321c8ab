"""Searches for the Pareto front of score and a cost."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.searches import (
    SMALL,
    MadeUpWorker,
    drive,
    essence,
    small_scorer,
    small_space,
)

import swapnas_ext as swap
from swapnas_ext.search import (
    COSTS,
    Individual,
    Outcome,
    Proposal,
    RunFile,
    RunFileError,
    SearchResult,
    SearchSettings,
    search,
)
from swapnas_ext.search.final_networks import count_flops, count_memory
from swapnas_ext.search.strategies import Evolution, OptunaStudy


class Costing(MadeUpWorker):
    """Makes up costs too: skipped edges are cheap."""

    def outcome(self, architecture: str) -> Outcome:
        known = super().outcome(architecture)
        chance = zlib.crc32(architecture[::-1].encode()) % 1000
        cost = 5000 * architecture.count("conv_3x3") + 1000 * architecture.count("conv_1x1")
        details = {**known.details, "memory_bytes": cost + chance + 1}
        return replace(
            known, flops=cost + chance, latency=(cost + chance + 1) / 1e3, details=details
        )


def costed(settings: SearchSettings, run_file: RunFile | None = None) -> SearchResult:
    """A search with made-up scores and costs."""
    found = drive(settings, [Costing()], run_file).result()
    return replace(found, settings={"search": settings.for_json()})


def hypervolume(front: Sequence[Any], cost: str, worst: float) -> float:
    """The area of scores and costs that a front dominates, up to the worst cost and the score 0."""
    area, score = 0.0, 0.0
    for row in front:
        at = COSTS[cost].recorded(row.candidate)
        assert at is not None
        area += (worst - at) * (row.score - score)
        score = row.score
    return area


@pytest.mark.parametrize("objective", ["flops", "memory", "latency"])
def test_the_front_is_of_the_objective(objective: str) -> None:
    found = costed(SearchSettings(candidates=150, objective=objective, **SMALL))
    assert found.objective == objective
    cost = COSTS[objective]
    points = [(row.log_score, cost.recorded(row.candidate) or 0.0) for row in found.ranked()]
    front = [(row.log_score, cost.recorded(row.candidate) or 0.0) for row in found.front]
    assert front == sorted(front)
    assert set(front) == {
        one
        for one in points
        if not any(o != one and o[0] >= one[0] and o[1] <= one[1] for o in points)
    }


def test_optuna_minimises_the_cost() -> None:
    pytest.importorskip("optuna")
    study = OptunaStudy(small_space(), random.Random(0), population=4, chunk=2)
    proposal = study.ask(2, lambda architecture: True)
    assert proposal is not None
    first, second = individual(0, 2.0, 0.5), replace(individual(1, 3.0, 0.0), cost=None)
    study.tell(proposal, [first, second])
    assert [trial.values for trial in study.study.trials] == [[2.0, 0.5], [3.0, 1]]


@pytest.mark.parametrize("strategy", ["evolution", "ageing"])
def test_an_objective_finds_a_better_front(strategy: str) -> None:
    made = SearchSettings(candidates=300, objective="latency", strategy=strategy, seed=2, **SMALL)
    aimed = costed(made).front
    drawn = costed(replace(made, strategy="random")).front
    worst = 31.0
    assert hypervolume(aimed, "latency", worst) > 1.05 * hypervolume(drawn, "latency", worst)


@pytest.mark.slow
def test_without_an_objective_costs_change_nothing() -> None:
    made = SearchSettings(candidates=200, seed=3, **SMALL)
    plain = drive(made).result()
    assert essence(costed(made).candidates) == essence(plain.candidates)
    assert costed(made).objective == "parameters"
    other = costed(replace(made, objective="flops"))
    assert essence(other.candidates) != essence(plain.candidates)


def individual(number: int, score: float, cost: float) -> Individual:
    return Individual(number, f"a{number}", score, 1, cost)


def test_the_most_crowded_of_the_last_front_leaves() -> None:
    evolution = Evolution(
        small_space(),
        random.Random(0),
        population=4,
        tournament=2,
        children=1,
        crossover=0.0,
    )
    founders = [(4.0, 40.0), (1.0, 10.0), (1.2, 12.0), (1.5, 15.0)]
    evolution.tell(Proposal(("x",) * 4), [individual(k, *pair) for k, pair in enumerate(founders)])
    # Nothing dominates another: the one between the closest neighbours leaves.
    evolution.tell(Proposal(("y",), (0,)), [individual(4, 3.0, 30.0)])
    assert [one.number for one in evolution.population] == [0, 1, 3, 4]
    # 5 is dominated by 4, and is the only one of the second front.
    evolution.tell(Proposal(("y",), (0,)), [individual(5, 2.5, 30.5)])
    assert [one.number for one in evolution.population] == [0, 1, 3, 4]
    # Of several mutants the one that is not dominated joins, though another has a higher score.
    evolution.tell(Proposal(("y", "z"), (0,)), [individual(6, 3.5, 50.0), individual(7, 1.0, 5.0)])
    assert 7 in [one.number for one in evolution.population]
    assert 6 not in [one.number for one in evolution.population]
    assert 1 not in [one.number for one in evolution.population]  # 7 dominates it


def test_strategies_of_users_get_the_cost() -> None:
    told: list[Individual] = []

    class Curious(swap.search.strategies.RandomSearch):
        def __init__(self, space: Any, rng: Any, settings: SearchSettings) -> None:
            super().__init__(space, rng)

        def tell(self, proposal: Any, individuals: Sequence[Individual | None]) -> None:
            told.extend(one for one in individuals if one is not None)

    found = costed(SearchSettings(candidates=20, objective="latency", strategy=Curious, **SMALL))
    assert {one.number: one.cost for one in told} == {
        c.number: c.outcome.latency for c in found.candidates if c.outcome is not None
    }
    told.clear()
    costed(SearchSettings(candidates=20, strategy=Curious, **SMALL))
    assert told and all(one.cost is None for one in told)


def test_a_resumed_search_uses_recorded_costs(tmp_path: Path) -> None:
    whole = SearchSettings(candidates=120, objective="latency", **SMALL)
    path = tmp_path / "run.db"
    with RunFile.create(path, {"search": {}}) as run_file:
        costed(replace(whole, candidates=50), run_file)
    with RunFile.resume(path) as run_file:
        resumed = costed(whole, run_file)
    assert essence(resumed.candidates) == essence(costed(whole).candidates)


def test_a_run_file_without_the_costs_is_refused(tmp_path: Path) -> None:
    made = SearchSettings(candidates=20, **SMALL)
    with RunFile.create(tmp_path / "run.db", {"search": {}}) as run_file:
        drive(made, run_file=run_file)
        with pytest.raises(RunFileError, match="candidate 0 has no recorded peak memory"):
            drive(replace(made, objective="memory"), run_file=run_file)


@pytest.mark.slow
def test_costs_are_counted_for_every_candidate_of_a_real_search() -> None:
    space = small_space()
    made = SearchSettings(candidates=6, objective="memory", strategy="random", max_flops=1e9)
    found = search(space, small_scorer(), made)
    sample = space.final().inputs(1)
    for candidate in found.candidates:
        assert candidate.outcome is not None
        assert candidate.outcome.memory_bytes == count_memory(
            space.final(), sample, candidate.architecture
        )
        assert candidate.outcome.flops == count_flops(space.final(), sample, candidate.architecture)
    assert found.best.memory == COSTS["memory"].recorded(found.best.candidate)
    assert found.front_of("flops") and found.front_of("parameters")
    with pytest.raises(ValueError, match="did not record latency, only parameters, flops, memory"):
        found.front_of("latency")
    with pytest.raises(ValueError, match="one of parameters, flops, memory, latency, got 'size'"):
        found.front_of("size")
    frame = found.to_frame()
    assert list(frame["memory_bytes"]) == [
        c.outcome.memory_bytes for c in found.candidates if c.outcome
    ]
    assert SearchResult.from_json(found.to_json(), space).front == found.front


@pytest.mark.slow
def test_too_much_memory_is_not_scored() -> None:
    space = small_space()
    sample = space.final().inputs(1)
    some = search(space, small_scorer(), SearchSettings(candidates=6, objective="memory"))
    sizes = sorted(c.outcome.memory_bytes or 0 for c in some.candidates if c.outcome)
    limit = (sizes[0] + sizes[-1]) / 2
    found = search(space, small_scorer(), SearchSettings(candidates=6, max_peak_memory=limit))
    over = [c for c in found.candidates if c.outcome and c.outcome.over == "memory"]
    assert over and all(count_memory(space, sample, c.architecture) > limit for c in over)
    with pytest.raises(ValueError, match=r"at most 1 bytes; the closest takes [\d.]+ kB"):
        search(space, small_scorer(), SearchSettings(candidates=2, max_peak_memory=1))


def test_bad_objectives() -> None:
    with pytest.raises(ValueError, match="must be one of parameters, flops, memory, latency"):
        SearchSettings(objective="speed")
    with pytest.raises(ValueError, match=r"or the objective latency.* not both"):
        SearchSettings(objective="latency", target_params=(1e6,))
    with pytest.raises(ValueError, match="max_peak_memory must be positive"):
        SearchSettings(max_peak_memory=-1)


def test_costs_in_details_of_others_are_not_read() -> None:
    """Details may come from a measure of one's own, and run files from anyone."""
    for details in (
        {"memory_bytes": "much", "latencies": [1, 2]},
        {"memory_bytes": -4, "latencies": {"phone": [1.0]}},
        {"memory_bytes": True, "latencies": {"phone": [None, 1.0, 2.0]}},
        {"memory_bytes": 1.5, "latencies": {"phone": ["a", 1.0, 2.0], "other": 5}},
    ):
        outcome = Outcome(details=details)
        assert outcome.memory_bytes is None
        assert outcome.latencies == {}
