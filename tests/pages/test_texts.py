"""Whatever a run file says, its page shows it as text: a run file may come from anyone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from support.page_elements import PageElements

from swapnas_ext.report.live.svg import Linked, draw_chart
from swapnas_ext.report.search import page as search_page
from swapnas_ext.report.shared.axes import Axis
from swapnas_ext.report.shared.page import json_markup
from swapnas_ext.search import Candidate, Outcome, RunFile, SearchResult

SCRIPT = "</script><script>alert(1)</script>"
CONTROLS = "a\x00b\x1b[31m\u202egnp.exe"
SHOWN = "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}gnp.exe"
TEXTS = (SCRIPT, CONTROLS, "<img src=x onerror=alert(1)>", "{{ 7 * 7 }} & \"'")


def _candidate(number: int, outcome: Outcome) -> Candidate:
    text = TEXTS[number % len(TEXTS)] + "*" * (number // len(TEXTS))
    return Candidate(number, 0, text, text, (), 1000 + number, outcome, 1.7e9)


def _page(path: Path, outcomes: list[Outcome], **search: Any) -> str:
    settings = {
        "space": {"name": SCRIPT},
        "scorer": {"samples": 16, "repeats": 1, "seed": 0},
        "search": {"strategy": CONTROLS, "seed": 0, "target_params": [], **search},
        "device": "cpu",
    }
    with RunFile.create(path, settings) as written:
        written.record([_candidate(number, one) for number, one in enumerate(outcomes)])
        targets = search.get("target_params") or [None]
        controls = [[target and target / 1000, target and 10.0] for target in targets]
        written.write_about(ended="complete", controls=controls)
    with RunFile.read(path) as read:
        result = SearchResult.of(read, None)
        return search_page.to_page(result, read.about, None, top=10, name=SCRIPT)


def test_texts_are_no_elements(tmp_path: Path) -> None:
    scored = [Outcome.of_patterns(5.0 + number) for number in range(len(TEXTS))]
    failed = [Outcome(error=f"ValueError: {text}") for text in TEXTS]
    text = _page(tmp_path / "run.db", [*scored, *failed])
    page = PageElements(text)
    assert "img" not in page.tags and page.title.startswith(f"Search of {SCRIPT}")
    for shown in (SCRIPT, SHOWN, TEXTS[2], TEXTS[3]):
        assert shown in page.text
    for control in "\x00\x1b\u202e":
        assert control not in text
    assert SCRIPT not in text


def test_data_and_live_charts_have_no_control_characters() -> None:
    assert "\\u202e" not in json_markup([CONTROLS]) and "gnp.exe" in json_markup([CONTROLS])
    axis = Axis("x", "x", [])
    drawn = draw_chart([(1, 1)], [], x=axis, y=axis, linked=[Linked(1, 1, CONTROLS, "row-1")])
    assert "\u202e" not in drawn and drawn.count("gnp.exe") == 2


@pytest.mark.parametrize("score", [1e-300, 5.0, 1.7e308])
def test_equal_scores_are_drawn(tmp_path: Path, score: float) -> None:
    outcome = Outcome(measure="capacity", score=score, log_score=math.log(score))
    page = PageElements(_page(tmp_path / "run.db", [outcome] * 3))
    assert "['in the table', 'best so far']" in str(
        page.specs["curve"]
    )  # the legend: all are there
    axis = Axis("x", "x", [])
    assert "nan" not in draw_chart([(1, score), (2, score)], [], x=axis, y=axis)


def test_a_dot_of_a_family_leads_to_the_first_row_of_its_architecture(tmp_path: Path) -> None:
    path, outcomes = tmp_path / "run.db", [Outcome.of_patterns(5.0 + one) for one in range(3)]
    text = _page(path, outcomes, target_params=[1000, 1001])
    with RunFile.read(path) as read:
        family = SearchResult.of(read, None).family
    assert len(family) == 2
    for row in family:
        assert text.count(f'id="row-{row.candidate.number}"') == 1


def test_scores_that_no_float_holds(tmp_path: Path) -> None:
    odd = Outcome(measure="odd", score=math.inf, log_score=800.0)
    page = PageElements(_page(tmp_path / "run.db", [odd, Outcome.of_patterns(5.0)]))
    assert "exp(800)" in page.text and "1 too high for the axis" in page.text
    layers = page.specs["curve"]["layer"]
    assert all(layer["data"] != {"values": []} for layer in layers)
