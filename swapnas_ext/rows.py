"""Whether the rows of an activation are the samples, in their order.

The first dimension of an activation can be a multiple of S for other reasons: tables of positions and gates
are computed from parameters alone, mixtures of experts sort rows by expert, and recurrent networks may have
time first. Their signs are no patterns. A forward pass on the same samples in another order tells: the rows
of what is left are in that other order too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_COLUMNS = 1024  # of each row that are compared
_ALIKE = 0.9  # of 1 for the same rows, and 0 for rows that have nothing to do with each other
_THE_SAME = 0.999

NOT_MOVED = "is the same in whatever order the samples are"
ELSEWHERE = "does not have its rows in the order of the samples"


@dataclass
class Seen:
    """One activation: its number of rows, and the signs of some columns; None where they are surely samples."""

    rows: int
    signs: Tensor | None


class Watching:
    """Takes the place of a counter, and notes what it is fed."""

    def __init__(self, counter: Any) -> None:
        self._counter = counter
        self.samples = counter.samples
        self.ternary = counter.ternary
        self.counts_once = counter.counts_once
        self.seen: list[Seen] = []

    @property
    def saw_nan(self) -> bool:
        return self._counter.saw_nan

    @property
    def resets(self) -> int:
        return self._counter.resets

    def count_on_host(self) -> int:
        return self._counter.count_on_host()

    def direct_relu(self) -> None:
        return None

    def update(self, x: Tensor) -> None:
        self._counter.update(x)
        self._note(x)

    def relu(self, x: Tensor) -> Tensor:
        y = self._counter.relu(x)
        self._note(y)
        return y

    def relu_(self, x: Tensor) -> Tensor:
        y = self._counter.relu_(x)
        self._note(y)
        return y

    def _note(self, x: Tensor) -> None:
        signs = None
        if x.dim() < 4 or len(x) != self.samples:  # else an image for each sample
            columns = x.detach().reshape(len(x), -1)[:, :_COLUMNS]
            signs = columns.sign().to(torch.int8)
        self.seen.append(Seen(len(x), signs))


class NoCounter:
    """Takes the place of a counter where nothing is to be counted."""

    saw_nan = False
    resets = 0
    counts_once = False

    def __init__(self, samples: int, ternary: bool) -> None:
        self.samples = samples
        self.ternary = ternary

    def count_on_host(self) -> int:
        return 0

    def direct_relu(self) -> None:
        return None

    def update(self, x: Tensor) -> None: ...

    def relu(self, x: Tensor) -> Tensor:
        return torch.relu(x)

    def relu_(self, x: Tensor) -> Tensor:
        return torch.relu_(x)


Run = Callable[[list[int] | None, int], tuple[list[str], list[Seen]]]
"""A forward pass on the samples in an order (None: as they are), with a seed of its random numbers: names of
the layers, call after call, and what was seen of them."""


def not_samples(names: list[str], seen: list[Seen], samples: int, run: Run) -> dict[str, str]:
    """Names of the layers whose rows are not the samples in their order, with what they are instead.

    Args:
        names, seen: of the pass on the samples as they are.
    """
    if samples == 1 or all(one.signs is None for one in seen):
        return {}
    order = _order(samples)
    other_names, moved = run(order, 0)
    found: dict[str, str] = {}
    unclear: list[int] = []
    if other_names != names:  # a model that decides by its inputs what to run
        return {name: ELSEWHERE for name in names if other_names.count(name) != names.count(name)}
    for call, (name, before, after) in enumerate(zip(names, seen, moved, strict=True)):
        if before.signs is None or name in found:
            continue
        verdict = _verdict(before, after, order, samples)
        if verdict == NOT_MOVED:
            found[name] = verdict
        elif verdict == ELSEWHERE:
            unclear.append(call)
    if unclear:  # unless it is the model's own random numbers
        _, again = run(None, 1)
        for call in unclear:
            before, after = seen[call], again[call] if call < len(again) else None
            if after is not None and _share(before, after) >= _THE_SAME:
                found[names[call]] = ELSEWHERE
    return found


def _order(samples: int) -> list[int]:
    """In which no sample is where it was."""
    shuffled = torch.randperm(samples, generator=torch.Generator().manual_seed(0)).tolist()
    moved = dict(zip(shuffled, shuffled[1:] + shuffled[:1], strict=True))
    return [moved[sample] for sample in range(samples)]


def _share(a: Seen, b: Seen) -> float:
    if a.signs is None or b.signs is None or a.signs.shape != b.signs.shape:
        return 0.0
    return float((a.signs == b.signs).double().mean())


def _verdict(before: Seen, after: Seen, order: list[int], samples: int) -> str | None:
    signs, moved = before.signs, after.signs
    if signs is None or moved is None or signs.shape != moved.shape:
        return ELSEWHERE
    by_sample = signs.reshape(samples, -1)
    wanted = by_sample[order]
    chance = float((wanted == by_sample).double().mean())
    if chance == 1.0:  # the signs of all samples are alike, and tell nothing
        return None
    if torch.equal(signs, moved):
        return NOT_MOVED
    found = float((moved.reshape(samples, -1) == wanted).double().mean())
    return None if (found - chance) / (1 - chance) >= _ALIKE else ELSEWHERE


def notes(found: dict[str, str], unfit: Collection[str], samples: int) -> Iterator[str]:
    """What a score says of layers that it leaves out."""
    for reason in dict.fromkeys(found.values()):
        names = [name for name, own in found.items() if own == reason]
        yield f"left out, since it {reason}: {_listed(names)}"
    if unfit:
        yield f"left out, since its rows are no multiple of {samples} samples: {_listed([*unfit])}"


def _listed(names: list[str], most: int = 5) -> str:
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
