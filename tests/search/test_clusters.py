"""Searches on Dask and on jobs of submitit: the same results as local ones, also of a run that goes from one kind of
workers to the next."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.searches import SMALL, MadeUpWorker, essence, small_scorer, small_space

from swapnas_ext.search import (
    DaskCluster,
    Evaluator,
    Outcome,
    SearchSettings,
    SlurmCluster,
    Worker,
    search,
)
from swapnas_ext.search.workers import Chunk, Crew, hire
from swapnas_ext.testing import check_worker

SETTINGS = SearchSettings(candidates=40, seed=1, **SMALL)


@pytest.fixture(scope="module")
def expected() -> list[tuple[Any, ...]]:
    return essence(search(small_space(), small_scorer(), SETTINGS).candidates)


# ---- workers that are not there yet -----------------------------------------------------------------


class Queued(MadeUpWorker):
    """Waits in a queue, until it is let in."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: Future[list[Outcome]] = Future()
        self.checks = 0

    def submit(self, architectures: Any) -> Future[list[Outcome]]:
        return super().submit(architectures) if architectures else self.waiting

    def check(self) -> None:
        self.checks += 1


def test_a_worker_that_waits_holds_nothing() -> None:
    queued, other = Queued(), MadeUpWorker()
    crew = Crew([queued, other])
    chunk = Chunk([f"a{k}" for k in range(12)])
    crew.submit(chunk, 1)
    while not chunk.done:
        crew.collect()
    assert queued.seen == []
    assert sorted(other.seen) == sorted(chunk.architectures)
    queued.waiting.set_result([])
    second = Chunk([f"b{k}" for k in range(12)])
    crew.submit(second, 1)
    while not second.done:
        crew.collect()
    assert queued.seen


def test_all_workers_wait() -> None:
    queued = Queued()
    crew = Crew([queued])
    chunk = Chunk(["a", "b"])
    crew.submit(chunk, 1)
    threading.Timer(1.2, queued.waiting.set_result, [[]]).start()
    while not chunk.done:
        crew.collect()
    assert queued.seen == ["a", "b"]
    assert queued.checks >= 1


def test_what_a_check_raises_ends_the_search() -> None:
    class Lost(Queued):
        def check(self) -> None:
            raise ConnectionError("the cluster is gone")

    crew = Crew([Lost()])
    crew.submit(Chunk(["a"]), 1)
    with pytest.raises(ConnectionError, match="the cluster is gone"):
        crew.collect()


# ---- Dask -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dask_address() -> Iterator[str]:
    distributed = pytest.importorskip(
        "distributed", reason="needs Dask: pip install 'swapnas-ext[dask]'"
    )
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with distributed.LocalCluster(**options) as cluster:
        yield cluster.scheduler_address


@pytest.mark.slow
@pytest.mark.parametrize("count", ["", "1@"])
def test_dask_at_an_address(dask_address: str, count: str, expected: list[Any]) -> None:
    found = search(small_space(), small_scorer(), SETTINGS, workers=f"dask:{count}{dask_address}")
    assert essence(found.candidates) == expected


@pytest.mark.slow
def test_a_worker_of_dask_keeps_the_contract(dask_address: str) -> None:
    def first(evaluator: Evaluator) -> Worker:
        return hire(evaluator, DaskCluster(address=dask_address))[0]

    check_worker(first)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="is about a search's machine without a GPU")
def test_only_the_workers_need_a_gpu(dask_address: str) -> None:
    with pytest.raises(RuntimeError, match=r"none of 40 .*CUDA"):  # as they say
        search(
            small_space(),
            small_scorer(),
            SETTINGS,
            workers=f"dask:{dask_address}",
            device="cuda",
        )
    with pytest.raises((RuntimeError, AssertionError), match="CUDA"):  # before it starts
        search(small_space(), small_scorer(), SETTINGS, workers=2, device="cuda")


@pytest.mark.slow
def test_a_worker_of_a_new_dask_cluster_revives() -> None:
    pytest.importorskip("distributed", reason="needs Dask: pip install 'swapnas-ext[dask]'")
    check_worker(lambda evaluator: hire(evaluator, "dask:1")[0], revives=True)


def test_a_scheduler_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip(
        "distributed", reason="needs Dask: pip install 'swapnas-ext[dask]'"
    )
    with distributed.LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as cluster:
        workers = DaskCluster(address=cluster.scheduler_address, patience=0.3)
        with pytest.raises(ConnectionError, match=r"no worker is connected to .* after 0.3 s"):
            search(small_space(), small_scorer(), SETTINGS, workers=workers)


# ---- submitit ---------------------------------------------------------------------------------------


@pytest.fixture
def submitit() -> None:
    for name in ("submitit", "distributed", "cryptography"):
        pytest.importorskip(name, reason="needs submitit: pip install 'swapnas-ext[slurm]'")


@pytest.mark.slow
def test_a_job_with_several_workers(submitit: None, expected: list[Any], tmp_path: Path) -> None:
    workers = SlurmCluster(1, {"tasks_per_node": 2}, tmp_path / "jobs", cluster="local")
    seen: set[int] = set()
    found = search(
        small_space(),
        small_scorer(),
        SETTINGS,
        workers=workers,
        on_progress=lambda progress: seen.update(child_tasks(tmp_path / "jobs")),
    )
    assert essence(found.candidates) == expected
    assert len(seen) == 2


def child_tasks(folder: Path) -> list[int]:
    """The tasks whose logs there are."""
    return [int(path.name.split("_")[1]) for path in folder.glob("*_log.out")]


@pytest.mark.slow
def test_jobs_that_end_before_they_work(
    submitit: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from swapnas_ext.search.workers import slurm_jobs

    monkeypatch.setattr(slurm_jobs, "SlurmJob", Failing)
    workers = SlurmCluster(1, folder=tmp_path / "jobs", cluster="local")
    with pytest.raises(
        RuntimeError,
        match=r"2 jobs have ended before they could work; one is .*ends: ModuleNotFoundError",
    ):
        search(small_space(), small_scorer(), SETTINGS, workers=workers)


class Failing:
    """A job from a module that the node does not have."""

    def __init__(self, *_: Any) -> None: ...

    def __call__(self) -> None: ...


# ---- from one to the next ---------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_goes_on_with_other_workers(
    dask_address: str, submitit: None, expected: list[Any], tmp_path: Path
) -> None:
    ray = pytest.importorskip("ray", reason="needs Ray: pip install 'swapnas-ext[ray]'")
    path = tmp_path / "run.db"
    stages: list[tuple[Any, int]] = [
        ("ray:1", 10),
        (1, 18),
        (f"dask:{dask_address}", 28),
        (SlurmCluster(1, folder=tmp_path / "jobs", cluster="local"), 34),
        (None, 40),
    ]
    try:
        for workers, candidates in stages:
            settings = replace(SETTINGS, candidates=candidates)
            found = search(small_space(), small_scorer(), settings, workers=workers, history=path)
            assert len(found.candidates) == candidates
    finally:
        ray.shutdown()
    assert essence(found.candidates) == expected
