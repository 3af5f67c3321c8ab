"""Prepares a network for a measure, which runs it as often as it needs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from swapnas_ext.capture import Capture, Layer, Plan, WatchedModules, find_activations, sample_rows
from swapnas_ext.forward import fast_layers
from swapnas_ext.models import Inventory, MiniBatch, NothingToRestore, RandomState, Restoring
from swapnas_ext.patterns import Observer, PatternCounter

if TYPE_CHECKING:
    from collections.abc import Iterator

_log = logging.getLogger(__name__)

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional and keyword arguments of a forward pass."""

Hooks = Callable[[], AbstractContextManager[Any]]

Counters = Callable[[torch.device, bool, int], AbstractContextManager[PatternCounter]]
"""From (device, ternary, groups) to a counter that can be used for a while."""


class NeedsTernary(BaseException):
    """A forward pass has shown that patterns are ternary, so all repeats are read again. A measure must not catch
    this."""


@dataclass(frozen=True)
class Sizes:
    """Bytes of the activations of one repeat: of the largest, and of all together."""

    largest: int
    activations: int


class Remembered:
    """What the first model of a class has shown, which spares the next ones the work of finding it out."""

    def __init__(self) -> None:
        self.ternary = False  # one of its operators has ternary patterns
        self.keeps_weights = False  # a forward pass does not change its weights
        self.rows_are_samples = False  # of each of its activations
        self.has_no_tangents = False  # its ReLUs run without forward-mode differentiation
        self.is_all_drawn = False  # the initialiser reaches all its weights
        self.unbatchable: str | None = None  # why it can't run as replicates
        self.sizes: Sizes | None = None  # of the last of them


class Execution:
    """Runs a forward pass. This class runs the network by itself, one repeat at a time."""

    replicates = 1

    @contextmanager
    def counter(self, network: PreparedNetwork) -> Iterator[PatternCounter]:
        """An empty set of patterns, with a group for each replicate."""
        with network.counters(network.device, network.ternary, self.replicates) as counter:
            counter.reset()
            yield counter

    def observer(self, observer: Observer) -> Observer:
        """The observer to feed in place of the measure's."""
        return observer

    def run(self, network: PreparedNetwork, capture: Capture, arguments: Arguments) -> None:
        """One forward pass, which feeds what the capture watches."""
        args, kwargs = arguments
        modules = network.restoring.modules
        layers = fast_layers(modules, capture.insert_of) if network.is_fast else nullcontext()
        with layers, capture.running(network.watched):
            network.model(*args, **kwargs)


class PreparedNetwork:
    """A network with the weights of one repeat, in scoring mode. A measure may run it as often as it needs; it is
    restored afterwards.

    Attributes:
        samples: S.
        device: where it is.
        repeat: number of the repeat, from 0; the first of several that run as ``replicates``.
        seed: of this repeat.
        is_fast: whether layers run by the package's own kernels.
        ternary: whether observers must tell three states apart.
        layers: the activations captured on the samples, in the order of their first call; empty before the
            first `run`.
        missed: what looks like an activation and was not captured.
        notes: sentences for the user, see `note`.
    """

    def __init__(
        self,
        inventory: Inventory,
        batch: MiniBatch,
        plan: Plan,
        counters: Counters,
        known: Remembered,
        device: torch.device,
        *,
        fast: bool,
    ) -> None:
        self.samples = batch.samples
        self.device = device
        self.is_fast = fast and device.type == "cpu"
        self.repeat = 0
        self.seed = 0
        self.watched: WatchedModules = find_activations(inventory, plan)
        self.ternary = self.watched.ternary or known.ternary
        self.layers: list[Layer] = []
        self.missed: list[str] = []
        self.notes: list[str] = []
        self.counters = counters
        self.restoring: Restoring | NothingToRestore
        self.reseed: Callable[[int], None]
        self.initialize: Callable[[], None]
        self.execution = Execution()
        self.find_nan = False
        self.seconds_of_passes = 0.0  # without the observer
        self.left_out: set[str] = set()  # names of layers whose rows are not the samples
        self._inventory = inventory
        self._batch = batch
        self._plan = plan
        self._known = known
        self._met_ternary = False
        self._passes = 0  # of this repeat
        self._check_rows: Callable[[], bool] | None = None  # of the first pass

    @property
    def model(self) -> nn.Module:
        """The model with the weights of this repeat."""
        return self.restoring.model

    @property
    def modules(self) -> list[nn.Module]:
        """All modules, also those that are no children, such as of a list; without TorchScript."""
        everything = self.restoring.modules
        return [module for module in everything if not isinstance(module, torch.jit.ScriptModule)]

    @property
    def replicates(self) -> int:
        """How many repeats one forward pass runs."""
        return self.execution.replicates

    @property
    def neurons(self) -> int:
        """V, over all captured layers."""
        return sum(layer.neurons for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return self._inventory.parameter_count

    @property
    def has_ternary(self) -> bool:
        """Whether a captured activation has three states."""
        return self._met_ternary or any(layer.rule.ternary for layer in self.layers)

    def begin(self, repeat: int, seed: int) -> None:
        """Starts a repeat, whose weights the network has by now. Not for measures."""
        self.repeat, self.seed = repeat, seed
        self._passes = 0

    def forget(self) -> None:
        """Forgets what earlier runs have shown. Not for measures."""
        self.ternary = self.watched.ternary or self._known.ternary
        self.layers = []
        self.missed = []
        self.left_out.clear()
        self._check_rows = None

    def counter(self) -> AbstractContextManager[PatternCounter]:
        """An empty set of patterns, with a group for each replicate."""
        return self.execution.counter(self)

    def generator(self, stream: int = 0) -> torch.Generator:
        """Random numbers for the measure, seeded by this repeat. Each ``stream`` gives others; the weights are drawn
        from stream 0."""
        return torch.Generator(self.device).manual_seed((self.seed + stream) % 2**63)

    def noise(self, generator: torch.Generator) -> Arguments:
        """Arguments with standard normal numbers in place of the samples: see `MiniBatch.noise`."""
        return self._batch.noise(generator, self.device)

    def pairs_of_noise(self, generator: torch.Generator, pairs: int) -> Arguments | None:
        """A few samples of noise, each twice: see `MiniBatch.pairs_of_noise`."""
        return self._batch.pairs_of_noise(generator, self.device, pairs)

    def varied(
        self, function: Callable[[Tensor], Tensor], samples: Sequence[int] | None = None
    ) -> Arguments:
        """Copies of the arguments with ``function(tensor)`` in place of the samples, or of some of them: see
        `MiniBatch.varied`."""
        return self._batch.varied(function, self.device, samples)

    def note(self, text: str) -> None:
        """Adds a sentence for the user, unless it is there already."""
        if text not in self.notes:
            self.notes.append(text)
            _log.debug("%s: %s", type(self.model).__name__, text)

    def run(
        self,
        observer: Observer,
        arguments: Arguments | None = None,
        *,
        hooks: Hooks = nullcontext,
    ) -> None:
        """One forward pass, in which the observer gets every activation. It starts from the same state as the first
        pass of the repeat: buffers, attributes and random numbers.

        Args:
            arguments: of the network; by default the samples.
            hooks: makes a context that is entered right before the pass and left after it.

        Raises:
            ValueError: no activation was captured, or one that does not fit the samples.
        """
        if self._passes:
            self.restoring.again()
        self._passes += 1
        recording = arguments is None and not self.layers
        watcher = None
        if recording and not self._known.rows_are_samples and self.replicates == 1:
            watcher = sample_rows.RowWatcher(observer, self.samples, self.ternary)
        capture = self.capture(
            self.execution.observer(observer) if watcher is None else watcher, record=recording
        )
        start = time.perf_counter()
        with hooks():
            self._pass(capture, self._batch.on(self.device) if arguments is None else arguments)
        self.seconds_of_passes += time.perf_counter() - start - capture.seconds
        if arguments is not None:
            return
        self._met_ternary |= capture.met_ternary
        if capture.needs_ternary:
            self._known.ternary = True
            raise NeedsTernary
        if watcher is not None:
            self._check_rows = partial(self._rows_left_out, capture, watcher.seen, hooks)
        if recording:
            self._take_from(capture)
        self.left_out |= self._without_fit(capture)

    @contextmanager
    def output(
        self, arguments: Arguments | None = None, *, hooks: Hooks = nullcontext
    ) -> Iterator[Any]:
        """A context with the output of one forward pass, in which nothing is captured. It starts from the same state
        as `run`.

        Args:
            arguments: of the network; by default the samples.
            hooks: makes a context that is entered right before the pass and left with this one. Autograd records the
                pass where it switches autograd on.
        """
        if self._passes:
            self.restoring.again()
        self._passes += 1
        with hooks():
            torch.clear_autocast_cache()  # its casts may lack the record of autograd
            self.reseed(self.seed)
            start = time.perf_counter()
            args, kwargs = self._batch.on(self.device) if arguments is None else arguments
            output = self.model(*args, **kwargs)
            self.seconds_of_passes += time.perf_counter() - start
            yield output

    def capture(self, observer: Observer, *, record: bool = False) -> Capture:
        """What feeds the observer in one pass. Not for measures."""
        return Capture(
            observer,
            self._plan,
            record=record,
            count_layers=record and self.device.type == "cpu",
            find_nan=self.find_nan,
            left_out=self.left_out,
            compiled=self._known.has_no_tangents and self._known.rows_are_samples,
        )

    def drew_random_numbers(self) -> bool:
        """Whether the last pass drew from the random numbers of torch, Python or NumPy."""
        after = RandomState(self.device)
        self.reseed(self.seed)
        return not after.is_now()

    def _pass(self, capture: Capture, arguments: Arguments) -> None:
        self.reseed(self.seed)
        self.execution.run(self, capture, arguments)

    def leaves_out_rows(self) -> bool:
        """Checks the rows of the layers of the first pass, once, with passes of its own. Returns whether some are not
        the samples: the reading was of no use, and the next one leaves them out. Not for measures."""
        check, self._check_rows = self._check_rows, None
        return check is not None and check()

    def _rows_left_out(self, capture: Capture, seen: list[sample_rows.Seen], hooks: Hooks) -> bool:

        def run(
            order: list[int] | None, replaced: dict[int, int]
        ) -> tuple[list[str], list[sample_rows.Seen]]:
            self.restoring.again(weights=True)
            self.initialize()
            watcher = sample_rows.RowWatcher(None, self.samples, self.ternary)
            other = self.capture(watcher, record=True)
            arguments = (
                self._batch.in_order(order, self.device)
                if order is not None
                else self._batch.replaced(replaced, self.device)
            )
            with hooks():
                self._pass(other, arguments)
            return other.calls, watcher.seen

        start = time.perf_counter()
        found = sample_rows.not_samples(capture.calls, seen, self.samples, run)
        self.seconds_of_passes += time.perf_counter() - start
        self.notes += sample_rows.notes(found, capture.unfit, self.samples)
        self.left_out |= found.keys()
        self._known.rows_are_samples = not self.left_out and not capture.unfit
        if found:
            self.layers = []
            self.missed = []
        return bool(found)

    def _without_fit(self, capture: Capture) -> set[str]:
        """Names of the layers none of whose calls has the samples as its rows. Of other layers, such calls are left out
        one by one."""
        return capture.unfit.keys() - {layer.name for layer in self.layers}

    def _take_from(self, capture: Capture) -> None:
        if not capture.captured:
            unfit = next(iter(capture.unfit.values()), None)
            raise unfit or ValueError(self._nothing(capture))
        self.layers = capture.layers
        self.missed = list(capture.missed)
        self._known.has_no_tangents = not capture.met_tangents
        self._known.sizes = Sizes(capture.largest, capture.bytes)

    def _nothing(self, capture: Capture) -> str:
        name = type(self.model).__name__
        known = [
            module.name
            for module in self.watched.watched
            if module.role in ("activation", "left out")
        ]
        text = f"no activation of {name} was captured in its forward pass, so there is no score"
        if capture.skipped:
            text += f"; select= leaves out: {', '.join(capture.skipped)}"
        elif known and not self.left_out:
            text += f"; it has {', '.join(known[:5])}, but does not call them"
        for note in self.notes:
            if note.startswith("left out"):
                text += f"; {note}"
        if capture.missed:
            text += f"; not captured: {'; '.join(capture.missed)}; give {self._plan.wanted}"
        if self._plan.mode == "modules":
            text += (
                "; capture='modules' sees no activations called as functions: use capture='auto'"
            )
        return text
