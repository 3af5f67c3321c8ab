"""The SWAP-Score of a model: `score` once, `Scorer` for many models."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, overload

import torch
from torch import Tensor, nn

from swapnas_ext._torch_private import uncompiled
from swapnas_ext._util import ByClasses, notebook_facts, warn
from swapnas_ext.measures import Measurement, Panel, Remembered
from swapnas_ext.models import (
    KEEP,
    OF_A_VARIABLE,
    OWN,
    Inputs,
    MiniBatch,
    initialization,
    is_disposable,
    only_computes,
    take_inventory,
)
from swapnas_ext.patterns import NanActivationError, NanPolicy, PatternCounter
from swapnas_ext.scoring import regularization
from swapnas_ext.scoring.named_models import listed, said_of
from swapnas_ext.scoring.options import DEFAULTS, Options, ScoringOptions, signature, with_defaults
from swapnas_ext.scoring.readings import Readings
from swapnas_ext.scoring.repeats import Repeats
from swapnas_ext.scoring.seeded_builds import SeededBuilds
from swapnas_ext.scoring.swap_score import Result, ScoreWarning, SwapScore, Timing, mixed_text
from swapnas_ext.scoring.turns import one_at_a_time

if TYPE_CHECKING:
    from typing_extensions import Unpack

_log = logging.getLogger(__name__)

Model = nn.Module | Callable[[], nn.Module]
RankedModel = TypeVar("RankedModel", bound=Model)


class Scorer:
    """Scores models on one mini-batch. Make it once; each call is cheap.

    Args:
        inputs: the mini-batch: a tensor whose first dimension is S; a tuple or list of a model's
            positional arguments; a mapping of its keyword arguments (such as a ``BatchEncoding``); or a data
            loader, whose first batch is taken. Named tuples, a ``PackedSequence``, a batch of graphs, a list of
            images and objects with tensors are one argument. Moved to the model's device.
        repeats: R, fresh initialisations to average over. Several run in one forward pass where that is
            faster, with the same scores up to rounding. Without an ``init``, more than one needs a function that
            builds the model: it is called for each repeat. Its weights are those that it draws from the global
            random numbers: call ``torch.manual_seed`` first to get the same score again.
        init: ``"gaussian"`` (published), ``"kaiming"``, a function ``(model, generator)`` that
            overwrites weights in place, ``None`` / ``"keep"`` for the weights as they are, or ``"own"``: what the
            measure is defined for, of several measures each its own. The first two draw
            the weights of layers, also of those that libraries write themselves, and what weights are
            computed from (``weight_norm``, ``prune``); ``notes`` name what they leave, such as embeddings.
        mu, sigma: regularise by size, in thousands (squared thousands) of parameters: see
            `regularization`.
        seed: of the first repeat; repeat r uses ``seed + r``.
        samples: S, if it is not the first dimension of the first input tensor.
        nan_policy: ``"raise"`` or ``"ignore"`` NaN activations.
        capture: ``"auto"``: all activations, as modules or as functions; ``"modules"``: those that are
            modules, as the published code; ``"operators"``: all, each as the operator that computes it.
        select: the activations to capture: a pattern of their names such as ``"layer4.*"``, several patterns, or a
            function of a `Layer`.
        rules: activations of the user's own: ``{MyActivation: Rule(signed=True)}``, see `Rule`.
        tolerance: ends the repeats early, once at least three give a score whose relative standard error is at
            most this.
        max_memory: bytes that repeats in one forward pass may take. Default: 1 GiB, on a GPU half of
            its memory.
        autocast: runs the model under ``torch.autocast`` with this dtype.
        channels_last: runs the model with images and weights in that layout.
        fast_layers: runs batch normalisation, pooling and small convolutions by the package's own kernels, where they
            are faster: in float32 on a CPU. A few neurons in a million then round to the other side of zero; False
            runs torch's kernels, as the published code does. See docs/speed.md.
        measure: ``"patterns"`` or ``"swap"``: the published score; ``"capacity"``: ranks spaces of all kinds, see
            docs/capacity.md, and takes about twice as long; ``"composite"``: see docs/composite.md; or a measure
            of your own: a name from the registry of `measures`, ``MODULE:NAME``, a `Measure`, or a function from a
            `PreparedNetwork` to the logarithm of a score. Several names with commas between them: the score is that
            of the first, and ``measurement.details["measures"]`` has all.

    Batch normalisation uses the statistics of the mini-batch, as published; dropout is off. The model
    comes back exactly as it was: weights, buffers, modes, hooks, and the global random state.
    Threads take turns: a model must not wait for another thread that scores.

    Example::

        scorer = Scorer(photograph(), repeats=8, init="gaussian")
        best = max(models, key=scorer)
    """

    def __init__(self, inputs: Inputs, **options: Unpack[ScoringOptions]) -> None:
        given = with_defaults(options, "Scorer")
        self.options = Options.of(given)
        self.batch = MiniBatch(inputs, given["samples"], channels_last=self.options.channels_last)
        self.samples = self.batch.samples
        # Idle counters, to be used again.
        self._counters: dict[tuple[torch.device, bool, int], list[PatternCounter]] = {}
        # By the classes of a model and of its modules.
        self._remembered = ByClasses(Remembered)
        self._warned: set[str] = set()
        self._patterns_seen: dict[bool, str] = {}  # ternary or not: a model that has them
        self._by_init: dict[str, Scorer] = {}
        self._name: str | None = None  # of the model that is being scored
        measure = self.options.measure
        if given["init"] == OWN and isinstance(measure, Panel) and measure.default_init == OWN:
            self._by_init = {init: self._for(init, of) for init, of in measure.by_init.items()}
        # Raises its errors before any model runs.
        PatternCounter(self.samples, nan_policy=self.options.nan_policy)

    def _for(self, init: str, measure: Panel) -> Scorer:
        """A scorer on the same mini-batch."""
        other = copy(self)
        initialize = initialization.get(init)
        other.options = replace(self.options, initialize=initialize, measure=measure)
        other._remembered = ByClasses(Remembered)
        return other

    @property
    def draws_for_each(self) -> bool:
        """Whether each of several measures reads weights of its own initialiser."""
        return bool(self._by_init)

    @property
    def mu(self) -> float | None:
        """In thousands of parameters."""
        return self.options.mu

    @property
    def sigma(self) -> float | None:
        """In squared thousands of parameters."""
        return self.options.sigma

    @property
    def nan_policy(self) -> NanPolicy:
        """What it does about NaN among activations."""
        return self.options.nan_policy

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {
            "_counters": {},
            "_remembered": ByClasses(Remembered),
            "_warned": self._warned.copy(),
            "_patterns_seen": self._patterns_seen.copy(),
        }

    def _facts(self) -> dict[str, object]:
        """What it scores with: the options that are not the defaults."""
        options = self.options
        init = options.initialize
        own = OWN if self.draws_for_each else KEEP
        told: dict[str, object] = {
            "inputs": self.batch.shapes(),
            "samples": self.samples,
            "measure": options.measure.name,
            "init": own if init is None else getattr(init, "__name__", repr(init)).rstrip("_"),
            "repeats": options.repeats,
            "seed": options.seed,
        }
        others = (
            "mu",
            "sigma",
            "nan_policy",
            "tolerance",
            "max_memory",
            "autocast",
            "channels_last",
            "fast_layers",
        )
        for name in others:
            value = getattr(options, name)
            if value != DEFAULTS[name]:  # type: ignore[literal-required] # they are keys
                told[name] = value
        if options.plan.mode != DEFAULTS["capture"]:
            told["capture"] = options.plan.mode
        return told

    def __repr__(self) -> str:
        return f"Scorer({', '.join(f'{name}={value}' for name, value in self._facts().items())})"

    def _repr_html_(self) -> str:
        return notebook_facts("Scorer", self._facts())

    def __call__(self, model: Model) -> SwapScore:
        """The score of ``model``, or of what ``model()`` builds, where it is a function.

        Raises:
            TypeError: not an ``nn.Module``, nor a function that returns one.
            ValueError: no activations that count, or some that don't fit the samples.
            NanActivationError: NaN activations, where ``nan_policy`` is ``"raise"``.
            RuntimeError: out of memory, or a model that is being scored already, by this thread.
        """
        with one_at_a_time():
            return self._build_and_score(model)

    def _build_and_score(self, model: Model) -> SwapScore:
        options = self.options
        if self._by_init:
            return self._score_by_init(model)
        if options.initialize is not None or options.repeats == 1:
            repeats = self._built(model, options)
            return self._score(repeats, repeats.measured(), repeats.timing)
        if isinstance(model, nn.Module):
            raise ValueError(
                f"repeats={options.repeats} of the same weights give the same score; pass init='kaiming' or "
                "'gaussian', or a function that builds the model, which is called for each repeat"
            )
        return self._score_builds(model)

    def _score_by_init(self, model: Model) -> SwapScore:
        """The score of several measures, each on weights of its own initialiser."""
        measure = self.options.measure
        assert isinstance(measure, Panel)
        scores: list[SwapScore] = []
        found: dict[str, Measurement | Exception] = {}
        for init, scorer in self._by_init.items():
            if isinstance(model, SeededBuilds):
                model.start_over()
            try:
                scores.append(scorer._build_and_score(model))
                found[init] = scores[-1].measurement
            except NanActivationError:
                raise
            except Exception as error:  # its measures are missing
                found[init] = error
        measurement = measure.merged(found)
        notes = [n for one in scores for n in one.notes if n not in one.measurement.notes]
        shown = max(scores, key=lambda one: one.neurons)
        return SwapScore(
            replace(
                Result(**vars(shown)),
                measure=measure.name,
                measurement=measurement,
                notes=(*dict.fromkeys(notes), *measurement.notes),
                timing=sum((one.timing for one in scores), Timing()),
            )
        )

    def _score_builds(self, build: Callable[[], nn.Module]) -> SwapScore:
        """The score over repeats whose weights the model draws while it is built."""
        options = self.options
        readings = Readings(options.measure, options.tolerance)
        timing = Timing()
        first = None
        while len(readings) < options.repeats and not readings.are_enough():
            seed = options.seed + len(readings)
            repeat = self._built(build, replace(options, repeats=1, tolerance=None, seed=seed))
            repeat.measured()
            first = first or repeat
            if repeat.size != first.size:
                (parameters, neurons), (others, other_neurons) = first.size, repeat.size
                raise ValueError(
                    "the function must build the same network for each repeat: it built a "
                    f"{type(first.model).__name__} of {parameters:,} parameters and {neurons:,} neurons, then a "
                    f"{type(repeat.model).__name__} of {others:,} and {other_neurons:,}"
                )
            if len(readings) == 1:
                self._check_weights(first, repeat)
            readings.all += repeat.readings.all
            readings.network = repeat.network
            timing += repeat.timing
        assert first is not None
        return self._score(first, readings.summary(), timing)

    def _check_weights(self, first: Repeats, second: Repeats) -> None:
        """Tells where two repeats have the same weights, as repeats of a model do."""
        if second.model is first.model:
            raise ValueError(
                f"repeats={self.options.repeats} of the same weights give the same score, and the function returns the "
                f"same {type(first.model).__name__} each time: let it build the model anew, or pass init='kaiming' or "
                "'gaussian'"
            )
        if all(map(_is_same, first.model.parameters(), second.model.parameters())):
            first.network.note(
                "the first two repeats have the same weights, so they say nothing about others: the function that "
                "builds the model draws none, or seeds them itself"
            )

    def _built(self, model: Model, options: Options) -> Repeats:
        """The repeats of a model, or of what the function builds."""
        start = time.perf_counter()
        built = model
        given = True
        if not isinstance(model, nn.Module) and callable(model):
            with torch.inference_mode(False):  # whose tensors can't be written to later
                built = model()
            given = sys.getrefcount(built) > OF_A_VARIABLE
        if not isinstance(built, nn.Module):
            got = type(built).__name__
            source = "" if built is model else f" from {model!r}"
            raise TypeError(
                f"expected a torch.nn.Module to score, or a function that returns one, got {got}{source}"
            )
        seconds = 0.0 if built is model else time.perf_counter() - start
        built = uncompiled(built)
        inventory = take_inventory(built)
        computes = (
            options.initialize is None and not options.channels_last and only_computes(inventory)
        )
        return Repeats(
            built,
            inventory,
            self.batch,
            options,
            self._counter,
            self._remembered.of(type(built), map(type, inventory.modules)),
            is_disposable=not given and not computes and is_disposable(inventory),
            only_computes=computes,
            seconds_of_build=seconds,
        )

    def _score(self, repeats: Repeats, measurement: Measurement, timing: Timing) -> SwapScore:
        """The score of what was read, and its warnings."""
        network = repeats.network
        log_factor = 0.0
        if self.mu is not None and self.sigma is not None:
            theta = regularization.parameters_in_thousands(repeats.model)
            log_factor = regularization.log_factor(theta, self.mu, self.sigma)
        score = SwapScore(
            Result(
                measure=self.options.measure.name,
                measurement=measurement,
                neurons=network.neurons,
                samples=self.samples,
                # And not what the counter was made for, which may be another model of this class.
                ternary=network.has_ternary,
                parameters=repeats.size[0],
                log_factor=log_factor,
                layers=tuple(network.layers),
                missed=tuple(network.missed),
                notes=(*network.notes, *measurement.notes),
                timing=timing,
            )
        )
        self._warn(repeats.model, score)
        _log.debug(
            "%s: %.6g in %.1f ms", type(repeats.model).__name__, score.value, 1e3 * timing.total
        )
        return score

    @overload
    def rank(self, models: Mapping[str, Model] | nn.ModuleDict) -> list[tuple[SwapScore, str]]: ...

    @overload
    def rank(self, models: Iterable[tuple[str, Model]]) -> list[tuple[SwapScore, str]]: ...

    @overload
    def rank(self, models: Iterable[RankedModel]) -> list[tuple[SwapScore, RankedModel]]: ...

    def rank(self, models: Any) -> list[tuple[SwapScore, Any]]:
        """Scores all the models; returns (score, model) pairs, best first. Of models with names, it returns
        (score, name) pairs, and warnings and errors say the names.

        Without an ``init``, models are scored with the weights that they have. If the measure is defined for drawn
        weights, as the published score is, a warning and the notes of the scores say that this compares weights too.

        Args:
            models: models, or functions that build them; or models by name: a mapping, an ``nn.ModuleDict``, or
                (name, model) pairs.

        Raises:
            TypeError: a single model, or something else that is not several models.
            ValueError: two models have one name.

        Other errors are those of a call, and begin with the model that they are about.
        """
        scored: list[tuple[SwapScore, Any]] = []
        kept = 0
        for model, name, which in listed(models):
            with said_of(which):
                score = self._score_named(model, name)
            if self._keeps_weights_of(model):
                kept += 1
                score = score.with_note(f"scored with the weights that it has; {self._instead}")
            scored.append((score, model if name is None else name))
        if kept:
            warn(
                f"{kept} of {len(scored)} models are scored with the weights that they have, so that the ranking "
                f"compares weights too; {self._instead}",
                ScoreWarning,
            )
        return sorted(scored, key=lambda pair: pair[0].log_value, reverse=True)

    def _score_named(self, model: Model, name: str | None) -> SwapScore:
        with one_at_a_time():
            scorers = (self, *self._by_init.values())
            for scorer in scorers:
                scorer._name = name
            try:
                return self._build_and_score(model)
            finally:
                for scorer in scorers:
                    scorer._name = None

    def _keeps_weights_of(self, model: Model) -> bool:
        """Whether a model is scored with the weights that it has, although the measure is defined for others. Functions
        that build models draw new ones."""
        keeps = self.options.initialize is None and not self.draws_for_each
        return keeps and isinstance(model, nn.Module) and self.options.measure.default_init != KEEP

    @property
    def _instead(self) -> str:
        return f"init={self.options.measure.default_init!r} compares architectures"

    def _warn(self, model: nn.Module, score: SwapScore) -> None:
        """Warns once for each kind of trouble, since a scorer sees thousands of models. ``notes`` and ``missed`` of
        each score tell everything."""
        kind = type(model).__name__
        if self._name is not None:
            kind = f"{self._name} ({kind})"
        for note in score.measurement.notes:
            if score.is_saturated and "saturated" not in self._warned:
                self._warned.add("saturated")
                warn(f"{kind}: {note}", ScoreWarning)
        self._patterns_seen.setdefault(score.ternary, kind)
        if len(self._patterns_seen) == 2 and "mixed" not in self._warned:
            self._warned.add("mixed")
            text = mixed_text(self._patterns_seen[True], self._patterns_seen[False])
            warn(text, ScoreWarning)
        missed = f"missed in {type(model).__name__}"
        if score.missed and missed not in self._warned:
            self._warned.add(missed)
            warn(
                f"{kind}: not captured: {'; '.join(score.missed)}. Give {self.options.plan.wanted}, or "
                "leave them out on purpose with a rule of None",
                ScoreWarning,
            )

    @contextmanager
    def _counter(
        self, device: torch.device, ternary: bool, groups: int
    ) -> Iterator[PatternCounter]:
        idle = self._counters.setdefault((device, ternary, groups), [])
        try:
            counter = idle.pop()
        except IndexError:
            counter = PatternCounter(
                self.samples,
                device=device,
                ternary=ternary,
                groups=groups,
                nan_policy=self.nan_policy,
            )
        try:
            yield counter
        finally:
            if not counter.is_captured:  # one that is can't grow for the next model
                idle.append(counter)


def _is_same(first: Tensor, second: Tensor) -> bool:
    alike = first.dtype == second.dtype and first.device == second.device
    return alike and torch.equal(first, second)


def score(model: Model, inputs: Inputs, **options: Unpack[ScoringOptions]) -> SwapScore:
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
    return Scorer(inputs, **with_defaults(options, "score"))(model)


def _scorer(inputs: Inputs, **options: Unpack[ScoringOptions]) -> None: ...


Scorer.__signature__ = signature(_scorer)  # type: ignore[attr-defined]
score.__signature__ = signature(score)  # type: ignore[attr-defined]
