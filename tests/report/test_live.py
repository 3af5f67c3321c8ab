"""The live view of a search: its model, its words, the view in a terminal, and the page."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

import pytest
from rich.console import Console
from support.searches import SMALL, MadeUpWorker, drive

from swapnas_ext.report.live import words
from swapnas_ext.report.live.model import LiveRun, State
from swapnas_ext.report.live.page import LivePage
from swapnas_ext.report.live.pareto import GrowingFront
from swapnas_ext.report.live.svg import Linked, draw_chart
from swapnas_ext.report.live.terminal import LiveView, told_apart
from swapnas_ext.report.search.failures import grouped_failures
from swapnas_ext.report.shared.axes import Axis
from swapnas_ext.report.shared.blocks import block_curve
from swapnas_ext.search import Candidate, Control, News, Outcome, SearchResult, SearchSettings

START = 1_000_000.0


def about(**changes: Any) -> dict[str, Any]:
    search = {"strategy": "random", "seed": 3, "candidates": 100, "target_params": []}
    settings = {"space": {"name": "nasbench201"}, "search": search}
    return {"settings": settings, "started": START, "controls": [[None, None]], **changes}


def candidate(number: int, score: float = 10.0, **changes: Any) -> Candidate:
    known = {
        "architecture": f"cell {number}",
        "parameters": 1000,
        "outcome": Outcome.of_patterns(score, seconds=0.5),
        "finished": START + number,
        **changes,
    }
    return Candidate(number=number, phase=0, form=f"form {number}", parents=(), **known)


def news(
    candidates: Sequence[Candidate],
    told: dict[str, Any] | None = None,
    *,
    is_other: bool = False,
    is_written: bool = True,
) -> News:
    return News(told or about(), list(candidates), is_other, is_written)


def running(*candidates: Candidate, told: dict[str, Any] | None = None) -> LiveRun:
    run = LiveRun()
    run.take(news(candidates, told, is_other=True))
    return run


@pytest.fixture(scope="module")
def searched() -> list[Candidate]:
    """The candidates of a search with failures and limits."""
    architectures = [
        one.architecture
        for one in drive(SearchSettings(candidates=60, **SMALL)).result().candidates
    ]
    failing = frozenset(architectures[5:15])
    driver = drive(SearchSettings(candidates=60, **SMALL), [MadeUpWorker(failing)])
    return list(driver.result().candidates)


@pytest.mark.parametrize("control", [Control(), Control(1.0, 5.0)])
def test_candidates_that_come_in_parts_give_what_the_result_has(
    searched: list[Candidate], control: Control
) -> None:
    told = about(controls=[[control.mu, control.sigma]])
    run = LiveRun(top=7)
    for begin in range(0, len(searched), 9):
        run.take(news(searched[begin : begin + 9], told, is_other=begin == 0))
    result = SearchResult(searched, (control,))
    best = result.ranked()[:7]
    assert [row.number for row in run.best] == [row.candidate.number for row in best]
    assert [run.score(row) for row in run.best] == [row.score for row in best]
    assert list(run.front) == [(row.parameters, row.candidate.score) for row in result.front]
    assert run.failures.largest_first() == grouped_failures(result.failed)
    assert (run.done, run.failed) == (len(searched), len(result.failed))
    highest = [run.log_score(run.scored[place]) for place in run.curve]
    assert highest == sorted(set(highest))
    assert highest[-1] == best[0].log_score


def test_a_calibration_ranks_what_came_before_anew() -> None:
    small, large = candidate(0, 10.0, parameters=1000), candidate(1, 20.0, parameters=9000)
    run = running(small, large, told=about(controls=[]))
    assert [row.number for row in run.best] == [1, 0]
    run.take(news([], about(controls=[[1.0, 1.0]])))
    assert [row.number for row in run.best] == [0, 1]
    assert [run.scored[place].number for place in run.curve] == [0]


def test_a_family_has_the_best_of_each_size() -> None:
    settings = about()["settings"]
    settings["search"]["target_params"] = [1000, 9000]
    told = about(settings=settings, controls=[[1.0, 1.0], [9.0, 1.0]])
    run = running(
        candidate(0, 10.0, parameters=1000), candidate(1, 20.0, parameters=9000), told=told
    )
    assert [(target, score, row.number) for target, score, row in run.family] == [
        (1000, 10.0, 0),
        (9000, 20.0, 1),
    ]
    lines = list(LiveView(run, "run.db", START).lines(80))
    assert [name for name, *_ in lines if name.startswith("for ")] == ["for 1k", "for 9k"]
    assert "wanted" in LivePage(run, "run.db").part(START)


def test_a_search_with_an_objective_has_its_front() -> None:
    settings = about()["settings"]
    settings["search"]["objective"] = "latency"
    times = {0: 0.004, 1: 0.002, 2: 0.003, 3: None}
    scores = {0: 30.0, 1: 10.0, 2: 9.0, 3: 40.0}
    run = running(
        *(
            candidate(number, outcome=Outcome.of_patterns(scores[number], latency=seconds))
            for number, seconds in times.items()
        ),
        told=about(settings=settings),
    )
    assert list(run.front) == [(0.002, 10.0), (0.004, 30.0)]
    lines = [text for _, text, _ in LiveView(run, "run.db", START).lines(80)]
    assert any("4 ms" in line and "cell 0" in line for line in lines)
    page = LivePage(run, "run.db").part(START)
    assert (
        '<th scope="col" class="number">latency</th>' in page
        and "latency, ms" in page
        and "3 ms" in page
    )


def test_states() -> None:
    run = LiveRun()
    run.take(None)
    assert run.state is State.WAITING
    run.take(news([candidate(0)], is_other=True))
    assert run.state is State.RUNNING
    run.take(news([], is_written=False))
    assert run.state is State.STOPPED
    run.take(news([candidate(1)], about(ended="", sessions=[[START, None], [START + 5, None]])))
    assert run.state is State.RUNNING and run.done == 2
    run.take(news([], about(ended="complete"), is_written=False))
    assert run.state is State.ENDED and run.ended == "complete"
    run.take(news([candidate(0)], about(started=START + 9), is_other=True))
    assert run.state is State.RUNNING and run.done == 1 and run.replaced == 1
    run.take(None)
    assert run.state is State.GONE


def test_the_rate_is_that_of_late() -> None:
    slow = [candidate(number, finished=START + 10 * number) for number in range(60)]
    fast = [candidate(60 + number, finished=START + 600 + number) for number in range(30)]
    run = running(*slow, *fast, told=about(settings=about()["settings"]))
    rate = run.rate(START + 630)
    assert rate is not None and 0.5 < rate < 1
    left = run.seconds_left(START + 630)
    assert left == pytest.approx(10 / rate)
    run.take(news([], about(ended="complete")))
    assert run.rate(START + 630) is None


def test_a_resumed_run_has_no_rate_of_the_time_before() -> None:
    old = [candidate(number, finished=START + number) for number in range(20)]
    run = running(*old)
    new = [candidate(20 + number, finished=START + 9000 + number) for number in range(3)]
    run.take(news(new, about(sessions=[[START, None], [START + 8999, None]])))
    assert run.rate(START + 9002) == pytest.approx(1.0)


def test_a_rate_of_slow_networks() -> None:
    run = running(*(candidate(number, finished=START + 300 * number) for number in range(5)))
    rate = run.rate(START + 1200)
    assert rate == pytest.approx(1 / 300)
    assert words.speed_text(run, START + 1200) == "12 candidates/h, 7 h 55 min left"


def test_the_front_grows_as_it_is_computed_at_once() -> None:
    rng = random.Random(0)
    points = [(rng.randrange(30), float(rng.randrange(30))) for _ in range(300)]
    front = GrowingFront()
    for count, point in enumerate(points, start=1):
        front.add(*point)
        known = points[:count]
        wanted = {
            (size, score)
            for size, score in known
            if not any((a <= size and b >= score) and (a, b) != (size, score) for a, b in known)
        }
        assert list(front) == sorted(wanted)


def test_durations_and_rates() -> None:
    assert [words.duration(seconds) for seconds in (0.2, 89, 100, 3700, 400_000)] == [
        "1 s",
        "89 s",
        "2 min",
        "1 h 2 min",
        "4 d 15 h",
    ]
    assert words.rate_text(1234.4) == "1,234 candidates/s"
    assert words.rate_text(2.55) == "2.5 candidates/s"
    assert words.rate_text(0.5) == "30 candidates/min"
    assert words.rate_text(0.001) == "3.6 candidates/h"


def test_a_line() -> None:
    failed = candidate(2, outcome=Outcome(error="ValueError: no"))
    over = candidate(3, outcome=Outcome(over="flops", flops=10**9))
    run = running(candidate(0), candidate(1, 12.5), failed, over)
    assert words.one_line(run, "run.db", START + 4) == (
        "nasbench201, random, seed 3: 4 of 100, 4%, best 12.5, 45 candidates/min, 2 min left, "
        "1 beyond the limit on operations, 1 without a score; running"
    )
    assert words.one_line(run, "run.db", START + 93).endswith(
        "running; the last candidate was 2 min ago"
    )
    assert words.one_line(LiveRun(), "run.db", START) == "waiting for the run file run.db"


def drawn(run: LiveRun, *, width: int = 80, height: int = 24) -> list[str]:
    console = Console(
        width=width, height=height, force_terminal=True, color_system=None, record=True
    )
    with console.capture() as captured:
        console.print(LiveView(run, "run.db", START + 70))
    return captured.get().splitlines()


def test_the_view_fits_the_terminal(searched: list[Candidate]) -> None:
    run = running(*searched)
    for width in (80, 60, 200):
        for height in (6, 24, 50):
            lines = drawn(run, width=width, height=height)
            assert len(lines) < height
            assert max(map(len, lines)) <= width
    text = "\n".join(drawn(run))
    best = SearchResult(searched, (Control(),)).best
    assert best.architecture in re.sub(r"\n +", "", text)
    assert f"{best.score:.6g}, {best.parameters:,} parameters" in text
    assert "60 of 100, 60%" in text and "10 x ValueError: it does not like this one" in text
    assert "█" * 36 + "░" * 24 in text
    assert re.search(r"^best so far +[▁▂▃▄▅▆▇█]+$", text, re.MULTILINE)


def test_a_run_file_does_not_control_the_terminal() -> None:
    evil = "\x1b]0;owned\x07"
    failed = candidate(1, outcome=Outcome(error=f"ValueError: {evil}"))
    run = running(candidate(0, architecture=evil), candidate(2, architecture=evil), failed)
    text = "\n".join(drawn(run))
    assert "owned" in text and "\x1b" not in text and "\x07" not in text
    told = about()
    told["settings"]["space"]["name"] = evil
    assert "\x1b" not in words.one_line(running(told=told), "run.db", START)


def test_scores_that_are_infinite() -> None:
    huge = Outcome(measure="zen", score=math.inf, log_score=800.0, seconds=0.1)
    run = running(candidate(0), candidate(1, outcome=huge))
    assert run.best[0].number == 1
    assert any("inf" in line for line in drawn(run))
    assert "inf" in LivePage(run, "run.db").part(START)


def test_blocks() -> None:
    assert block_curve([0.0, 1.0, 2.0, 7.0]) == "▁▂▃█"
    assert block_curve([3.0, 3.0]) == "██"
    assert block_curve([math.nan, 1.0, math.inf, 2.0]) == " ▁ █"
    assert block_curve([]) == ""


class _Balanced(HTMLParser):
    """Fails on elements that are not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_page(searched: list[Candidate]) -> None:
    run = running(*searched)
    page = LivePage(run, "a<b>.db").page(START + 70)
    parser = _Balanced()
    parser.feed(page)
    assert parser.open == []
    assert "a&lt;b&gt;.db" in page and "a<b>" not in page
    assert "http" not in page and "src=" not in page, "it fetches nothing from elsewhere"
    assert page.count("<svg") == 2 and "running" in page
    for rank, row in enumerate(run.best, start=1):
        assert page.count(f'<a href="#row-{row.number}" aria-label="#{rank}: ') == 2
        assert page.count(f'<tr id="row-{row.number}"') == 1
    assert SearchResult(searched, (Control(),)).best.architecture in page
    assert "10 x ValueError: it does not like this one" in page


def test_a_page_escapes_what_a_run_file_says() -> None:
    evil = "<script>alert(1)</script>"
    failed = candidate(1, outcome=Outcome(error=f"ValueError: {evil}"))
    told = about()
    told["settings"]["space"]["name"] = evil
    run = running(candidate(0, architecture=evil), failed, told=told)
    page = LivePage(run, "run.db")
    assert evil not in page.part(START)
    assert evil not in page.part(START, trouble=evil)


def test_charts_are_kept_for_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    run = running(candidate(0), candidate(1))
    page = LivePage(run, "run.db")
    drawings: list[int] = []
    monkeypatch.setattr(
        LivePage, "_draw", lambda self: drawings.append(len(run.scored)) or "charts"
    )
    for now, more in ((0, 2), (1, 3), (2, 4), (6, 5), (7, 6)):
        run.take(news([candidate(more)]))
        assert "charts" in page.part(START + now)
    assert drawings == [3, 6]
    run.take(news([], about(ended="complete")))
    page.part(START + 8)
    page.part(START + 80)
    assert drawings == [3, 6, 7]  # the last one, at once, and once


def test_a_chart() -> None:
    axes = {"x": Axis("x", "n", []), "y": Axis("y", "s", [], "ms")}
    linked = [Linked(2, 30.0, "#1: <b>", "row-7"), Linked(3, math.inf, "#2", "row-8")]
    points, steps = [(1, 10.0), (2, 30.0), (3, math.inf)], [(1, 10.0), (2, 30.0)]
    chart = draw_chart(points, steps, **axes, linked=linked)
    assert chart.count("h0") == 2
    assert re.search(r'class="steps" d="M[\d.]+ [\d.]+H[\d.]+V[\d.]+"', chart)
    assert ">10 ms<" in chart and ">30 ms<" in chart
    assert 'href="#row-7"' in chart and "<title>#1: &lt;b&gt;</title>" in chart
    assert "row-8" not in chart
    assert draw_chart([], [], **axes) == ""
    assert "svg" in draw_chart([(5, 5.0)], [(5, 5.0)], **axes)


def test_a_chart_with_logarithmic_axes() -> None:
    points = [(10.0**power, 2.0**power) for power in range(4, 8)]
    chart = draw_chart(points, points, x=Axis("x", "n", []), y=Axis("y", "s", [], wide=2.0))
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", chart)
    assert {"10k", "100k", "1M", "10M"} <= set(texts)
    assert {"20", "50", "100"} <= set(texts)


def test_names_that_begin_alike_are_told_apart() -> None:
    alike = "Genotype(normal=[('sep_conv_3x3', 0), "
    names = [f"{alike}('none', 1)]", f"{alike}('skip_connect', 1)]", "short", f"{alike}('max', 1)]"]
    shown = told_apart(names, 20)
    assert shown[2] == "short" and len(set(shown)) == 4
    assert all(len(text) <= 20 for text in shown)
    assert shown[1].startswith("…, ('skip_connect")
    assert told_apart(names, 100) == names
    assert told_apart(["a" * 30, "b" * 30], 9) == ["aaaaaaaa…", "bbbbbbbb…"]


def test_the_best_that_begin_alike_differ_in_the_view() -> None:
    alike = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|"
    cells = [
        f"{alike}{last}~1|none~2|" for last in ("nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    ]
    run = running(
        candidate(0, 99.0),
        *(candidate(k, 50.0, architecture=cell) for k, cell in enumerate(cells, start=1)),
    )
    lines = [
        text for name, text, _ in LiveView(run, "run.db", START).lines(60) if name[:1].isdigit()
    ]
    assert len({line.split()[-1] for line in lines}) == 3
    assert max(map(len, lines)) <= 60 - 13
