"""Correlations that are kept: pickle, JSON, and what is shown of them."""

from __future__ import annotations

import copy
import json
import math
import pickle
from dataclasses import replace

import pytest

from swapnas_ext.correlation import AccuracyTable, Coefficient, Correlations, Ranking
from swapnas_ext.correlation.accuracy_table import Fault, Row
from swapnas_ext.correlation.comparisons import Comparison
from swapnas_ext.correlation.correlations import ScoredRow
from swapnas_ext.correlation.ranking import Chosen
from swapnas_ext.search import Candidate, Control, Outcome

NOTHING = Coefficient(math.nan, math.nan, math.nan)


def found(rows: int = 2) -> Correlations:
    table = [Row(place, f"arch {place}", 90.0, {"other": math.nan}) for place in range(rows)]
    scored = [
        ScoredRow(row, Candidate(0, 0, row.architecture, "f", (), 5, Outcome.of_patterns(3.0)), 5)
        for row in table
    ]
    rho = Coefficient(0.5, 0.25, 0.75)
    rankings = [
        Ranking("SWAP-Score", 2, rho, rho, rho, [Chosen(1, 90.0, 0.0, 1)], ndcg=0.5, precision=1.0),
        Ranking("<i>flat</i>", 2, NOTHING, NOTHING, NOTHING, (), "undefined"),
    ]
    return Correlations(
        AccuracyTable("table.csv", "accuracy", table, [Fault(9, "ragged", "why")]),
        scored,
        scored[:1],
        Control(1.0, 2.0),
        1,
        rankings,
        [Comparison("a", "b", 2, NOTHING)],
    )


def test_copies_are_equal() -> None:
    one = found()
    for other in (
        pickle.loads(pickle.dumps(one)),
        copy.deepcopy(one),
        Correlations.from_json(one.to_json()),
        found(),
    ):
        assert other == one
        assert math.isnan(other.rankings[1].rho.value)
    assert replace(one, repeats=2) != one
    assert Coefficient(0.5, 0.1, math.nan) != Coefficient(0.5, 0.1, 0.2)
    assert hash(NOTHING) == hash(copy.deepcopy(NOTHING))


def test_other_json_is_refused() -> None:
    record = json.loads(found().to_json())
    with pytest.raises(ValueError, match="has the unknown field color"):
        Correlations.from_json(json.dumps({**record, "color": 1}))
    with pytest.raises(ValueError, match=r"Correlations.rows\[0\] must be ScoredRow, got 5"):
        Correlations.from_json(json.dumps({**record, "rows": [5]}))


@pytest.mark.slow
def test_they_are_shown_in_a_few_lines() -> None:
    one = found(5_000)
    assert repr(one) == (
        "<Correlations table.csv, accuracy: 5,000 rows, 1 failed; Spearman's rho: "
        "SWAP-Score 0.500 [0.250, 0.750], <i>flat</i> ->"
    )
    html = one._repr_html_()
    assert len(html) < 5_000 and "&lt;i&gt;flat&lt;/i&gt;" in html and "<i>" not in html
    assert repr(one.table) == "<AccuracyTable table.csv, accuracy: 5,000 rows, 1 left out>"
