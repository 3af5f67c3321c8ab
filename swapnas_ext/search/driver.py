"""Runs a search: asks the strategy, has its proposals scored, and records their outcomes.

One seed gives one result, with any workers. At most `ahead` proposals are pending, and the strategy is told of them in
the order in which it made them, whichever is scored first. So a search resumes by doing the same again, with recorded
outcomes in the place of new scores.
"""

from __future__ import annotations

import logging
import random
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from swapnas_ext._util import ctrl_c_later
from swapnas_ext.search import size_control
from swapnas_ext.search.admission import Admission
from swapnas_ext.search.candidate import Candidate, Outcome, log_outcome
from swapnas_ext.search.costs import cost_of
from swapnas_ext.search.nothing_scored import check_any_scored
from swapnas_ext.search.progress import Progress, Stopwatch
from swapnas_ext.search.run_file import RunFile
from swapnas_ext.search.run_file_access import RunFileError
from swapnas_ext.search.search_result import SearchResult
from swapnas_ext.search.settings import SearchSettings
from swapnas_ext.search.size_control import Control
from swapnas_ext.search.strategies import (
    Individual,
    Proposal,
    RandomSearch,
    Strategy,
    make_strategy,
    strategy_name,
)
from swapnas_ext.search.workers import Chunk, Crew
from swapnas_ext.spaces import SearchSpace

_log = logging.getLogger(__name__)

_ALL_FAIL = 50
"""A search gives up after this many errors without one score: the candidates are not at fault then."""


@dataclass
class _Pending:
    """A proposal, the forms of its candidates, and the chunk that is being scored. The chunk is None if all outcomes
    are known already."""

    proposal: Proposal
    forms: list[str]
    chunk: Chunk | None


class Driver:
    """Runs one search, from its start or from where its run file ends.

    Args:
        space: the space that is searched.
        settings: how to search.
        run_file: records candidates. Those that it has are not scored again.
        crew: the workers.
        on_progress: called with the progress after every few candidates.
    """

    def __init__(
        self,
        space: SearchSpace,
        settings: SearchSettings,
        run_file: RunFile,
        crew: Crew,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._space = space
        self._settings = settings
        self._run_file = run_file
        self._crew = crew
        self._on_progress = on_progress
        self._cost = None if settings.objective is None else cost_of(settings.objective)
        self._recorded = {candidate.form: candidate for candidate in run_file.candidates()}
        self._candidates: dict[str, Candidate] = {}  # since the start, by form, in order
        self._admit = Admission(space, settings.max_params, self._tell_looking)
        self._being_scored: dict[str, Candidate] = {}  # by architecture
        self._done = self._scored = self._failed = self._over = 0
        self._best: Individual | None = None
        self._stopwatch = Stopwatch()
        self.controls: list[Control] = []
        self.exhausted = False

    def run(self) -> None:
        """Searches until all candidates are tried, or no new ones are found.

        Raises:
            RunFileError: the run file can't be written, or was made by another version of the search.
            RuntimeError: the workers can't work, or the strategy fails.
            ValueError: no candidate is within the limits, or the strategy proposes what it may not.
        """
        settings = self._settings
        if settings.target_params:
            self._calibrate()
        else:
            self.controls = [Control(settings.mu, settings.sigma)]
        self._run_file.write_about(controls=[(c.mu, c.sigma) for c in self.controls])
        share, rest = divmod(settings.candidates - len(self._candidates), len(self.controls))
        for phase, control in enumerate(self.controls):
            rng = random.Random(f"{settings.seed} {phase}")
            budget = share + (phase < rest)
            self._phase(phase, control, make_strategy(self._space, rng, settings), budget)
        self._check_any_scored()

    def result(self) -> SearchResult:
        """The result so far: all candidates with an outcome."""
        known = [candidate for candidate in self._candidates.values() if candidate.outcome]
        return SearchResult(
            known,
            tuple(self.controls),
            self._settings.target_params,
            space=self._space,
        )

    def _calibrate(self) -> None:
        settings = self._settings
        most = min(settings.calibration, settings.candidates)
        rng = random.Random(f"{settings.seed} calibration")
        self._phase(-1, Control(), RandomSearch(self._space, rng), most)
        self._check_any_scored()
        sample = [candidate for candidate in self._candidates.values() if candidate.scored]
        self.controls = [
            size_control.for_target(
                target,
                [candidate.log_score for candidate in sample],
                [candidate.parameters for candidate in sample],
                heavy_tails=any(candidate.has_heavy_tails for candidate in sample),
            )
            for target in settings.target_params
        ]
        for target, control in zip(settings.target_params, self.controls, strict=True):
            _log.info(
                "calibrated for %.6g parameters with %d scores: %s", target, len(sample), control
            )

    def _phase(self, phase: int, control: Control, strategy: Strategy, budget: int) -> None:
        pending: deque[_Pending] = deque()
        self._best = None
        self._admit.new_phase()
        asking = True
        while True:
            while asking and len(pending) < self._settings.ahead and self._admit.count < budget:
                if self._admit.all_asked:
                    asking = False
                    break
                most = budget - self._admit.count
                with self._strategy_told():
                    proposal = strategy.ask(most, self._admit)
                if proposal is None:
                    asking = bool(pending)  # their outcomes may give the strategy new ideas
                    break
                self._check_allowed(proposal, most)
                pending.append(self._start(phase, proposal))
            if not pending:
                break
            while pending[0].chunk is not None and not pending[0].chunk.done:
                self._collect()
            oldest = pending.popleft()
            individuals = [
                self._individual(self._candidates[form], control) for form in oldest.forms
            ]
            with self._strategy_told():
                strategy.tell(oldest.proposal, individuals)
            for individual in individuals:
                if individual is None:
                    continue
                if self._best is None or individual.log_score > self._best.log_score:
                    self._best = individual
            self._done += len(oldest.forms)
            self._tell_progress()
        self.exhausted |= not asking and self._settings.cycles is None

    @contextmanager
    def _strategy_told(self) -> Iterator[None]:
        """Names the strategy, and the line, in errors that it raises."""
        try:
            yield
        except (Exception, SystemExit) as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            raise RuntimeError(
                f"the strategy {strategy_name(self._settings.strategy)} fails: {type(error).__name__}: {error} "
                f"({place.filename}, line {place.lineno})"
            ) from error

    def _check_allowed(self, proposal: Proposal, most: int) -> None:
        """Raises ValueError if a proposal is empty, too long, or has architectures that were not admitted; TypeError if
        it is not a `Proposal`."""
        if not isinstance(proposal, Proposal):
            raise TypeError(
                f"the strategy must propose a Proposal, or None, got {type(proposal).__name__}"
            )
        count = len(proposal.architectures)
        if not 1 <= count <= most:
            raise ValueError(
                f"the strategy was asked for 1 to {most} architectures, and proposed {count}"
            )
        for architecture in proposal.architectures:
            if not self._admit.propose(architecture):
                raise ValueError(
                    f"the strategy proposed {architecture!r}, which was not admitted, or was proposed before: it has "
                    "to ask admit(architecture) about each once"
                )

    def _start(self, phase: int, proposal: Proposal) -> _Pending:
        """Numbers the candidates of a proposal, and submits those without a known outcome to the workers."""
        forms, new = [], []
        for architecture in proposal.architectures:
            form = self._admit.form(architecture)
            forms.append(form)
            if form in self._candidates:
                continue
            candidate = Candidate(
                number=len(self._candidates),
                phase=phase,
                architecture=architecture,
                form=form,
                parents=proposal.parents,
                parameters=0
                if self._admit.sizes_by_building
                else self._admit.parameters(architecture),
            )
            recorded = self._recorded.get(form)
            if recorded is not None and self._admit.sizes_by_building:
                candidate = replace(candidate, parameters=recorded.parameters)
            if recorded is not None:
                self._check_same(candidate, recorded)
                candidate = recorded
                self._count(candidate)
            else:
                new.append(candidate)
            self._candidates[form] = candidate
        chunk = None
        if new:
            chunk = Chunk([candidate.architecture for candidate in new])
            self._being_scored.update((candidate.architecture, candidate) for candidate in new)
            # Parts are so small that each worker gets two of what is pending.
            pending = self._settings.ahead * self._settings.children
            self._crew.submit(chunk, max(1, pending // (2 * self._crew.capacity)))
        return _Pending(proposal, forms, chunk)

    def _check_same(self, candidate: Candidate, recorded: Candidate) -> None:
        same = replace(recorded, outcome=None, finished=None)
        if candidate != same:
            raise RunFileError(
                f"the search can't be continued: candidate {recorded.number} is now {candidate}, and was "
                f"{same}. It was made by another version of the search, or of the space"
            )
        if recorded.scored and self._cost is not None and self._cost.recorded(recorded) is None:
            raise RunFileError(
                f"the search can't be continued: candidate {recorded.number} has no recorded {self._cost.title}; "
                "choose another run file"
            )

    def _collect(self) -> None:
        now = time.time()
        finished = [
            self._finished(chunk.architectures[place], chunk.outcomes[place], now)
            for chunk, places in self._crew.collect()
            for place in places
        ]
        with ctrl_c_later():  # so that the result and the run file agree
            self._run_file.record(finished)
            for candidate in finished:
                self._candidates[candidate.form] = candidate
                self._scored += 1
                self._count(candidate)
                log_outcome(candidate)
        self._stopwatch.note(self._scored)
        if self._failed >= _ALL_FAIL and self._all_errors():
            self._check_any_scored()

    def _finished(self, architecture: str, outcome: Outcome | None, now: float) -> Candidate:
        candidate = self._being_scored.pop(architecture)
        parameters = candidate.parameters
        if self._admit.sizes_by_building:
            assert outcome is not None
            known = outcome.parameters
            parameters = self._admit.parameters(architecture) if known is None else known
        return replace(candidate, parameters=parameters, outcome=outcome, finished=now)

    def _count(self, candidate: Candidate) -> None:
        assert candidate.outcome is not None
        self._failed += candidate.outcome.error is not None
        self._over += candidate.outcome.over is not None

    def _all_errors(self) -> bool:
        outcomes = (candidate.outcome for candidate in self._candidates.values())
        return all(outcome is None or outcome.error for outcome in outcomes)

    def _tell_progress(self, looking: int = 0) -> None:
        if self._on_progress is not None:
            self._on_progress(
                Progress(
                    done=self._done,
                    total=self._settings.candidates,
                    scored=self._scored,
                    best=self._best,
                    failed=self._failed,
                    over=self._over,
                    looking=looking,
                    seconds=self._stopwatch.seconds,
                    rate=self._stopwatch.rate,
                )
            )

    def _tell_looking(self, draws: int) -> None:
        self._tell_progress(looking=draws)

    def _check_any_scored(self) -> None:
        check_any_scored(
            list(self._candidates.values()), self._settings, self._admit.smallest_refused
        )

    def _individual(self, candidate: Candidate, control: Control) -> Individual | None:
        if not candidate.scored:
            return None
        return Individual(
            candidate.number,
            candidate.architecture,
            control.log_score(candidate),
            candidate.parameters,
            None if self._cost is None else self._cost.recorded(candidate),
        )
