"""Checks workers."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from torch import nn

from swapnas_ext import data, spaces
from swapnas_ext.scoring import Scorer
from swapnas_ext.search import Evaluator, Outcome, Worker, workers
from swapnas_ext.spaces import SearchSpace
from swapnas_ext.testing.require import require


def check_worker(
    make_worker: Callable[[Evaluator], Worker], *, revives: bool = False, timeout: float = 120.0
) -> None:
    """Checks a worker, with networks that take milliseconds.

    Args:
        make_worker: makes the worker from an evaluator: ``evaluator(architectures)`` returns a list of outcomes.
        revives: whether the worker has a process of its own, and starts it anew if it dies.
        timeout: longest time of an answer, in seconds.

    Raises:
        AssertionError: says what is wrong.
    """
    space = _Space()
    rng = random.Random(0)
    names = list(dict.fromkeys(space.sample(rng) for _ in range(9)))
    evaluator = Evaluator(space, Scorer(data.photograph(12, 16), init="gaussian"))
    expected = dict(zip(names, evaluator(names), strict=True))
    worker = make_worker(evaluator)
    try:
        depth = worker.depth
        require(isinstance(depth, int) and depth >= 1, f"depth must be 1 or more, and is {depth!r}")
        require(
            _outcomes(worker.submit([]), timeout) == [],
            "no architectures must be answered with no outcomes: []",
        )
        _check_scores(worker, [names], expected, timeout)
        parts = [names[k : k + 2] for k in range(0, min(2 * depth, len(names)), 2)]
        _check_scores(worker, parts[:depth], expected, timeout)
        _check_errors(worker, names, expected, timeout)
        require(
            worker.revive(ValueError("an error that says nothing of the worker")) is False,
            "revive must return False for errors that do not say that the worker died",
        )
        if revives:
            _check_revives(worker, names, expected, timeout)
    finally:
        worker.close()
        worker.close()  # may be called twice


class _Space(SearchSpace):
    """NAS-Bench-201, with an architecture whose build fails, and one that kills the process, unless it is this one."""

    input_size = (3, 32, 32)

    def __init__(self) -> None:
        self._cells = spaces.get("nasbench201", channels=2, cells=1)
        self._home = os.getpid()

    def parse(self, text: str) -> Any:
        return self._cells.parse(text)

    def format(self, parsed: Any) -> str:
        return self._cells.format(parsed)

    def canonical(self, architecture: str) -> str:
        return self._cells.canonical(architecture)

    def sample(self, rng: random.Random) -> str:
        return self._cells.sample(rng)

    def mutate(self, architecture: str, rng: random.Random) -> str:
        return self._cells.mutate(architecture, rng)

    def crossover(self, first: str, second: str, rng: random.Random) -> str:
        return self._cells.crossover(first, second, rng)

    def _build(self, architecture: str) -> nn.Module:
        if architecture == "deadly" and os.getpid() != self._home:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        if architecture in ("failing", "deadly"):
            raise LookupError("this one fails")
        return self._cells.build(architecture)


def _outcomes(future: Any, timeout: float) -> list[Outcome]:
    """The result of a future. Raises its exception."""
    copy: Future[list[Outcome]] = workers.as_future(future)
    deadline = time.monotonic() + timeout
    while not copy.done():
        require(time.monotonic() < deadline, f"no answer in {timeout:.0f} s")
        workers.first_ended([copy], timeout=1.0)
    return copy.result()


def _check_scores(
    worker: Worker, parts: Sequence[Sequence[str]], expected: dict[str, Outcome], timeout: float
) -> None:
    futures = [worker.submit(part) for part in parts]
    for part, future in zip(parts, futures, strict=True):
        outcomes = _outcomes(future, timeout)
        require(
            len(outcomes) == len(part),
            f"{len(part)} architectures are answered with {len(outcomes)} outcomes",
        )
        for architecture, outcome in zip(part, outcomes, strict=True):
            require(
                isinstance(outcome, Outcome), f"the answer has {outcome!r}, which is no Outcome"
            )
            wanted = expected[architecture]
            require(
                (outcome.patterns, outcome.error) == (wanted.patterns, wanted.error),
                f"{architecture} scores {outcome.patterns} ({outcome.error}), and {wanted.patterns} here: outcomes "
                "must be in the order of the architectures, and those of the evaluator",
            )


def _check_errors(
    worker: Worker, names: Sequence[str], expected: dict[str, Outcome], timeout: float
) -> None:
    try:
        good, bad, last = _outcomes(worker.submit([names[0], "failing", names[1]]), timeout)
    except Exception as error:
        raise AssertionError(
            f"a network that fails must be an outcome with an error; the worker failed, with {error!r}"
        ) from error
    require(
        bad.error is not None and "this one fails" in bad.error,
        f"the outcome of a network that fails must tell its error, and is {bad}",
    )
    require(
        good.patterns == expected[names[0]].patterns
        and last.patterns == expected[names[1]].patterns,
        "a network that fails must cost only itself, and others were not scored",
    )
    _check_scores(worker, [names[:2]], expected, timeout)


def _check_revives(
    worker: Worker, names: Sequence[str], expected: dict[str, Outcome], timeout: float
) -> None:
    try:
        outcomes = _outcomes(worker.submit(["deadly"]), timeout)
    except Exception as error:
        require(
            worker.revive(error) is True,
            f"revive must return True where the worker died, and returns False for {error!r}",
        )
    else:
        raise AssertionError(
            f"the process of the worker is killed, and its future gives {outcomes} and no exception"
        )
    _check_scores(worker, [names[:3]], expected, timeout)
