"""What a measure does in the one pass on the samples, so that several measures can share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from swapnas_ext.measures.prepared_network import Hooks, PreparedNetwork
from swapnas_ext.patterns import Observer


@dataclass(frozen=True)
class OnSamples:
    """A pass on the samples that one measure asks for.

    Attributes:
        observer: gets the activations.
        finish: gives the reading, after the pass.
        hooks: makes a context around the pass.
    """

    observer: Observer
    finish: Callable[[], Any]
    hooks: Hooks = nullcontext


def run_together(network: PreparedNetwork, wanted: Sequence[OnSamples]) -> None:
    """Runs the network once, for all of them."""

    @contextmanager
    def hooks() -> Iterator[None]:
        with ExitStack() as stack:
            for one in wanted:
                stack.enter_context(one.hooks())
            yield

    observers = [one.observer for one in wanted]
    network.run(observers[0] if len(observers) == 1 else _Several(observers), hooks=hooks)


def can_share(first: OnSamples, second: OnSamples) -> bool:
    """Whether both observers want to be fed the same."""
    a, b = first.observer, second.observer
    return not a.of_inputs and not b.of_inputs and a.counts_once == b.counts_once


class _Several(Observer):
    """Feeds several observers. The first that tells patterns is asked for them."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        counting = [observer for observer in observers if observer.counts_patterns]
        others = [observer for observer in observers if not observer.counts_patterns]
        self._observers = [*counting, *others]
        self._first = self._observers[0]
        super().__init__(self._first.samples, all(observer.ternary for observer in observers))
        self.counts_once = self._first.counts_once
        self.counts_patterns = self._first.counts_patterns
        self.resets = self._first.resets

    @property
    def saw_nan(self) -> bool:
        return any(observer.saw_nan for observer in self._observers)

    def count_on_host(self) -> int:
        return self._first.count_on_host()

    def update(self, x: Tensor) -> None:
        for observer in self._observers:
            observer.update(x)

    def relu(self, x: Tensor) -> Tensor:
        y = self._first.relu(x)
        for observer in self._observers[1:]:
            observer.update(y)
        return y

    def relu_(self, x: Tensor) -> Tensor:
        y = self._first.relu_(x)
        for observer in self._observers[1:]:
            observer.update(y)
        return y
