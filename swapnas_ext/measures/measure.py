"""Defines what a measure is. docs/architecture.md says how to add one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import ClassVar, Generic, TypeVar

from swapnas_ext.measures.measurement import Measurement
from swapnas_ext.measures.on_samples import OnSamples, run_together
from swapnas_ext.measures.prepared_network import PreparedNetwork

Reading = TypeVar("Reading")


class Measure(ABC, Generic[Reading]):
    """Measures networks. A subclass reads one repeat, and sums the readings of all repeats up.

    Objects are immutable, travel to worker processes (pickle), and may be used by several scorers.

    Attributes:
        name: what users choose it by, and what run files record.
        title: what tables call its values.
        description: one clause for ``--help``.
        default_init: the initialiser that the ``swapnas`` command draws weights with.
        replicates: whether a reading takes exactly one ``network.run``, which feeds ``network.counter()``: then
            `read_replicates` can read several repeats from one forward pass.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str] = ""
    default_init: ClassVar[str] = "gaussian"
    replicates: ClassVar[bool] = False

    @abstractmethod
    def read(self, network: PreparedNetwork) -> Reading:
        """Reads one repeat. It may be called twice for a repeat, when the first reading starts over."""

    def read_replicates(self, network: PreparedNetwork) -> list[Reading]:
        """Reads all repeats of a network that runs as replicates, with one ``network.run``."""
        raise NotImplementedError(f"the measure {self.name!r} reads one repeat at a time")

    def on_samples(self, network: PreparedNetwork, stack: ExitStack) -> OnSamples | None:
        """What `read` does, for a measure that begins with one pass on the samples: several such measures share the
        pass. None for others.

        Args:
            stack: is left when the readings are finished.
        """
        return None

    @abstractmethod
    def summary(self, readings: Sequence[Reading], network: PreparedNetwork) -> Measurement:
        """Sums up the readings of all repeats of a network."""


class BeginsOnSamples(Measure[Reading]):
    """A measure that begins with one pass on the samples, as `on_samples` says."""

    @abstractmethod
    def on_samples(self, network: PreparedNetwork, stack: ExitStack) -> OnSamples: ...

    def read(self, network: PreparedNetwork) -> Reading:
        with ExitStack() as stack:
            wanted = self.on_samples(network, stack)
            run_together(network, [wanted])
            reading: Reading = wanted.finish()
            return reading


class FunctionMeasure(Measure[float]):
    """Measures with a function from a prepared network to the logarithm of its score.

    Args:
        function: may return any real number; the score is the mean over the repeats.
        name: by default the function's.
    """

    def __init__(
        self, function: Callable[[PreparedNetwork], float], name: str | None = None
    ) -> None:
        self.function = function
        self.name = self.title = name or function.__name__  # type: ignore[misc]  # one function, one name

    def read(self, network: PreparedNetwork) -> float:
        found = self.function(network)
        try:
            log_value = float(found)
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(
                f"the measure {self.name!r} gave {found!r}: expected the logarithm of a score, a number"
            ) from error
        if not math.isfinite(log_value):
            raise ValueError(
                f"the measure {self.name!r} gave {log_value}: expected a finite logarithm of a score"
            )
        return log_value

    def summary(self, readings: Sequence[float], network: PreparedNetwork) -> Measurement:
        return Measurement.of_logarithms(readings)
