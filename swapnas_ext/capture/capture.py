"""Feeds the activations of a model to an observer, however the model calls them."""

from __future__ import annotations

import itertools
import sys
import time
from collections import Counter as Counter_
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext._torch_private import in_forward_ad, version_of
from swapnas_ext._util import to_the_end
from swapnas_ext.capture import dispatch, rules
from swapnas_ext.capture.layer import Layer
from swapnas_ext.capture.plan import Plan
from swapnas_ext.capture.rules import RELU, RELU_FORWARD, Rule
from swapnas_ext.capture.watched import WatchedModule, WatchedModules
from swapnas_ext.models import first_tensor, main_input
from swapnas_ext.patterns import (
    NAN_MESSAGE,
    Insert,
    InsertingOperator,
    NanActivationError,
    Observer,
    relu_log,
)

_marks = itertools.count()
_Noted = tuple[int, tuple[Layer, int, torch.dtype, float, float, int]]
"""One activation that Python observed: how many calls were in the log of ReLUs before it; its layer, elements and their
dtype, start and end, patterns in the set by then."""
_Entry = tuple[Layer, int, int, float, int]
"""One observed activation: its layer, elements, bytes, seconds, patterns in the set by then."""


def _zero() -> int:
    return 0


def contents_hash(x: Tensor) -> float:
    """Differs where the values differ, unless somebody makes them collide on purpose."""
    return float(x.sum(dtype=torch.float64))


def _own_forward(module: WatchedModule) -> Any:
    """The ``forward`` that a module has as an attribute. Raises RuntimeError if `Capture` put it there."""
    forward = module.module.__dict__["forward"]
    if getattr(forward, "watched_by_swapnas", False):
        raise RuntimeError(
            f"module '{module.name}' ({module.kind}) is being scored already, or was copied while it was; score "
            "it after that, or a copy (copy.deepcopy) made before"
        )
    return forward


def _tensor_of(layer: Layer, value: Any) -> Tensor:
    """The tensor that goes into or comes out of an activation; the first one of several, as for an LSTM."""
    tensor = value if isinstance(value, Tensor) else first_tensor(value)
    if tensor is None:
        raise TypeError(
            f"activation '{layer.name}' ({layer.kind}): its rule needs a tensor, got "
            f"{type(value).__name__}; leave it out with a rule of None"
        )
    return tensor.dequantize() if tensor.is_quantized else tensor


def _put_back(
    patched: list[dict[str, Any]], own_forwards: list[tuple[dict[str, Any], Any]]
) -> None:
    """Gives modules, by their attributes, the ``forward`` that they had."""
    for attributes in patched:
        attributes.pop("forward", None)
    for attributes, forward in own_forwards:
        attributes["forward"] = forward


class Capture:
    """Feeds the activations of a model to an observer while `running`.

    Attributes:
        layers: the captured layers, in the order of their first call; empty without ``record``.
        missed: what looks like an activation and was not captured; empty without ``record``.
        skipped: names of layers that were not selected.
        captured: number of calls captured.
        met_tangents: a ReLU ran while tensors could have tangents, of forward-mode differentiation.
        met_ternary: an operator with ternary patterns was met.
        needs_ternary: an operator with ternary patterns was met, and the observer's are binary: what
            was observed is of no use.
        calls: names of the layers, call after call; empty without ``record``.
        unfit: layers that were left out since their rows are no multiple of S, with the error to raise if no
            layer is left.
        largest, bytes: of the largest activation, and of all together.
        seconds: time that the observer took; for a ReLU this includes the ReLU itself.

    Args:
        record: fill the attributes that say so.
        count_layers: record how many new patterns each layer adds.
        find_nan: check for NaN after each activation, to name the one that has it.
        left_out: names of layers not to capture.
        compiled: ReLUs go to a `relu_log` where possible; only for models in which no tensor has tangents.
    """

    def __init__(
        self,
        observer: Observer,
        plan: Plan,
        *,
        record: bool = False,
        count_layers: bool = False,
        find_nan: bool = False,
        left_out: Collection[str] = (),
        compiled: bool = False,
    ) -> None:
        self.observer = observer
        self.layers: list[Layer] = []
        self.missed: dict[str, None] = {}
        self.skipped: dict[str, None] = {}
        self.calls: list[str] = []
        self.unfit: dict[str, Exception] = {}
        self.captured = 0
        self.met_ternary = self.needs_ternary = self.met_tangents = False
        self.largest = self.bytes = 0
        self.seconds = 0.0
        self._plan = plan
        self._record = record
        self._find_nan = find_nan
        self._left_out = left_out
        self._watched: WatchedModules
        self._operator_layers: dict[tuple[str, str, int], Layer] = {}
        self._calls_of: Counter_[tuple[str, str]] = Counter_()  # places in a module's code
        counts = count_layers and observer.counts_patterns
        self._patterns_so_far = observer.count_on_host if counts else _zero
        self._book: list[_Noted] = []
        self._plain_relus: dict[int, WatchedModule] = {}  # by the identity of the module
        self._is_logging = False
        self._layers_of_modules: dict[str, Layer] = {}
        self._calls_in_log = _zero
        self._table = self._table_of_log() if compiled else None
        self._relu = self._relu_once()

    @contextmanager
    def running(self, watched: WatchedModules) -> Iterator[None]:
        """Watches a model for as long as the context lasts, and stops watching whatever happens.

        Raises:
            RuntimeError: one of its modules is being watched already, from another thread.
        """
        self._watched = watched
        for name in self._plan.rules:
            if isinstance(name, str):
                dispatch.register(name)
        patched: list[dict[str, Any]] = []
        own_forwards: list[tuple[dict[str, Any], Any]] = []
        with ExitStack() as stack:
            try:
                logged = (
                    self._start_log() if self._table is not None else [False] * len(watched.watched)
                )
                forwards = relu_log.forwards(len(logged))
                for number, module in enumerate(watched.watched):
                    attributes = module.module.__dict__
                    if "forward" in attributes:
                        own_forwards.append((attributes, _own_forward(module)))
                    if logged[number]:
                        forward = forwards[number]
                        self._plain_relus[id(module.module)] = module
                    else:
                        forward = self._forward_of(module)
                        forward.__dict__["watched_by_swapnas"] = True
                    patched.append(attributes)
                    attributes["forward"] = forward
                if self._plan.mode != "modules":
                    stack.enter_context(dispatch.intercepted(self._operator))
                yield
            finally:
                try:
                    to_the_end(lambda: _put_back(patched, own_forwards))
                finally:
                    self._close_book()

    # ---- the log of ReLUs ------------------------------------------------------------------------

    def _table_of_log(self) -> Tensor | None:
        """The table that a log can insert into; None if ReLUs can't be logged."""
        observer, plan = self.observer, self._plan
        plain = plan.mode != "modules" and not plan.rules and plan.select is None
        if not dispatch.LOGS_RELUS or not plain or self._find_nan or self._left_out:
            return None
        return None if observer.of_inputs or observer.counts_once else observer.direct_table()

    def _start_log(self) -> list[bool]:
        """Starts the log. Returns, for each module, whether its calls go to it."""
        assert self._table is not None
        # Names of operators are found by Python.
        relu_log.start(
            self._table,
            self.observer.samples,
            self.observer.ternary,
            takes_unnamed=not self._record,
            elsewhere=self._relu_elsewhere,
        )
        self._is_logging = True
        self._calls_in_log = relu_log.calls
        return self._watched.plain_relus

    def _relu_elsewhere(self, number: int, x: Tensor) -> Tensor:
        y: Tensor = self._fused_relu(self._layer_of(number), in_place=False)(x)
        return y

    def _stop_log(self) -> list[relu_log.Call]:
        if not self._is_logging:
            return []
        self._is_logging = False
        return relu_log.stop()

    def _layer_of(self, number: int) -> Layer:
        """The layer of a module that goes to the log, or of a ReLU that no module calls through it."""
        if number == relu_log.UNNAMED:
            return Layer("relu", "relu", "operator")
        return self._layer(self._watched.watched[number])

    def _layer(self, module: WatchedModule) -> Layer:
        layer = self._layers_of_modules.get(module.name)
        if layer is None:
            layer = Layer(module.name, module.kind, rule=module.rule)
            self._layers_of_modules[module.name] = layer
        return layer

    # ---- modules ---------------------------------------------------------------------------------

    def _forward_of(self, module: WatchedModule) -> Callable[..., Any]:
        original = module.module.forward
        layer = self._layer(module)
        rule = module.rule
        paused = dispatch.paused
        if module.role == "suspect":
            return self._suspect(module, original)
        if module.role != "activation" or module.name in self._left_out:

            def unwatched(*args: Any, **kwargs: Any) -> Any:
                if module.role == "fused":
                    self._miss(f"the activations inside the fused {module.kind} '{module.name}'")
                elif module.role == "left out":
                    self.skipped[module.name] = None
                with paused():
                    return original(*args, **kwargs)

            return unwatched

        own_forward = "forward" in module.module.__dict__
        is_relu = rule == RELU and type(module.module).forward is RELU_FORWARD
        if is_relu and not own_forward and not self._find_nan:
            self._plain_relus[id(module.module)] = module
            return self._fused_relu(layer, in_place=bool(module.module.inplace))

        def observed(*args: Any, **kwargs: Any) -> Any:
            with paused():
                x = main_input(args, kwargs)
                return self._observe(layer, rule, x, lambda: original(*args, **kwargs))

        return observed

    def _fused_relu(self, layer: Layer, *, in_place: bool) -> Callable[..., Any]:
        """A ReLU and its count in one pass. Python between two layers of a network runs from a cold cache,
        at several times its usual cost, so this function does as little as possible."""
        relu = self._relu_in_place if in_place else self._relu
        clock, book, patterns_so_far = time.perf_counter, self._book.append, self._patterns_so_far
        calls_in_log = self._calls_in_log

        def fused_relu(input: Tensor) -> Tensor:
            start = clock()
            try:
                y = relu(input)
            except (TypeError, ValueError) as error:
                if self._is_unfit(layer, input, error):
                    with dispatch.paused():
                        return torch.relu_(input) if in_place else torch.relu(input)
                raise self._explained(layer, input, error) from error
            entry = layer, y.numel(), y.dtype, start, clock(), patterns_so_far()
            book((calls_in_log(), entry))
            return y

        return fused_relu

    def insert_of(self, relu: nn.Module) -> Insert | None:
        """What inserts the patterns of a ReLU that runs as one with the layer before it. None: the ReLU has to run by
        itself."""
        module = self._plain_relus.get(id(relu))
        if module is None or self.observer.of_inputs:
            return None
        layer = self._layer(module)

        def insert(operator: InsertingOperator, x: Tensor) -> Tensor | None:
            start = time.perf_counter()
            y = self.observer.insert_by(operator, x)
            if y is not None:
                elements = y.numel() // self.observer.replicates
                entry = (
                    layer,
                    elements,
                    y.dtype,
                    start,
                    time.perf_counter(),
                    self._patterns_so_far(),
                )
                self._book.append((self._calls_in_log(), entry))
            return y

        return insert

    def _relu_once(self) -> Callable[[Tensor], Tensor]:
        """The observer's ReLU; a plain ReLU for a tensor that was fed already and must not be fed twice, as
        in a cell whose edges each begin with a ReLU of the same node."""
        mark, observer = next(_marks), self.observer
        relu = self.observer.direct_relu() or self._relu_of_operators

        def relu_once(x: Tensor) -> Tensor:
            if x.requires_grad or in_forward_ad():  # a model that uses autograd itself
                self.met_tangents |= in_forward_ad()
                with dispatch.paused():
                    y = torch.relu(x)
                    self.observer.update(x if self.observer.of_inputs else y)
                    return y
            if x.is_quantized:  # the direct ReLU takes none
                return self._relu_of_operators(x)
            if not observer.counts_once:
                return relu(x)
            version = version_of(x)
            if version is None:
                return relu(x)
            # The hash notices changes that torch's version counter misses: through .data, or NumPy.
            with dispatch.paused():
                now = (mark, version, observer.resets, contents_hash(x))
            if getattr(x, "_counted_by_swapnas", None) == now:
                with dispatch.paused():
                    return torch.relu(x)
            y = relu(x)
            x._counted_by_swapnas = now  # type: ignore[attr-defined]  # goes with the tensor
            return y

        return relu_once

    def _relu_of_operators(self, x: Tensor) -> Tensor:
        with dispatch.paused():
            return (
                self._relu_of_quantized(torch.relu, x) if x.is_quantized else self.observer.relu(x)
            )

    def _relu_in_place(self, x: Tensor) -> Tensor:
        with dispatch.paused():
            return (
                self._relu_of_quantized(torch.relu_, x)
                if x.is_quantized
                else self.observer.relu_(x)
            )

    def _relu_of_quantized(self, relu: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        before = x.dequantize()
        y = relu(x)
        self.observer.update(before if self.observer.of_inputs else y.dequantize())
        return y

    def _suspect(self, module: WatchedModule, original: Callable[..., Any]) -> Callable[..., Any]:
        def suspect(*args: Any, **kwargs: Any) -> Any:
            before = len(self._book) + self._calls_in_log()
            y = original(*args, **kwargs)
            if len(self._book) + self._calls_in_log() == before:
                self._miss(
                    f"'{module.name}' ({module.kind}), a module that looks like an activation"
                )
            return y

        return suspect

    # ---- operators -------------------------------------------------------------------------------

    def _operator(
        self,
        name: str,
        operator: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        x = args[0]
        if self._is_logging and name == "relu" and relu_log.marked_layer() != relu_log.UNNAMED:
            return self._fused_relu(self._layer_of(relu_log.marked_layer()), in_place=False)(x)
        rule = rules.operator_rule(name, args, kwargs, self._plan.rules)
        if rule is None or x.dim() == 0 or not (x.is_floating_point() or x.is_quantized):
            is_suspect = name in rules.SUSPECT_OPERATORS and name not in self._plan.rules
            if self._record and is_suspect:
                module = self._caller()[0]
                self._miss(f"an activation made of '{name}' in '{module}'")
            return operator(*args, **kwargs)
        layer = self._operator_layer(name, rule)
        if layer is None:
            return operator(*args, **kwargs)
        if x.is_quantized:
            self._note_ternary(rule)
            return self._observe(layer, rule, x, lambda: operator(*args, **kwargs))
        if rule == RELU and operator is torch.ops.aten.relu.default:
            return self._feed(layer, self._relu, x, torch.relu)
        if rule == RELU and operator is torch.ops.aten.relu_.default:
            return self._feed(layer, self.observer.relu_, x, torch.relu_)
        self._note_ternary(rule)
        return self._observe(layer, rule, x, lambda: operator(*args, **kwargs))

    def _note_ternary(self, rule: Rule) -> None:
        if rule.ternary:
            self.met_ternary = True
            self.needs_ternary |= not self.observer.ternary

    def _operator_layer(self, name: str, rule: Rule) -> Layer | None:
        """The layer that a call belongs to; None if it is not selected."""
        if not self._record and self._plan.select is None and not self._left_out:
            return Layer(name, name, "operator", rule)
        module, instruction = self._caller()
        layer = self._operator_layers.get((module, name, instruction))
        if layer is None:
            self._calls_of[module, name] += 1
            number = self._calls_of[module, name]
            text = f"{module}:{name}" if number == 1 else f"{module}:{name}#{number}"
            layer = Layer(text, name, "operator", rule)
            self._operator_layers[module, name, instruction] = layer
        if layer.name in self._left_out:
            return None
        if self._plan.selects(layer):
            return layer
        self.skipped[layer.name] = None
        return None

    def _caller(self) -> tuple[str, int]:
        """The module whose code makes the call, and the place in its code."""
        names = self._watched.names
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            module = frame.f_locals.get("self")
            if isinstance(module, nn.Module) and id(module) in names:
                return names[id(module)], frame.f_lasti
            frame = frame.f_back
        return "", 0

    def _miss(self, what: str) -> None:
        if self._record:
            self.missed[what] = None

    # ---- both ------------------------------------------------------------------------------------

    def _observe(
        self, layer: Layer, rule: Rule, x: Tensor, function: Callable[[], Tensor]
    ) -> Tensor:
        if self.observer.of_inputs or rule.of_input:  # before an in-place activation overwrites it
            x = _tensor_of(layer, x)
            states = x if self.observer.of_inputs else rule.states(x, self.observer.ternary)
            self._feed(layer, self.observer.update, states)
            return function()
        y = function()
        states = rule.states(_tensor_of(layer, y), self.observer.ternary)
        self._feed(layer, self.observer.update, states)
        return y

    def _feed(
        self,
        layer: Layer,
        feed: Callable[[Tensor], Any],
        x: Tensor,
        instead: Callable[[Tensor], Any] = lambda x: None,
    ) -> Any:
        """``instead``: replaces ``feed`` for an activation that is left out."""
        start = time.perf_counter()
        try:
            result = feed(x)
            if self._find_nan and self.observer.saw_nan:
                raise NanActivationError(NAN_MESSAGE)
        except (TypeError, ValueError) as error:
            if self._is_unfit(layer, x, error):
                return instead(x)
            raise self._explained(layer, x, error) from error
        end = time.perf_counter()
        entry = layer, x.numel(), x.dtype, start, end, self._patterns_so_far()
        self._book.append((self._calls_in_log(), entry))
        return result

    def _close_book(self) -> None:
        entries = self._entries(self._stop_log())
        self.captured += len(entries)
        self.seconds += sum(seconds for _, _, _, seconds, _ in entries)
        if self._record:
            self._write_down(entries)
        self._book.clear()

    def _entries(self, log: list[relu_log.Call]) -> list[_Entry]:
        """What Python and the log noted, in the order of the calls."""
        entries: list[_Entry] = []
        done = 0
        layer_of = self._layer_of
        for calls_before, entry in (*self._book, (len(log), None)):
            for number, elements, size, seconds, patterns in log[done:calls_before]:
                entries.append((layer_of(number), elements, size, seconds, patterns))
            done = max(done, calls_before)  # another thread has seen none of them
            if entry is not None:
                layer, elements, dtype, start, end, patterns = entry
                elements = int(elements)  # torch.jit.trace makes tensors of sizes
                entries.append((layer, elements, elements * dtype.itemsize, end - start, patterns))
        return entries

    def _write_down(self, entries: list[_Entry]) -> None:
        samples, calls = self.observer.samples, self.calls
        counts = self._patterns_so_far is not _zero
        before = 0
        for layer, elements, size, seconds, patterns in entries:
            calls.append(layer.name)
            if layer.neurons == 0:
                self.layers.append(layer)
            layer.neurons += elements // samples
            layer.seconds += seconds
            if counts:
                layer.new_patterns = (layer.new_patterns or 0) + patterns - before
                before = patterns
            self.largest = max(self.largest, size)
            self.bytes += size

    def _is_unfit(self, layer: Layer, x: Tensor, error: Exception) -> bool:
        """Whether the rows of an activation can't be the samples. Notes its layer, which is left out."""
        fits = x.dim() == 0 or x.numel() == 0 or x.shape[0] % self.observer.samples == 0
        if not fits:
            self.unfit[layer.name] = self._explained(layer, x, error)
        return not fits

    def _explained(self, layer: Layer, x: Tensor, error: Exception) -> Exception:
        text = f"activation '{layer.name}' ({layer.kind}): {error}"
        samples = self.observer.samples
        if isinstance(x, Tensor) and x.dim() and x.shape[0] % samples:
            text += ". "
            if self._plan.select is not None:  # there may be other layers
                text += (
                    f"Where its {x.shape[0]} rows are not {samples} samples each, leave the layer out: "
                    f"select=lambda layer: layer.name != '{layer.name}'. "
                )
            text += "Where the mini-batch has another number of samples, pass samples="
        return type(error)(text)


for _name in (*rules.OPERATOR_RULES, *rules.SUSPECT_OPERATORS):
    dispatch.register(_name)
