"""Scores a list of architectures with any workers, and records them in a run file, as a search does."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from swapnas_ext._util import ctrl_c_ignored, renamed
from swapnas_ext.scoring import Scorer
from swapnas_ext.search.candidate import Candidate, log_outcome
from swapnas_ext.search.description import describe_scorer, describe_space
from swapnas_ext.search.evaluation import Evaluator
from swapnas_ext.search.progress import Progress, Stopwatch
from swapnas_ext.search.progress_in_notebook import shown_in_notebook
from swapnas_ext.search.run_file import RunFile
from swapnas_ext.search.search_result import SearchResult
from swapnas_ext.search.size_control import Control
from swapnas_ext.search.start import opened
from swapnas_ext.search.workers import Chunk, Crew, Workers, hire
from swapnas_ext.spaces import SearchSpace

_log = logging.getLogger(__name__)

_PART = 16
"""A worker gets at most this many architectures at a time."""


def score_listed(
    space: SearchSpace,
    scorer: Scorer,
    architectures: Sequence[str],
    *,
    among: Sequence[str] | None = None,
    workers: Workers = None,
    history: str | Path | None = None,
    device: str = "cpu",
    on_progress: Callable[[Progress], None] | None = None,
    command: dict[str, Any] | None = None,
    report: Callable[[Progress], None] | None = None,
) -> SearchResult:
    """Scores architectures. Of those with one canonical form, only the smallest is scored. FLOPs are those of the
    scored networks. Ctrl-C ends the scoring and returns the scores so far.

    Arguments and errors as for `search`. If ``history`` exists, the forms that it has are not scored again, in
    whatever order they are asked for.

    Args:
        among: all architectures that may ever be asked for, if they are more than ``architectures``. Of each form,
            the smallest of these is scored, so that its score does not depend on the others that are asked for.
    """
    on_progress = renamed(on_progress, report, to="on_progress", was="report")
    evaluator = Evaluator(space, scorer, device, count_flops=True, ranks=False)
    about = {
        "space": describe_space(space),
        "scorer": describe_scorer(scorer),
        "search": {"strategy": "listed", "seed": scorer.options.seed},
        "device": device,
        "command": command,
    }
    wanted = _by_form(space, architectures if among is None else among)
    if among is not None:
        asked_for = {space.canonical(architecture) for architecture in architectures}
        wanted = {form: found for form, found in wanted.items() if form in asked_for}
    crew = Crew(hire(evaluator, workers))
    try:
        with (
            shown_in_notebook("scoring", on_progress) as shown,
            opened(None if history is None else Path(history), about) as run_file,
        ):
            run_file.write_about(wanted=len(wanted))
            interrupted = False
            try:
                _score(wanted, crew, run_file, shown.on_progress)
            except KeyboardInterrupt:
                interrupted = True
            known = [candidate for candidate in run_file.candidates() if candidate.form in wanted]
            errors = [c.outcome.error for c in known if c.outcome is not None and c.outcome.error]
            if known and len(errors) == len(known):
                raise RuntimeError(
                    f"none of {len(known):,} architectures could be scored: {errors[0]}"
                )
            with ctrl_c_ignored():
                run_file.write_about(
                    ended="interrupted" if interrupted else "complete", controls=[(None, None)]
                )
            shown.result = result = SearchResult(
                known,
                (Control(),),
                interrupted=interrupted,
                settings=run_file.settings,
                sessions=run_file.sessions,
                space=space,
            )
        return result
    finally:
        crew.close()


def _by_form(space: SearchSpace, architectures: Sequence[str]) -> dict[str, tuple[str, int]]:
    """For each form: the architecture that is scored, and the parameters of its final network."""
    final = space.final()
    smallest: dict[str, tuple[str, int]] = {}
    for architecture in architectures:
        form, parameters = space.canonical(architecture), final.size(architecture)
        if form not in smallest or parameters < smallest[form][1]:
            smallest[form] = architecture, parameters
    return smallest


def _score(
    wanted: dict[str, tuple[str, int]],
    crew: Crew,
    run_file: RunFile,
    on_progress: Callable[[Progress], None] | None,
) -> None:
    recorded = {candidate.form: candidate for candidate in run_file.candidates()}
    failed = sum(not candidate.scored for form, candidate in recorded.items() if form in wanted)
    new = [
        Candidate(number, 0, architecture, form, (), parameters)
        for number, (form, (architecture, parameters)) in enumerate(
            ((form, found) for form, found in wanted.items() if form not in recorded),
            start=max((candidate.number for candidate in recorded.values()), default=-1) + 1,
        )
    ]
    scored = 0
    stopwatch = Stopwatch()

    def tell() -> None:
        if on_progress is not None:
            done = len(wanted) - len(new) + scored
            on_progress(
                Progress(
                    done,
                    len(wanted),
                    scored,
                    None,
                    failed,
                    seconds=stopwatch.seconds,
                    rate=stopwatch.rate,
                )
            )

    _log.info("scores %d of %d networks; the others are recorded", len(new), len(wanted))
    tell()
    chunk = Chunk([candidate.architecture for candidate in new])
    crew.submit(chunk, max(1, min(_PART, len(new) // (4 * crew.capacity))))
    while scored < len(new):
        now = time.time()
        finished = [
            replace(new[place], outcome=chunk.outcomes[place], finished=now)
            for _, places in crew.collect()
            for place in places
        ]
        run_file.record(finished)
        for candidate in finished:
            log_outcome(candidate)
        scored += len(finished)
        stopwatch.note(scored)
        failed += sum(not candidate.scored for candidate in finished)
        tell()
