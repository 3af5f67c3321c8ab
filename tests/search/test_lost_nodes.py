"""Clusters that lose nodes while a search runs: the rest goes on, and the result is that of local workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.searches import SMALL, essence, small_scorer, small_space

from swapnas_ext.search import (
    DaskCluster,
    Progress,
    RayCluster,
    RunFile,
    SearchSettings,
    SlurmCluster,
    search,
)

pytestmark = pytest.mark.slow
SETTINGS = SearchSettings(candidates=90, seed=1, **SMALL)


@pytest.fixture(scope="module")
def expected() -> list[tuple[Any, ...]]:
    return essence(search(small_space(), small_scorer(), SETTINGS).candidates)


class Once:
    """Does something when a number of candidates are scored."""

    def __init__(self, done: int, act: Callable[[], None]) -> None:
        self._done = done
        self._act = act
        self.acted = False

    def __call__(self, progress: Progress) -> None:
        if progress.done >= self._done and not self.acted:
            self.acted = True
            self._act()


def run(
    workers: Any,
    act: Callable[[], None],
    history: Path | None = None,
    then: Callable[[Progress], None] = lambda progress: None,
) -> Any:
    once = Once(20, act)
    try:
        found = search(
            small_space(),
            small_scorer(),
            SETTINGS,
            workers=workers,
            history=history,
            on_progress=lambda progress: (once(progress), then(progress)),
        )
    finally:
        assert once.acted
    return essence(found.candidates)


def check_resumes(path: Path, expected: list[tuple[Any, ...]]) -> None:
    """A run that lost its workers has scores, and goes on in this process."""
    with RunFile.read(path) as run_file:
        assert 20 <= len(run_file.candidates()) < SETTINGS.candidates
    found = search(small_space(), small_scorer(), SETTINGS, history=path)
    assert essence(found.candidates) == expected


# ---- Dask -------------------------------------------------------------------------------------------


@pytest.fixture
def dask_nodes() -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler, and two workers without anything that would start them anew."""
    distributed = pytest.importorskip(
        "distributed", reason="needs Dask: pip install 'swapnas-ext[dask]'"
    )
    with distributed.LocalCluster(n_workers=0, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny"]
        command += ["--nthreads", "1", "--no-dashboard"]
        nodes = [
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(2)
        ]
        try:
            while len(cluster.scheduler.workers) < 2:
                time.sleep(0.1)
            yield address, nodes
        finally:
            for node in nodes:
                node.kill()
                node.wait()


def test_dask_loses_a_node_and_then_all(
    dask_nodes: tuple[str, list[subprocess.Popen[bytes]]],
    expected: list[tuple[Any, ...]],
    tmp_path: Path,
) -> None:
    address, (first, second) = dask_nodes
    assert run(DaskCluster(address=address), first.kill) == expected
    path = tmp_path / "run.db"
    with pytest.raises(ConnectionError, match=r"for 3 s, no worker is connected .* can be resumed"):
        run(DaskCluster(address=address, patience=3), second.kill, path)
    check_resumes(path, expected)


def test_dask_loses_its_scheduler(expected: list[tuple[Any, ...]], tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="needs Dask: pip install 'swapnas-ext[dask]'")
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1"]
    file = tmp_path / "scheduler.json"
    command += ["--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    scheduler = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    command = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-nanny", "--nthreads", "1"]
    command += ["--scheduler-file", str(file), "--death-timeout", "5"]
    worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not file.exists():
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        path = tmp_path / "run.db"
        with pytest.raises(ConnectionError, match=r"the Dask scheduler at .* is lost; a run file"):
            run(DaskCluster(address=address), scheduler.kill, path)
        check_resumes(path, expected)
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()


# ---- Ray --------------------------------------------------------------------------------------------


@pytest.fixture
def ray_nodes() -> Iterator[Any]:
    pytest.importorskip("ray", reason="needs Ray: pip install 'swapnas-ext[ray]'")
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def test_ray_loses_a_node_and_then_all(
    ray_nodes: Any, expected: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    nodes = [ray_nodes.add_node(num_cpus=1) for _ in range(2)]
    ray_nodes.wait_for_nodes()
    workers = RayCluster(2, ray_nodes.address)

    def lose(node: Any) -> None:
        ray_nodes.remove_node(node, allow_graceful=False)
        time.sleep(3)  # its processes live on until they notice

    assert run(workers, lambda: lose(nodes[0])) == expected
    path = tmp_path / "run.db"
    with pytest.raises(ConnectionError, match=r"for 30 s, Ray has had no worker.* can be resumed"):
        run(
            replace(workers, workers=1, patience=30),
            lambda: lose(nodes[1]),
            path,
        )
    check_resumes(path, expected)


# ---- Slurm, by submitit's local executor ------------------------------------------------------------


@pytest.fixture
def slurm() -> None:
    for name in ("submitit", "distributed", "cryptography"):
        pytest.importorskip(name, reason="needs submitit: pip install 'swapnas-ext[slurm]'")


def descendants(pid: int) -> list[Any]:
    import psutil

    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def jobs_of(folder: Path) -> list[int]:
    """The processes of submitit's local jobs that have not ended."""
    numbers = {int(path.name.split("_")[0]) for path in folder.glob("*_submitted.pkl")}
    return sorted(number for number in numbers if Path(f"/proc/{number}").exists())


def kill_job(folder: Path) -> int:
    (job,) = jobs_of(folder)
    for process in reversed(descendants(job)):
        process.send_signal(signal.SIGKILL)
    return job


def test_a_lost_job_is_submitted_again_a_number_of_times(
    slurm: None, expected: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    folder, path = tmp_path / "jobs", tmp_path / "run.db"
    workers = SlurmCluster(1, cluster="local", folder=folder, resubmissions=1)
    killed: list[int] = []

    def kill() -> None:
        killed.append(kill_job(folder))
        assert folder.stat().st_mode & 0o077 == 0

    again = Once(50, kill)
    with pytest.raises(RuntimeError, match=r"all 1 jobs have ended, .*its log, .*can be resumed"):
        run(workers, kill, path, then=again)
    assert again.acted
    assert len(set(killed)) == 2
    assert not list(folder.glob("*_submitted.pkl"))  # they had the key
    check_resumes(path, expected)


SCRIPT = """
import signal, sys
sys.path += sys.argv[2:]
from support.searches import SMALL, small_scorer, small_space
from swapnas_ext.search import SearchSettings, SlurmCluster, search

signal.signal(signal.SIGINT, signal.default_int_handler)  # where the tests ignore it

def show(progress):
    print("scored", flush=True)

settings = SearchSettings(candidates=100_000, seed=1, **SMALL)
workers = "dask:1" if sys.argv[1] == "dask" else SlurmCluster(1, cluster="local", folder=sys.argv[1])
found = search(small_space(), small_scorer(), settings, workers=workers, on_progress=show)
print("interrupted:", found.interrupted)
"""


@contextmanager
def searching(workers: str) -> Iterator[subprocess.Popen[str]]:
    """The process of a search that has scored something, and would go on for long."""
    command = [sys.executable, "-c", SCRIPT, workers, *filter(None, sys.path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, text=True, start_new_session=True, **pipes)
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "scored\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("workers", ["dask", "slurm"])
def test_ctrl_c(slurm: None, workers: str, tmp_path: Path) -> None:
    """Which a terminal sends to all processes of the search."""
    with searching("dask" if workers == "dask" else str(tmp_path / "jobs")) as process:
        others = descendants(process.pid)[1:]
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert output.endswith("interrupted: True\n"), errors
    assert errors == ""
    check_end(others)


def test_jobs_end_with_a_search_that_is_killed(slurm: None, tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    with searching(str(folder)) as process:
        of_job = descendants(jobs_of(folder)[0])
        assert len(of_job) >= 3
        os.kill(process.pid, signal.SIGKILL)
    check_end(of_job)


def check_end(processes: list[Any]) -> None:
    with limited(60):
        while any(is_alive(one) for one in processes):
            time.sleep(0.2)


def is_alive(process: Any) -> bool:
    import psutil

    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Fails if the block takes longer."""

    def fail(*_: Any) -> None:
        raise AssertionError(f"not within {seconds} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
