"""What a run starts with: its workers, and its run file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from swapnas_ext.search.evaluation import Evaluator
from swapnas_ext.search.run_file import RunFile, is_taken
from swapnas_ext.search.workers.crew import ExecutorWorker, LocalProcess, ThisProcess, Worker
from swapnas_ext.search.workers.ray_cluster import RayCluster, ray_workers
from swapnas_ext.search.workers.travel import Portable, check_main_script

_FIRST = ("name", "strategy", "measure")
Workers = int | Executor | RayCluster | None


def hire(evaluator: Evaluator, workers: Workers) -> Sequence[Worker]:
    """Those that `search` is given.

    Raises:
        TypeError, ValueError: there are no such workers, or what they need can't travel to them.
        RuntimeError: worker processes can't start from the main script.
    """
    if workers is None:
        return [ThisProcess(evaluator)]
    if isinstance(workers, Executor):
        return [ExecutorWorker(Portable(evaluator), workers)]
    if isinstance(workers, RayCluster):
        return ray_workers(evaluator, workers)
    if isinstance(workers, bool) or not isinstance(workers, int):
        raise TypeError(f"workers must be a number, an executor or a RayCluster, got {workers!r}")
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    check_main_script()
    content = Portable(evaluator).content
    return [LocalProcess(content) for _ in range(workers)]


@contextmanager
def opened(path: Path | None, about: dict[str, Any]) -> Iterator[RunFile]:
    """A new run, or the one at the path, which may be given more candidates, or fewer, and the new place of the
    same images. A new one that fails before anything is scored leaves no file."""
    if path is not None and is_taken(path):
        with RunFile.resume(path) as history:
            made_with = history.settings
            search = _not_below_begun(about["search"], history)
            _check_same(made_with, {**about, "search": search}, path)
            command = about["command"] or made_with.get("command")
            history.write_about(
                settings={**made_with, "search": search, "command": command}, ended=""
            )
            yield history
        return
    history = RunFile.create(path, about)
    try:
        yield history
    except BaseException:
        history.close(discard=not any(candidate.scored for candidate in history.candidates()))
        raise
    history.close()


def _not_below_begun(search: dict[str, Any], history: RunFile) -> dict[str, Any]:
    """The settings of a search with as many candidates at least as a run has begun with: these are not undone."""
    if "candidates" not in search:
        return search
    begun = max((candidate.number for candidate in history.candidates()), default=-1) + 1
    return {**search, "candidates": max(search["candidates"], begun)}


def _begin_alike(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether runs that differ in their number of candidates begin with the same ones. The searches of a family
    share them out."""
    targets, calibration = len(first["target_params"]), first["calibration"]
    fewer = min(first["candidates"], second["candidates"])
    return targets == 0 or (targets == 1 and fewer > calibration)


def _check_same(made_with: dict[str, Any], wanted: dict[str, Any], path: Path) -> None:
    """Raises ValueError where a run was made with other settings; only its number of candidates may change."""
    wanted = json.loads(json.dumps(wanted))
    for part in ("space", "scorer", "search", "device"):
        before, now = made_with.get(part), wanted[part]
        if not isinstance(before, dict) or not isinstance(now, dict):
            before, now = {part: before}, {part: now}
        # What users choose by its name comes before what follows from it, and digests.
        names = sorted(
            before.keys() | now.keys(), key=lambda n: (n not in _FIRST, n == "inputs", n)
        )
        for name in names:
            if before.get(name) == now.get(name):
                continue
            if name == "candidates" and _begin_alike(before, now):
                continue
            if part == "space" and name == "name":
                raise ValueError(
                    f"{path} is a run of the space {before.get(name)}, not of {now.get(name)}; choose another "
                    "run file"
                )
            if name == "inputs":
                raise ValueError(
                    f"{path} was made with other images (or other inputs) than these: go on with the same, or "
                    "choose another run file"
                )
            raise ValueError(
                f"{path} was made with {name}={before.get(name)}, not {now.get(name)}; choose another run "
                "file, or the same settings to continue it"
            )
