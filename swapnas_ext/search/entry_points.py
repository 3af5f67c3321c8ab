"""The functions that start searches: `search`, `evolve` (SWAP-NAS) and `calibrate`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from swapnas_ext import data, measures
from swapnas_ext._util import ctrl_c_ignored, renamed
from swapnas_ext.models import OWN
from swapnas_ext.scoring import Scorer
from swapnas_ext.search import size_control
from swapnas_ext.search.description import describe_scorer, describe_space, space_name
from swapnas_ext.search.driver import Driver
from swapnas_ext.search.evaluation import Evaluator
from swapnas_ext.search.final_costs import FinalCosts
from swapnas_ext.search.latency import LatencyMeter, checked_meters, describe_meter
from swapnas_ext.search.progress import Progress
from swapnas_ext.search.progress_in_notebook import shown_in_notebook
from swapnas_ext.search.search_result import SearchResult
from swapnas_ext.search.settings import SearchSettings
from swapnas_ext.search.size_control import Control
from swapnas_ext.search.start import opened
from swapnas_ext.search.strategies import strategy_name
from swapnas_ext.search.workers import Crew, Workers, hire
from swapnas_ext.spaces import SearchSpace

_log = logging.getLogger(__name__)


def search(
    space: SearchSpace,
    scorer: Scorer | None = None,
    settings: SearchSettings | None = None,
    *,
    workers: Workers = None,
    history: str | Path | None = None,
    device: str = "cpu",
    latency: LatencyMeter | Sequence[LatencyMeter] = (),
    on_progress: Callable[[Progress], None] | None = None,
    command: dict[str, Any] | None = None,
    report: Callable[[Progress], None] | None = None,
) -> SearchResult:
    """Searches ``space`` for architectures with high scores.

    One seed gives one result, with any workers. Ctrl-C ends the search and returns the result so far.

    Args:
        space: the space to search.
        scorer: scores the networks. None: as `swapnas search` does: with the recommended measure, on weights of its
            own initialiser, 16 samples of the bundled photograph, and the seed of the settings.
        settings: how to search; by default as `SearchSettings()` says.
        workers: where networks are scored. None: in this process. A number: in so many local processes, with one
            thread each; on ``"cuda"`` they take the GPUs in turn. A `RayCluster`, `DaskCluster` or `SlurmCluster`, or
            the text that the command takes: ``"ray"``, ``"dask:tcp://host:8786"``, ``"slurm:16"``. An executor: of
            `concurrent.futures`, Dask or submitit, or any object whose ``submit`` returns a future; it stays open, and
            threads of one process take turns. A `Worker` or several; they are closed at the end. A function that makes
            any of these from the evaluator. A name: one of `register_workers` or of an installed package, or
            ``"module:function"``.
        history: path of the run file, which records everything. If the file exists, its search continues;
            ``candidates`` may differ then, and candidates that it has begun with are kept.
        device: the device that runs the networks.
        latency: measures the latency of every candidate, such as `swapnas_ext.export.LatencyCommand`. Of several,
            limits and the objective are about the first, and all are recorded. By default latency is measured in the
            worker, on ``device``, if a limit or the objective is about it.
        on_progress: called with the `Progress` after every few candidates. None: in a notebook, a bar is shown, and
            the result takes its place; ``lambda progress: None`` shows none. Elsewhere nothing is shown.
        command: recorded in a new run file; the ``swapnas`` command resumes with it.
        report: the old name of ``on_progress``.

    Raises:
        ValueError: settings contradict each other or those in ``history``, or no candidate is within the limits.
        RunFileError: the run file can't be used.
        RuntimeError: the workers can't work, or no candidate could be scored.
        ConnectionError: there is no cluster at the address of the workers, or it was lost.
    """
    on_progress = renamed(on_progress, report, to="on_progress", was="report")
    settings = SearchSettings() if settings is None else settings
    scorer = _recommended_scorer(space, settings.seed) if scorer is None else scorer
    if scorer.mu is not None:
        raise ValueError(
            "a search regularises scores itself, by the size of the final networks: give mu and sigma to "
            "its settings, not to the scorer"
        )
    meters = checked_meters(latency)
    costs = FinalCosts.asked(space, settings, meters, device)
    evaluator = Evaluator(space, scorer, device, costs)
    about = {
        "space": describe_space(space),
        "scorer": describe_scorer(scorer),
        "search": settings.for_json(),
        "device": device,
        "latency": [describe_meter(meter) for meter in meters] or None,
        "command": command,
    }
    path = None if history is None else Path(history)
    crew = Crew(hire(evaluator, workers))
    _log.info(
        "searches %s for %d candidates with %s, seed %d, measure %s, workers: %d",
        space_name(type(space)),
        settings.candidates,
        strategy_name(settings.strategy),
        settings.seed,
        scorer.options.measure.name,
        len(crew),
    )
    try:
        with (
            shown_in_notebook("searching", on_progress) as shown,
            opened(path, about) as run_file,
        ):
            settings = replace(settings, candidates=run_file.settings["search"]["candidates"])
            driver = Driver(space, settings, run_file, crew, shown.on_progress)
            try:
                driver.run()
                ended = "exhausted" if driver.exhausted else "complete"
            except KeyboardInterrupt:
                ended = "interrupted"
            with ctrl_c_ignored():
                run_file.write_about(ended=ended)
            shown.result = result = replace(
                driver.result(),
                interrupted=ended == "interrupted",
                exhausted=ended == "exhausted",
                settings=run_file.settings,
                sessions=run_file.sessions,
            )
        _log.info(
            "the search is %s: %d candidates, %d scored",
            ended,
            len(result.candidates),
            sum(candidate.scored for candidate in result.candidates),
        )
        return result
    finally:
        crew.close()
        if costs.quiet is not None:
            costs.quiet.remove()


def _recommended_scorer(space: SearchSpace, seed: int) -> Scorer:
    return Scorer(
        space.inputs(data.DEFAULT_SAMPLES), measure=measures.recommended, init=OWN, seed=seed
    )


def evolve(
    space: SearchSpace,
    scorer: Scorer | None = None,
    *,
    population: int = 64,
    cycles: int = 200,
    tournament: int = 16,
    children: int = 5,
    crossover: float = 0.5,
    ageing: bool = False,
    seed: int = 0,
    mu: float | None = None,
    sigma: float | None = None,
    max_params: float | None = None,
    workers: Workers = None,
    history: str | Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    report: Callable[[Progress], None] | None = None,
) -> SearchResult:
    """SWAP-NAS (Peng et al., ICLR 2024, arXiv 2403.04161, algorithm 1), exactly as published: each cycle starts from
    the population that the previous cycle left.

    Arguments as for `Evolution`, `SearchSettings` and `search`, which has more of them. With ``workers``, at
    most ``children`` networks are scored at a time; `search` with a larger ``ahead`` keeps more workers busy.

    Equivalent to (in a space so large that no architecture comes up twice)::

        population = sorted((score(space.sample(rng)) for _ in range(P)))
        for _ in range(cycles):
            first, second = best_two(rng.sample(population, k))
            parent = space.crossover(first, second, rng) if rng.random() < crossover else first
            population.append(max(score(space.mutate(parent, rng)) for _ in range(children)))
            population.remove(min(population))
        return max(population)
    """
    on_progress = renamed(on_progress, report, to="on_progress", was="report")
    settings = SearchSettings(
        candidates=population + cycles * children,
        strategy="ageing" if ageing else "evolution",
        population=population,
        tournament=tournament,
        children=children,
        crossover=crossover,
        cycles=cycles,
        ahead=1,
        seed=seed,
        mu=mu,
        sigma=sigma,
        max_params=max_params,
    )
    return search(
        space, scorer, settings, workers=workers, history=history, on_progress=on_progress
    )


def calibrate(
    space: SearchSpace,
    scorer: Scorer,
    *,
    samples: int = 200,
    target_params: float | None = None,
    seed: int = 0,
    workers: Workers = None,
    device: str = "cpu",
    on_progress: Callable[[Progress], None] | None = None,
    report: Callable[[Progress], None] | None = None,
) -> tuple[Control, SearchResult]:
    """Finds mu and sigma without labels, from a random sample of the space. Returns them and the sample.

    By default they are for ranking. With ``target_params`` they are for a search for models of that size: see
    `size_control`. Other arguments and errors as for `search`. Ctrl-C raises KeyboardInterrupt.
    """
    on_progress = renamed(on_progress, report, to="on_progress", was="report")
    if target_params is not None:
        size_control.check_target(target_params)
    settings = SearchSettings(candidates=samples, strategy="random", seed=seed)
    result = search(
        space, scorer, settings, workers=workers, device=device, on_progress=on_progress
    )
    if result.interrupted:
        raise KeyboardInterrupt
    rows = result.ranked()
    log_scores = [row.log_score for row in rows]
    heavy_tails = any(row.candidate.has_heavy_tails for row in rows)
    parameters = [row.parameters for row in rows]
    if target_params is None:
        control = size_control.for_ranking(log_scores, parameters, heavy_tails=heavy_tails)
    else:
        control = size_control.for_target(
            target_params, log_scores, parameters, heavy_tails=heavy_tails
        )
    _log.info("calibrated with %d scores: %s", len(rows), control)
    return control, result
