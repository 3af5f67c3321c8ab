"""A worker that is a local process."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import suppress

from swapnas_ext._util import ctrl_c_later
from swapnas_ext.search.candidate import Outcome
from swapnas_ext.search.evaluation import Evaluator, error_text, prepare_process
from swapnas_ext.search.workers.futures import first_ended
from swapnas_ext.search.workers.travel import no_main_script_but_files, unpacked


class LocalProcess:
    """A local process that scores. It is sent the ``content`` of a `Portable`.

    The content is sent once the process is up. Python would wait for ever for a process that ends before it has read
    its arguments, such as a process that can't import the main script.
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
        if not architectures and not self._is_up.done():
            return self._is_up
        try:
            if architectures and not self._has_content:
                first_ended([self._is_up])
                self._is_up.result()
            with ctrl_c_later():
                if not architectures:  # asks anew: it may have died since it was up
                    return self._executor.submit(_answer)
                if not self._has_content:
                    self._has_content = True
                    self._executor.submit(_receive, self._content)
                return self._executor.submit(_evaluate, architectures)
        except BrokenExecutor as error:  # the process ended before it had anything to do
            future: Future[list[Outcome]] = Future()
            future.set_exception(error)
            return future

    def revive(self, error: BaseException) -> bool:
        if not isinstance(error, BrokenExecutor):
            return False
        self._renew()
        return True

    def close(self) -> None:
        _end_now(self._executor)


def _end_now(executor: ProcessPoolExecutor) -> None:
    """Ends an executor and its processes, even while they work. Python's own shutdown would wait."""
    processes = list((executor._processes or {}).values())
    executor.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()


# ---- in a local process ------------------------------------------------------------------------------

_evaluator: Evaluator | None = None
_trouble: str | None = None


def _start() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What models print must not get between the results that a command writes to stdout.
    with suppress(OSError):
        os.dup2(2, 1)
    prepare_process()


def _answer() -> list[Outcome]:
    """Scores nothing. Its answer shows that the process is up."""
    return []


def _receive(content: bytes) -> None:
    """Unpacks the evaluator. An error is raised with the first architectures."""
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
