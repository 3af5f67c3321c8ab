"""Who scores: this process, local processes, any executor. Hands out chunks of architectures, and
survives workers that die."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from dataclasses import dataclass, field
from typing import Any, Protocol

from swapnas_ext._util import ctrl_c_ignored, ctrl_c_later
from swapnas_ext.search.candidate import Outcome
from swapnas_ext.search.evaluation import Evaluator, error_text, prepare_process
from swapnas_ext.search.workers.travel import Portable, no_main_script_but_files, unpacked

_GIVE_UP_AFTER = 5  # deaths on architectures, where no worker has ever scored anything
_LISTEN_EVERY = 0.1  # seconds, to Ctrl-C
_NONE_STARTS = 2  # deaths before work, where no worker has ever answered
_NONE_STARTS_ANY_MORE = 20  # the same in a row, where one has


class Worker(Protocol):
    """One place where networks are scored."""

    depth: int
    """Parts of chunks that it holds at a time: one that it works on, and those that wait for it."""

    def submit(self, architectures: Sequence[str]) -> Future[list[Outcome]]: ...

    def revive(self, error: BaseException) -> bool:
        """Where this error of something submitted says that the worker died: starts it anew. False where
        it says something else."""

    def close(self) -> None: ...


@dataclass
class Chunk:
    """Architectures that are scored together, and what came of those that are done."""

    architectures: Sequence[str]
    outcomes: list[Outcome | None] = field(init=False)

    def __post_init__(self) -> None:
        self.outcomes = [None] * len(self.architectures)

    @property
    def done(self) -> bool:
        return all(outcome is not None for outcome in self.outcomes)


@dataclass(frozen=True)
class _Part:
    """Some architectures of a chunk: all, or, after a worker died on them, one."""

    chunk: Chunk
    places: range
    alone: bool = False

    def load(self, depth: int) -> int:
        """Of a worker that holds so many; one with a part alone is full until that is done."""
        return depth if self.alone else 1

    @property
    def architectures(self) -> Sequence[str]:
        return [self.chunk.architectures[place] for place in self.places]


@dataclass(frozen=True)
class _Work:
    """A part that a worker has. Where it is to be told whether the worker was alive when it began with it,
    ``answer`` is that to nothing, which it was given before."""

    worker: int
    part: _Part
    answer: Future[list[Outcome]] | None

    @property
    def never_began(self) -> bool:
        """Of a part that was lost: whether the worker was dead by then."""
        answer = self.answer
        return answer is not None and not (answer.done() and answer.exception() is None)


class Crew:
    """Workers, and the chunks that they work on. For use by one thread.

    Where a worker dies, it is started anew, and each architecture that it had is scored again by a
    worker that has nothing else. One that a worker dies on then is an outcome with an error; one whose
    worker was dead already is scored again.
    """

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = list(workers)
        self._waiting: deque[_Part] = deque()
        self._running: dict[Future[list[Outcome]], _Work] = {}
        self._load = [0] * len(self._workers)
        self._answered = [False] * len(self._workers)  # since it was started
        self._ever_answered = self._ever_scored = False
        self._deaths = self._deaths_before_work = 0

    @property
    def capacity(self) -> int:
        """Parts of chunks that the workers hold at a time."""
        return sum(worker.depth for worker in self._workers)

    def submit(self, chunk: Chunk, at_a_time: int) -> None:
        """Has a chunk scored, so many architectures at a time."""
        end = len(chunk.architectures)
        for start in range(0, end, at_a_time):
            self._waiting.append(_Part(chunk, range(start, min(start + at_a_time, end))))
        self._hand_out()

    def collect(self) -> list[tuple[Chunk, range]]:
        """Waits until some architectures are scored; says which, by their places in their chunks.

        Raises:
            RuntimeError: the workers can't start, or die before they score anything; or an executor is
                broken.
        """
        finished: list[tuple[Chunk, range]] = []
        while not finished and (self._running or self._waiting):
            self._hand_out()
            for future in first_ended(self._running):
                if future not in self._running:  # ended with its worker, which another told of
                    continue
                work = self._running.pop(future)
                index, part = work.worker, work.part
                self._load[index] -= part.load(self._workers[index].depth)
                try:
                    outcomes = future.result()
                except BaseException as error:
                    if not self._workers[index].revive(error):
                        raise
                    finished += self._bury(work, error)
                    continue
                self._answered[index] = self._ever_answered = self._ever_scored = True
                self._deaths_before_work = 0
                for place, outcome in zip(part.places, outcomes, strict=True):
                    part.chunk.outcomes[place] = outcome
                finished.append((part.chunk, part.places))
        self._hand_out()
        return finished

    def close(self) -> None:
        """Ends the workers; what they work on is lost. A second Ctrl-C must not leave one running, which Python
        would wait for at its end."""
        self._waiting.clear()
        self._running.clear()
        with ctrl_c_ignored():
            for worker in self._workers:
                worker.close()

    def _hand_out(self) -> None:
        while self._waiting:
            part = self._waiting[0]
            index = min(range(len(self._workers)), key=self._load.__getitem__)
            worker = self._workers[index]
            load = part.load(worker.depth)
            if self._load[index] + load > worker.depth:
                return
            self._waiting.popleft()
            self._load[index] += load
            asked = part.alone or not self._answered[index]
            answer = worker.submit([]) if asked else None
            self._running[worker.submit(part.architectures)] = _Work(index, part, answer)

    def _bury(self, work: _Work, error: BaseException) -> list[tuple[Chunk, range]]:
        """What a worker had when it died is scored again, one by one, or ends with an error."""
        index = work.worker
        lost = [work]
        for future, other in list(self._running.items()):
            if other.worker == index:
                del self._running[future]
                lost.append(other)
        self._count_death(error, before_work=all(gone.never_began for gone in lost))
        self._load[index] = 0
        self._answered[index] = False
        finished = []
        for gone in lost:
            part = gone.part
            if gone.never_began:
                self._waiting.append(part)
            elif not part.alone:
                parts = [_Part(part.chunk, range(k, k + 1), alone=True) for k in part.places]
                self._waiting.extendleft(reversed(parts))
            elif self._ever_scored:
                part.chunk.outcomes[part.places[0]] = Outcome(error=f"its worker died: {error}")
                finished.append((part.chunk, part.places))
            else:
                self._waiting.append(part)  # it may be the workers' fault: see about the others
        return finished

    def _count_death(self, error: BaseException, *, before_work: bool) -> None:
        """Raises RuntimeError where it is no use to start more workers."""
        if before_work:
            self._deaths_before_work += 1
            most = _NONE_STARTS_ANY_MORE if self._ever_answered else _NONE_STARTS
            if self._deaths_before_work >= most:
                raise RuntimeError(
                    f"workers die before they can work, {most} in a row ({error}); what they wrote before "
                    "that, such as a traceback, says why. Memory may be short, or a script that they import "
                    'may start the search again: it belongs under: if __name__ == "__main__":'
                ) from error
            return
        self._ever_answered = True
        self._deaths_before_work = 0
        self._deaths += 1
        if not self._ever_scored and self._deaths >= _GIVE_UP_AFTER:
            raise RuntimeError(
                f"{self._deaths} workers died while they scored architectures, and none has scored any "
                f"({error}); without workers (workers=None) Python may tell what ends them"
            ) from error


def first_ended(futures: Iterable[Future[Any]]) -> set[Future[Any]]:
    """Waits for one at least. Ctrl-C in the middle of Python's own function would leave locks behind it, and with
    them threads that never end."""
    while True:
        with ctrl_c_later():
            ended, _ = wait(futures, timeout=_LISTEN_EVERY, return_when=FIRST_COMPLETED)
        if ended:
            return ended


class ThisProcess:
    """Scores where it is called."""

    depth = 1

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator

    def submit(self, architectures: Sequence[str]) -> Future[list[Outcome]]:
        future: Future[list[Outcome]] = Future()
        future.set_result(self._evaluator(architectures))
        return future

    def revive(self, error: BaseException) -> bool:
        return False

    def close(self) -> None:
        pass


class LocalProcess:
    """A process of its own, that is sent what `Portable` has for it.

    It is started with next to nothing, and sent the rest when it is up: Python would wait for ever for a process
    that ends, since it can't import the main script, before it has read what it is started with.
    """

    depth = 2

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._renew()

    def _renew(self) -> None:
        self._executor = ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context("spawn"), initializer=_start
        )
        with ctrl_c_later(), no_main_script_but_files():
            self._is_up = self._executor.submit(_answer)
        self._has_content = False

    def submit(self, architectures: Sequence[str]) -> Future[list[Outcome]]:
        try:
            if not self._has_content:
                first_ended([self._is_up])
                self._is_up.result()
            with ctrl_c_later():
                if not self._has_content:
                    self._has_content = True
                    self._executor.submit(_receive, self._content)
                return self._executor.submit(_evaluate, architectures)
        except BrokenExecutor as error:  # it ended before it had anything to do
            future: Future[list[Outcome]] = Future()
            future.set_exception(error)
            return future

    def revive(self, error: BaseException) -> bool:
        if not isinstance(error, BrokenExecutor):
            return False
        self._renew()
        return True

    def close(self) -> None:
        end_now(self._executor)


def end_now(executor: ProcessPoolExecutor) -> None:
    """With its processes, whatever they work on: Python would wait for that."""
    processes = list((executor._processes or {}).values())
    executor.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()


class ExecutorWorker:
    """An executor of the caller's, which is left open. The evaluator travels with every chunk."""

    def __init__(self, evaluator: Portable, executor: Executor) -> None:
        self._evaluator = evaluator
        self._executor = executor
        self.depth = 2 * (getattr(executor, "_max_workers", None) or 4)

    def submit(self, architectures: Sequence[str]) -> Future[list[Outcome]]:
        return self._executor.submit(self._evaluator, architectures)

    def revive(self, error: BaseException) -> bool:
        return False  # a broken executor can't be mended from here

    def close(self) -> None:
        pass


# ---- in a local process ------------------------------------------------------------------------------

_evaluator: Evaluator | None = None
_trouble: str | None = None


def _start() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare_process()


def _answer() -> None:
    """Tells that the process is up."""


def _receive(content: bytes) -> None:
    """What goes wrong is kept, and told with the first architectures."""
    global _evaluator, _trouble
    try:
        _evaluator = unpacked(content)
    except BaseException as error:
        _trouble = error_text(error)


def _evaluate(architectures: Sequence[str]) -> list[Outcome]:
    if _evaluator is None:
        raise RuntimeError(
            f"the space and the scorer did not arrive in a worker process: {_trouble}"
        )
    return _evaluator(architectures)
