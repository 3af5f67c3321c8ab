"""Reports say what a measure tells, and nothing of what it does not."""

from __future__ import annotations

import csv
import io
import json
import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from support.page_elements import PageElements
from support.searches import small_space
from torch import Tensor, nn

import swapnas_ext as swap
from swapnas_ext.correlation import ScoredRun, correlate
from swapnas_ext.correlation.accuracy_table import AccuracyTable, Row
from swapnas_ext.correlation.analysis import repeatability, saturation
from swapnas_ext.measures import Measure, Measurement, PreparedNetwork
from swapnas_ext.patterns import Observer
from swapnas_ext.report.analysis import page as analysis_page
from swapnas_ext.report.analysis.text import repeats_line, runs_text, saturation_line, trust_text
from swapnas_ext.report.correlation import page as correlation_page
from swapnas_ext.report.correlation.csv_text import to_csv
from swapnas_ext.report.correlation.text import to_text as correlation_text
from swapnas_ext.report.scores import rows as score_rows
from swapnas_ext.report.scores.profile import profile_text
from swapnas_ext.report.scores.text import to_text as scores_text
from swapnas_ext.report.search import page as search_page
from swapnas_ext.report.search.json_text import to_json
from swapnas_ext.report.search.text import to_text as search_text
from swapnas_ext.report.shared.json_text import json_text
from swapnas_ext.search import Candidate, Control, Outcome, SearchResult

pytestmark = pytest.mark.filterwarnings("ignore::swapnas_ext.ScoreWarning")

SPACE = small_space()
ABOUT: dict[str, Any] = {
    "settings": {"space": {"name": "nasbench201"}, "search": {"strategy": "random", "seed": 0}}
}


def mine(log_score: float, **known: Any) -> Outcome:
    """Of a measure that counts no patterns and knows no highest score."""
    return Outcome(
        measure="mine",
        score=math.exp(log_score),
        log_score=log_score,
        spread=0.125,
        details={},
        neurons=1000,
        ternary=True,
        saturated=False,
        seconds=0.001,
        **known,
    )


def found(outcomes: Sequence[Outcome], control: Control | None = None) -> SearchResult:
    rng = random.Random(0)
    texts: dict[str, str] = {}
    while len(texts) < len(outcomes):
        text = SPACE.sample(rng)
        texts.setdefault(SPACE.canonical(text), text)
    candidates = [
        Candidate(number, 0, text, form, (), SPACE.size(text), outcome)
        for number, ((form, text), outcome) in enumerate(zip(texts.items(), outcomes, strict=True))
    ]
    return SearchResult(candidates, (control or Control(),))


MINE = [mine(number / 4) for number in range(12)]
COUNTED = [Outcome.of_patterns(100.0 + number, 2.0, saturation=0.5) for number in range(12)]
BY_SIZE = Control(5.0, 20.0)


# ---- searches --------------------------------------------------------------------------------------


def test_a_search_names_a_measure_that_is_not_the_default() -> None:
    text = search_text(found(MINE), top=3, about=ABOUT)
    assert text.startswith("nasbench201, random, measure mine, seed 0: 12 candidates")
    (heading,) = (line for line in text.splitlines() if line.startswith("rank"))
    assert heading.split() == ["rank", "score", "(mine)", "params", "architecture"]
    page = search_page.to_page(found(MINE), ABOUT, None, top=3)
    assert "measure mine" in page and "score (mine)" in PageElements(page).headings
    assert "Score:</b> the measure mine." in page
    for report in (
        search_text(found(COUNTED), top=3, about=ABOUT),
        PageElements(search_page.to_page(found(COUNTED), ABOUT, None, top=3)).text,
    ):
        assert "measure" not in report and "score (" not in report


def test_patterns_have_a_column_where_they_were_counted() -> None:
    def headings(outcomes: Sequence[Outcome], control: Control | None = None) -> list[str]:
        return search_text(found(outcomes, control), top=3).splitlines()[0].split()

    assert headings(COUNTED) == ["rank", "score", "params", "architecture"]
    assert headings(COUNTED, BY_SIZE) == ["rank", "score", "params", "patterns", "architecture"]
    assert headings(MINE, BY_SIZE) == [
        *("rank", "score", "(mine)", "params", "unregularised", "architecture")
    ]
    both = [replace(outcome, details={"patterns": 7.0}) for outcome in MINE]
    assert headings(both, BY_SIZE) == [
        *("rank", "score", "(mine)", "params", "unregularised", "patterns", "kind"),
        "architecture",
    ]
    some = [*MINE[:-1], both[-1]]
    assert "nan" not in search_text(found(some, BY_SIZE), top=12)


def test_json_of_a_search_has_null_for_what_is_not_known() -> None:
    text = to_json(found(MINE), ABOUT, None, top=3)
    assert "NaN" not in text and "Infinity" not in text
    (best, *_) = json.loads(text)["best"]
    assert best["patterns"] is None and best["saturation"] is None
    assert best["score"] == pytest.approx(math.exp(11 / 4))
    (counted, *_) = json.loads(to_json(found(COUNTED), ABOUT, None, top=3))["best"]
    assert counted["patterns"] == 111.0 and counted.keys() == best.keys()


def test_json_has_no_numbers_of_its_own() -> None:
    content = {"a": [math.nan, (1.5, math.inf)], "b": {"c": -math.inf, "d": "NaN"}}
    wanted = {"a": [None, [1.5, None]], "b": {"c": None, "d": "NaN"}}
    assert json.loads(json_text(content)) == wanted


# ---- analyses --------------------------------------------------------------------------------------


def run_of(outcomes: Sequence[Outcome], repeats: int = 4) -> ScoredRun:
    return ScoredRun("run.db", 8, repeats, found(outcomes).candidates)


def test_an_analysis_says_nothing_of_saturation_that_is_not_told() -> None:
    run = run_of(MINE)
    assert saturation_line(saturation(run.candidates)) == ""
    assert trust_text(run).startswith("repeats: two rankings with 4 agree to ")
    assert run.saturated is None
    assert "saturated" not in runs_text([run, run])
    page = analysis_page.to_page(run, [])
    assert "measured: mine" in page and "saturation" not in PageElements(page).text
    assert PageElements(page).charts == ["sizes", "repeats"]
    counted = run_of(COUNTED)
    assert trust_text(counted).startswith("saturation: none of 12 is saturated")
    assert counted.saturated == 0.0
    assert runs_text([run, counted]).splitlines()[1].split() == [
        "run.db",
        "8",
        "4",
        "-",
        "1",
        "1.000",
    ]
    page = analysis_page.to_page(counted, [])
    assert PageElements(page).charts == ["sizes", "saturation", "repeats"]
    assert "measured:" not in page


def test_a_measure_that_tells_only_which_scores_are_saturated() -> None:
    run = run_of([*MINE[:-1], replace(MINE[-1], saturated=True)])
    line = "saturation: 1 of 12 are saturated, of the best tenth 1"
    assert saturation_line(saturation(run.candidates)) == line
    assert run.saturated == pytest.approx(1 / 12)
    page = analysis_page.to_page(run, [])
    assert f"<p>{line}</p>" in page and PageElements(page).charts == ["sizes", "repeats"]


def test_a_measure_that_does_not_tell_its_spread() -> None:
    candidates = run_of([replace(outcome, spread=None) for outcome in MINE]).candidates
    assert repeatability(candidates, 4) is None
    assert "a measure that tells the spread of its repeats" in repeats_line(None, 4)
    assert "try --repeats 4" in repeats_line(None, 1)


# ---- correlations ----------------------------------------------------------------------------------


def correlated(outcomes: Sequence[Outcome], monkeypatch: pytest.MonkeyPatch) -> Any:
    from scipy import stats

    whole = stats.bootstrap
    monkeypatch.setattr(
        stats, "bootstrap", lambda *args, **options: whole(*args, **{**options, "n_resamples": 9})
    )
    scores = found([replace(outcome, flops=1000) for outcome in outcomes])
    rows = [
        Row(place, candidate.architecture, float(place % 7), {})
        for place, candidate in enumerate(scores.candidates)
    ]
    return correlate(AccuracyTable("made-up.csv", "val", rows, []), SPACE, scores, repeats=4)


def test_a_correlation_with_a_measure_that_counts_no_patterns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = correlated(MINE, monkeypatch)
    assert made.rankings[0].name == "mine"
    text = correlation_text(made)
    assert "patterns" not in text and "SWAP-Score" not in text
    page = correlation_page.to_page(made, {}, SPACE)
    shown = PageElements(page)
    assert "saturation" not in shown.text and "patterns" not in shown.text
    rows = list(csv.DictReader(io.StringIO(to_csv(made))))
    assert not {"patterns", "patterns_std", "saturation"} & rows[0].keys()
    assert [float(row["measured"]) for row in rows] == [outcome.score for outcome in MINE]
    assert float(rows[3]["measured_std"]) == pytest.approx(0.125 * math.exp(3 / 4))
    assert [float(row["mine"]) for row in rows] == [outcome.log_score for outcome in MINE]


def test_a_correlation_with_the_number_of_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(correlated(COUNTED, monkeypatch)))))
    assert list(rows[0])[:11] == [
        *("row", "architecture", "scored_as", "val", "patterns", "patterns_std", "neurons"),
        *("saturation", "params", "flops", "seconds"),
    ]
    assert [float(row["patterns"]) for row in rows] == [outcome.score for outcome in COUNTED]


# ---- scores ----------------------------------------------------------------------------------------


class Watched(Observer):
    """Runs a network without counting."""

    def update(self, x: Tensor) -> None:
        pass


class Mine(Measure[float]):
    """Tells a value and nothing else."""

    name = title = "mine"

    def __init__(self, *, tells_spread: bool = True) -> None:
        self.tells_spread = tells_spread

    def read(self, network: PreparedNetwork) -> float:
        network.run(Watched(network.samples, network.ternary))
        return 0.0

    def summary(self, readings: Sequence[float], network: PreparedNetwork) -> Measurement:
        spread = 0.25 if self.tells_spread else math.nan
        return Measurement(math.log(8.0), 8.0, spread, len(readings))


def score_of(**options: Any) -> swap.SwapScore:
    model = nn.Sequential(nn.Linear(6, 50), nn.GELU())
    return swap.score(model, torch.randn(4, 6), init="gaussian", **options)


def test_the_spread_of_what_was_measured() -> None:
    row = score_rows.score_row("net", score_of(measure=Mine(), repeats=3))
    assert row.score_std == pytest.approx(2.0)
    assert row.patterns_mean is row.patterns_std is row.saturation is None
    text = scores_text([row])
    assert "8 ± 2" in text
    assert text.splitlines()[0].split() == [
        *("rank", "score", "neurons", "params", "ms", "architecture")
    ]


def test_a_score_without_a_spread() -> None:
    row = score_rows.score_row("net", score_of(measure=Mine(tells_spread=False), repeats=3))
    assert row.score_std is None
    assert "±" not in scores_text([row])
    assert json.loads(score_rows.to_json([row]))[0]["score_std"] is None


def test_new_patterns_of_layers_where_they_were_counted() -> None:
    assert "new patterns" not in profile_text("net", score_of(measure=Mine()))
    assert "new patterns" in profile_text("net", score_of())
    counted = score_rows.score_row("net", score_of())
    assert {"patterns", "saturation"} <= set(scores_text([counted]).splitlines()[0].split())


def test_a_correlation_begins_with_the_measure_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Others count patterns too, and a network that can't learn may have next to no score."""
    low = [-90.0, *(10.0 + number / 10 for number in range(49))]
    outcomes = [
        replace(Outcome.of_patterns(100.0 + number, 2.0, saturation=0.5), log_score=log_score)
        for number, log_score in enumerate(low)
    ]
    made = correlated([replace(one, measure="capacity") for one in outcomes], monkeypatch)
    assert [one.name for one in made.rankings][:3] == ["SWAP-Score", "capacity", "size-regularised"]
    lines = correlation_text(made).splitlines()
    assert "; size-regularised SWAP-Score: mu " in lines[0]
    assert lines[3].startswith("capacity ") and lines[4].startswith("SWAP-Score ")
    page = correlation_page.to_page(made, {}, SPACE)
    shown = PageElements(page)
    assert '<p class="big">capacity: ' in page
    assert "The architectures that are highest by capacity" in page
    assert "ln capacity" not in shown.text and "; 1 much lower not shown" in page
