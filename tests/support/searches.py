"""Shared code of the search tests: a small space, and workers whose scores need no networks."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import swapnas_ext as swap
from swapnas_ext.search import Candidate, Outcome, RunFile, SearchSettings
from swapnas_ext.search.driver import Driver
from swapnas_ext.search.workers import Crew
from swapnas_ext.spaces import SearchSpace

OPTIONS: dict[str, Any] = {"channels": 2, "cells": 1}
SMALL = {"population": 12, "tournament": 4, "children": 3}


def small_space() -> SearchSpace:
    return swap.spaces.get("nasbench201", **OPTIONS)


def small_scorer(**options: Any) -> swap.Scorer:
    return swap.Scorer(swap.data.photograph(8, 16), init="gaussian", **options)


def made_up_score(architecture: str) -> float:
    """Convolutions are good; the rest is chance."""
    return 100.0 * architecture.count("conv") + zlib.crc32(architecture.encode()) % 100 + 1


class MadeUpWorker:
    """Scores without networks, and remembers the architectures."""

    depth = 2

    def __init__(self, failing: frozenset[str] = frozenset()) -> None:
        self.seen: list[str] = []
        self._failing = failing

    def submit(self, architectures: Sequence[str]) -> Future[list[Outcome]]:
        self.seen += architectures
        future: Future[list[Outcome]] = Future()
        future.set_result([self.outcome(architecture) for architecture in architectures])
        return future

    def outcome(self, architecture: str) -> Outcome:
        if architecture in self._failing:
            return Outcome(error="ValueError: it does not like this one")
        return Outcome.of_patterns(made_up_score(architecture), seconds=0.001)

    def revive(self, error: BaseException) -> bool:
        return False

    def close(self) -> None:
        pass


def drive(
    settings: SearchSettings,
    workers: Sequence[Any] | None = None,
    run_file: RunFile | None = None,
    space: SearchSpace | None = None,
    looking: Callable[[int], None] = lambda draws: None,
) -> Driver:
    """A finished search with made-up scores."""
    run_file = RunFile.create(None, {"search": {}}) if run_file is None else run_file
    crew = Crew([MadeUpWorker()] if workers is None else workers)
    space = small_space() if space is None else space
    driver = Driver(space, settings, run_file, crew, lambda progress: looking(progress.looking))
    driver.run()
    return driver


def essence(candidates: Sequence[Candidate]) -> list[tuple[Any, ...]]:
    """The part that every run of a seed must reproduce."""
    return [
        (c.number, c.phase, c.architecture, c.form, c.parents, c.parameters, c.patterns)
        for c in candidates
    ]
