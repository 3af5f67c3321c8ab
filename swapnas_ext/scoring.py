"""The SWAP-Score of a model: `score` once, `Scorer` for many models, `SwapScore` the result."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext import initialization, regularization
from swapnas_ext.capture import Capture, Layer, find_activations
from swapnas_ext.counter import NanPolicy, PatternCounter
from swapnas_ext.initialization import Initializer
from swapnas_ext.untouched import (
    Walk,
    borrowed_weights,
    own_random_state,
    restored_buffers,
    scoring_mode,
    walk,
)

Inputs = Tensor | Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True)
class Timing:
    """Seconds, over all repeats. ``count`` includes the ReLUs that counting was fused with."""

    initialize: float = 0.0
    forward: float = 0.0
    count: float = 0.0

    @property
    def total(self) -> float:
        return self.initialize + self.forward + self.count


@dataclass(frozen=True)
class _Result:
    patterns: tuple[int, ...]
    neurons: int
    samples: int
    ternary: bool
    parameters: int
    log_factor: float
    layers: tuple[Layer, ...]
    timing: Timing = field(repr=False)


class SwapScore(float):
    """A SWAP-Score. Is a float (the value), and tells how it came about.

    Attributes:
        patterns: Psi of each repeat.
        neurons: V, over all captured layers.
        samples: S.
        ternary: whether the patterns are those of ``torch.sign``.
        parameters: number of parameters of the model.
        log_factor: -(Theta - mu)^2 / sigma, 0 without mu and sigma.
        layers: what was captured: name, kind, neurons, and new patterns (first repeat, on CPU).
        timing: seconds spent.
    """

    patterns: tuple[int, ...]
    neurons: int
    samples: int
    ternary: bool
    parameters: int
    log_factor: float
    layers: tuple[Layer, ...]
    timing: Timing

    def __new__(cls, result: _Result) -> SwapScore:
        mean = statistics.fmean(result.patterns)
        score = super().__new__(cls, mean * math.exp(result.log_factor))
        score.__dict__.update(vars(result))
        return score

    def __reduce__(self) -> tuple[Any, ...]:
        return SwapScore, (_Result(**self.__dict__),)

    def __repr__(self) -> str:
        return (
            f"SwapScore({self.value:.6g}, mean={self.mean:.6g}, std={self.std:.3g}, "
            f"repeats={len(self.patterns)}, neurons={self.neurons}, samples={self.samples}, "
            f"saturation={self.saturation:.3f}, parameters={self.parameters})"
        )

    @property
    def value(self) -> float:
        """mean * factor: the score to rank by."""
        return float(self)

    @property
    def mean(self) -> float:
        """Mean of Psi over the repeats."""
        return statistics.fmean(self.patterns)

    @property
    def std(self) -> float:
        """Sample standard deviation of Psi over the repeats; 0 for one."""
        return statistics.stdev(self.patterns) if len(self.patterns) > 1 else 0.0

    @property
    def factor(self) -> float:
        """exp(log_factor), 1 without mu and sigma."""
        return math.exp(self.log_factor)

    @property
    def log_value(self) -> float:
        """log(mean) + log_factor: ranks as the value does, and never underflows."""
        return math.log(self.mean) + self.log_factor

    @property
    def saturation(self) -> float:
        """Psi / min(V, number of possible patterns): near 1 the score can't tell networks apart."""
        states = 3 if self.ternary else 2
        possible = self.neurons
        if self.samples * math.log2(states) < math.log2(max(self.neurons, 1)):
            possible = states**self.samples
        return self.mean / possible


class Scorer:
    """Scores models on one mini-batch. Make it once; each call is cheap.

    Args:
        inputs: the mini-batch: a tensor whose first dimension is S; a tuple or list of a model's
            positional arguments; or a mapping of its keyword arguments. Moved to the model's device.
        repeats: R, fresh initialisations to average over. More than one needs an ``init``.
        init: ``"gaussian"`` (published), ``"kaiming"``, a function ``(model, generator)`` that
            overwrites weights in place, or ``None`` / ``"keep"`` for the weights as they are.
        mu, sigma: regularise by size, in thousands (squared thousands) of parameters: see
            `regularization`.
        seed: of the first repeat; repeat r uses ``seed + r``.
        samples: S, where it is not the first dimension of the first input tensor.
        nan_policy: ``"raise"`` or ``"ignore"`` NaN activations.

    Batch normalisation uses the statistics of the mini-batch, as published; dropout is off. The model
    comes back exactly as it was: weights, buffers, modes, hooks, and the global random state.

    Example::

        scorer = Scorer(photograph(), repeats=8, init="gaussian")
        best = max(models, key=scorer)
    """

    def __init__(
        self,
        inputs: Inputs,
        *,
        repeats: int = 1,
        init: str | Initializer | None = None,
        mu: float | None = None,
        sigma: float | None = None,
        seed: int = 0,
        samples: int | None = None,
        nan_policy: NanPolicy = "raise",
    ) -> None:
        regularization.check_mu_sigma(mu, sigma)
        self._initialize = initialization.get(init)
        if repeats < 1:
            raise ValueError(f"repeats must be at least 1, got {repeats}")
        if repeats > 1 and self._initialize is None:
            raise ValueError(
                f"repeats={repeats} of the same weights give the same score; pass init='gaussian'"
            )
        self.inputs = inputs
        self.samples = _samples_of(inputs) if samples is None else samples
        self.repeats = repeats
        self.mu = mu
        self.sigma = sigma
        self.seed = seed
        self.nan_policy: NanPolicy = nan_policy
        # Idle counters, to be used again; a list for each kind, since threads may share a scorer.
        self._counters: dict[tuple[torch.device, bool], list[PatternCounter]] = {}
        with self._counter(torch.device("cpu"), ternary=False):
            pass  # checks samples and nan_policy

    def __call__(self, model: nn.Module) -> SwapScore:
        """The score of ``model``.

        Raises:
            TypeError: not an ``nn.Module``.
            ValueError: no activation modules, or activations that don't fit the samples.
            NanActivationError: NaN activations, where ``nan_policy`` is ``"raise"``.
        """
        if not isinstance(model, nn.Module):
            raise TypeError(f"expected a torch.nn.Module to score, got {type(model).__name__}")
        model = getattr(model, "_orig_mod", model)  # what torch.compile wraps
        found = walk(model)
        modules = [module for _, module in found.modules]
        sites = find_activations(model, found.modules)
        device = _device_of(found)
        inputs = _to_device(self.inputs, device)
        ternary = any(site.rule.signed for site in sites)

        patterns: list[int] = []
        initialize = forward = count = 0.0
        layers: tuple[Layer, ...] = ()
        with ExitStack() as stack:
            counter = stack.enter_context(self._counter(device, ternary))
            stack.enter_context(torch.no_grad())
            stack.enter_context(scoring_mode(modules))
            stack.enter_context(restored_buffers(modules, batch_norm=False))
            stack.enter_context(own_random_state(device, self.seed))
            if self._initialize is not None:
                stack.enter_context(borrowed_weights(found.parameters.values()))
            for repeat in range(self.repeats):
                start = time.perf_counter()
                if self._initialize is not None:
                    generator = torch.Generator(device).manual_seed(self.seed + repeat)
                    self._initialize(model, generator)
                initialized = time.perf_counter()
                counter.reset()
                capture = Capture(counter, count_layers=repeat == 0 and device.type == "cpu")
                with capture.running(sites):
                    _run(model, inputs)
                ran = time.perf_counter()
                patterns.append(counter.count())
                layers = layers or tuple(capture.layers)
                initialize += initialized - start
                forward += ran - initialized - capture.seconds
                count += capture.seconds + time.perf_counter() - ran
        if not layers:
            raise ValueError(
                f"none of the {len(sites)} activation modules of {type(model).__name__} was called in "
                "its forward pass"
            )
        log_factor = 0.0
        if self.mu is not None and self.sigma is not None:
            theta = regularization.parameters_in_thousands(model)
            log_factor = regularization.log_factor(theta, self.mu, self.sigma)
        return SwapScore(
            _Result(
                patterns=tuple(patterns),
                neurons=sum(layer.neurons for layer in layers),
                samples=self.samples,
                ternary=ternary,
                parameters=found.parameter_count,
                log_factor=log_factor,
                layers=layers,
                timing=Timing(initialize, forward, count),
            )
        )

    def rank(self, models: Iterable[nn.Module]) -> list[tuple[SwapScore, nn.Module]]:
        """Scores all the models; returns (score, model) pairs, best first."""
        scored = [(self(model), model) for model in models]
        return sorted(scored, key=lambda pair: pair[0].log_value, reverse=True)

    @contextmanager
    def _counter(self, device: torch.device, ternary: bool) -> Iterator[PatternCounter]:
        idle = self._counters.setdefault((device, ternary), [])
        try:
            counter = idle.pop()
        except IndexError:
            counter = PatternCounter(
                self.samples, device=device, ternary=ternary, nan_policy=self.nan_policy
            )
        try:
            yield counter
        finally:
            idle.append(counter)


def score(
    model: nn.Module,
    inputs: Inputs,
    *,
    repeats: int = 1,
    init: str | Initializer | None = None,
    mu: float | None = None,
    sigma: float | None = None,
    seed: int = 0,
    samples: int | None = None,
    nan_policy: NanPolicy = "raise",
) -> SwapScore:
    """The SWAP-Score of one model: the number of distinct sample-wise activation patterns.

    Arguments and errors as for `Scorer`, which is the better choice for several models.

    Source: Peng et al., ICLR 2024, arXiv 2403.04161.

    Equivalent to (with the weights as they are, for a model whose activations are ReLUs)::

        outputs = []
        for module in model.modules():
            if isinstance(module, nn.ReLU):
                module.register_forward_hook(lambda m, i, o: outputs.append(o.reshape(samples, -1)))
        model(inputs)
        torch.unique(torch.sign(torch.cat(outputs, dim=1)).T, dim=0).size(0)
    """
    scorer = Scorer(
        inputs,
        repeats=repeats,
        init=init,
        mu=mu,
        sigma=sigma,
        seed=seed,
        samples=samples,
        nan_policy=nan_policy,
    )
    return scorer(model)


def _run(model: nn.Module, inputs: Inputs) -> object:
    if isinstance(inputs, Tensor):
        return model(inputs)
    return model(**inputs) if isinstance(inputs, Mapping) else model(*inputs)


def _tensors(inputs: Inputs) -> list[Tensor]:
    if isinstance(inputs, Tensor):
        return [inputs]
    values = inputs.values() if isinstance(inputs, Mapping) else inputs
    return [value for value in values if isinstance(value, Tensor)]


def _samples_of(inputs: Inputs) -> int:
    if not isinstance(inputs, Tensor | Mapping | tuple | list):
        raise TypeError(
            "inputs must be a tensor, a tuple or list of positional arguments, or a mapping of "
            f"keyword arguments, got {type(inputs).__name__}"
        )
    tensors = _tensors(inputs)
    if not tensors or tensors[0].dim() == 0:
        raise ValueError("inputs have no tensor with a first dimension of samples; pass samples=")
    if tensors[0].numel() == 0:
        raise ValueError(f"inputs are empty: shape {list(tensors[0].shape)}")
    return tensors[0].shape[0]


def _device_of(found: Walk) -> torch.device:
    for parameter in found.parameters.values():
        return parameter.device
    for _, module in found.modules:
        for buffer in module.buffers(recurse=False):
            return buffer.device
    return torch.device("cpu")


def _to_device(inputs: Inputs, device: torch.device) -> Inputs:
    def move(value: Any) -> Any:
        return value.to(device) if isinstance(value, Tensor) else value

    if isinstance(inputs, Tensor):
        return move(inputs)
    if isinstance(inputs, Mapping):
        return {name: move(value) for name, value in inputs.items()}
    return [move(value) for value in inputs]
