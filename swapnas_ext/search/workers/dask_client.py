"""A client of Dask that scores networks, and the tasks that it sends."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from functools import cached_property
from typing import Any

from swapnas_ext.search.candidate import Outcome
from swapnas_ext.search.evaluation import Evaluator, prepare_process
from swapnas_ext.search.workers.cards import on_card
from swapnas_ext.search.workers.futures import as_future
from swapnas_ext.search.workers.patience import GO_ON, Patience
from swapnas_ext.search.workers.travel import unpacked

_LOOK_EVERY = 2.0  # seconds between questions to the scheduler


class DaskWorker:
    """A place in a Dask cluster. Dask chooses the process that scores, and gives the tasks of a lost one to others.

    Args:
        scoring: the client, which the places of a search share.
        depth: number of tasks that the place holds.
    """

    def __init__(self, scoring: DaskScoring, depth: int = 2) -> None:
        self._scoring = scoring
        self.depth = depth

    def submit(self, architectures: Sequence[str]) -> Future[list[Outcome]]:
        if not architectures:  # the scheduler keeps tasks until a process is there
            future: Future[list[Outcome]] = Future()
            future.set_result([])
            return future
        return self._scoring.submit(architectures)

    def revive(self, error: BaseException) -> bool:
        return self._scoring.goes_on_after(error)

    def check(self) -> None:
        self._scoring.check()

    def close(self) -> None:
        self._scoring.close()


class DaskScoring:
    """A client of Dask, and the evaluator in its cluster.

    The evaluator is the result of a task, from which all others take it: Dask copies it once to each process, and makes
    it again if all processes that have it are lost.

    Args:
        client: a client of Dask.
        content: that of a `Portable`.
        is_own: whether the processes are for this search alone.
        patience: seconds without any process after which the search ends.
        look_after: called now and then while the search waits; raises if the search can't go on.
        close: called once, at the end.
    """

    def __init__(
        self,
        client: Any,
        content: bytes,
        *,
        is_own: bool,
        patience: float,
        look_after: Callable[[], None] | None = None,
        close: Callable[[], None],
    ) -> None:
        self._client = client
        self._content = content
        self._is_own = is_own
        self._look_after = look_after
        self._close: Callable[[], None] | None = close
        self._where = f"the Dask scheduler at {client.scheduler.address}"
        problem = f"no worker is connected to {self._where}"
        self._patience = None if look_after else Patience(patience, problem)
        self._last_look = time.monotonic()
        self._send()

    def _send(self) -> None:
        with warnings.catch_warnings():
            # It goes once, and has to: it holds the mini-batch.
            warnings.filterwarnings("ignore", "Sending large graph")
            self._evaluator = self._client.submit(
                SentEvaluator, self._content, self._is_own, pure=False
            )

    def submit(self, architectures: Sequence[str]) -> Future[list[Outcome]]:
        self._check_connected()
        return as_future(
            self._client.submit(score_on_dask, self._evaluator, list(architectures), pure=False)
        )

    def goes_on_after(self, error: BaseException) -> bool:
        """Whether a task was lost and can be sent again.

        Raises:
            ConnectionError: the scheduler is lost.
        """
        from distributed import KilledWorker

        if isinstance(error, CancelledError):
            self._check_connected(error)
            self._send()  # what the scheduler has forgotten, it needs again
            return True
        return isinstance(error, KilledWorker)

    def check(self) -> None:
        """Raises ConnectionError if the scheduler, or all workers, are lost."""
        self._check_connected()
        now = time.monotonic()
        if now - self._last_look < _LOOK_EVERY:
            return
        self._last_look = now
        if self._look_after is not None:
            self._look_after()
        if self._patience is not None:
            self._patience.note(self._client.scheduler_info(n_workers=0)["n_workers"] > 0)

    def _check_connected(self, error: BaseException | None = None) -> None:
        if self._client.status != "running":
            raise ConnectionError(f"{self._where} is lost; {GO_ON}") from error

    def close(self) -> None:
        if self._close is not None:
            close, self._close = self._close, None
            close()


# ---- in a process of Dask -----------------------------------------------------------------------------


class SentEvaluator:
    """An evaluator that was sent to Dask as the content of a `Portable`. Each process unpacks it once.

    Args:
        content: the evaluator.
        is_own: whether the process is for one search alone. Its name ends with its number on its machine then.
    """

    def __init__(self, content: bytes, is_own: bool) -> None:
        self._content = content
        self._is_own = is_own

    def __reduce__(self) -> tuple[Any, ...]:
        return SentEvaluator, (self._content, self._is_own)

    @cached_property
    def evaluator(self) -> Evaluator:
        evaluator = unpacked(self._content)
        if not self._is_own:
            return evaluator
        from distributed import get_worker

        prepare_process()
        return on_card(evaluator, int(str(get_worker().name).rpartition("-")[2]))


def score_on_dask(sent: SentEvaluator, architectures: list[str]) -> list[Outcome]:
    return sent.evaluator(architectures)
