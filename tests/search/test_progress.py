"""What `on_progress` is told."""

from __future__ import annotations

from support.searches import SMALL, MadeUpWorker, small_scorer, small_space

from swapnas_ext.search import Progress, SearchSettings, search
from swapnas_ext.search.progress import Stopwatch
from swapnas_ext.search.strategies import Individual


def test_progress_tells_the_time_and_the_rate() -> None:
    told: list[Progress] = []
    settings = SearchSettings(candidates=30, **SMALL)
    found = search(
        small_space(), small_scorer(), settings, workers=MadeUpWorker(), on_progress=told.append
    )
    seconds = [progress.seconds for progress in told]
    assert seconds == sorted(seconds) and seconds[0] > 0
    assert told[-1].rate > 0 and told[-1].seconds_left == 0
    assert told[-1].best is not None
    assert told[-1].best.architecture == found.best.architecture


def test_the_rate_leaves_out_the_start_of_workers() -> None:
    now = [100.0]
    stopwatch = Stopwatch(lambda: now[0])
    for seconds, scored in ((30, 0), (60, 4), (70, 24)):
        now[0] = 100.0 + seconds
        assert stopwatch.rate == 0.0
        stopwatch.note(scored)
    assert stopwatch.rate == 2.0 and stopwatch.seconds == 70


def test_no_time_left_is_told_without_a_rate() -> None:
    assert Progress(0, 10, 0, None, 0).seconds_left is None
    assert Progress(4, 10, 4, None, 0, rate=2.0).seconds_left == 3.0


def test_its_state_in_words() -> None:
    assert Progress(0, 10, 0, None, 0).state == ""
    best = Individual(3, "cell", 2.5, 1000)
    progress = Progress(4, 10, 4, best, 1, over=2, looking=19, rate=0.001)
    assert progress.state == (
        "best 12.1825, 3.6 candidates/h, 1 without a score, 2 beyond the limits"
    )
