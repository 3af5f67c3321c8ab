"""What a live view shows of a search: its state, which takes in new candidates as they come."""

from __future__ import annotations

import math
from bisect import insort
from collections import Counter, deque
from enum import Enum
from typing import Any, NamedTuple

from swapnas_ext import measures
from swapnas_ext.report.live.pareto import GrowingFront
from swapnas_ext.report.search.failures import FailureGroups
from swapnas_ext.search import COSTS, Candidate, Control, News

_LATELY = 60.0
"""Seconds that the rate is of."""
_FEWEST = 10
"""Candidates that the rate is of at least, where they take longer."""
_MOST = 2000
"""Candidates that the rate is of at most."""


class State(Enum):
    WAITING = "waiting"
    """There is no run file yet."""
    RUNNING = "running"
    STOPPED = "stopped"
    """No search is writing, and none has written how it ended."""
    ENDED = "ended"
    GONE = "gone"
    """The file was removed."""


class Scored(NamedTuple):
    """A candidate with a score, without what no live view shows."""

    number: int
    finished: float
    architecture: str
    parameters: int
    score: float
    """Before size control."""
    log_score: float
    measure: str | None
    cost: float | None
    """Of the objective, in its recorded unit; None if it is not known."""


class LiveRun:
    """What is known of a run whose file is followed.

    Args:
        top: how many of the best are kept.

    Attributes:
        state: of the search.
        ended: how it ended: complete, interrupted or exhausted; empty before.
        replaced: how often another run has taken the place of the file's.
        done, failed: candidates with an outcome, and those that could not be scored.
        over: candidates beyond each limit, by its name.
        scored: candidates with a score, in the order in which they were finished.
        curve: the places, in this order, of those whose unregularised score was the best so far.
        cost: what the front is about: that of the objective, or the number of parameters.
        front: the Pareto front of cost and score. Without an objective, scores are unregularised.
        failures: the candidates that could not be scored, by their reasons.
        last: when the last candidate was finished, in seconds since the epoch; None before the first.
    """

    def __init__(self, top: int = 10) -> None:
        self._top = top
        self.state = State.WAITING
        self.replaced = 0
        self._start({})

    def _start(self, about: dict[str, Any]) -> None:
        self._about = about
        self.done = self.failed = 0
        self.over: Counter[str] = Counter()
        self.scored: list[Scored] = []
        self.cost = COSTS[self._search.get("objective") or "parameters"]
        self.failures = FailureGroups()
        self.last: float | None = None
        self._recent: deque[float] = deque(maxlen=_MOST)
        self._rank(self._controls())

    def take(self, news: News | None) -> None:
        """Takes in what `RunFileFollower.look` found."""
        if news is None:
            self.state = State.WAITING if self.state is State.WAITING else State.GONE
            return
        if news.is_other:
            self.replaced += bool(self._about)
            self._start(news.about)
        self._about = news.about
        controls = self._controls()
        if controls != self._ranked_by:  # calibrated meanwhile
            self._rank(controls)
        for candidate in news.candidates:
            self._add(candidate)
        if self.ended:
            self.state = State.ENDED
        else:
            self.state = State.STOPPED if news.is_written is False else State.RUNNING

    def _add(self, candidate: Candidate) -> None:
        outcome, finished = candidate.outcome, candidate.finished
        assert outcome is not None and finished is not None  # as all recorded ones
        self.done += 1
        self.last = finished
        self._recent.append(finished)
        while len(self._recent) > _FEWEST and self._recent[0] < finished - _LATELY:
            self._recent.popleft()
        if outcome.over is not None:
            self.over[outcome.over] += 1
        elif not candidate.scored:
            self.failed += 1
            self.failures.add(candidate)
        else:
            row = Scored(
                candidate.number,
                finished,
                candidate.architecture,
                candidate.parameters,
                candidate.score,
                candidate.log_score,
                candidate.score_of,
                self.cost.recorded(candidate),
            )
            self._rank_one(len(self.scored), row)
            self.scored.append(row)

    def _controls(self) -> list[Control]:
        """How scores are regularised: as in the search, or not at all if it is for a family of sizes."""
        return [Control(*pair) for pair in self._about.get("controls", [])]

    def _rank(self, controls: list[Control]) -> None:
        """Ranks all candidates anew, by other controls."""
        self._ranked_by = controls
        self._control = controls[0] if len(controls) == 1 else Control()
        self.curve: list[int] = []
        self._highest = -math.inf
        self.front = GrowingFront()
        self._best: list[tuple[float, int, Scored]] = []
        self._best_of_size: list[tuple[float, Scored] | None] = [None] * len(controls)
        for place, row in enumerate(self.scored):
            self._rank_one(place, row)

    def _rank_one(self, place: int, row: Scored) -> None:
        value = self.log_score(row)
        if value > self._highest:
            self._highest = value
            self.curve.append(place)
        if row.cost is not None:
            self.front.add(row.cost, self.score_in_front(row))
        if len(self._best) < self._top or value > -self._best[-1][0]:
            insort(self._best, (-value, row.number, row))
            del self._best[self._top :]
        if len(self._ranked_by) > 1:
            for of_size, control in enumerate(self._ranked_by):
                value = row.log_score + control.log_factor(row.parameters)
                known = self._best_of_size[of_size]
                if known is None or value > known[0]:
                    self._best_of_size[of_size] = value, row

    def log_score(self, row: Scored) -> float:
        """Natural logarithm of the score, regularised as in the search."""
        return row.log_score + self._control.log_factor(row.parameters)

    def score(self, row: Scored) -> float:
        """The score, regularised as in the search."""
        return _times(row.score, self._control.log_factor(row.parameters))

    def score_in_front(self, row: Scored) -> float:
        """The score by which the front is drawn."""
        return self.score(row) if self.has_objective else row.score

    @property
    def best(self) -> list[Scored]:
        """The best, best first. Of equal ones, the first comes first."""
        return [row for _, _, row in self._best]

    @property
    def family(self) -> list[tuple[float, float, Scored]]:
        """Each target size in parameters, and the best candidate for it with its regularised score; empty before the
        calibration, and without several sizes."""
        targets = self._search.get("target_params") or ()
        if len(targets) < 2 or len(targets) != len(self._ranked_by):
            return []
        return [
            (target, _times(row.score, control.log_factor(row.parameters)), row)
            for target, control, (_, row) in zip(
                targets, self._ranked_by, filter(None, self._best_of_size), strict=False
            )
        ]

    @property
    def total(self) -> int | None:
        """How many candidates are wanted; None if the file does not tell."""
        wanted = self._search.get("candidates", self._about.get("wanted"))
        return max(wanted, self.done) if isinstance(wanted, int) else None

    @property
    def ended(self) -> str:
        return str(self._about.get("ended") or "")

    @property
    def name(self) -> str:
        """The space, the strategy and the seed."""
        if not self._about:
            return ""
        space, search = self._about["settings"]["space"]["name"], self._search
        return f"{space}, {search['strategy']}, seed {search['seed']}"

    @property
    def measure(self) -> str:
        """Title of the measure that the scores are of; empty before the first."""
        name = self.scored[-1].measure if self.scored else None
        return "" if name is None else measures.title_of(name)

    def rate(self, now: float) -> float | None:
        """Candidates per second, of late; None before there are some, and if no search is running.

        Args:
            now: seconds since the epoch.
        """
        sessions = self._about.get("sessions") or [[self._about.get("started") or 0.0, None]]
        begun = sessions[-1][0]
        since = [finished for finished in self._recent if finished >= begun]
        if self.state is not State.RUNNING or len(since) < 2:
            return None
        recent = [finished for finished in since if finished >= now - _LATELY]
        if len(recent) < _FEWEST:
            recent = since[-_FEWEST:]
        took = now - recent[0]
        return (len(recent) - 1) / took if took > 0 else None

    def seconds_left(self, now: float) -> float | None:
        """None where it is not known."""
        rate, total = self.rate(now), self.total
        return None if not rate or total is None else (total - self.done) / rate

    @property
    def has_objective(self) -> bool:
        """Whether the search is for the front of score and a cost."""
        return bool(self._search.get("objective"))

    @property
    def _search(self) -> dict[str, Any]:
        found: dict[str, Any] = self._about["settings"]["search"] if self._about else {}
        return found


def _times(score: float, log_factor: float) -> float:
    return score * math.exp(log_factor)
