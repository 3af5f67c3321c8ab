"""Checks search spaces."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence
from typing import Any

import cloudpickle
import torch
from torch import nn

from swapnas_ext.spaces import ArchitectureError, Graph, SearchSpace
from swapnas_ext.testing.require import own_random_numbers_only, require

_NONSENSE = ("", "\0", "no architecture")
_LISTED = 300  # architectures of a space that lists them


def check_space(space: SearchSpace, *, seed: int = 0, samples: int = 60, networks: int = 3) -> None:
    """Checks a search space: strings, canonical forms, random choices, networks, and sending it to workers.

    Args:
        seed: seed of the architectures that are checked.
        samples: number of architectures that are drawn.
        networks: number of them that are built and run once on two inputs.

    Raises:
        AssertionError: says what is wrong.
    """
    drawn = _draw(space, random.Random(seed), samples)
    again = _draw(space, random.Random(seed), samples)
    require(drawn == again, "two rngs of one seed give different architectures: they must agree")
    texts = list(dict.fromkeys(itertools.chain.from_iterable(drawn)))
    require(len({sampled for sampled, _, _ in drawn}) > 1, f"sample gives nothing but {texts[0]!r}")
    for text in texts:
        _check_text(space, text)
    for text in _NONSENSE:
        _check_refused(space, text)
    for sampled, mutated, crossed in drawn:
        require(mutated != sampled, f"mutate leaves {sampled!r} as it is: it must change it")
        alone = space.crossover(sampled, sampled, random.Random(seed))
        require(
            alone == sampled, f"crossover of {sampled!r} with itself gives {alone!r}: both are one"
        )
        require(isinstance(crossed, str), f"crossover gives {crossed!r}, which is no str")
        _check_distance(space, sampled, mutated, crossed)
    for text in texts[:networks]:
        _check_network(space, text)
        _check_drawings(space, text)
    _check_forms(space, texts, networks)
    _check_travels(space, texts, seed)
    if hasattr(space, "__iter__"):
        _check_listing(space)


def _draw(space: SearchSpace, rng: random.Random, count: int) -> list[tuple[str, str, str]]:
    """Samples, a mutant of each, and a crossover of each with the previous one."""
    drawn = []
    with own_random_numbers_only(type(space).__name__):
        before = space.sample(rng)
        for _ in range(count):
            sampled = space.sample(rng)
            try:
                mutated = space.mutate(sampled, rng)
                crossed = space.crossover(before, sampled, rng)
            except ArchitectureError as error:
                raise AssertionError(
                    f"{sampled!r} or {before!r}, given by sample, can't be changed: {error}"
                ) from error
            drawn.append((sampled, mutated, crossed))
            before = sampled
    return drawn


def _check_text(space: SearchSpace, text: Any) -> None:
    require(isinstance(text, str), f"{text!r} is no str, as all architectures are")
    try:
        space.check(text)
        back = space.format(space.parse(text))
    except ArchitectureError as error:
        raise AssertionError(
            f"sample, mutate or crossover gives {text!r}, which does not parse: {error}"
        ) from error
    require(back == text, f"format(parse(x)) must be x: of {text!r} it is {back!r}")
    form = space.canonical(text)
    require(isinstance(form, str), f"canonical({text!r}) is {form!r}, which is no str")
    require(space.canonical(text) == form, f"canonical({text!r}) is another one each time")
    size = space.size(text)
    require(isinstance(size, int) and size >= 0, f"size({text!r}) is {size!r}: it must be a number")
    require(
        isinstance(space.final(), SearchSpace), "final() must be a SearchSpace; by default, itself"
    )
    final = space.final().size(text)
    require(final >= 0, f"the network of final() has {final!r} parameters for {text!r}")


def _check_refused(space: SearchSpace, text: str) -> None:
    try:
        space.check(text)
    except ArchitectureError as error:
        require(
            0 <= error.position <= len(text),
            f"parse({text!r}) says that character {error.position} is wrong, which it has not",
        )
        return
    except Exception as error:
        raise AssertionError(
            f"parse({text!r}) raises {type(error).__name__}, and must raise ArchitectureError"
        ) from error
    raise AssertionError(f"parse({text!r}) must raise ArchitectureError: it is no architecture")


def _check_network(space: SearchSpace, text: str) -> None:
    inputs = space.inputs(2)
    require(len(inputs) == 2, f"inputs(2) has {len(inputs)} samples")
    shapes = []
    for initialized in (True, False):
        network = space.build(text, initialized=initialized)
        require(isinstance(network, nn.Module), f"build({text!r}) is {network!r}, no torch module")
        shapes.append([parameter.shape for parameter in network.parameters()])
        count = sum(shape.numel() for shape in shapes[-1])
        require(
            count == space.size(text),
            f"the network of {text!r} has {count:,} parameters, and size says {space.size(text):,}",
        )
    require(
        shapes[0] == shapes[1],
        f"build({text!r}, initialized=False) gives other parameters than build({text!r})",
    )
    network = space.build(text)
    require(
        all(p.device.type != "meta" for p in network.parameters()),
        f"build({text!r}) leaves parameters on the meta device",
    )
    try:
        with torch.no_grad():
            network(inputs)
    except Exception as error:
        raise AssertionError(
            f"the network of {text!r} can't be run on inputs(2): {type(error).__name__}: {error}"
        ) from error
    final = space.final()
    try:
        with torch.device("meta"), torch.no_grad():
            final.build(text).eval()(final.inputs(1).to("meta"))
    except Exception as error:
        raise AssertionError(
            f"the final network of {text!r} can't be run on the meta device, where operations are counted: "
            f"{type(error).__name__}: {error}"
        ) from error


def _check_drawings(space: SearchSpace, text: str) -> None:
    formats = space.formats(text)
    require(
        all(isinstance(part, str) for part in (*formats, *formats.values())),
        f"formats({text!r}) must be texts by their names, and is {formats!r}",
    )
    for graph in space.graphs(text):
        require(isinstance(graph, Graph), f"graphs({text!r}) has {graph!r}, which is no Graph")
        for begin, end, _ in graph.edges:
            require(
                0 <= begin < end < len(graph.nodes),
                f"graphs({text!r}) has an edge from node {begin} to {end} of {len(graph.nodes)}: edges lead "
                "from earlier nodes to later ones",
            )


def _check_distance(space: SearchSpace, sampled: str, mutated: str, crossed: str) -> None:
    """Requires that distances are numbers of choices: symmetric, and 0 for an architecture and itself."""
    itself = space.distance(sampled, sampled)
    require(itself == 0, f"distance from {sampled!r} to itself is {itself!r}: it must be 0")
    for other in (mutated, crossed):
        there, back = space.distance(sampled, other), space.distance(other, sampled)
        require(
            type(there) is int and there >= 0 and there == back,
            f"distance from {sampled!r} to {other!r} is {there!r}, and back {back!r}: both must be one whole number",
        )


def _check_forms(space: SearchSpace, texts: Iterable[str], most: int) -> None:
    """Requires that architectures of one form compute the same function. All weights of a layer are equal and biases
    are 0, so that the order of weights does not matter."""
    by_form: dict[str, list[str]] = {}
    for text in texts:
        by_form.setdefault(space.canonical(text), []).append(text)
    twins = [group for group in by_form.values() if len(group) > 1]
    for first, second, *_ in twins[:most]:
        try:
            same = torch.allclose(
                _answer(space, first), _answer(space, second), rtol=1e-3, atol=1e-5
            )
        except TypeError:  # the networks return no tensor
            return
        require(
            same,
            f"{first!r} and {second!r} have one canonical form, and networks that compute different functions",
        )


def _answer(space: SearchSpace, text: str) -> torch.Tensor:
    network = space.build(text).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            inputs = parameter[0].numel() if parameter.dim() > 1 else 1
            parameter.fill_(0.0 if name.endswith("bias") else 1.0 / inputs)
        answer: torch.Tensor = network(space.inputs(2))
    return answer


def _check_travels(space: SearchSpace, texts: Sequence[str], seed: int) -> None:
    def of(one: SearchSpace) -> list[Any]:
        return [one.sample(random.Random(seed)), *((one.canonical(t), one.size(t)) for t in texts)]

    try:
        there: SearchSpace = cloudpickle.loads(cloudpickle.dumps(space))
        same = of(there) == of(space)
    except Exception as error:
        raise AssertionError(
            f"{type(space).__name__} can't travel to worker processes by cloudpickle: "
            f"{type(error).__name__}: {error}"
        ) from error
    require(same, f"{type(space).__name__} is another space where it arrives by cloudpickle")


def _check_listing(space: Any) -> None:
    listed = list(itertools.islice(space, _LISTED))
    require(len(set(listed)) == len(listed), "iterating over the space gives some twice")
    for text in listed[:: max(1, len(listed) // 20)]:
        _check_text(space, text)
    if hasattr(space, "__len__") and len(listed) < _LISTED:
        require(len(space) == len(listed), f"len() is {len(space)}, of {len(listed)} architectures")
