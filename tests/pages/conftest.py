"""Pages of every kind, made of made-up runs, and a browser that opens them without a network."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.browser import Tab, open_browser
from support.searches import small_space

from swapnas_ext.cli.serve import LiveServer
from swapnas_ext.correlation import analysis, correlate
from swapnas_ext.correlation.accuracy_table import AccuracyTable, Row
from swapnas_ext.report.analysis import page as analysis_page
from swapnas_ext.report.comparison import page as comparison_page
from swapnas_ext.report.correlation import page as correlation_page
from swapnas_ext.report.search import page as search_page
from swapnas_ext.search import Candidate, Outcome, RunFile, SearchResult, compare

if TYPE_CHECKING:
    from playwright.sync_api import Browser

COUNT = 120
STARTED = 1_700_000_000.0
SPACE = small_space()


def settings(seed: int, **search: object) -> dict[str, object]:
    return {
        "space": {"name": "nasbench201"},
        "scorer": {"samples": 16, "repeats": 2, "seed": seed},
        "search": {
            "strategy": "evolution",
            "seed": seed,
            "candidates": COUNT,
            "target_params": [],
            **search,
        },
        "device": "cpu",
    }


def candidates(seed: int, *, measures: bool = False) -> list[Candidate]:
    """Cells with made-up scores that grow with their sizes, a few that failed, and one that scores next to nothing."""
    rng = random.Random(seed)
    texts: dict[str, str] = {}
    while len(texts) < COUNT:
        text = SPACE.sample(rng)
        texts.setdefault(SPACE.canonical(text), text)
    found = []
    for number, (form, text) in enumerate(texts.items()):
        size = SPACE.size(text)
        score = 20.0 * size * math.exp(rng.gauss(0, 0.3))
        outcome = Outcome.of_patterns(
            score,
            0.1 * score,
            saturation=min(1.0, rng.random()),
            latency=0.002 + size * 1e-7 * rng.uniform(1, 3),
            flops=200 * size,
            seconds=0.1,
        )
        if measures:
            by_measure = {
                name: {"score": value, "log_score": math.log(value), "spread": 0.1}
                for name, value in (("patterns", score), ("nwot", size * rng.uniform(1, 2)))
            }
            outcome = replace(outcome, details={"measures": by_measure})
        if number % 40 == 39:
            outcome = Outcome(error="ValueError: <b>it does not like this one</b>", seconds=0.1)
        elif number == 7:
            outcome = Outcome.of_patterns(1e-30, 0.0, saturation=0.0, latency=0.002, flops=9)
        found.append(
            Candidate(number, 0, text, form, (), size, outcome, STARTED + 3 * number + seed)
        )
    return found


def run_file(path: Path, seed: int, **search: object) -> Path:
    with RunFile.create(path, settings(seed, **search)) as written:
        written.record(candidates(seed))
        written.write_about(ended="complete", controls=[[None, None]])
    return path


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


def _result(path: Path) -> tuple[SearchResult, dict[str, object]]:
    with RunFile.read(path) as read:
        return SearchResult.of(read, SPACE), read.about


@pytest.fixture(scope="session")
def pages(folder: Path) -> dict[str, Path]:
    """The files of all kinds of pages, by kind."""
    one = run_file(folder / "one.db", 1)
    two = run_file(folder / "two.db", 2)
    other = run_file(folder / "other.db", 3, strategy="random")
    front = run_file(folder / "latency.db", 4, objective="latency")
    texts = {}
    for kind, path in (("search", one), ("front", front)):
        result, about = _result(path)
        texts[kind] = search_page.to_page(result, about, SPACE, top=10, name=path.name)
    texts["comparison"] = comparison_page.to_page(compare([one, two, other]))
    scored = analysis.ScoredRun("one.db", 16, 2, candidates(1))
    texts["analysis"] = analysis_page.to_page(scored, _effects(scored.candidates), SPACE)
    texts["correlation"] = _correlation_page()
    files = {}
    for kind, text in texts.items():
        files[kind] = folder / f"{kind}.html"
        files[kind].write_text(text, encoding="utf-8")
    return files


def _effects(of: Sequence[Candidate]) -> list[analysis.OperationEffect]:
    scored = [candidate for candidate in of if candidate.scored]
    return analysis.operation_effects(
        SPACE,
        [candidate.architecture for candidate in scored],
        [candidate.log_score for candidate in scored],
    )


def _correlation_page() -> str:
    pytest.importorskip("scipy")
    from scipy import stats

    result = SearchResult(candidates(1), ())
    rng = random.Random(0)
    rows = [
        Row(place, one.architecture, 80 + rng.gauss(math.log(one.parameters), 1), {"nwot": place})
        for place, one in enumerate(result.candidates)
    ]
    whole = stats.bootstrap
    patched = pytest.MonkeyPatch()
    patched.setattr(
        stats, "bootstrap", lambda *args, **options: whole(*args, **{**options, "n_resamples": 9})
    )
    try:
        found = correlate(AccuracyTable("made-up.csv", "val", rows, []), SPACE, result, repeats=2)
    finally:
        patched.undo()
    return correlation_page.to_page(found, {"space": "small"}, SPACE)


@pytest.fixture(scope="session")
def live(folder: Path) -> Iterator[str]:
    """The address of a live page."""
    path = run_file(folder / "live.db", 5, objective="latency")
    with LiveServer(path, 10, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.url
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with open_browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(
    scope="session", params=["search", "front", "comparison", "analysis", "correlation", "live"]
)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def tab(kind: str, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Tab]:
    """A page of the kind, which all tests of it share. In the end it may have complained of nothing, and asked for
    nothing else."""
    if kind == "live":
        address = str(request.getfixturevalue("live"))
    else:
        pages: dict[str, Path] = request.getfixturevalue("pages")
        address = pages[kind].as_uri()
    tab = Tab(browser, address)
    yield tab
    tab.close()
    assert tab.complaints == []
    assert tab.asked_for_others == []
