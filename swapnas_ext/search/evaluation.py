"""Scores architectures: the code that runs in a worker."""

from __future__ import annotations

import gc
import json
import math
import multiprocessing
import os
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from swapnas_ext._util import keep_freed_memory
from swapnas_ext.models import FlopCount, initialization, own_random_state
from swapnas_ext.scoring import Scorer, ScoreWarning, SeededBuilds, SwapScore, one_at_a_time
from swapnas_ext.search.candidate import Outcome
from swapnas_ext.search.final_networks import count_flops
from swapnas_ext.search.latency import Latency, Quiet, measure
from swapnas_ext.search.one_thread import one_thread
from swapnas_ext.spaces import SearchSpace


@dataclass(frozen=True)
class Evaluator:
    """Builds, measures and scores networks: called with architectures, it returns their outcomes. It is sent to the
    workers. Threads of one process take turns.

    Args:
        space: builds the networks.
        scorer: scores the networks.
        device: the device that runs the networks, such as ``"cuda"``.
        max_flops, max_latency: limits for one sample through the final network (see `SearchSpace.final`), in
            operations, and in seconds on ``device`` with one thread. Networks beyond a limit are not scored.
        count_flops: whether to count the operations of the scored networks.
        ranks: whether the scores will be ranked. Of several measures the first ranks, and a network that it can't read
            can't be scored; otherwise the score is that of the next one.
        quiet: shared by the workers of a search, so that no other worker works while latency is measured.
    """

    space: SearchSpace
    scorer: Scorer
    device: str = "cpu"
    max_flops: float | None = None
    max_latency: float | None = None
    count_flops: bool = False
    ranks: bool = True
    quiet: Quiet | None = None

    def __call__(self, architectures: Sequence[str]) -> list[Outcome]:
        with (
            one_at_a_time(),
            one_thread(),
            own_random_state(torch.device("cpu")) as seed,
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", ScoreWarning)  # the search summarises them
            return [self._outcome(architecture, seed) for architecture in architectures]

    def _outcome(self, architecture: str, seed: Callable[[int], None]) -> Outcome:
        start = time.perf_counter()
        flops = latency = None
        try:
            if self.max_flops is not None:
                with self._working():
                    flops = self._flops(architecture)
                if flops > self.max_flops:
                    return _over("flops", start, flops=flops)
            if self.max_latency is not None:
                latency = self._latency(architecture)
                if latency.median > self.max_latency:
                    return _over("latency", start, flops=flops, latency=latency)
            counted = FlopCount() if self.count_flops else None
            with self._working():
                build = partial(self._network, architecture, counted)
                score = self.scorer(SeededBuilds(build, self.scorer.options.seed, seed))
            measured = score.measurement
            if flops is None:  # under a limit, those of the final network are known
                flops = measured.details.get("flops")  # where the network runs more often than once
            if flops is None and counted is not None:
                flops = counted.per_sample(self.scorer.samples)
            json.dumps(dict(measured.details), allow_nan=False)  # as the run file keeps them
            if self.ranks and "score_of" in measured.details:
                first, found = next(iter(measured.details["measures"].items()))
                raise ValueError(f"no {first}: {found['error']}")
            if not math.isfinite(score.log_value):
                raise ValueError(f"the score is {score.value}, from {measured}")
        except BaseException as error:  # the network's code may raise anything, even SystemExit
            if isinstance(error, KeyboardInterrupt) and multiprocessing.parent_process() is None:
                raise  # Ctrl-C; worker processes ignore it
            return Outcome(error=error_text(error), seconds=time.perf_counter() - start)
        return Outcome(
            measure=score.measure,
            score=measured.value,
            log_score=measured.log_value,
            spread=None if math.isnan(measured.spread) else measured.spread,
            details=_details(score),
            neurons=score.neurons,
            ternary=score.ternary,
            saturated=score.is_saturated,
            flops=flops,
            **_of(latency),
            seconds=time.perf_counter() - start,
            parameters=score.parameters,
        )

    def _working(self) -> AbstractContextManager[None]:
        return nullcontext() if self.quiet is None else self.quiet.working()

    def _network(self, architecture: str, counted: FlopCount | None) -> nn.Module:
        overwritten = initialization.is_known(self.scorer.options.initialize)
        network = self.space.build(architecture, initialized=not overwritten)
        if counted is not None:
            counted.watch(network)
        return network if self.device == "cpu" else network.to(self.device)

    @cached_property
    def _final(self) -> tuple[SearchSpace, Tensor]:
        """The space of the final networks, and one sample."""
        final = self.space.final()
        return final, final.inputs(1)

    def _flops(self, architecture: str) -> int:
        final, sample = self._final
        return count_flops(final, sample, architecture)

    def _latency(self, architecture: str) -> Latency:
        final, sample = self._final
        with self._working():
            network = final.build(architecture).eval().to(self.device)
            sample = sample.to(self.device)
        with nullcontext() if self.quiet is None else self.quiet.alone():
            return measure(network, sample)


def _details(score: SwapScore) -> dict[str, Any]:
    """The details of a measurement that a run file records."""
    details: dict[str, Any] = {}
    if score.patterns:
        details["patterns"] = score.mean
        if len(score.patterns) > 1:
            details["patterns_std"] = score.std
    if not math.isnan(score.saturation):
        details["saturation"] = score.saturation
    return {**details, **score.measurement.details}


def error_text(error: BaseException) -> str:
    """The type and message of an error, as text that any file can store."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # its own __str__ fails
        text = type(error).__name__
    return text.encode("utf-8", "backslashreplace").decode()


def _over(limit: str, start: float, flops: int | None, latency: Latency | None = None) -> Outcome:
    seconds = time.perf_counter() - start
    return Outcome(over=limit, flops=flops, **_of(latency), seconds=seconds)


class _LatencyFields(TypedDict, total=False):
    latency: float
    latency_low: float
    latency_high: float


def _of(latency: Latency | None) -> _LatencyFields:
    """The fields of an outcome for a latency."""
    if latency is None:
        return {}
    return {
        "latency": latency.median,
        "latency_low": latency.low,
        "latency_high": latency.high,
    }


def prepare_process() -> None:
    """Prepares a process that only scores. It ends when the process that started it has ended."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    keep_freed_memory()
    gc.freeze()  # imported modules stay: the garbage collector can skip them


def _end_with_parent() -> None:
    """Ends this process after its parent: a search that is killed can't end its workers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
