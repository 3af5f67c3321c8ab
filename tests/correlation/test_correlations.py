"""Scores beside accuracies: what is compared, and what it is calibrated with."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from scipy import stats
from support.searches import made_up_score, small_space

import swapnas_ext as swap
from swapnas_ext.correlation.accuracy_table import AccuracyTable, Row
from swapnas_ext.correlation.correlations import (
    FLOPS,
    PARAMETERS,
    RAW,
    REGULARISED,
    Correlations,
    correlate,
    predictors,
)
from swapnas_ext.report.correlation.csv_text import to_csv
from swapnas_ext.report.correlation.text import to_text
from swapnas_ext.search import Candidate, Control, Outcome, SearchResult
from swapnas_ext.spaces import SearchSpace

SPACE = small_space()
# They compute the same: nothing comes into node 2 of either, and a convolution of that is nothing.
TWINS = (
    "|nor_conv_1x1~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
    "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|",
)


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals are tested where they are made."""
    whole = stats.bootstrap

    def bootstrap(*args: Any, **options: Any) -> Any:
        return whole(*args, **{**options, "n_resamples": 9})

    monkeypatch.setattr(stats, "bootstrap", bootstrap)


def some(count: int, seed: int = 0) -> list[str]:
    """Of different forms."""
    rng = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        text = SPACE.sample(rng)
        found.setdefault(SPACE.canonical(text), text)
    return list(found.values())


def table_of(
    architectures: Sequence[str],
    accuracies: Sequence[float] | None = None,
    baselines: Mapping[str, Sequence[float]] | None = None,
) -> AccuracyTable:
    if accuracies is None:
        accuracies = [float(text.count("conv")) for text in architectures]
    rows = [
        Row(
            place,
            text,
            accuracy,
            {name: column[place] for name, column in (baselines or {}).items()},
        )
        for place, (text, accuracy) in enumerate(zip(architectures, accuracies, strict=True))
    ]
    return AccuracyTable("made-up.csv", "val", rows, [])


def made_up(
    architectures: Sequence[str], outcomes: Mapping[str, Outcome] | None = None
) -> SearchResult:
    """Scores that need no networks, of each form once."""
    candidates: dict[str, Candidate] = {}
    for number, text in enumerate(architectures):
        outcome = Outcome.of_patterns(made_up_score(text), flops=1000 * len(text), seconds=0.001)
        outcome = (outcomes or {}).get(text, outcome)
        form = SPACE.canonical(text)
        candidates.setdefault(form, Candidate(number, 0, text, form, (), 1, outcome))
    return SearchResult(list(candidates.values()), (Control(),))


def by_name(found: Correlations) -> dict[str, float]:
    return {ranking.name: ranking.rho.value for ranking in found.rankings}


def test_what_is_compared() -> None:
    texts = some(20)
    baseline = [float(place) for place in range(20)]
    table = table_of(texts, baselines={"place": baseline})
    told: list[tuple[int, int]] = []
    found = correlate(
        table, SPACE, made_up(texts), on_progress=lambda done, total: told.append((done, total))
    )
    values = found.predictors
    names = [RAW, REGULARISED, PARAMETERS, FLOPS, "place"]
    assert list(values) == [ranking.name for ranking in found.rankings] == names
    assert told == [(done, 5) for done in range(1, 6)]
    sizes = [SPACE.size(text) for text in texts]
    assert values[RAW] == [math.log(made_up_score(text)) for text in texts]
    assert values[PARAMETERS] == [math.log(size) for size in sizes]
    assert values[FLOPS] == [math.log(1000 * len(text)) for text in texts]
    assert values["place"] == baseline
    assert found.control is not None
    for raw, regularised, size in zip(values[RAW], values[REGULARISED], sizes, strict=True):
        assert regularised == raw + found.control.log_factor(size)
    accuracies = [row.accuracy for row in table.rows]
    for name, rho in by_name(found).items():
        assert rho == pytest.approx(stats.spearmanr(values[name], accuracies).statistic)


def test_calibration_never_sees_accuracies() -> None:
    texts = some(20)
    scores = made_up(texts)
    found = correlate(table_of(texts), SPACE, scores)
    assert found.control == correlate(table_of(texts, [0.0] * 20), SPACE, scores).control
    for seed in range(3):
        shuffled = [float(text.count("conv")) for text in texts]
        random.Random(seed).shuffle(shuffled)
        other = correlate(table_of(texts, shuffled), SPACE, scores)
        assert other.control == found.control
        assert other.predictors == found.predictors
        assert by_name(other) != by_name(found)


def test_given_mu_and_sigma_are_used() -> None:
    texts = some(12)
    control = Control(3.0, 2.0)
    found = correlate(table_of(texts), SPACE, made_up(texts), control=control)
    assert found.control is control
    assert found.predictors == predictors(found.rows, control)
    assert "mu 3, sigma 2" in to_text(found)


def test_isomorphic_rows_share_a_score_but_not_parameters() -> None:
    forms = {SPACE.canonical(text) for text in TWINS}
    assert len(forms) == 1
    texts = [*TWINS, *(text for text in some(12) if SPACE.canonical(text) not in forms)]
    found = correlate(table_of(texts), SPACE, made_up(texts))
    assert [row.row.architecture for row in found.rows] == texts
    first, second = found.rows[:2]
    assert first.candidate is second.candidate
    assert (first.parameters, second.parameters) == tuple(map(SPACE.size, TWINS))
    assert first.parameters != second.parameters
    values = found.predictors
    assert values[RAW][0] == values[RAW][1]
    assert values[REGULARISED][0] != values[REGULARISED][1]


def test_networks_that_fail() -> None:
    texts = some(15)
    why = "ValueError: it does not like this one"
    scores = made_up(texts, {texts[3]: Outcome(error=why), texts[7]: Outcome(error=why)})
    found = correlate(table_of(texts), SPACE, scores)
    assert [row.row.place for row in found.failed] == [3, 7]
    assert len(found.rows) == 13
    assert all(ranking.rows == 13 for ranking in found.rankings)
    assert "13 architectures; 2 could not be scored" in to_text(found)
    lines = to_csv(found).splitlines()
    assert len(lines) == 16
    assert [line.endswith(why) for line in lines] == [False] * 14 + [True] * 2
    assert len({line.count(",") for line in lines}) == 1
    nothing = made_up(texts, dict.fromkeys(texts, Outcome(error=why)))
    with pytest.raises(ValueError, match=f"none of 15 architectures could be scored: {why}"):
        correlate(table_of(texts), SPACE, nothing)


def test_rows_that_were_not_reached() -> None:
    texts = some(15)
    found = correlate(table_of(texts), SPACE, made_up(texts[:12]))
    assert [row.row.architecture for row in found.rows] == texts[:12]
    assert found.failed == []


def test_one_size() -> None:
    """Nothing to calibrate with."""
    texts = [text for text in some(120) if text.count("conv_3x3") == text.count("conv_1x1") == 1]
    assert len({SPACE.size(text) for text in texts}) == 1
    found = correlate(table_of(texts, list(range(len(texts)))), SPACE, made_up(texts))
    assert found.control is None
    assert REGULARISED not in found.predictors
    notes = {ranking.name: ranking.note for ranking in found.rankings}
    assert notes[PARAMETERS].startswith(f"undefined: all {len(texts)} values are")


def test_scores_without_flops() -> None:
    texts = some(12)
    scores = made_up(texts)
    old = [
        replace(candidate, outcome=replace(candidate.outcome, flops=None))
        for candidate in scores.candidates
        if candidate.outcome is not None
    ]
    found = correlate(table_of(texts), SPACE, replace(scores, candidates=old))
    assert all(map(math.isnan, found.predictors[FLOPS]))
    assert "FLOPs: 12 of 12 rows have no value" in to_text(found)


class StandIns(type(SPACE)):  # type: ignore[misc]
    """Scored with two channels, trained with three."""

    def final(self) -> SearchSpace:
        return swap.spaces.get("nasbench201", channels=3, cells=1)


def test_parameters_are_those_of_the_final_network() -> None:
    texts = some(12)
    space = StandIns(channels=2, cells=1)
    found = correlate(table_of(texts), space, made_up(texts))
    assert [row.parameters for row in found.rows] == [space.final().size(text) for text in texts]
