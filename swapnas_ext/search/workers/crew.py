"""Hands out architectures to workers, and replaces workers that die."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from swapnas_ext._util import ctrl_c_ignored
from swapnas_ext.search.candidate import Outcome
from swapnas_ext.search.workers.base import CheckedWorker, Worker
from swapnas_ext.search.workers.futures import as_future, first_ended

_log = logging.getLogger(__name__)

_GIVE_UP_AFTER = 5  # deaths while scoring, if no worker has ever scored anything
_NONE_STARTS = 2  # deaths before work, if no worker has ever answered
_NONE_STARTS_ANY_MORE = 20  # deaths before work in a row, if one has
_CHECK_EVERY = 0.5  # seconds between the checks of workers while the crew waits


@dataclass
class Chunk:
    """Architectures that are scored together, and the outcomes so far."""

    architectures: Sequence[str]
    outcomes: list[Outcome | None] = field(init=False)

    def __post_init__(self) -> None:
        self.outcomes = [None] * len(self.architectures)

    @property
    def done(self) -> bool:
        """Whether each of its architectures has an outcome."""
        return all(outcome is not None for outcome in self.outcomes)


@dataclass(frozen=True)
class _Part:
    """Some architectures of a chunk. If a worker dies on them, each becomes a part of its own, ``alone``."""

    chunk: Chunk
    places: range
    alone: bool = False

    def load(self, depth: int) -> int:
        """How much of a worker's ``depth`` the part takes. A part ``alone`` takes all of it."""
        return depth if self.alone else 1

    @property
    def architectures(self) -> Sequence[str]:
        return [self.chunk.architectures[place] for place in self.places]


@dataclass(frozen=True)
class _Work:
    """A part that a worker has. ``answer`` is the future of an empty part that the worker got just before a part
    ``alone``. It shows whether the worker was alive when it began; None of other parts."""

    worker: int
    part: _Part
    answer: Future[list[Outcome]] | None

    @property
    def never_began(self) -> bool:
        """Whether the worker died before it began with the part."""
        answer = self.answer
        return answer is not None and not (answer.done() and answer.exception() is None)


class Crew:
    """The workers of a search, and the chunks that they work on. For use by one thread.

    A worker gets an empty part first, and others once it has answered: a worker that is still starting, or that a
    cluster has no place for at present, holds nothing that another could score.

    A worker that dies is started anew. Each architecture that it had is scored again, by a worker that has nothing
    else. If that worker dies too, the architecture has an outcome with an error, unless the worker was dead before it
    began.
    """

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = list(workers)
        self._waiting: deque[_Part] = deque()
        self._running: dict[Future[list[Outcome]], _Work] = {}
        self._asked: dict[Future[list[Outcome]], int] = {}  # first, empty parts, and their workers
        self._load = [0] * len(self._workers)
        self._ready = [False] * len(self._workers)
        self._last_check = time.monotonic()
        self._ever_answered = self._ever_scored = False
        self._deaths = self._deaths_before_work = 0

    def __len__(self) -> int:
        return len(self._workers)

    @property
    def capacity(self) -> int:
        """The number of parts that the workers hold together."""
        return sum(worker.depth for worker in self._workers)

    def submit(self, chunk: Chunk, at_a_time: int) -> None:
        """Starts to score a chunk, in parts of ``at_a_time`` architectures."""
        end = len(chunk.architectures)
        for start in range(0, end, at_a_time):
            self._waiting.append(_Part(chunk, range(start, min(start + at_a_time, end))))
        self._hand_out()

    def collect(self) -> list[tuple[Chunk, range]]:
        """Waits until some architectures are scored, or workers are ready for more. Returns the places in their chunks
        of those that are scored; there may be none.

        Raises:
            RuntimeError: the workers can't start, or die before they score anything, or an executor is broken.
        """
        finished: list[tuple[Chunk, range]] = []
        some_ended = False
        while not some_ended and (self._running or self._waiting):
            self._hand_out()
            ended = first_ended([*self._running, *self._asked], timeout=_CHECK_EVERY)
            some_ended = bool(ended)
            self._check_workers()
            for future in ended:
                if future in self._asked:
                    self._hear(future)
                    continue
                if future not in self._running:  # its worker died, as another future has shown
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
                self._ever_scored = True
                self._deaths_before_work = 0
                for place, outcome in zip(part.places, outcomes, strict=True):
                    part.chunk.outcomes[place] = outcome
                finished.append((part.chunk, part.places))
        self._hand_out()
        return finished

    def close(self) -> None:
        """Ends the workers; what they work on is lost. Ctrl-C is ignored meanwhile: Python would wait at its end for
        a worker that still runs."""
        self._waiting.clear()
        self._running.clear()
        self._asked.clear()
        with ctrl_c_ignored():
            for worker in self._workers:
                worker.close()

    def _hand_out(self) -> None:
        self._ask()
        ready = [index for index, is_ready in enumerate(self._ready) if is_ready]
        while self._waiting and ready:
            part = self._waiting[0]
            index = min(ready, key=self._load.__getitem__)
            worker = self._workers[index]
            load = part.load(worker.depth)
            if self._load[index] + load > worker.depth:
                return
            self._waiting.popleft()
            self._load[index] += load
            answer = as_future(worker.submit([])) if part.alone else None
            future = as_future(worker.submit(part.architectures))
            self._running[future] = _Work(index, part, answer)

    def _ask(self) -> None:
        """Gives an empty part to each worker that has not had one since it was started."""
        asked = set(self._asked.values())
        for index, worker in enumerate(self._workers):
            if self._ready[index] or index in asked:
                continue
            answer = as_future(worker.submit([]))
            if answer.done() and answer.exception() is None:
                self._ready[index] = self._ever_answered = True
            else:
                self._asked[answer] = index

    def _hear(self, answer: Future[list[Outcome]]) -> None:
        """Notes that a worker is ready, or starts it anew if it died before that."""
        index = self._asked.pop(answer)
        error = answer.exception()
        if error is None:
            self._ready[index] = self._ever_answered = True
            _log.debug("worker %d is ready", index)
        elif not self._workers[index].revive(error):
            raise error
        else:
            self._count_death(error, before_work=True)

    def _check_workers(self) -> None:
        """Has workers look after what they depend on, now and then. They raise if nobody works for them any more."""
        now = time.monotonic()
        if now - self._last_check < _CHECK_EVERY:
            return
        self._last_check = now
        for worker in self._workers:
            if isinstance(worker, CheckedWorker):
                worker.check()

    def _bury(self, work: _Work, error: BaseException) -> list[tuple[Chunk, range]]:
        """Hands out again, one by one, what a worker had when it died. An architecture that was alone with the worker
        ends with an error."""
        index = work.worker
        lost = [work]
        for future, other in list(self._running.items()):
            if other.worker == index:
                del self._running[future]
                lost.append(other)
        self._count_death(error, before_work=all(gone.never_began for gone in lost))
        self._load[index] = 0
        self._ready[index] = False
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
                self._waiting.append(part)  # the workers may be at fault: tries the others first
        return finished

    def _count_death(self, error: BaseException, *, before_work: bool) -> None:
        """Raises RuntimeError if more workers would die too."""
        if before_work:
            self._deaths_before_work += 1
            most = _NONE_STARTS_ANY_MORE if self._ever_answered else _NONE_STARTS
            if self._deaths_before_work >= most:
                raise RuntimeError(
                    f"workers die before they can work, {most} in a row ({error}); what they wrote before "
                    "that, such as a traceback, says why. Memory may be short, or a script that they import "
                    'may start the search again: it belongs under: if __name__ == "__main__":'
                ) from error
            _log.warning("a worker died before it could work, and is started again: %s", error)
            return
        self._ever_answered = True
        self._deaths_before_work = 0
        self._deaths += 1
        if not self._ever_scored and self._deaths >= _GIVE_UP_AFTER:
            raise RuntimeError(
                f"{self._deaths} workers died while they scored architectures, and none has scored any "
                f"({error}); without workers (workers=None) Python may tell what ends them"
            ) from error
        _log.warning("a worker died at its work, and is started again: %s", error)
