"""The forward passes of one score: each repeat by itself, or many in one pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from swapnas_ext import _torch_private
from swapnas_ext.capture import Capture, Layer, find_activations
from swapnas_ext.capture import dispatch as interception
from swapnas_ext.capture import sample_rows as rows
from swapnas_ext.models import (
    Inventory,
    MiniBatch,
    NothingToRestore,
    Reach,
    Restoring,
    initialization,
    own_random_state,
    running_statistics,
    set_scoring_mode,
    uncompiled,
)
from swapnas_ext.patterns import NanActivationError, PatternCounter
from swapnas_ext.scoring import memory
from swapnas_ext.scoring import replicates as batching
from swapnas_ext.scoring.cuda_graph import ReplayedForward
from swapnas_ext.scoring.options import Settings
from swapnas_ext.scoring.swap_score import Composite, standard_error

_MIN_REPEATS_OF_TOLERANCE = 3
_MIN_REPLAYS = 4  # fewer are not worth the capture of a graph


class _NeedsTernary(Exception):
    """An operator with ternary patterns was met where binary ones were counted."""


Counters = Callable[[torch.device, bool, int], AbstractContextManager[PatternCounter]]
"""From (device, ternary, groups) to a counter to use for a while."""


@dataclass(frozen=True)
class Sizes:
    """Bytes of the activations of one repeat: of the largest, and of all together."""

    largest: int
    activations: int


class Remembered:
    """What is known of a class of models, to spare the next of its kind what the first one took."""

    def __init__(self) -> None:
        self.ternary = False  # an operator of it has ternary patterns
        self.keeps_weights = False  # its forward pass did not change its weights
        self.rows_are_samples = False  # of each of its activations
        self.is_all_drawn = False  # the initialiser reaches all its weights
        self.unbatchable: str | None = None  # why it can't run as replicates
        self.sizes: Sizes | None = None  # of the last of them


class Repeats:
    """Runs all repeats of one score with `all`; afterwards tells what came of it.

    Attributes:
        patterns: Psi of each repeat.
        composites: of each repeat, where they are measured.
        layers, missed: of the first repeat, as in `Capture`.
        notes: what the caller should know.
        seconds: initialise, forward, count.
        ternary: whether they are counted as ternary patterns.
        met_ternary: whether any of them is.
    """

    composites: Sequence[Composite] = ()

    def __init__(
        self,
        model: nn.Module,
        found: Inventory,
        batch: MiniBatch,
        settings: Settings,
        counters: Counters,
        known: Remembered,
        *,
        is_disposable: bool,
    ) -> None:
        self.patterns: list[int] = []
        self.layers: list[Layer] = []
        self.missed: list[str] = []
        self.notes: list[str] = []
        self.seconds = [0.0, 0.0, 0.0]
        self._model = model
        self._found = found
        self._modules = found.modules
        self._is_nobodys = is_disposable
        self._settings = settings
        self._counters = counters
        self._device = _device_of(found)
        self._batch_of_inputs = batch
        self._sites = find_activations(found, settings.plan)
        self._left_out: set[str] = set()  # names of layers whose rows are not the samples
        self._known = known
        self.ternary = self._sites.ternary or self._known.ternary
        self.met_ternary = False

    def all(self) -> None:
        settings = self._settings
        with ExitStack() as stack:
            enter = stack.enter_context
            enter(torch.inference_mode(False))  # whose tensors have no versions
            enter(torch.no_grad())
            enter(uncompiled())
            self._seed = enter(own_random_state(self._device))
            runs_once = self._runs_once()
            reach = None
            if not (runs_once and self._known.is_all_drawn):
                reach = initialization.reach(settings.initialize, self._model)
            arguments = self._model, self._found, set_scoring_mode
            self._untouched = enter(
                NothingToRestore(*arguments)
                if runs_once
                else Restoring(*arguments, reach.overwritten, reach.buffers)
            )
            self._model = self._untouched.model
            if settings.autocast is not None:
                enter(torch.autocast(self._device.type, settings.autocast))
            stack.callback(torch.clear_autocast_cache)  # it may hold casts of our weights
            known_before = (
                *_torch_private.notes(),
                running_statistics.note(self._found),
                self._undrawn(reach),
            )
            self.notes += filter(None, known_before)
            try:
                self._all_repeats()
            except _NeedsTernary:  # from the beginning, with ternary patterns
                self.ternary = self._known.ternary = True
                self.patterns.clear()
                self.notes[:] = filter(None, known_before)
                self._untouched.again(weights=True)
                self._all_repeats()
            all_alike = settings.repeats > 1 and len(set(self.patterns)) == 1
            if all_alike and not initialization.draws(settings.initialize, self._model):
                self.notes.append(
                    "all repeats are the same: the initialiser found no weight of a layer to draw "
                    "(TorchScript and graphs of torch.export have none that it knows)"
                )

    def _all_repeats(self) -> None:
        # Where the last model of this class tells what to expect, all repeats can run in batches; else
        # the first one, by itself, finds it out.
        known = self._known
        if known.keeps_weights and known.rows_are_samples and known.sizes is not None:
            self._batches()
        changed = False
        if not self.patterns:
            changed = self._first()
            self._known.keeps_weights = not changed
            if not changed:
                self._batches()
        self._loop(again=changed)

    def _capture(self, counter: Any, **options: Any) -> Capture:
        return Capture(counter, self._settings.plan, left_out=self._left_out, **options)

    def _undrawn(self, reach: Reach | None) -> str | None:
        """What is not drawn of the model, which has our tensors."""
        if reach is None:  # nothing, as of all of its class
            return None
        initialize = self._settings.initialize
        note = initialization.undrawn_note(initialize, self._found, self._model, reach)
        self._known.is_all_drawn = note is None
        return note

    def _runs_once(self) -> bool:
        """Whether there is nothing to put back, for anybody or for another forward pass."""
        known = self._known.sizes is not None and self._known.rows_are_samples
        return known and self._is_nobodys and self._settings.repeats == 1

    # ---- weights ---------------------------------------------------------------------------------

    def _initialize(self, repeat: int) -> None:
        start = time.perf_counter()
        channels_last = self._settings.channels_last
        if self._settings.initialize is not None:
            if channels_last:  # random numbers are drawn in the order of the memory
                self._untouched.lay_out(torch.contiguous_format)
            self._overwrite(self._model, self._generator(repeat))
        if channels_last:
            self._untouched.lay_out(torch.channels_last)
        self._untouched.note()
        torch.clear_autocast_cache()
        self.seconds[0] += time.perf_counter() - start

    def _overwrite(self, model: nn.Module, generator: torch.Generator) -> None:
        """The initialiser; one of the user's own may draw from the global random numbers too."""
        self._seed(generator.initial_seed())
        self._settings.initialize(model, generator)

    def _fresh(self) -> None:
        """Undoes what the last forward pass left behind, for the next one to begin as it did."""
        self._untouched.again()

    def _generator(self, repeat: int) -> torch.Generator:
        return torch.Generator(self._device).manual_seed(self._settings.seed + repeat)

    # ---- one repeat at a time --------------------------------------------------------------------

    def _first(self) -> bool:
        """The first repeat: tells layers, sizes, and whether patterns are ternary. Returns whether the forward
        pass changed a weight, or may have."""
        with self._counters(self._device, self.ternary, 1) as counter:
            capture = self._of_samples(counter)
            self._take_from(capture)
            by_value = self._settings.initialize is None
            changed = self._untouched.changed_weight(by_value=by_value) is not None
            self._count_single(counter, 0)
            return changed

    def _of_samples(self, counter: PatternCounter) -> Capture:
        """The first repeat, without the layers whose rows are not the samples."""
        samples = counter.samples
        on_host = self._device.type == "cpu"

        def run(
            order: list[int] | None, replaced: dict[int, int]
        ) -> tuple[list[str], list[rows.Seen]]:
            self._as_at_first()
            watching = rows.Watching(rows.NoCounter(samples, self.ternary))
            other = self._capture(watching, record=True)
            self._seed(self._settings.seed)
            inputs = self._batch_of_inputs
            arguments = (
                inputs.in_order(order, self._device)
                if order is not None
                else inputs.replaced(replaced, self._device)
            )
            self._run_model(other, *arguments)
            return other.calls, watching.seen

        self._initialize(0)
        while True:
            fed = counter if self._known.rows_are_samples else rows.Watching(counter)
            capture = self._capture(fed, record=True, count_layers=on_host)
            self._forward(counter, capture, 0)
            if fed is counter:
                return capture
            found = rows.not_samples(capture.calls, fed.seen, samples, run)
            self.notes += rows.notes(found, capture.unfit, samples)
            self._left_out |= found.keys() | capture.unfit.keys()
            self._known.rows_are_samples = not self._left_out
            if not found:
                return capture
            self._as_at_first()  # and once more, without them

    def _as_at_first(self) -> None:
        """For another forward pass of the first repeat."""
        self._untouched.again(weights=True)
        self._initialize(0)

    def _take_from(self, capture: Capture) -> None:
        """What the capture of the first repeat tells."""
        if not capture.captured:
            unfit = next(iter(capture.unfit.values()), None)
            raise unfit or ValueError(self._nothing(capture))
        self.layers = capture.layers
        self.missed = list(capture.missed)
        self._known.sizes = Sizes(capture.largest, capture.bytes)

    def _forward(self, counter: PatternCounter, capture: Capture, repeat: int) -> None:
        start = time.perf_counter()
        counter.reset()
        self._seed(self._settings.seed + repeat)
        try:
            args, kwargs = self._batch_of_inputs.on(self._device)
            self._run_model(capture, args, kwargs)
        except TypeError as error:
            misfit = self._batch_of_inputs.misfit(self._model)
            if misfit is None:
                raise
            raise TypeError(misfit) from error
        except (RuntimeError, AssertionError) as error:  # the second where torch lacks a device
            told = self._told_of(error)
            if told is None:
                raise
            raise RuntimeError(told) from error
        self.seconds[1] += time.perf_counter() - start - capture.seconds
        self.seconds[2] += capture.seconds
        self.met_ternary |= capture.met_ternary
        if capture.needs_ternary:
            raise _NeedsTernary

    def _told_of(self, error: Exception) -> str | None:
        """What an error in the forward pass probably means; None where that can't be told."""
        if memory.is_out_of_memory(error):
            return memory.too_large(self._device, error)
        name, line = type(self._model).__name__, memory.first_line(error)
        default = torch.get_default_device()
        if default.type != self._device.type:
            return (
                f"{name} is on {self._device}, and torch's default device, on which a forward pass may make "
                f"tensors, is {default}: {line}; score it in a with torch.device('{self._device}')"
            )
        given = self._batch_of_inputs.dtypes()
        weights = {p.dtype for p in self._found.parameters.values() if p.is_floating_point()}
        if given and weights and not given & weights and self._settings.autocast is None:
            return (
                f"{name} has weights of {_listed(weights)}, and can't run on inputs of {_listed(given)}: "
                f"{line}; give the inputs .to({_listed(weights)})"
            )
        return None

    def _run_model(self, capture: Capture, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        with capture.running(self._sites):
            self._model(*args, **kwargs)

    def _count_single(self, counter: PatternCounter, repeat: int) -> None:
        try:
            self.patterns.append(self._counted(counter))
        except NanActivationError:  # once more, to name the activation
            self._untouched.again(weights=True)
            self._initialize(repeat)
            self._forward(counter, self._capture(counter, find_nan=True), repeat)
            raise

    def _counted(self, counter: PatternCounter) -> Any:
        start = time.perf_counter()
        count = counter.count()
        self.seconds[2] += time.perf_counter() - start
        return count

    def _loop(self, *, again: bool) -> None:
        """The repeats that are left, one after another; on a GPU by replaying one captured graph."""
        settings = self._settings
        left = settings.repeats - len(self.patterns)
        if left == 0 or self._enough():
            return
        with self._counters(self._device, self.ternary, 1) as counter, ExitStack() as stack:
            forward: Callable[[int], None] | None = None
            if self._device.type == "cuda" and left >= _MIN_REPLAYS and not again:
                forward = self._replayed(counter, stack)
            while len(self.patterns) < settings.repeats and not self._enough():
                repeat = len(self.patterns)
                # Of the weights, what the last forward pass changed and is not initialised.
                self._untouched.again(weights=again)
                self._initialize(repeat)
                if forward is not None:
                    forward(repeat)
                else:
                    self._forward(counter, self._capture(counter), repeat)
                self._count_single(counter, repeat)

    def _replayed(self, counter: PatternCounter, stack: ExitStack) -> Callable[[int], None] | None:
        counter.reserve(sum(layer.neurons for layer in self.layers))
        capture = self._capture(counter)
        args, kwargs = self._batch_of_inputs.on(self._device)

        def run() -> None:
            counter.reset()
            with capture.running(self._sites):
                self._model(*args, **kwargs)

        try:
            graph = stack.enter_context(ReplayedForward(run, self._device))
        except RuntimeError as error:
            self.notes.append(f"no CUDA graph could be captured: {memory.first_line(error)}")
            return None

        def forward(repeat: int) -> None:
            start = time.perf_counter()
            self._seed(self._settings.seed + repeat)
            graph.replay()
            self.seconds[1] += time.perf_counter() - start

        return forward

    # ---- many repeats in one pass ----------------------------------------------------------------

    def _batches(self) -> None:
        """As many of the repeats that are left as can and should run at once; the others are left."""
        settings, sizes = self._settings, self._known.sizes
        if len(self.patterns) == settings.repeats or self._enough() or settings.channels_last:
            return
        if _torch_private.functorch is None or not (
            interception.SEES_REPLICATES or settings.plan.mode == "modules"
        ):
            return  # the notes tell
        if self._known.unbatchable is not None:
            self.notes.append(self._known.unbatchable)
            return
        weights = sum(p.numel() * p.element_size() for p in self._found.parameters.values())
        at_once = batching.replicates_at_once(
            settings.repeats - len(self.patterns),
            largest=sizes.largest,
            activations=sizes.activations,
            weights=weights,
            max_memory=settings.max_memory or memory.default_limit(self._device),
            device=self._device.type,
        )
        while at_once > 1 and len(self.patterns) < settings.repeats and not self._enough():
            done = len(self.patterns)
            replicates = min(at_once, settings.repeats - done)
            if replicates == 1:
                return
            try:
                self.patterns += self._batch(range(done, done + replicates))
            except NanActivationError:
                return  # the loop tells in which repeat and where
            except _NeedsTernary:
                raise
            except Exception as error:
                if memory.is_out_of_memory(error):
                    at_once //= 2
                    continue
                self._known.unbatchable = (
                    f"the repeats of {type(self._model).__name__} ran one after another, since torch's "
                    f"vmap can't run it: {memory.first_line(error)}"
                )
                self.notes.append(self._known.unbatchable)
                return
        del self.patterns[self._sufficient() :]

    def _batch(self, repeats: range) -> list[int]:
        start = time.perf_counter()
        self._fresh()
        initialize = self._settings.initialize
        if not initialization.is_known(initialize):
            initialize = self._overwrite
        weights = initialization.stacked(
            initialize,
            self._model,
            self._untouched.weights.values(),
            [self._generator(r) for r in repeats],
        )
        torch.clear_autocast_cache()
        initialized = time.perf_counter()
        with ExitStack() as stack:
            counter = stack.enter_context(self._counters(self._device, self.ternary, len(repeats)))
            counter.reset()
            capture = self._capture(
                batching.ReplicateCounter(counter),
                record=repeats.start == 0,
                count_layers=repeats.start == 0 and self._device.type == "cpu",
            )
            stack.callback(self._fresh)
            stack.enter_context(batching.folded_batch_norms(self._modules))
            stack.enter_context(capture.running(self._sites))
            args, kwargs = self._batch_of_inputs.on(self._device)
            batching.run_replicates(self._model, weights, self._untouched.holding, args, kwargs)
        ran = time.perf_counter()
        self.seconds[0] += initialized - start
        self.seconds[1] += ran - initialized - capture.seconds
        self.seconds[2] += capture.seconds
        self.met_ternary |= capture.met_ternary
        if capture.needs_ternary:
            raise _NeedsTernary
        if repeats.start == 0:
            self._take_from(capture)
        return self._counted(counter)

    # ---- when to stop, and what to say -----------------------------------------------------------

    def _sufficient(self) -> int:
        """How many of the repeats so far are wanted: all, or those up to the tolerance."""
        tolerance = self._settings.tolerance
        if tolerance is not None:
            for count in range(_MIN_REPEATS_OF_TOLERANCE, len(self.patterns) + 1):
                if standard_error(self.patterns[:count]) <= tolerance:
                    return count
        return len(self.patterns)

    def _enough(self) -> bool:
        tolerance = self._settings.tolerance
        return (
            tolerance is not None
            and len(self.patterns) >= _MIN_REPEATS_OF_TOLERANCE
            and standard_error(self.patterns[: self._sufficient()]) <= tolerance
        )

    def _nothing(self, capture: Capture) -> str:
        name = type(self._model).__name__
        known = [site.name for site in self._sites.watched if site.role != "suspect"]
        text = f"no activation of {name} was captured in its forward pass, so there is no score"
        if capture.skipped:
            text += f"; select= leaves out: {', '.join(capture.skipped)}"
        elif known and not self._left_out:
            text += f"; it has {', '.join(known[:5])}, but does not call them"
        for note in self.notes:
            if note.startswith("left out"):
                text += f"; {note}"
        if capture.missed:
            text += (
                f"; not captured: {'; '.join(capture.missed)}; give {self._settings.plan.wanted}"
            )
        if self._settings.plan.mode == "modules":
            text += (
                "; capture='modules' sees no activations called as functions: use capture='auto'"
            )
        return text


def _listed(dtypes: set[torch.dtype]) -> str:
    return " and ".join(sorted(map(str, dtypes)))


def _device_of(found: Inventory) -> torch.device:
    for parameter in found.parameters.values():
        return parameter.device
    for module in found.modules:
        for buffer in module.buffers(recurse=False):
            return buffer.device
    return torch.device("cpu")
