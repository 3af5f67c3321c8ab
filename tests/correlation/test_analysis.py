"""What scores tell about a space, on made-up scores whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.searches import small_space

from swapnas_ext.correlation.analysis import (
    Repeatability,
    Saturation,
    ScoredRun,
    operation_effects,
    repeatability,
    saturation,
)
from swapnas_ext.measures import SATURATED
from swapnas_ext.search import Candidate, Outcome, RunFile, RunFileError
from swapnas_ext.spaces import Graph


def candidate(
    number: int,
    patterns: float | None,
    *,
    std: float = 0.0,
    saturated: float | None = 0.5,
    seconds: float = 0.0,
) -> Candidate:
    if patterns is None:
        outcome = Outcome(error="it failed", neurons=1000, seconds=seconds)
    else:
        outcome = Outcome.of_patterns(
            patterns,
            std,
            saturation=saturated,
            saturated=saturated is not None and saturated >= SATURATED,
            neurons=1000,
            seconds=seconds,
        )
    return Candidate(number, 0, f"text {number}", f"form {number}", (), 10, outcome, 1.0)


# ---- operations ------------------------------------------------------------------------------------


class Letters(type(small_space())):  # type: ignore[misc]
    """Architectures are words: nodes in capitals, edges in small letters, and signs."""

    def graphs(self, architecture: str) -> list[Graph]:
        nodes = tuple(letter for letter in architecture if not letter.islower())
        edges = tuple((0, 1, letter) for letter in architecture if letter.islower())
        return [Graph("", nodes, edges)]


LETTERS = Letters(channels=2, cells=1)


def test_what_an_operation_does_to_scores() -> None:
    words = ["INa", "INaa", "INaaa"] * 3
    (effect,) = operation_effects(LETTERS, words, [1.0, 2.0, 3.0] * 3)
    assert effect.operation == "a"  # all have one I and one N
    assert effect.counts == [1, 2, 3]
    assert effect.means == pytest.approx([-math.sqrt(1.5), 0.0, math.sqrt(1.5)])
    assert effect.rho == pytest.approx(1.0)


def test_the_strongest_comes_first() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 4, (200, 3))
    words = ["a" * a + "B" * b + "c" * c for a, b, c in counts]
    values = counts @ [1.0, -3.0, 0.0] + 0.1 * rng.normal(size=200)
    effects = operation_effects(LETTERS, words, values)
    assert [effect.operation for effect in effects] == ["B", "a", "c"]
    assert effects[0].rho < -0.8
    assert 0.1 < effects[1].rho < 0.6
    assert abs(effects[2].rho) < 0.15
    standard = (values - values.mean()) / values.std()
    for count, mean in zip(effects[0].counts, effects[0].means, strict=True):
        assert mean == pytest.approx(standard[counts[:, 1] == count].mean())


def test_rare_counts_have_no_mean() -> None:
    words = ["", "", "", "a", "a", "a", "aa", "aa", "b", "b", "b", "b", "b"]
    effects = operation_effects(LETTERS, words, list(range(len(words))))
    assert {effect.operation: effect.counts for effect in effects} == {"a": [0, 1], "b": [0, 1]}


def test_signs_are_no_operations() -> None:
    assert operation_effects(LETTERS, ["+", "++", "0"] * 5, list(range(15))) == []


def test_no_effects() -> None:
    assert operation_effects(LETTERS, ["a", "aa"] * 5, [2.0] * 10) == []
    assert operation_effects(LETTERS, ["a"], [2.0]) == []


def test_operations_of_a_real_space() -> None:
    space = small_space()
    text = "|{}~0|+|{}~0|none~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"
    convolution, skip = "nor_conv_3x3", "skip_connect"
    texts = [text.format(*pair) for pair in ((skip, skip), (skip, convolution), (convolution,) * 2)]
    effects = operation_effects(space, texts * 3, [1.0, 2.0, 3.0] * 3)
    told = {effect.operation: (list(effect.counts), round(effect.rho, 6)) for effect in effects}
    assert told == {convolution: ([0, 1, 2], 1.0), skip: ([1, 2, 3], -1.0)}


# ---- saturation ------------------------------------------------------------------------------------


def test_saturation() -> None:
    made = [candidate(k, 100.0 + k, saturated=(180 + k) / 200) for k in range(20)]
    assert saturation(made[::-1]) == Saturation(10, 20, 2, 0.995)
    assert saturation(made[:10]) == Saturation(0, 10, 0, 0.945)
    assert saturation(made[-1:]) == Saturation(1, 1, 1, 0.995)


def test_saturation_of_patterns_that_are_a_part_of_the_score() -> None:
    measured = Outcome(
        measure="capacity", score=5e4, log_score=10.8, details={"patterns": 16.0, "saturation": 1.0}
    )
    told = saturation([replace(candidate(0, 100.0), outcome=measured)])
    assert told == Saturation(0, 1, 0, None)
    assert not told.is_known


def test_a_tenth_is_at_least_one() -> None:
    made = [candidate(k, 100.0 - k, saturated=0.96 - k / 50) for k in range(11)]
    assert saturation(made).among_best == 1  # of two


# ---- repeats ---------------------------------------------------------------------------------------


def simulated(
    between: float, within: float, repeats: int, count: int
) -> tuple[list[Candidate], ...]:
    """Two runs over the same networks with other weights; log-scores of known variances."""
    rng = np.random.default_rng(0)
    levels = 6 + math.sqrt(between) * rng.normal(size=(count, 1))
    runs = []
    for _ in range(2):
        scores = np.exp(levels + math.sqrt(within) * rng.normal(size=(count, repeats)))
        means, stds = scores.mean(1), scores.std(1, ddof=1)
        runs.append([candidate(k, means[k], std=stds[k]) for k in range(count)])
    return tuple(runs)


@pytest.mark.parametrize(("between", "within", "repeats"), [(0.04, 0.01, 4), (0.003, 0.01, 8)])
def test_variances_of_a_simulation(between: float, within: float, repeats: int) -> None:
    first, second = simulated(between, within, repeats, 4000)
    told = repeatability(first, repeats)
    assert told is not None
    assert told.repeats == repeats
    assert told.between == pytest.approx(between, rel=0.1)
    assert told.within == pytest.approx(within, rel=0.1)
    logs = [[math.log(c.patterns) for c in run] for run in (first, second)]
    assert told.agreement_of(repeats) == pytest.approx(np.corrcoef(*logs)[0, 1], abs=0.03)


@pytest.mark.slow
def test_what_it_expects_of_more_repeats_is_what_they_give() -> None:
    few = repeatability(simulated(0.01, 0.01, 2, 4000)[0], 2)
    many = simulated(0.01, 0.01, 16, 4000)
    logs = [[math.log(c.patterns) for c in run] for run in many]
    assert few is not None
    assert few.agreement_of(16) == pytest.approx(np.corrcoef(*logs)[0, 1], abs=0.03)


@given(st.floats(1e-6, 10), st.floats(0, 10), st.floats(0.05, 0.999))
def test_repeats_needed_are_the_fewest(between: float, within: float, agreement: float) -> None:
    told = Repeatability(4, between, within)
    needed = told.needed(agreement)
    assert needed is not None
    assert told.agreement_of(needed) >= agreement - 1e-9
    assert needed == 1 or told.agreement_of(needed - 1) <= agreement + 1e-9


def test_nothing_to_agree_on() -> None:
    noise = [candidate(k, 100.0 + k % 2, std=20.0) for k in range(10)]
    told = repeatability(noise, 4)
    assert told is not None
    assert told.between == 0
    assert told.agreement_of(100) == 0
    assert told.needed(0.9) is None


def test_too_little_to_tell() -> None:
    made = [candidate(k, 100.0 + k, std=1.0) for k in range(10)]
    assert repeatability(made, 1) is None
    assert repeatability(made[:2], 4) is None
    failed = [candidate(k, None) for k in range(20, 40)]
    assert repeatability([*made, *failed], 4) == repeatability(made, 4)


# ---- several runs ----------------------------------------------------------------------------------


def run_of(scores: Sequence[float], *, start: int = 0, saturated: float = 0.5) -> ScoredRun:
    made = [
        candidate(start + k, score, saturated=saturated, seconds=0.001 * k)
        for k, score in enumerate(scores)
    ]
    return ScoredRun("run.db", 8, 1, made)


def test_agreement_of_runs() -> None:
    first = run_of([1.0, 2.0, 3.0, 4.0, 5.0])
    assert first.agreement(first) == pytest.approx(1.0)
    assert first.agreement(run_of([5.0, 4.0, 3.0, 2.0, 1.0])) == pytest.approx(-1.0)
    # Of architectures that both have: forms 2 to 4.
    assert first.agreement(run_of([7.0, 9.0, 8.0, 1.0], start=2)) == pytest.approx(0.5)
    assert math.isnan(first.agreement(run_of([7.0, 9.0], start=3)))
    assert math.isnan(first.agreement(run_of([7.0] * 5)))
    assert first.milliseconds == pytest.approx(2.0)


def test_saturated_part_of_a_run() -> None:
    assert run_of([1.0, 2.0]).saturated == 0.0
    assert run_of([1.0, 2.0], saturated=0.99).saturated == 1.0


def test_runs_are_read(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    settings = {
        "space": {"name": "nasbench201"},
        "search": {"strategy": "listed", "seed": 0},
        "scorer": {"samples": 8, "repeats": 4},
    }
    with RunFile.create(path, settings) as history:
        history.record([candidate(0, None)])
        with pytest.raises(ValueError, match="nothing was scored in"):
            ScoredRun.read(path)
        history.record([candidate(1, 5.0), candidate(2, 6.0)])
    run = ScoredRun.read(path)
    assert (run.name, run.samples, run.repeats) == ("run.db", 8, 4)
    assert [c.number for c in run.candidates] == [1, 2]


def test_files_that_are_no_runs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no run file"):
        ScoredRun.read(tmp_path / "none.db")
    path = tmp_path / "notes.db"
    path.write_text("these are notes")
    with pytest.raises(RunFileError, match="not a run file"):
        ScoredRun.read(path)


def test_scores_that_are_all_the_same() -> None:
    """As one sample makes them: two patterns, whatever the network."""
    told = Repeatability(2, 0.0, 0.0)
    assert not told.agreement_of(2) > 0
    assert told.needed(0.9) is None
