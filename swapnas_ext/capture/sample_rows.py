"""Tells whether the rows of an activation are the samples, in their order.

The first dimension of an activation can be a multiple of S for other reasons: tables of positions and gates
are computed from parameters alone, mixtures of experts sort rows by expert, and recurrent networks may have
time first. Their signs are no patterns.

A forward pass on the same samples in another order decides most cases. Rows that are samples follow that order;
rows that do not move belong to no sample. Where rows do neither, samples may depend on their place in the
mini-batch, or the model may draw random numbers. Then single samples are changed: an activation of the samples
changes most in the rows of the changed sample.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from swapnas_ext.patterns import Observer

_COLUMNS = 1024  # compared in each row, evenly spaced
_CHANGED = 8  # samples that are changed, at most, one after another
_HITS = 0.9  # of the changed samples
_ALIKE = 0.9  # 1: the same rows; 0: unrelated rows

NOT_MOVED = "is the same in whatever order the samples are"
ELSEWHERE = "does not have its rows in the order of the samples"


@dataclass
class Seen:
    """One activation: its number of rows, and the signs of some columns; None if the rows are surely samples."""

    rows: int
    signs: Tensor | None


class RowWatcher(Observer):
    """Records the rows of every activation, and passes it on to another observer if there is one."""

    def __init__(self, observer: Observer | None, samples: int, ternary: bool) -> None:
        super().__init__(samples, ternary)
        self._observer = observer
        self.seen: list[Seen] = []
        if observer is not None:
            self.of_inputs = observer.of_inputs
            self.counts_once = observer.counts_once
            self.counts_patterns = observer.counts_patterns
            self.count_on_host = observer.count_on_host  # type: ignore[method-assign]
            self.resets = observer.resets

    def update(self, x: Tensor) -> None:
        if self._observer is not None:
            self._observer.update(x)
        elif x.dim() and len(x) % self.samples:  # as any observer
            raise ValueError(f"{len(x)} rows are no multiple of {self.samples} samples")
        signs = None
        if x.dim() < 4 or len(x) != self.samples:  # otherwise an image for each sample
            rows = x.detach().reshape(len(x), -1)
            step = -(-rows.shape[1] // _COLUMNS)
            signs = rows[:, ::step].sign().to(torch.int8)
        self.seen.append(Seen(len(x), signs))


Run = Callable[[list[int] | None, dict[int, int]], tuple[list[str], list[Seen]]]
"""Runs the samples in an order (None: as they are), some of them (keys) replaced by others (values). Returns the names
of the layers, call after call, and what was seen of them."""


def not_samples(names: list[str], seen: list[Seen], samples: int, run: Run) -> dict[str, str]:
    """Names of the layers whose rows are not the samples in their order, each with the reason.

    Args:
        names, seen: of a pass on the samples as they are.
        run: makes other passes.
    """
    if samples == 1 or all(one.signs is None for one in seen):
        return {}
    order = _order(samples)
    before, after = _by_name(names, seen), _by_name(*run(order, {}))
    found: dict[str, str] = {}
    unclear: set[str] = set()
    for name, calls in before.items():
        others = after.get(name, [])
        if len(others) != len(calls):  # the model decides by its inputs what to run
            unclear.add(name)
            continue
        for one, other in zip(calls, others, strict=True):
            verdict = _verdict(one, other, order, samples)
            if verdict == NOT_MOVED:
                found[name] = verdict
            elif verdict == ELSEWHERE:
                unclear.add(name)
    unclear -= found.keys()
    if unclear:
        changed = {
            sample: _by_name(*run(None, {sample: (sample + 1) % samples}))
            for sample in sorted({samples * i // _CHANGED for i in range(_CHANGED)})
        }
        for name in unclear:
            changes = [
                _changes(before[name], after.get(name, []), samples) for after in changed.values()
            ]
            if not _are_of_samples(changes, list(changed)):
                found[name] = ELSEWHERE
    return {name: found[name] for name in before if name in found}


def _by_name(names: list[str], seen: list[Seen]) -> dict[str, list[Seen]]:
    """The activations whose rows may not be samples, by the name of their layer."""
    by_name: dict[str, list[Seen]] = {}
    for name, one in zip(names, seen, strict=True):
        if one.signs is not None:
            by_name.setdefault(name, []).append(one)
    return by_name


def _changes(before: list[Seen], after: list[Seen], samples: int) -> Tensor | None:
    """How many signs of a layer changed in the rows of each sample; None if the rows are not the same."""
    changes = torch.zeros(samples, dtype=torch.float64, device="cpu")
    if len(before) != len(after):
        return None
    for one, other in zip(before, after, strict=True):
        if one.signs is None or other.signs is None or one.signs.shape != other.signs.shape:
            return None
        changes += (one.signs != other.signs).reshape(samples, -1).double().sum(1)
    return changes


def _are_of_samples(changes: list[Tensor | None], changed: list[int]) -> bool:
    """Whether a layer changes most in the rows of the changed sample, for nearly all samples. Samples may change
    each other a little too, for instance through statistics of a part of the mini-batch."""
    hits = asked = 0
    for of_one, sample in zip(changes, changed, strict=True):
        if of_one is None:
            return False
        most = of_one.max()
        if most > 0:
            asked += 1
            # If all rows change alike, none of them is the sample.
            hits += bool(of_one[sample] == most and of_one.min() < most)
    return asked == 0 or hits >= _HITS * asked


def _order(samples: int) -> list[int]:
    """An order in which every sample moves."""
    generator = torch.Generator("cpu").manual_seed(0)
    shuffled = torch.randperm(samples, generator=generator, device="cpu").tolist()
    moved = dict(zip(shuffled, shuffled[1:] + shuffled[:1], strict=True))
    return [moved[sample] for sample in range(samples)]


def _verdict(before: Seen, after: Seen, order: list[int], samples: int) -> str | None:
    signs, moved = before.signs, after.signs
    if signs is None or moved is None or signs.shape != moved.shape:
        return ELSEWHERE
    by_sample = signs.reshape(samples, -1)
    wanted = by_sample[order]
    chance = float((wanted == by_sample).double().mean())
    if chance == 1.0:  # all samples have the same signs, which tell nothing
        return None
    if torch.equal(signs, moved):
        return NOT_MOVED
    found = float((moved.reshape(samples, -1) == wanted).double().mean())
    return None if (found - chance) / (1 - chance) >= _ALIKE else ELSEWHERE


def notes(found: dict[str, str], unfit: Collection[str], samples: int) -> Iterator[str]:
    """Sentences about the layers that are left out."""
    for reason in dict.fromkeys(found.values()):
        names = [name for name, own in found.items() if own == reason]
        yield f"left out, since it {reason}: {_listed(names)}"
    if unfit:
        yield f"left out, since its rows are no multiple of {samples} samples: {_listed([*unfit])}"


def _listed(names: list[str], most: int = 5) -> str:
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
