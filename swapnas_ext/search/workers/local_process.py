"""A worker that is a local process."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import pickle
import signal
import socket
import threading
import traceback
from collections import deque
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Future
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection

from swapnas_ext._util import ctrl_c_later
from swapnas_ext.search.candidate import Outcome
from swapnas_ext.search.evaluation import Evaluator, error_text, prepare_process
from swapnas_ext.search.workers.futures import first_ended
from swapnas_ext.search.workers.travel import no_main_script_but_files, unpacked

_Outcomes = Future[list[Outcome]]


class LocalProcess:
    """A local process that scores. It is sent the ``content`` of a `Portable`.

    The content is sent once the process is up: one that ends before it has read it, such as a process that can't import
    the main script, would leave this one waiting.

    The process has one pipe, on which a thread of this process listens. With the queues and threads of
    `concurrent.futures`, the process of the search took twice the CPU time.
    """

    depth = 2

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._renew()

    def _renew(self) -> None:
        # Python starts it with the first process, and then lets Ctrl-C through to that process.
        resource_tracker.ensure_running()
        with ctrl_c_later(), no_main_script_but_files():
            self._process = _Process()
        self._is_up = self._process.send(())
        self._has_content = False

    def submit(self, architectures: Sequence[str]) -> _Outcomes:
        if not architectures and not self._is_up.done():
            return self._is_up
        if architectures and not self._has_content:
            first_ended([self._is_up])
            if self._is_up.exception() is None:
                self._has_content = True
                self._process.send(self._content)
        return self._process.send(tuple(architectures))  # none: asks anew, for it may have died

    def revive(self, error: BaseException) -> bool:
        if not isinstance(error, BrokenExecutor):
            return False
        self._process.end()
        self._renew()
        return True

    def check(self) -> None:
        """A process that has died is found by the end of its pipe, unless a process that it started holds the pipe."""
        self._process.end_pipe_if_dead()

    def close(self) -> None:
        self._process.end()


class _Process:
    """A process that answers what it is sent, in order."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, its_end = context.Pipe()
        self.process = context.Process(target=_serve, args=(its_end,))
        self.process.start()
        atexit.register(self.end)  # Python would wait for it
        its_end.close()  # so that the end of the process ends the pipe
        self._waiting: deque[_Outcomes] = deque()
        self._lock = threading.Lock()
        self._is_dead = False
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, task: object) -> _Outcomes:
        """Sends a task. If the process has died, or dies before it answers, the future ends with a BrokenExecutor.

        A Ctrl-C here may lose the task, as it ends the search and this process."""
        future: _Outcomes = Future()
        packed = pickle.dumps(task, pickle.HIGHEST_PROTOCOL)
        with self._lock:
            if not self._is_dead:
                self._waiting.append(future)
                with suppress(OSError):  # it has died, as `_listen` finds
                    self._connection.send_bytes(packed)
                return future
        future.set_exception(self._death())
        return future

    def end(self) -> None:
        """Ends the process, even while it works."""
        atexit.unregister(self.end)
        self.process.terminate()

    def end_pipe_if_dead(self) -> None:
        """Has the thread that listens find that the process is dead, once it has read the answers."""
        with self._lock:
            if self._is_dead or self.process.is_alive():
                return
            with socket.socket(fileno=os.dup(self._connection.fileno())) as pipe, suppress(OSError):
                pipe.shutdown(socket.SHUT_RD)

    def _listen(self) -> None:
        try:
            while True:
                answer: list[Outcome] | str = pickle.loads(self._connection.recv_bytes())
                future = self._waiting.popleft()
                if isinstance(answer, str):
                    future.set_exception(RuntimeError(answer))
                else:
                    future.set_result(answer)
        except (EOFError, OSError):
            pass  # the process has ended
        except Exception:  # an answer that can't be read: others would wait for ever
            traceback.print_exc()
            self.process.terminate()
        with self._lock:
            self._is_dead = True
        self.process.join()
        self._connection.close()
        for future in self._waiting:
            future.set_exception(self._death())

    def _death(self) -> BrokenExecutor:
        return BrokenExecutor(f"a worker process ended with exit code {self.process.exitcode}")


# ---- in a local process ------------------------------------------------------------------------------


def _serve(connection: Connection) -> None:
    """Answers what it is sent: the content of a `Portable`, and architectures. An answer that is a text is an error."""
    _start()
    scorer = _Scorer()
    with suppress(EOFError, OSError):  # the process of the search has ended
        while True:
            task: bytes | tuple[str, ...] = pickle.loads(connection.recv_bytes())
            connection.send_bytes(_packed(scorer, task))


def _packed(scorer: _Scorer, task: bytes | tuple[str, ...]) -> bytes:
    try:
        return pickle.dumps(scorer(task), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        traceback.print_exc()
        return pickle.dumps(f"a worker process fails: {error_text(error)}")


def _start() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What models print must not get between the results that a command writes to stdout.
    with suppress(OSError):
        os.dup2(2, 1)
    prepare_process()


class _Scorer:
    """Unpacks the evaluator, and scores with it. What can't be unpacked is told with the first architectures."""

    def __init__(self) -> None:
        self._evaluator: Evaluator | None = None
        self._trouble = ""

    def __call__(self, task: bytes | tuple[str, ...]) -> list[Outcome] | str:
        if isinstance(task, bytes):
            try:
                self._evaluator = unpacked(task)
            except BaseException as error:
                self._trouble = error_text(error)
            return []
        if not task:
            return []
        if self._evaluator is None:
            return f"the space and the scorer did not arrive in a worker process: {self._trouble}"
        return self._evaluator(task)
