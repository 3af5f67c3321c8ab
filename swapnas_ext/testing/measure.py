"""Checks measures."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cloudpickle
import torch
from torch import Tensor, nn

from swapnas_ext import measures, spaces
from swapnas_ext._util import full_name
from swapnas_ext.measures import AnyMeasure, Measure, Measurement, PreparedNetwork
from swapnas_ext.models import RandomState, initialization
from swapnas_ext.scoring import Scorer, ScoreWarning, SwapScore
from swapnas_ext.search import (
    Candidate,
    Evaluator,
    RunFile,
    RunFileError,
    describe_scorer,
    describe_space,
)
from swapnas_ext.testing.require import require

_SAMPLES, _SIZE = 12, 12
_REPEATS = 4
_SEEDS = range(1, 6)
_ROUNDING = 1e-6  # relative
_MOVED = 0.02  # how far rounding may move one of few neurons across its boundary, in logarithms


def check_measure(measure: AnyMeasure, *, reads_weights: bool = True) -> None:
    """Checks a measure, on small networks: its numbers, its repeats, and that it changes nothing else.

    Args:
        measure: a measure as `Scorer` takes it: a name, ``MODULE:NAME``, an object, a class, or a function of a
            prepared network.
        reads_weights: whether the score depends on the weights. False for a measure of sizes alone.

    Raises:
        AssertionError: says what is wrong.
    """
    callers = RandomState(torch.device("cpu"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ScoreWarning)
            torch.manual_seed(0)  # for the networks
            found = _found(measure)
            _check_names(found)
            one = _check_one_repeat(found, reads_weights=reads_weights)
            _check_several(found)
            _check_replicates(found)
            _check_model_is_left(found)
            _check_ternary(found)
            _check_nothing_captured(found, needs_activations=bool(one.layers))
            _check_run_file(found)
    finally:
        callers.put_back()


class _Network(nn.Module):
    """Convolutions with batch normalisation and an activation, and a linear classifier."""

    def __init__(self, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        layers = (
            nn.Sequential(nn.Conv2d(channels, 8, 3, padding=1), nn.BatchNorm2d(8))
            for channels in (3, 8, 8)
        )
        self.blocks = nn.ModuleList(layers)
        self.activation = activation
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = self.activation(block(x))
        scores: Tensor = self.head(self.dropout(x.mean((2, 3))))
        return scores


class _Recorded(Measure[Any]):
    """A measure that delegates to another, and records its results.

    Attributes:
        log_values: the logarithm of each repeat alone.
        batch_error: why `read_replicates` of the other failed; None if it did not.
    """

    def __init__(self, inner: Measure[Any]) -> None:
        self.name, self.title = inner.name, inner.title  # type: ignore[misc]  # those of the other
        self.replicates = inner.replicates  # type: ignore[misc]  # likewise
        self.log_values: list[float] = []
        self.batch_error: str | None = None
        self._inner = inner

    def read(self, network: PreparedNetwork) -> Any:
        reading = self._inner.read(network)
        require(
            network.ternary or not network.has_ternary,
            f"{self.name}: read catches NeedsTernary, which says that the reading is of no use: let it pass",
        )
        return reading

    def read_replicates(self, network: PreparedNetwork) -> list[Any]:
        try:
            readings = self._inner.read_replicates(network)
            if len(readings) != network.replicates:
                raise ValueError(f"{network.replicates} repeats have {len(readings)} readings")
        except Exception as error:  # the scorer reads one by one then
            self.batch_error = f"{type(error).__name__}: {error}"
            raise
        return readings

    def summary(self, readings: Sequence[Any], network: PreparedNetwork) -> Measurement:
        self.log_values = [self._summary([reading], network).log_value for reading in readings]
        return self._summary(readings, network)

    def _summary(self, readings: Sequence[Any], network: PreparedNetwork) -> Measurement:
        measurement: object = self._inner.summary(readings, network)
        if not isinstance(measurement, Measurement):
            raise AssertionError(
                f"{self.name}: summary returns {measurement!r}, which is no Measurement"
            )
        return measurement


def _found(measure: AnyMeasure) -> Measure[Any]:
    try:
        with _random_numbers_are_left(str(measure)):
            return measures.get(measure)
    except AssertionError:
        raise
    except Exception as error:  # making one may raise anything
        raise AssertionError(
            f"measures.get({measure!r}) does not find the measure: {type(error).__name__}: {error}"
        ) from error


def _check_names(found: Measure[Any]) -> None:
    name = found.name
    require(
        isinstance(name, str) and name and ":" not in name,
        f"the name of {full_name(found)} is {name!r}: it must be a text without colon",
    )
    for attribute in ("title", "description", "default_init"):
        text = getattr(found, attribute)
        require(isinstance(text, str), f"{name}: {attribute} is {text!r}, which is no str")
    require(found.title, f"{name}: the title is empty, which tables put above its values")
    require(
        found.default_init in initialization.NAMES,
        f"{name}: default_init is {found.default_init!r}: it must be one of {', '.join(initialization.NAMES)}",
    )
    if name in measures.names():
        named = measures.get(name)
        require(
            _origin(named) == _origin(found),
            f"{name}: that is the name of {_origin(named)}, and run files record measures by name: choose another",
        )


def _origin(measure: Measure[Any]) -> str:
    """``module:qualname`` of the class or function that a measure comes from."""
    if isinstance(measure, measures.FunctionMeasure):
        return full_name(measure.function)
    return full_name(measure)


def _images(samples: int = _SAMPLES) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(samples, 3, _SIZE, _SIZE, generator=generator)


def _init(measure: Measure[Any]) -> str:
    """The measure's initialiser, or another one where that draws no weights."""
    return "gaussian" if measure.default_init == "keep" else measure.default_init


def _scored(
    measure: Measure[Any], model: nn.Module, *, seed: int = 1, repeats: int = 1, **options: Any
) -> SwapScore:
    init = _init(measure)
    scorer = Scorer(_images(), measure=measure, init=init, seed=seed, repeats=repeats, **options)
    return _score(measure.name, scorer, model)


def _score(name: str, scorer: Scorer, model: nn.Module) -> SwapScore:
    try:
        with _random_numbers_are_left(name):
            return scorer(model)
    except AssertionError:
        raise
    except Exception as error:  # a measure may raise anything
        raise AssertionError(
            f"{name}: a network with {_activation(model)} can't be measured: {type(error).__name__}: {error}"
        ) from error


@contextmanager
def _random_numbers_are_left(what: str) -> Iterator[None]:
    before = RandomState(torch.device("cpu"))
    yield
    require(
        before.is_now(),
        f"{what}: the global random numbers of torch, Python or NumPy are others afterwards: draw from "
        "network.generator()",
    )


def _activation(model: nn.Module) -> str:
    activation = getattr(model, "activation", None)
    return getattr(activation, "__name__", type(activation).__name__)


def _check_one_repeat(found: Measure[Any], *, reads_weights: bool) -> SwapScore:
    name = found.name
    model = _Network(nn.ReLU())
    scorer = Scorer(_images(), measure=_Recorded(found), init=_init(found), seed=_SEEDS[0])
    score = _score(name, scorer, model)
    _check_numbers(name, score.measurement, repeats=1)
    others = [_scored(found, model, seed=seed).log_value for seed in _SEEDS[1:]]
    values = {score.log_value, *others}
    if reads_weights:
        require(
            len(values) > 1,
            f"{name}: all seeds give the score {score.value}: give reads_weights=False if it does not depend on "
            "the weights",
        )
    else:
        require(len(values) == 1, f"{name}: the score depends on the seed, and not on sizes alone")
    for again in (_score(name, scorer, model), _scored(found, model, seed=_SEEDS[0])):
        require(
            _same(again, score),
            f"{name}: one seed gives {score.value}, and then {again.value}: draw from network.generator(), and "
            "keep nothing of other networks",
        )
    arrived = _arrived(found)
    require(
        (arrived.name, arrived.title, arrived.replicates) == (name, found.title, found.replicates),
        f"{name}: it has another name, title or replicates where it arrives by cloudpickle",
    )
    there = _scored(arrived, model, seed=_SEEDS[0])
    require(_same(there, score), f"{name}: it gives another score where it arrives by cloudpickle")
    return score


def _same(first: SwapScore, second: SwapScore) -> bool:
    """Whether two scores are the same number of the same readings."""
    numbers = [(score.log_value, score.value, score.patterns) for score in (first, second)]
    return numbers[0] == numbers[1]


def _arrived(found: Measure[Any]) -> Measure[Any]:
    try:
        arrived: Measure[Any] = cloudpickle.loads(cloudpickle.dumps(found))
    except Exception as error:
        raise AssertionError(
            f"{found.name}: it can't travel to worker processes by cloudpickle: {type(error).__name__}: {error}"
        ) from error
    return arrived


def _check_numbers(name: str, measurement: Measurement, *, repeats: int) -> None:
    log_value, value, spread = measurement.log_value, measurement.value, measurement.spread
    require(
        math.isfinite(log_value), f"{name}: log_value is {log_value}: it must be a finite number"
    )
    require(
        math.isclose(value, _exp(log_value), rel_tol=_ROUNDING),
        f"{name}: value is {value}, and exp(log_value) is {_exp(log_value)}: they must agree",
    )
    require(
        measurement.repeats == repeats,
        f"{name}: {repeats} repeats are read, and the measurement has repeats={measurement.repeats}",
    )
    if repeats == 1:
        require(math.isnan(spread), f"{name}: spread is {spread} for one repeat: it must be NaN")
    else:
        require(
            math.isfinite(spread) and spread >= 0,
            f"{name}: spread is {spread} for {repeats} repeats: it must be a finite number, at least 0",
        )
    details = dict(measurement.details)
    try:
        kept = json.loads(json.dumps(details, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise AssertionError(
            f"{name}: details must be JSON-compatible, without NaN and infinity, and are {details!r}: {error}"
        ) from error
    require(
        kept == details,
        f"{name}: details are {details!r}, and {kept!r} after JSON: use lists, and texts as keys",
    )


def _exp(log_value: float) -> float:
    try:
        return math.exp(log_value)
    except OverflowError:
        return math.inf


def _check_several(found: Measure[Any]) -> None:
    score = _scored(_Recorded(found), _Network(nn.ReLU()), repeats=_REPEATS)
    _check_numbers(found.name, score.measurement, repeats=_REPEATS)


def _check_replicates(found: Measure[Any]) -> None:
    """Requires that readings of one forward pass are those of several."""
    if not found.replicates:
        return
    name, model = found.name, _Network(nn.ReLU())
    one_by_one, batched = _Recorded(found), _Recorded(found)
    _scored(one_by_one, model, repeats=_REPEATS, max_memory=1)
    _scored(batched, model, repeats=_REPEATS)
    require(
        batched.batch_error is None,
        f"{name}: replicates is True, and read_replicates fails: {batched.batch_error}",
    )
    require(
        all(
            math.isclose(one, other, abs_tol=_MOVED)
            for one, other in zip(one_by_one.log_values, batched.log_values, strict=True)
        ),
        f"{name}: the repeats score {one_by_one.log_values} one by one, and {batched.log_values} in one forward "
        "pass (logarithms): they must agree",
    )


def _check_model_is_left(found: Measure[Any]) -> None:
    model = _Network(nn.ReLU())
    model.blocks[0].eval()  # modes are mixed
    for repeats in (1, _REPEATS):
        before = _state(model)
        _scored(found, model, repeats=repeats)
        after = _state(model)
        changed = sorted(name for name in before if before[name] != after.get(name))
        require(
            not changed and before.keys() == after.keys(),
            f"{found.name}: the model is not as it was: {', '.join(changed) or 'it has new parts'}",
        )


def _state(model: nn.Module) -> dict[str, object]:
    """The parts of a model that a measure could change, by name."""
    state: dict[str, object] = {}
    for name, module in model.named_modules():
        where = f" of {name or 'the model'}"
        state[f"mode{where}"] = module.training
        state[f"attributes{where}"] = sorted(vars(module))
        for attribute, value in vars(module).items():
            if attribute.endswith("_hooks"):
                state[f"{attribute.removeprefix('_')}{where}"] = list(value)
    for name, parameter in model.named_parameters():
        state[f"parameter {name}"] = _content(parameter)
        state[f"requires_grad of {name}"] = parameter.requires_grad
        state[f"gradient of {name}"] = parameter.grad is None
    for name, buffer in model.named_buffers():
        state[f"buffer {name}"] = _content(buffer)
    return state


def _content(tensor: Tensor) -> tuple[int, bytes]:
    return id(tensor), tensor.detach().numpy().tobytes()


def _check_ternary(found: Measure[Any]) -> None:
    """Measures GELU: as a module, and as a function, which shows only in the forward pass that it is ternary."""
    for activation in (nn.GELU(), nn.functional.gelu):
        score = _scored(_Recorded(found), _Network(activation), repeats=2)
        _check_numbers(found.name, score.measurement, repeats=2)


def _check_nothing_captured(found: Measure[Any], *, needs_activations: bool) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * _SIZE**2, 4))
    try:
        Scorer(_images(), measure=found, init=_init(found))(model)
    except ValueError:
        return
    except Exception as error:
        raise AssertionError(
            f"{found.name}: a model without activations raises {type(error).__name__} ({error}), and must raise "
            "ValueError, as network.run does"
        ) from error
    require(
        not needs_activations,
        f"{found.name}: a model without activations has a score, and must raise ValueError, as network.run does",
    )


def _check_run_file(found: Measure[Any]) -> None:
    """Requires that a search gets a score, and that its run file keeps it."""
    space = spaces.get("nasbench201", channels=2, cells=1)
    architecture = (
        "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|+|none~0|avg_pool_3x3~1|nor_conv_1x1~2|"
    )
    scorer = Scorer(space.inputs(_SAMPLES), measure=found, init=_init(found), repeats=2)
    (outcome,) = Evaluator(space, scorer)([architecture])
    require(outcome.error is None, f"{found.name}: a search can't score with it: {outcome.error}")
    candidate = Candidate(0, 0, architecture, architecture, (), 1, outcome, 0.0)
    about = {"space": describe_space(space), "scorer": describe_scorer(scorer)}
    with RunFile.create(None, about) as run_file:
        run_file.record([candidate])
        try:
            kept = run_file.candidates()
        except RunFileError as error:
            raise AssertionError(
                f"{found.name}: run files can't keep {outcome}: {error}"
            ) from error
    require(kept == [candidate], f"{found.name}: run files keep {kept} of {outcome}")
