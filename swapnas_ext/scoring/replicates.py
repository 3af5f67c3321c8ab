"""Runs several initialisations of a model in one forward pass, each with its own set of patterns.

The weights of R replicates are stacked, and ``torch.func.vmap`` runs the model on all of them at once:
R times fewer operators, each R times larger. The scores equal those of R passes, except where rounding moves a neuron
across its boundary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext._torch_private import BATCH_NORM_FORWARD, Functorch, functorch
from swapnas_ext._util import to_the_end
from swapnas_ext.capture import Capture
from swapnas_ext.forward import fast_layers
from swapnas_ext.measures import Arguments, Execution, PreparedNetwork
from swapnas_ext.patterns import InsertingOperator, Observer, PatternCounter

# With more replicates an activation no longer fits the last-level cache, which is slower than fewer at a time.
_CACHE_BYTES = 8 << 20
_MOST_AT_ONCE = 64


def replicates_at_once(
    wanted: int, *, largest: int, activations: int, weights: int, max_memory: int, device: str
) -> int:
    """How many of ``wanted`` replicates to run at once, in equal parts; 1 if batching does not pay.

    Args:
        largest, activations, weights: bytes of one replicate: of its largest activation, of all its
            activations together, and of its parameters.
        max_memory: bytes that a batch may take.
        device: type of the device; on a CPU the cache is the limit.
    """
    room = max_memory // max(1, activations + weights)
    if device == "cpu":
        room = min(room, _CACHE_BYTES // max(1, largest))
    most = max(1, min(wanted, room, _MOST_AT_ONCE))
    parts = -(-wanted // most)
    return -(-wanted // parts)


class Replicates(Execution):
    """Runs the network once for all repeats of a batch, each replicate with weights of its own.

    Args:
        weights: stacked ``[R, ...]``, by the identity of the weights that they replace.
    """

    def __init__(self, weights: dict[int, Tensor], replicates: int) -> None:
        self.replicates = replicates
        self._weights = weights

    def observer(self, observer: Observer) -> Observer:
        if not isinstance(observer, PatternCounter):
            raise TypeError(
                f"replicates feed the counter of network.counter(), got {type(observer).__name__}"
            )
        return _ReplicateCounter(observer)

    def run(self, network: PreparedNetwork, capture: Capture, arguments: Arguments) -> None:
        args, kwargs = arguments
        restoring = network.restoring
        modules = restoring.modules
        layers = (
            fast_layers(modules, capture.insert_of)
            if network.is_fast
            else folded_batch_norms(modules)
        )
        with layers, capture.running(network.watched):
            run_replicates(restoring.model, self._weights, restoring.holding, args, kwargs)


class _ReplicateCounter(Observer):
    """Feeds the activations of a model under vmap to one `PatternCounter` with a group for each replicate."""

    counts_patterns = True

    def __init__(self, counter: PatternCounter) -> None:
        super().__init__(counter.samples, counter.ternary)
        self.counter = counter
        self.replicates = counter.groups
        self._vmap = _functorch()

    def count_on_host(self) -> int:
        """The count of the first replicate."""
        return self.counter.count_on_host()

    def update(self, x: Tensor) -> None:
        if self._vmap.is_batched(x):
            self.counter.insert_replicates(torch.ops.swapnas.insert_, x)
        elif self._vmap.is_wrapped(x):
            raise ValueError("it is called under a torch.func transform of the model's own")
        else:  # the same for all replicates, such as a ReLU of the inputs
            self.counter.update(x.expand(self.counter.groups, *x.shape))

    def insert_by(self, operator: InsertingOperator, x: Tensor) -> Tensor | None:
        return self.counter.insert_by(operator, x)

    def relu(self, x: Tensor) -> Tensor:
        if self._vmap.is_batched(x):
            y: Tensor = self.counter.insert_replicates(torch.ops.swapnas.relu_insert, x)
            return y
        return super().relu(x)

    def relu_(self, x: Tensor) -> Tensor:
        if not self._vmap.is_batched(x):
            return super().relu_(x)
        self.counter.insert_replicates(torch.ops.swapnas.relu_insert_, x)
        return x


@contextmanager
def folded_batch_norms(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Runs batch normalisation of R replicates as one with R times the channels, if its statistics are those of the
    mini-batch. vmap's own rule scales and shifts in two further passes."""
    patched: list[dict[str, object]] = []
    try:
        for module in modules:
            attributes = module.__dict__
            plain = type(module).forward is BATCH_NORM_FORWARD and "forward" not in attributes
            if plain and (module.weight is not None or module.bias is not None):
                patched.append(attributes)
                attributes["forward"] = _folded(module, module.forward)
        yield
    finally:
        to_the_end(lambda: [attributes.pop("forward", None) for attributes in patched])


def _folded(module: Any, original: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    vmap = _functorch()

    def forward(input: Tensor) -> Tensor:
        if not module.training or module.track_running_stats:
            return original(input)
        weight, bias = module.weight, module.bias
        tensors = [tensor for tensor in (input, weight, bias) if tensor is not None]
        if not all(vmap.is_batched(tensor) for tensor in tensors):
            return original(input)
        level = vmap.level_of(input)
        if any(vmap.level_of(tensor) != level for tensor in tensors):
            return original(input)
        x, dim = vmap.unwrapped(input, level)
        x = x.movedim(dim, 1)  # [S, R, C, ...]
        y = torch.nn.functional.batch_norm(
            x.flatten(1, 2),
            None,
            None,
            _flat(weight, level),
            _flat(bias, level),
            training=True,
            eps=module.eps,
        )
        return vmap.wrapped(y.view(x.shape), 1, level)

    return forward


def _flat(weight: Tensor | None, level: int) -> Tensor | None:
    """The numbers of all replicates, one replicate after another."""
    if weight is None:
        return None
    stacked, dim = _functorch().unwrapped(weight, level)
    return stacked.movedim(dim, 0).flatten()


def run_replicates(
    model: nn.Module,
    weights: dict[int, Tensor],
    holding: Callable[[dict[int, Tensor]], AbstractContextManager[None]],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    """Calls the model once for all replicates of its stacked ``weights``; each replicate is ``holding`` its own.

    Raises:
        RuntimeError: something in the model can't be vmapped, or draws random numbers.
    """

    def replicate(own: dict[int, Tensor]) -> Tensor:
        with holding(own):
            model(*args, **kwargs)
        return torch.zeros((), device="cpu")  # vmap wants a tensor, and a model may return anything

    with _without_fallback(_functorch()):
        torch.func.vmap(replicate, randomness="error")(weights)


@contextmanager
def _without_fallback(vmap: Functorch) -> Iterator[None]:
    """An operator without a batching rule would run once for each replicate, sample by sample. The setting applies
    to the whole process."""
    was_enabled = vmap.is_fallback_enabled()
    vmap.set_fallback_enabled(False)
    try:
        yield
    finally:
        vmap.set_fallback_enabled(was_enabled)


def _functorch() -> Functorch:
    """torch's vmap, without which no replicates are made."""
    assert functorch is not None
    return functorch
