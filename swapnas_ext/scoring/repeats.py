"""Reads the repeats of one score: each repeat by itself, or many in one pass."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn

from swapnas_ext import _torch_private
from swapnas_ext.capture import dispatch
from swapnas_ext.measures import (
    Counters,
    Execution,
    Measure,
    Measurement,
    NeedsTernary,
    PreparedNetwork,
    Remembered,
)
from swapnas_ext.models import (
    Inventory,
    MiniBatch,
    ModesToRestore,
    NothingToRestore,
    Reach,
    Restoring,
    initialization,
    own_random_state,
    running_statistics,
    set_scoring_mode,
    uncompiled,
)
from swapnas_ext.patterns import NanActivationError
from swapnas_ext.scoring import memory
from swapnas_ext.scoring.cuda_graph import ReplayedGraph
from swapnas_ext.scoring.forward_errors import device_of, probable_cause
from swapnas_ext.scoring.options import Options
from swapnas_ext.scoring.readings import Readings
from swapnas_ext.scoring.replicates import Replicates, replicates_at_once
from swapnas_ext.scoring.swap_score import Timing

_MIN_REPLAYS = 4  # fewer are not worth the capture of a graph


class Repeats:
    """Reads all repeats of one score.

    Args:
        is_disposable: whether nobody else holds the model.
        only_computes: whether a forward pass does nothing but compute, and the weights are those that the model has.
        seconds_of_build: spent on building the model, where we did.

    Attributes:
        model: the model that is measured.
        network: the same as a measure sees it, with its notes.
        readings: those so far.
    """

    def __init__(
        self,
        model: nn.Module,
        inventory: Inventory,
        batch: MiniBatch,
        options: Options,
        counters: Counters,
        known: Remembered,
        *,
        is_disposable: bool,
        only_computes: bool,
        seconds_of_build: float = 0.0,
    ) -> None:
        self.model = model
        self._inventory = inventory
        self._batch = batch
        self._options = options
        self._measure: Measure[Any] = options.measure
        self._known = known
        self._is_disposable = is_disposable
        self._only_computes = only_computes
        self._device = device_of(inventory)
        self.network = PreparedNetwork(
            inventory,
            batch,
            options.plan,
            counters,
            known,
            self._device,
            fast=options.fast_layers and options.autocast is None and not options.channels_last,
        )
        self.readings = Readings(self._measure, options.tolerance, self.network)
        self._seconds_of_build = seconds_of_build
        self._seconds_of_weights = 0.0
        self._seconds_of_reading = 0.0

    @property
    def size(self) -> tuple[int, int]:
        """Parameters and neurons."""
        return self._inventory.parameter_count, self.network.neurons

    @property
    def timing(self) -> Timing:
        forward = self.network.seconds_of_passes
        count = self._seconds_of_reading - forward
        return Timing(self._seconds_of_build, self._seconds_of_weights, forward, count)

    def measured(self) -> Measurement:
        """Reads all repeats, or as many as the tolerance needs."""
        options, network = self._options, self.network
        with ExitStack() as stack:
            enter = stack.enter_context
            enter(torch.inference_mode(False))  # whose tensors have no versions
            enter(torch.no_grad())
            enter(uncompiled())
            runs_once = self._runs_once()
            only_computes = runs_once and self._only_computes
            if only_computes:
                network.reseed = _draws_nothing
            else:
                network.reseed = enter(own_random_state(self._device))
            network.initialize = self._initialize
            reach = None
            if not (runs_once and self._known.is_all_drawn):
                reach = initialization.reach(options.initialize, self.model)
            arguments = self.model, self._inventory, set_scoring_mode
            self._restoring: Restoring | NothingToRestore
            if only_computes:
                self._restoring = ModesToRestore(*arguments)
            elif runs_once or reach is None:
                self._restoring = NothingToRestore(*arguments)
            else:
                self._restoring = Restoring(*arguments, reach.overwritten, reach.buffers)
            stack.push(self._restoring)  # first, for Ctrl-C may come right after it is entered
            self._restoring.__enter__()
            network.restoring = self._restoring
            if options.autocast is not None:
                enter(torch.autocast(self._device.type, options.autocast))
            stack.callback(torch.clear_autocast_cache)  # it may hold casts of our weights
            known_before = [
                note
                for note in (
                    *_torch_private.notes(),
                    running_statistics.note(self._inventory),
                    self._undrawn(reach),
                )
                if note
            ]
            network.notes += known_before
            try:
                self._all_repeats()
            except NeedsTernary:  # from the beginning
                self.readings.all.clear()
                network.forget()
                network.notes[:] = known_before
                self._restoring.again(weights=True)
                self._all_repeats()
            measurement = self.readings.summary()
            patterns = measurement.patterns
            all_alike = options.repeats > 1 and (
                measurement.spread == 0 or (patterns and len(set(patterns)) == 1)
            )
            if all_alike and not initialization.draws(options.initialize, network.model):
                network.note(
                    "all repeats are the same: the initialiser found no weight of a layer to draw "
                    "(TorchScript and graphs of torch.export have none that it knows)"
                )
            return measurement

    def _all_repeats(self) -> None:
        # If the last model of this class has shown what to expect, all repeats can run in batches.
        # Otherwise the first one runs by itself and finds it out.
        known = self._known
        if self._options.repeats == 1:
            self._first()
            return
        if known.keeps_weights and known.rows_are_samples and known.sizes is not None:
            self._batches()
        changed = False
        if not self.readings:
            self._first()
            by_value = self._options.initialize is None
            changed = self._restoring.changed_weight(by_value=by_value) is not None
            self._known.keeps_weights = not changed
            if not changed:
                self._batches()
        self._loop(again=changed)

    def _is_done(self) -> bool:
        return len(self.readings) == self._options.repeats or self.readings.are_enough()

    def _undrawn(self, reach: Reach | None) -> str | None:
        """A note about the weights that the initialiser does not draw. The model has our tensors by now."""
        if reach is None:  # all are drawn, as in every model of its class
            return None
        initialize = self._options.initialize
        note = initialization.undrawn_note(initialize, self._inventory, self.network.model, reach)
        self._known.is_all_drawn = note is None
        return note

    def _runs_once(self) -> bool:
        """Whether no tensor has to be protected: the model runs only once, and nobody else holds it or it writes to
        none."""
        known = self._known.sizes is not None and self._known.rows_are_samples
        one_pass = self._measure.replicates and self._options.repeats == 1
        return known and one_pass and (self._is_disposable or self._only_computes)

    # ---- weights ---------------------------------------------------------------------------------

    def _begin(self, repeat: int) -> None:
        """Gives the network the weights of a repeat."""
        self.network.begin(repeat, self._options.seed + repeat)
        self._initialize()

    def _initialize(self) -> None:
        start = time.perf_counter()
        channels_last = self._options.channels_last
        if self._options.initialize is not None:
            if channels_last:  # random numbers are drawn in the order of the memory
                self._restoring.lay_out(torch.contiguous_format)
            self._overwrite(self.network.model, self._generator(self.network.repeat))
        if channels_last:
            self._restoring.lay_out(torch.channels_last)
        self._restoring.note()
        torch.clear_autocast_cache()
        self._seconds_of_weights += time.perf_counter() - start

    def _overwrite(self, model: nn.Module, generator: torch.Generator) -> None:
        """Runs the initialiser. A user's own may also draw from the global random numbers, so they are seeded."""
        assert self._options.initialize is not None
        self.network.reseed(generator.initial_seed())
        self._options.initialize(model, generator)

    def _generator(self, repeat: int) -> torch.Generator:
        return torch.Generator(self._device).manual_seed(self._options.seed + repeat)

    # ---- one repeat at a time --------------------------------------------------------------------

    def _first(self) -> None:
        """Reads the first repeat, which shows layers, sizes, and whether patterns are ternary."""
        self._begin(0)
        while not self._read_one():
            self._restoring.again(weights=True)
            self._begin(0)

    def _read_one(self) -> bool:
        """Returns False for a first repeat that must be read again, without the layers whose rows are not the
        samples."""
        try:
            reading = self._read()
        except NanActivationError:  # read once more, to name the activation
            if self.network.leaves_out_rows():
                return False
            self._restoring.again(weights=True)
            self._begin(self.network.repeat)
            self.network.execution = Execution()
            self.network.find_nan = True
            self._read()
            raise
        if self.network.leaves_out_rows():
            return False
        self.readings.all.append(reading)
        return True

    def _read(self) -> Any:
        start = time.perf_counter()
        try:
            return self._measure.read(self.network)
        except TypeError as error:
            misfit = self._batch.misfit(self.model)
            if misfit is None:
                raise
            raise TypeError(misfit) from error
        except (RuntimeError, AssertionError) as error:  # the second where torch lacks a device
            told = probable_cause(error, self.model, self._inventory, self._batch, self._options)
            if told is None:
                raise
            raise RuntimeError(told) from error
        finally:
            self._seconds_of_reading += time.perf_counter() - start

    def _loop(self, *, again: bool) -> None:
        """Reads the remaining repeats one after another; on a GPU by replaying one captured graph.

        Args:
            again: whether to restore the weights before each repeat, since a forward pass changes them.
        """
        left = self._options.repeats - len(self.readings)
        if self._is_done():
            return
        network = self.network
        with ExitStack() as stack:
            replays = self._device.type == "cuda" and left >= _MIN_REPLAYS and not again
            if replays and self._measure.replicates:
                network.execution = ReplayedGraph.captured(network, self._batch, stack)
            while not self._is_done():
                self._restoring.again(weights=again)
                self._begin(len(self.readings))
                self._read_one()
        network.execution = Execution()

    # ---- many repeats in one pass ----------------------------------------------------------------

    def _batches(self) -> None:
        """Reads as many of the remaining repeats in batches as is possible and pays; leaves the others."""
        options, sizes = self._options, self._known.sizes
        if self._is_done() or options.channels_last:
            return
        if not self._measure.replicates or sizes is None:
            return
        if _torch_private.functorch is None or not (
            dispatch.SEES_REPLICATES or options.plan.mode == "modules"
        ):
            return  # the notes say so
        if self._known.unbatchable is not None:
            self.network.note(self._known.unbatchable)
            return
        if self._restoring.weights_overlap:  # those of replicates would not
            self.network.note(
                f"the repeats of {type(self.model).__name__} ran one after another, since weights share memory with "
                "other tensors of it"
            )
            return
        weights = sum(p.numel() * p.element_size() for p in self._inventory.parameters.values())
        at_once = replicates_at_once(
            options.repeats - len(self.readings),
            largest=sizes.largest,
            activations=sizes.activations,
            weights=weights,
            max_memory=options.max_memory or memory.default_limit(self._device),
            device=self._device.type,
        )
        while at_once > 1 and not self._is_done():
            done = len(self.readings)
            replicates = min(at_once, options.repeats - done)
            if replicates == 1:
                return
            try:
                readings = self._batch_of(range(done, done + replicates))
            except NanActivationError:
                return  # the loop names the repeat and the activation
            except Exception as error:
                if memory.is_out_of_memory(error):
                    at_once //= 2
                    continue
                self._known.unbatchable = (
                    f"the repeats of {type(self.model).__name__} ran one after another, since torch's "
                    f"vmap can't run it: {memory.first_line(error)}"
                )
                self.network.note(self._known.unbatchable)
                return
            finally:
                self.network.execution = Execution()
            if len(readings) != replicates:
                raise ValueError(
                    f"the measure {self._measure.name!r} gave {len(readings)} readings of {replicates} replicates: "
                    "expected one of each"
                )
            self.readings.all += readings
        del self.readings.all[self.readings.sufficient() :]

    def _batch_of(self, repeats: range) -> list[Any]:
        start = time.perf_counter()
        restoring = self._restoring
        restoring.again()
        initialize = self._options.initialize
        if initialize is None or not initialization.is_known(initialize):
            initialize = self._overwrite
        weights = initialization.stacked(
            initialize,
            self.network.model,
            restoring.weights.values(),
            [self._generator(r) for r in repeats],
        )
        torch.clear_autocast_cache()
        self._seconds_of_weights += time.perf_counter() - start
        self.network.begin(repeats.start, self._options.seed + repeats.start)
        self.network.execution = Replicates(weights, len(repeats))
        start = time.perf_counter()
        try:
            return self._measure.read_replicates(self.network)
        finally:
            self._seconds_of_reading += time.perf_counter() - start
            restoring.again()


def _draws_nothing(seed: int) -> None:
    """Seeds the random numbers of a forward pass that draws none."""
