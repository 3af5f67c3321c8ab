"""What `on_progress` is told."""

from __future__ import annotations

from support.searches import SMALL, MadeUpWorker, small_scorer, small_space

from swapnas_ext.search import Progress, SearchSettings, search


def test_progress_tells_the_time_and_the_rate() -> None:
    told: list[Progress] = []
    settings = SearchSettings(candidates=30, **SMALL)
    found = search(
        small_space(), small_scorer(), settings, workers=MadeUpWorker(), on_progress=told.append
    )
    seconds = [progress.seconds for progress in told]
    assert seconds == sorted(seconds) and seconds[0] > 0
    assert told[-1].rate == told[-1].scored / told[-1].seconds
    assert told[-1].best is not None
    assert told[-1].best.architecture == found.best.architecture


def test_no_rate_before_any_time_has_passed() -> None:
    assert Progress(0, 10, 0, None, 0).rate == 0.0
