"""How far several measures agree, on made-up scores whose answer is known."""

from __future__ import annotations

import math
from typing import Any

import pytest
from scipy.stats import spearmanr

from swapnas_ext.correlation import agreement
from swapnas_ext.correlation.analysis import ScoredRun, scored_alike
from swapnas_ext.report.analysis.charts import draw_agreement
from swapnas_ext.report.analysis.text import agreement_text, trust_text
from swapnas_ext.search import Candidate, Outcome

COUNT = 40
COLUMNS = {
    "patterns": [math.sin(7 * place) for place in range(COUNT)],
    "nwot": [math.sin(7 * place + 0.4) for place in range(COUNT)],
    "zen": [math.cos(11 * place) for place in range(COUNT)],
    "params": [float(place % 13) for place in range(COUNT)],
}


def candidate(place: int, **found: dict[str, Any]) -> Candidate:
    first = found["patterns"]
    score_of = {"score_of": "nwot"} if "error" in first else {}
    outcome = Outcome(
        measure=",".join(found),
        score=1.0,
        log_score=first.get("log_score", 100.0 + place),
        spread=0.1,
        details={"measures": found, **score_of},
    )
    return Candidate(place, 0, f"text {place}", f"form {place}", (), 1000 + place, outcome)


def found(name: str, place: int) -> dict[str, Any]:
    if name == "zen" and place % 4 == 0:
        return {"error": "ValueError: no convolution" if place else "RuntimeError: rare"}
    return {
        "log_score": COLUMNS[name][place],
        "spread": 0.1,
        "saturated": name == "patterns" and place < 3,
    }


CANDIDATES = [
    candidate(place, **{name: found(name, place) for name in COLUMNS}) for place in range(COUNT)
]


def test_rho_of_each_with_each() -> None:
    told = agreement(CANDIDATES, repeats=2)
    assert told is not None
    assert told.titles == ["SWAP-Score", "NWOT", "Zen-Score", "parameters", "final parameters"]
    columns = [*COLUMNS.values(), [float(place) for place in range(COUNT)]]
    for line, x in zip(told.rho, columns, strict=True):
        for rho, y in zip(line, columns, strict=True):
            known = [
                place
                for place in range(COUNT)
                if place % 4 or not any(one is COLUMNS["zen"] for one in (x, y))
            ]
            expected = spearmanr([x[place] for place in known], [y[place] for place in known])
            assert rho == pytest.approx(expected.statistic)


def test_each_measure_among_the_others() -> None:
    told = agreement(CANDIDATES, repeats=2)
    assert told is not None
    patterns, nwot, zen, params = told.measures
    assert [one.name for one in told.measures] == list(COLUMNS)
    assert patterns.with_others == pytest.approx((told.rho[0][1] + told.rho[0][2]) / 2)  # no size
    assert params.with_others == pytest.approx(sum(told.rho[3][:3]) / 3)
    assert [one.scored for one in told.measures] == [40, 40, 30, 40]
    assert zen.missing == "ValueError: no convolution"
    assert patterns.missing == ""
    assert [one.saturated for one in told.measures] == [3, 0, 0, 0]
    assert math.isnan(patterns.shared)
    best = [
        set(sorted(range(COUNT), key=lambda place: -COLUMNS[name][place])[:4])
        for name in ("patterns", "nwot")
    ]
    assert nwot.shared == len(best[0] & best[1]) / 4
    assert nwot.best == f"text {max(range(COUNT), key=COLUMNS['nwot'].__getitem__)}"
    assert nwot.repeatability is not None
    assert nwot.repeatability.within == pytest.approx(0.01)
    text = agreement_text(told, COUNT)
    assert "no Zen-Score for 10 of 40: ValueError: no convolution" in text
    assert "of the best tenth by SWAP-Score" in text
    chart = draw_agreement(told)
    assert len(chart.spec["data"]["values"]) == 25
    assert "SWAP-Score with NWOT: " in chart.description


def test_one_measure_agrees_with_none() -> None:
    assert agreement([Candidate(0, 0, "a", "a", (), 7, Outcome.of_patterns(3.0))], 1) is None
    assert agreement([], 1) is None


def test_a_measure_that_reads_no_network() -> None:
    nothing = [
        candidate(place, patterns=found("patterns", place), zen={"error": "no"})
        for place in range(12)
    ]
    told = agreement(nothing, repeats=1)
    assert told is not None
    assert (told.measures[1].scored, told.measures[1].best) == (0, "")
    assert math.isnan(told.measures[0].with_others)
    assert "no Zen-Score for 12 of 12: no" in agreement_text(told, 12)


def test_scores_of_another_measure_are_not_compared_with_the_rest() -> None:
    others = [
        candidate(place, patterns={"error": "no"}, nwot=found("nwot", place)) for place in range(3)
    ]
    assert [one.score_of for one in others] == ["nwot"] * 3
    assert scored_alike([*others, *CANDIDATES]) == CANDIDATES
    assert scored_alike([]) == []
    run, mixed = (ScoredRun("run", 16, 4, own) for own in (CANDIDATES, [*others, *CANDIDATES]))
    assert trust_text(mixed) == trust_text(run)
    assert mixed.saturated == run.saturated
    assert mixed.agreement(run) == pytest.approx(1)
