"""Who scores: workers that die, executors, Ray, and workers of one's own."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.searches import SMALL, MadeUpWorker, drive, essence, small_scorer, small_space
from torch import nn

from swapnas_ext.search import (
    Evaluator,
    Outcome,
    RayCluster,
    RunFile,
    SearchSettings,
    register_workers,
    search,
)
from swapnas_ext.search.workers import (
    Chunk,
    Crew,
    LocalProcess,
    Portable,
    ThisProcess,
    as_future,
    first_ended,
)
from swapnas_ext.spaces.nasbench201 import NASBench201

SETTINGS = SearchSettings(candidates=40, seed=1, **SMALL)


class Deadly(NASBench201):
    """Networks that kill, or fail, where they are built."""

    def __init__(self, deadly: Sequence[str] = (), failing: Sequence[str] = ()) -> None:
        super().__init__(channels=2, cells=1)
        self.deadly = frozenset(deadly)
        self.failing = frozenset(failing)

    def _build(self, architecture: str) -> nn.Module:
        if architecture in self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        if architecture in self.failing:
            raise ValueError("not this one")
        return super()._build(architecture)


class Survived(Deadly):
    """Kills where there is a process that holds all the files of the killed one, and writes one when it ends."""

    def __init__(self, deadly: Sequence[str], folder: Path) -> None:
        super().__init__(deadly)
        self.folder = folder

    def _build(self, architecture: str) -> nn.Module:
        if architecture in self.deadly and os.fork() == 0:
            (self.folder / f"{os.getpid()}.pid").touch()
            time.sleep(60)
            (self.folder / "ended").touch()
            os._exit(0)
        return super()._build(architecture)


class Talkative(NASBench201):
    """Networks that print where they are built."""

    def _build(self, architecture: str) -> nn.Module:
        print("building", flush=True)
        return super()._build(architecture)


def test_what_models_print_in_processes_is_no_result(capfd: pytest.CaptureFixture[str]) -> None:
    space = Talkative(channels=2, cells=1)
    search(space, small_scorer(), replace(SETTINGS, candidates=20), workers=1)
    told = capfd.readouterr()
    assert told.out == "" and "building" in told.err


@pytest.fixture(scope="module")
def tried() -> list[str]:
    found = search(small_space(), small_scorer(), SETTINGS)
    return [candidate.architecture for candidate in found.candidates]


@pytest.mark.slow
def test_a_dead_worker_costs_its_candidate_only(tried: list[str], tmp_path: Path) -> None:
    # Founders, so that they are tried whatever becomes of the others.
    space = Deadly(deadly=[tried[2], tried[7]], failing=[tried[4]])
    path = tmp_path / "run.db"
    found = search(space, small_scorer(), SETTINGS, workers=2, history=path)
    assert len(found.candidates) == 40
    errors = {c.architecture: c.outcome.error for c in found.failed if c.outcome is not None}
    assert {tried[2], tried[7], tried[4]} == errors.keys()
    assert "its worker died" in (errors[tried[2]] or "")
    assert errors[tried[4]] == "ValueError: not this one"
    with RunFile.read(path) as run_file:
        assert essence(run_file.candidates()) == essence(found.candidates)
    again = search(space, small_scorer(), SETTINGS, workers=1, history=path)
    assert essence(again.candidates) == essence(found.candidates)


def test_workers_that_never_come_up() -> None:
    class Dead(MadeUpWorker):
        def submit(self, architectures: Sequence[str]) -> Future[list[Outcome]]:
            future: Future[list[Outcome]] = Future()
            future.set_exception(BrokenExecutor("gone"))
            return future

        def revive(self, error: BaseException) -> bool:
            return isinstance(error, BrokenExecutor)

    with pytest.raises(
        RuntimeError, match=r"workers die before they can work, 2 in a row \(gone\)"
    ):
        drive(SETTINGS, [Dead(), Dead()])


def test_workers_that_everything_kills() -> None:
    names = frozenset(f"a{k}" for k in range(9))
    workers = [Fragile(names), Fragile(names)]
    crew = Crew(workers)
    crew.submit(Chunk(sorted(names)), 1)
    with pytest.raises(RuntimeError, match=r"5 workers died while they scored .* \(killed\)"):
        while True:
            for worker in workers:
                worker._work()
            crew.collect()


@pytest.mark.slow
def test_workers_that_die_while_idle_blame_no_architecture(tried: list[str]) -> None:
    content = Portable(Evaluator(small_space(), small_scorer())).content
    workers = [LocalProcess(content) for _ in range(2)]
    crew = Crew(workers)
    try:
        first, second = Chunk(tried[:8]), Chunk(tried[8:20])
        crew.submit(first, 2)
        while not first.done:
            crew.collect()
        processes = [worker._process.process for worker in workers]
        for process in processes:
            process.kill()
        for process in processes:
            process.join()
        crew.submit(second, 2)
        while not second.done:
            crew.collect()
    finally:
        crew.close()
    outcomes = [*first.outcomes, *second.outcomes]
    assert [outcome.error for outcome in outcomes if outcome is not None] == [None] * 20


@pytest.mark.slow
def test_what_a_dead_worker_started_holds_nobody_up(tried: list[str], tmp_path: Path) -> None:
    crew = Crew(
        [LocalProcess(Portable(Evaluator(Survived(tried[1:2], tmp_path), small_scorer())).content)]
    )
    chunk = Chunk(tried[:4])
    try:
        crew.submit(chunk, 2)
        while not chunk.done:
            crew.collect()
        assert not (tmp_path / "ended").exists()
    finally:
        crew.close()
        for path in tmp_path.glob("*.pid"):
            os.kill(int(path.stem), signal.SIGKILL)
    errors = [outcome.error for outcome in chunk.outcomes if outcome is not None]
    assert [error is None for error in errors] == [True, False, True, True]


@pytest.mark.slow
def test_a_worker_that_died_before_it_had_any_work_does_not_answer() -> None:
    worker = LocalProcess(Portable(Evaluator(small_space(), small_scorer())).content)
    try:
        assert worker.submit([]).result(timeout=60) == []
        process = worker._process.process
        process.kill()
        process.join()
        with pytest.raises(BrokenExecutor):
            worker.submit([]).result(timeout=60)
    finally:
        worker.close()


@pytest.mark.slow
def test_what_does_not_arrive_in_a_worker_is_told() -> None:
    class HereOnly(NASBench201):
        def __setstate__(self, state: dict[str, Any]) -> None:
            if os.getpid() != state["home"]:
                raise LookupError("no such licence on this machine")
            self.__dict__.update(state)

    space = HereOnly(channels=2, cells=1)
    space.home = os.getpid()
    with pytest.raises(
        RuntimeError, match="not arrive in a worker process: LookupError: no such licence"
    ):
        search(space, small_scorer(), SETTINGS, workers=2)


class Fragile(MadeUpWorker):
    """Dies on some architectures, and takes with it whatever else it has."""

    depth = 3

    def __init__(self, deadly: frozenset[str]) -> None:
        super().__init__()
        self._deadly = deadly
        self._held: list[tuple[Future[list[Outcome]], Sequence[str]]] = []
        self.restarts = 0

    def submit(self, architectures: Sequence[str]) -> Future[list[Outcome]]:
        future: Future[list[Outcome]] = Future()
        self._held.append((future, architectures))
        if len(self._held) == self.depth or random.random() < 0.3 or len(architectures) == 1:
            self._work()
        return future

    def _work(self) -> None:
        while self._held:
            future, architectures = self._held.pop(0)
            if self._deadly.intersection(architectures):
                for lost, _ in [(future, architectures), *self._held]:
                    lost.set_exception(BrokenExecutor("killed"))
                self._held.clear()
                return
            future.set_result([self.outcome(architecture) for architecture in architectures])

    def revive(self, error: BaseException) -> bool:
        assert isinstance(error, BrokenExecutor)
        self.restarts += 1
        return True


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_the_crew_finds_out_who_kills(seed: int) -> None:
    random.seed(seed)
    names = [f"a{k}" for k in range(60)]
    deadly = frozenset(random.sample(names, 5))
    workers = [Fragile(deadly) for _ in range(3)]
    crew = Crew(workers)
    chunks = [Chunk(names[k : k + 5]) for k in range(0, 60, 5)]
    for chunk in chunks:
        crew.submit(chunk, random.choice([1, 2, 5]))
    told: list[str] = []
    while not all(chunk.done for chunk in chunks):
        for worker in workers:
            worker._work()
        told += [chunk.architectures[k] for chunk, places in crew.collect() for k in places]
    assert sorted(told) == sorted(names)
    for chunk in chunks:
        for name, outcome in zip(chunk.architectures, chunk.outcomes, strict=True):
            assert outcome is not None
            assert (outcome.error is not None) == (name in deadly)
    assert sum(worker.restarts for worker in workers) >= 5


def test_a_broken_executor_is_told(tried: list[str]) -> None:
    with ProcessPoolExecutor(1) as executor, pytest.raises(BrokenExecutor):
        search(Deadly(deadly=[tried[0]]), small_scorer(), SETTINGS, workers=executor)


@pytest.mark.slow
def test_threads_need_nothing_that_travels(tried: list[str]) -> None:
    space = small_space()
    space.lock = threading.Lock()  # type: ignore[attr-defined]
    with ThreadPoolExecutor(2) as executor:
        found = search(space, small_scorer(), SETTINGS, workers=executor)
    assert [candidate.architecture for candidate in found.candidates] == tried
    with ProcessPoolExecutor(1) as executor, pytest.raises(TypeError, match="have to travel to"):
        search(space, small_scorer(), SETTINGS, workers=executor)


@pytest.mark.slow
def test_the_first_architectures_may_kill(tried: list[str]) -> None:
    """Parts that wait behind them have not begun, and tell nothing of the workers."""
    space = Deadly(deadly=tried[:2])
    found = search(space, small_scorer(), SETTINGS, workers=2)
    assert {candidate.architecture for candidate in found.failed} == set(tried[:2])


@pytest.mark.slow
def test_an_executor_of_processes(tried: list[str]) -> None:
    with ProcessPoolExecutor(2) as executor:
        found = search(small_space(), small_scorer(), SETTINGS, workers=executor)
    assert [candidate.architecture for candidate in found.candidates] == tried


# ---- executors of other libraries, and workers of one's own --------------------------------------


NO_DASK = "needs Dask: pip install 'swapnas-ext[dask]'"


class Later:
    """A future of another library, with no more than it needs."""

    def __init__(self, future: Future[Any]) -> None:
        self._future = future
        self.result = future.result
        self.done = future.done


class Calling(Later):
    """One that tells when it is done."""

    def add_done_callback(self, call: Callable[[Any], None]) -> None:
        self._future.add_done_callback(lambda _: call(self))


class Foreign:
    """An executor of another library."""

    def __init__(self, kind: type[Later], threads: ThreadPoolExecutor) -> None:
        self._kind = kind
        self._threads = threads

    def submit(self, function: Callable[..., Any], *args: Any) -> Later:
        return self._kind(self._threads.submit(function, *args))


def test_a_result_that_is_lost_after_its_end_holds_nobody_up() -> None:
    """As of Dask, whose node dies before the result is fetched: ``result`` waits until it is computed again."""
    asked_by: list[threading.Thread] = []
    computed_again, asked = threading.Event(), threading.Event()

    class Lost:
        def done(self) -> bool:
            return True

        def result(self) -> int:
            asked_by.append(threading.current_thread())
            asked.set()
            assert computed_again.wait(60)
            return 3

        def add_done_callback(self, call: Callable[[Any], None]) -> None:
            threading.Thread(target=call, args=(self,)).start()

    future = as_future(Lost())
    assert asked.wait(60)
    assert first_ended([future], timeout=0) == set()
    computed_again.set()
    assert first_ended([future], timeout=60) == {future}
    assert future.result() == 3
    assert threading.main_thread() not in asked_by


@pytest.mark.parametrize("kind", [Later, Calling])
def test_executors_of_other_libraries(kind: type[Later], tried: list[str]) -> None:
    with ThreadPoolExecutor(2) as threads:
        executor: Any = Foreign(kind, threads)
        found = search(small_space(), small_scorer(), SETTINGS, workers=executor)
        assert [candidate.architecture for candidate in found.candidates] == tried

        def fail(architectures: Sequence[str]) -> None:
            raise LookupError("no such queue")

        executor.submit = lambda function, *args: kind(threads.submit(fail, *args))
        with pytest.raises(LookupError, match="no such queue"):
            search(small_space(), small_scorer(), SETTINGS, workers=executor)


def test_what_is_no_future_is_told() -> None:
    class Odd:
        def submit(self, function: Any, *args: Any) -> int:
            return 3

    with pytest.raises(TypeError, match="expected a future with result and done, got int"):
        search(small_space(), small_scorer(), SETTINGS, workers=Odd())  # type: ignore[arg-type]


@pytest.mark.slow
def test_dask(tried: list[str]) -> None:
    distributed = pytest.importorskip("distributed", reason=NO_DASK)
    with distributed.Client(n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        for workers in (client.get_executor(), client):
            found = search(small_space(), small_scorer(), SETTINGS, workers=workers)
            assert [candidate.architecture for candidate in found.candidates] == tried


@pytest.mark.slow
def test_the_example_with_dask() -> None:
    pytest.importorskip("distributed", reason=NO_DASK)
    example = Path(__file__).parents[2] / "examples/dask_search.py"
    done = subprocess.run([sys.executable, example], capture_output=True, text=True, timeout=300)
    assert done.stdout.startswith("60 networks were scored; the best:\n"), done.stderr


@pytest.mark.slow
def test_submitit(tmp_path: Path) -> None:
    submitit = pytest.importorskip("submitit", reason="needs submitit: pip install submitit")
    executor = submitit.AutoExecutor(tmp_path, cluster="local")
    executor.update_parameters(timeout_min=5)
    few = replace(SETTINGS, candidates=3, ahead=1)
    found = search(small_space(), small_scorer(), few, workers=executor)
    expected = search(small_space(), small_scorer(), few)
    assert essence(found.candidates) == essence(expected.candidates)


@pytest.mark.slow
def test_workers_of_ones_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def tried_by(workers: Any) -> list[str]:
        found = search(small_space(), small_scorer(), few, workers=workers)
        return [candidate.architecture for candidate in found.candidates]

    few = replace(SETTINGS, candidates=15)
    expected = tried_by(MadeUpWorker())
    assert tried_by([MadeUpWorker(), MadeUpWorker()]) == expected
    assert tried_by(lambda evaluator: MadeUpWorker()) == expected
    assert tried_by(lambda evaluator: [MadeUpWorker() for _ in range(3)]) == expected
    register_workers("made-up")(made_up_workers)
    assert tried_by("made-up") == expected
    assert tried_by(f"{__name__}:made_up_workers") == expected
    assert tried_by(lambda evaluator: ThisProcess(evaluator)) == tried_by(None)


def made_up_workers(evaluator: Evaluator) -> list[MadeUpWorker]:
    assert isinstance(evaluator, Evaluator)
    return [MadeUpWorker()]


@pytest.mark.parametrize(
    ("workers", "kind", "problem"),
    [
        (
            "all",
            ValueError,
            r"workers must be a number of .*KIND\[:COUNT\].*MODULE:NAME of your own, got 'all'",
        ),
        ("json:none", ValueError, "workers json:none: json has no 'none'"),
        ([], ValueError, "at least one"),
        ([MadeUpWorker(), 3], TypeError, "each of several workers needs depth, submit, revive"),
        (lambda evaluator: None, TypeError, "<lambda> makes no workers, but None"),
        (True, TypeError, "workers must be a number, a name, an executor"),
    ],
)
def test_no_workers(workers: Any, kind: type[Exception], problem: str) -> None:
    with pytest.raises(kind, match=problem):
        search(small_space(), small_scorer(), SETTINGS, workers=workers)


# ---- Ray -------------------------------------------------------------------------------------------


def test_no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"pip install 'swapnas-ext\[ray\]'"):
        search(small_space(), small_scorer(), SETTINGS, workers=RayCluster())


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "auto"])
def test_no_cluster_at_the_address(address: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises(ConnectionError, match=f"no Ray cluster answers at {address}"):
        search(small_space(), small_scorer(), SETTINGS, workers=RayCluster(address=address))


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    ray = pytest.importorskip("ray", reason="needs Ray: pip install 'swapnas-ext[ray]'")
    folders = [str(Path(__file__).parent)]  # for the classes of the tests
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join([*folders, *sys.path])}},
    )
    yield ray
    ray.shutdown()


@pytest.mark.slow
def test_ray_gives_the_same(ray: Any, tried: list[str]) -> None:
    found = search(small_space(), small_scorer(), SETTINGS, workers=RayCluster(2))
    expected = search(small_space(), small_scorer(), SETTINGS)
    assert essence(found.candidates) == essence(expected.candidates)


@pytest.mark.slow
def test_ray_survives_workers_that_die(ray: Any, tried: list[str]) -> None:
    space = Deadly(deadly=[tried[3]], failing=[tried[5]])
    found = search(space, small_scorer(), SETTINGS, workers=RayCluster(2))
    errors = {c.architecture: c.outcome.error for c in found.failed if c.outcome is not None}
    assert errors.keys() == {tried[3], tried[5]}
    assert "its worker died" in (errors[tried[3]] or "")
    assert len(found.candidates) == 40


@pytest.mark.slow
def test_more_ray_workers_than_there_is_room_for(ray: Any) -> None:
    with pytest.raises(ValueError, match="100 Ray workers take a CPU each; Ray has 2"):
        search(small_space(), small_scorer(), SETTINGS, workers=RayCluster(100))


@pytest.mark.slow
def test_another_address_than_that_of_this_process(ray: Any) -> None:
    with pytest.raises(ConnectionError, match=r"connected to Ray at .* already"):
        search(small_space(), small_scorer(), SETTINGS, workers=RayCluster(address="10.0.0.1:6379"))
