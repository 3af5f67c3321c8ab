"""For how long a search really ran: run files record its sessions, between which it was interrupted."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from swapnas_ext.search.candidate import Candidate
from swapnas_ext.search.run_file_checks import YEAR_10000

Session = tuple[float, float | None]
"""When the search was started or resumed, and when it ended, in seconds since the epoch. None: it is running, or was
killed, and ends with its last candidate."""

_PAUSE = 60.0
_MORE_THAN_WORK = 10.0
"""Without a recorded session, nothing but a pause is longer than a minute and than ten times the work it led to."""


class RunningTime:
    """Converts times since the epoch to seconds for which a search had run.

    Candidates from before the first recorded session are of an earlier version, which recorded none. What is longer
    than a minute, and ten times as long as the work on the candidates at its end, was then a pause, and counts as that
    work alone. Recorded sessions count as they are, whatever happens in them.

    Args:
        candidates: in any order. Those without a time are left out.
        sessions: as run files record them, in any order; may be empty.
    """

    def __init__(self, candidates: Iterable[Candidate], sessions: Sequence[Session] = ()) -> None:
        times = sorted(
            (candidate.finished, 0.0 if candidate.outcome is None else candidate.outcome.seconds)
            for candidate in candidates
            if candidate.finished is not None and 0 <= candidate.finished < YEAR_10000
        )
        begun = sorted(sessions, key=lambda session: session[0])
        first = begun[0][0] if begun else math.inf
        spans = _without_pauses([time for time in times if time[0] < first])
        finished = [time for time, _ in times]
        for place, (start, end) in enumerate(begun):
            limit = begun[place + 1][0] if place + 1 < len(begun) else math.inf
            if end is None:
                last = bisect_right(finished, limit) - 1
                end = finished[last] if last >= 0 else start
            spans.append((start, max(start, min(end, limit))))
        self._starts = [start for start, _ in spans]
        self._lengths = [end - start for start, end in spans]
        self._before = [0.0]
        for length in self._lengths:
            self._before.append(self._before[-1] + length)
        self.sessions = len(begun) if begun else int(bool(times))

    @property
    def total(self) -> float:
        """Seconds of all sessions."""
        return self._before[-1]

    def until(self, time: float) -> float:
        """Seconds for which the search had run at a time since the epoch."""
        place = bisect_right(self._starts, time) - 1
        if place < 0:
            return 0.0
        return self._before[place] + min(time - self._starts[place], self._lengths[place])


def _without_pauses(times: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The spans of time in which the search ran.

    Args:
        times: when candidates were finished, and the seconds of work on them, by time.
    """
    work_until: dict[float, float] = {}
    for time, seconds in times:
        work_until[time] = work_until.get(time, 0.0) + max(seconds, 0.0)
    spans: list[tuple[float, float]] = []
    for time, work in work_until.items():
        before = spans[-1][1] if spans else -math.inf
        if time - before > max(_PAUSE, _MORE_THAN_WORK * work):
            spans.append((max(before, time - work, 0.0), time))
        else:
            spans[-1] = (spans[-1][0], time)
    return spans
