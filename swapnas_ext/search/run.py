"""Searches from Python: `search`, and `evolve` for SWAP-NAS."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from swapnas_ext.description import describe_scorer, describe_space
from swapnas_ext.scoring import Scorer
from swapnas_ext.search import size_control
from swapnas_ext.search.driver import Driver, Progress
from swapnas_ext.search.evaluation import Evaluator
from swapnas_ext.search.history import History, is_taken
from swapnas_ext.search.ray_workers import RayCluster, ray_workers
from swapnas_ext.search.result import SearchResult
from swapnas_ext.search.settings import SearchSettings
from swapnas_ext.search.size_control import Control
from swapnas_ext.search.workers import (
    Crew,
    ExecutorWorker,
    LocalProcess,
    ThisProcess,
    Worker,
)
from swapnas_ext.spaces import SearchSpace

Workers = int | Executor | RayCluster | None


def search(
    space: SearchSpace,
    scorer: Scorer,
    settings: SearchSettings,
    *,
    workers: Workers = None,
    history: str | Path | None = None,
    device: str = "cpu",
    report: Callable[[Progress], None] | None = None,
    command: dict[str, Any] | None = None,
) -> SearchResult:
    """Searches ``space`` for architectures with high scores.

    The result is the same for one seed, whoever scores. Ctrl-C ends it with what was found so far.

    Args:
        space, scorer, settings: what to search, and how.
        workers: who scores: None for this process; a number of local processes, one thread each; an
            executor of processes (or threads, which take turns), which is left open; or a `RayCluster`.
        history: the run file, where everything is recorded. Where it exists, the run goes on from there.
        device: where the networks run.
        report: is called with the `Progress` after every few candidates.
        command: noted in a new run file, for who made it.

    Raises:
        ValueError: settings that don't go together, or are not those of ``history``; no candidate within
            the limits.
        HistoryError: a run file that can't be used.
        RuntimeError: workers that can't work, or no candidate that could be scored.
    """
    if scorer.mu is not None:
        raise ValueError(
            "a search regularises scores itself, by the size of the final networks: give mu and sigma to "
            "its settings, not to the scorer"
        )
    torch.empty(0, device=device)  # raises where there is no such device
    evaluator = Evaluator(space, scorer, device, settings.max_flops, settings.max_latency)
    about = {
        "space": describe_space(space),
        "scorer": describe_scorer(scorer),
        "search": {**asdict(settings), "target_params": list(settings.target_params)},
        "device": device,
        "command": command,
    }
    path = None if history is None else Path(history)
    crew = Crew(_workers(evaluator, workers))
    try:
        with _opened(path, about) as record:
            driver = Driver(space, settings, record, crew, report)
            try:
                driver.run()
                ended = "exhausted" if driver.exhausted else "complete"
            except KeyboardInterrupt:
                ended = "interrupted"
            record.write_about(ended=ended)
            return replace(
                driver.result(),
                interrupted=ended == "interrupted",
                exhausted=ended == "exhausted",
            )
    finally:
        crew.close()


def evolve(
    space: SearchSpace,
    scorer: Scorer,
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
    report: Callable[[Progress], None] | None = None,
) -> SearchResult:
    """SWAP-NAS (Peng et al., ICLR 2024, arXiv 2403.04161, algorithm 1), to the letter: each cycle sees the
    population that the one before it left.

    Arguments as for `Evolution`, `SearchSettings` and `search`, which has more of them. With ``workers``, at
    most ``children`` networks are scored at a time; `SearchSettings` with ``ahead`` keeps more busy.

    Equivalent to (with a space of unlimited size, where no architecture comes up twice)::

        population = sorted((score(space.sample(rng)) for _ in range(P)))
        for _ in range(cycles):
            first, second = best_two(rng.sample(population, k))
            parent = space.crossover(first, second, rng) if rng.random() < crossover else first
            population.append(max(score(space.mutate(parent, rng)) for _ in range(children)))
            population.remove(min(population))
        return max(population)
    """
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
    return search(space, scorer, settings, workers=workers, history=history, report=report)


def calibrate(
    space: SearchSpace,
    scorer: Scorer,
    *,
    samples: int = 200,
    target_params: float | None = None,
    seed: int = 0,
    workers: Workers = None,
    report: Callable[[Progress], None] | None = None,
) -> tuple[Control, SearchResult]:
    """mu and sigma without labels, from a random sample of the space, which comes along.

    For ranking, or, with ``target_params``, for a search that is to find models of that size: see
    `size_control`. Other arguments and errors as for `search`.
    """
    settings = SearchSettings(candidates=samples, strategy="random", seed=seed)
    result = search(space, scorer, settings, workers=workers, report=report)
    rows = result.ranked()
    log_patterns = [row.log_score for row in rows]
    parameters = [row.parameters for row in rows]
    if target_params is None:
        return size_control.for_ranking(log_patterns, parameters), result
    return size_control.for_target(target_params, log_patterns, parameters), result


def _workers(evaluator: Evaluator, workers: Workers) -> Sequence[Worker]:
    if workers is None:
        return [ThisProcess(evaluator)]
    if isinstance(workers, Executor):
        return [ExecutorWorker(evaluator, workers)]
    if isinstance(workers, RayCluster):
        return ray_workers(evaluator, workers)
    if isinstance(workers, bool) or not isinstance(workers, int):
        raise TypeError(f"workers must be a number, an executor or a RayCluster, got {workers!r}")
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    try:
        pickle.dumps(evaluator)
    except Exception as error:  # whatever the space and the scorer bring
        raise TypeError(
            f"the space and the scorer have to travel to worker processes, and can't: {error}; make them of "
            "classes and functions of a module, or score in this process"
        ) from error
    return [LocalProcess(evaluator) for _ in range(workers)]


@contextmanager
def _opened(path: Path | None, about: dict[str, Any]) -> Iterator[History]:
    """A new run, or the one at the path. A new one that fails before anything is scored leaves no file."""
    if path is not None and is_taken(path):
        with History.resume(path) as history:
            made_with = history.settings
            _check_same(made_with, about, path)
            history.write_about(settings={**made_with, "search": about["search"]}, ended="")
            yield history
        return
    history = History.create(path, about)
    try:
        yield history
    except BaseException:
        history.close(discard=not any(candidate.scored for candidate in history.candidates()))
        raise
    history.close()


def _can_grow(made_with: dict[str, Any]) -> bool:
    """Whether a run with more candidates begins as this one did. The searches of a family share them out."""
    targets, calibration = len(made_with["target_params"]), made_with["calibration"]
    return targets == 0 or (targets == 1 and made_with["candidates"] > calibration)


def _check_same(made_with: dict[str, Any], wanted: dict[str, Any], path: Path) -> None:
    """Raises ValueError where a run was made with other settings; it may only get more candidates."""
    wanted = json.loads(json.dumps(wanted))
    for part in ("space", "scorer", "search", "device"):
        before, now = made_with.get(part), wanted[part]
        if not isinstance(before, dict) or not isinstance(now, dict):
            before, now = {part: before}, {part: now}
        for name in sorted({*before, *now}):
            if before.get(name) == now.get(name):
                continue
            if name == "candidates" and before[name] < now[name] and _can_grow(before):
                continue
            raise ValueError(
                f"{path} was made with {name}={before.get(name)}, not {now.get(name)}; choose another run "
                "file, or the same settings to continue it"
            )
