"""Finds the activation modules of a model and feeds what they compute to a `PatternCounter`."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from swapnas_ext.counter import PatternCounter


@dataclass(frozen=True)
class Rule:
    """Where an activation function's boundary lies.

    ``signed``: its output can be negative, so its pattern is ternary, as published for GELU and
    SiLU (Peng et al., arXiv 2605.07378). ``of_input``: the boundary is where the input is zero and
    the output is not, such as 0.5 for a sigmoid.
    """

    signed: bool = False
    of_input: bool = False


RULES: dict[type[nn.Module], Rule] = {
    nn.ReLU: Rule(),
    nn.ReLU6: Rule(),
    nn.LeakyReLU: Rule(signed=True),
    nn.PReLU: Rule(signed=True),
    nn.RReLU: Rule(signed=True),
    nn.ELU: Rule(signed=True),
    nn.SELU: Rule(signed=True),
    nn.CELU: Rule(signed=True),
    nn.GELU: Rule(signed=True),
    nn.SiLU: Rule(signed=True),
    nn.Mish: Rule(signed=True),
    nn.Hardswish: Rule(signed=True),
    nn.Tanh: Rule(signed=True),
    nn.Hardtanh: Rule(signed=True),
    nn.Softsign: Rule(signed=True),
    nn.Sigmoid: Rule(of_input=True),
    nn.Hardsigmoid: Rule(of_input=True),
    nn.Softplus: Rule(of_input=True),
}


@dataclass(frozen=True)
class Site:
    """One activation module of a model."""

    name: str
    module: nn.Module
    rule: Rule

    @property
    def kind(self) -> str:
        return type(self.module).__name__


@dataclass
class Layer:
    """What one activation module contributed.

    ``neurons`` is V of this layer; ``new_patterns`` is how many distinct patterns it added to those
    of the layers run before it (None where that was not measured).
    """

    name: str
    kind: str
    neurons: int = 0
    new_patterns: int | None = None


def find_activations(
    model: nn.Module, named_modules: Sequence[tuple[str, nn.Module]]
) -> list[Site]:
    """The activation modules among ``named_modules`` of ``model``, in that order.

    Raises:
        ValueError: there is none.
    """
    sites = []
    for name, module in named_modules:
        rule = _rule_for(type(module))
        if rule is not None:
            sites.append(Site(name, module, rule))
    if not sites:
        known = ", ".join(sorted(kind.__name__ for kind in RULES))
        raise ValueError(
            f"{type(model).__name__} has no activation module to take patterns from; "
            f"known: {known}. Activations called as functions, such as F.relu, are not seen: use "
            "their modules"
        )
    return sites


class Capture:
    """Feeds the activations of some sites to a counter while `running`.

    ``layers`` tells what each contributed, in the order of their first call, and ``seconds`` the time
    that the counter took (for a ReLU, with the ReLU that it stands for).
    """

    def __init__(self, counter: PatternCounter, *, count_layers: bool) -> None:
        self.counter = counter
        self.layers: list[Layer] = []
        self.seconds = 0.0
        self._count_layers = count_layers
        self._total = 0
        self._relu_inputs: dict[int, tuple[weakref.ref[Tensor], int]] = {}

    @contextmanager
    def running(self, sites: list[Site]) -> Iterator[None]:
        """Replaces the sites' ``forward`` for as long as the context lasts, whatever happens in it."""
        own = [(site.module.__dict__, site.module.__dict__.get("forward")) for site in sites]
        try:
            for site in sites:
                site.module.__dict__["forward"] = self._forward_of(site)
            yield
        finally:
            for attributes, forward in own:
                attributes.pop("forward", None)
                if forward is not None:
                    attributes["forward"] = forward

    def _forward_of(self, site: Site) -> Callable[..., Any]:
        original = site.module.forward
        layer = Layer(site.name, site.kind)
        feed, update = self._feed, self.counter.update
        if "forward" not in site.module.__dict__ and type(site.module).forward is nn.ReLU.forward:
            relu = self.counter.relu_ if site.module.inplace else self._relu
            return lambda input: feed(layer, relu, input)

        def observed(*args: Any, **kwargs: Any) -> Any:
            if site.rule.of_input:  # before an in-place activation overwrites it
                feed(layer, update, args[0] if args else next(iter(kwargs.values())))
                return original(*args, **kwargs)
            y = original(*args, **kwargs)
            feed(layer, update, y)
            return y

        return observed

    def _relu(self, x: Tensor) -> Tensor:
        """The counter's ReLU; a plain one where the patterns of this very tensor are in the set, as in
        a cell whose edges each begin with a ReLU of the same node."""
        if x.is_inference():  # has no version counter
            return self.counter.relu(x)
        known, version = self._relu_inputs.get(id(x), (None, 0))
        if known is not None and known() is x and version == x._version:
            return torch.relu(x)
        y = self.counter.relu(x)
        self._relu_inputs[id(x)] = (weakref.ref(x), x._version)
        return y

    def _feed(self, layer: Layer, feed: Callable[[Tensor], Any], x: Tensor) -> Any:
        start = time.perf_counter()
        try:
            result = feed(x)
            if self._count_layers:
                total = self.counter.count()
                layer.new_patterns = (layer.new_patterns or 0) + total - self._total
                self._total = total
        except (TypeError, ValueError) as error:
            raise type(error)(f"activation '{layer.name}' ({layer.kind}): {error}") from error
        if layer.neurons == 0:
            self.layers.append(layer)
        layer.neurons += x.numel() // self.counter.samples
        self.seconds += time.perf_counter() - start
        return result


@cache
def _rule_for(kind: type[nn.Module]) -> Rule | None:
    return next((RULES[ancestor] for ancestor in kind.__mro__ if ancestor in RULES), None)
