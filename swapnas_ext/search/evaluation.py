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
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from swapnas_ext._util import keep_freed_memory
from swapnas_ext.models import FlopCount, initialization, own_random_state
from swapnas_ext.scoring import Scorer, ScoreWarning, SeededBuilds, SwapScore, one_at_a_time
from swapnas_ext.search.candidate import Outcome
from swapnas_ext.search.final_costs import Costs, FinalCosts
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
        costs: counts and measures what the final networks cost, before they are scored. Those beyond a limit are not
            scored.
        count_flops: whether to count the operations of the scored networks.
        ranks: whether the scores will be ranked. Of several measures the first ranks, and a network that it can't read
            can't be scored; otherwise the score is that of the next one.
    """

    space: SearchSpace
    scorer: Scorer
    device: str = "cpu"
    costs: FinalCosts | None = None
    count_flops: bool = False
    ranks: bool = True

    def on(self, device: str) -> Evaluator:
        """The same on another device."""
        costs = None if self.costs is None else self.costs.moved(self.device, device)
        return replace(self, device=device, costs=costs)

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
        costs = Costs()
        try:
            if self.costs is not None:
                costs = self.costs.of(architecture)
            if costs.over is not None:
                return Outcome(
                    over=costs.over,
                    details=costs.details,
                    seconds=time.perf_counter() - start,
                    **costs.fields,
                )
            counted = FlopCount() if self.count_flops else None
            with nullcontext() if self.costs is None else self.costs.working():
                build = partial(self._network, architecture, counted)
                score = self.scorer(SeededBuilds(build, self.scorer.options.seed, seed))
            measured = score.measurement
            flops = costs.flops
            if flops is None:  # otherwise those of the final network are known
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
            details={**_details(score), **costs.details},
            neurons=score.neurons,
            ternary=score.ternary,
            saturated=score.is_saturated,
            **{**costs.fields, "flops": flops},
            seconds=time.perf_counter() - start,
            parameters=score.parameters,
        )

    def _network(self, architecture: str, counted: FlopCount | None) -> nn.Module:
        overwritten = initialization.is_known(self.scorer.options.initialize)
        network = self.space.build(architecture, initialized=not overwritten)
        if counted is not None:
            counted.watch(network)
        return network if self.device == "cpu" else network.to(self.device)


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
