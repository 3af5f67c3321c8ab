"""Several measures of the same weights, in one score."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from swapnas_ext.measures.measure import Measure
from swapnas_ext.measures.measurement import Measurement
from swapnas_ext.measures.on_samples import OnSamples, can_share, run_together
from swapnas_ext.measures.prepared_network import PreparedNetwork
from swapnas_ext.patterns import NanActivationError

BY_MEASURE = "measures"
"""The detail with what each measure found."""
SCORE_OF = "score_of"
"""The detail with the name of the measure that the score is of, where the first has none."""


@dataclass(frozen=True)
class _Missing:
    """Why a measure could not read a network."""

    error: Exception

    @property
    def text(self) -> str:
        return f"{type(self.error).__name__}: {self.error}"


class Panel(Measure[dict[str, Any]]):
    """Reads several measures from the same weights, in as few passes as they need. The score is that of the first
    measure; ``details["measures"]`` has them all. A measure that can't read a network is missing, with the reason.
    Where the first is, the score is that of the next one, and ``details["score_of"]`` says so.

    Args:
        members: the measures.
    """

    description = ""

    def __init__(self, members: Sequence[Measure[Any]]) -> None:
        names = [member.name for member in members]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"measures are given twice: {', '.join(sorted(twice))}")
        inits = {member.default_init for member in members}
        self.members = tuple(members)
        self.name = ",".join(names)  # type: ignore[misc]  # of these members
        self.title = ", ".join(member.title for member in members)  # type: ignore[misc]  # likewise
        self.default_init = inits.pop() if len(inits) == 1 else "keep"  # type: ignore[misc]  # likewise

    def read(self, network: PreparedNetwork) -> dict[str, Any]:
        found: dict[str, Any] = {}
        with ExitStack() as stack:
            wanted = {member.name: member.on_samples(network, stack) for member in self.members}
            for passes in _shared(wanted):
                ran = _or_missing(partial(run_together, network, list(passes.values())))
                for name, one in passes.items():
                    found[name] = ran if isinstance(ran, _Missing) else _or_missing(one.finish)
        for member in self.members:
            if member.name not in found:
                found[member.name] = _or_missing(partial(member.read, network))
        return found

    def summary(self, readings: Sequence[dict[str, Any]], network: PreparedNetwork) -> Measurement:
        details: dict[str, Any] = {}
        first: tuple[str, Measurement] | None = None
        problems: list[Exception] = []
        for member in self.members:
            of_member = [reading[member.name] for reading in readings]
            missing = next((found for found in of_member if isinstance(found, _Missing)), None)
            if missing is not None:
                problems.append(missing.error)
                details[member.name] = {"error": missing.text}
                continue
            told = member.summary(of_member, network)
            if not math.isfinite(told.log_value):
                problems.append(ValueError(f"the score is {told.value}"))
                details[member.name] = {"error": str(problems[-1])}
                continue
            first = first or (member.name, told)
            details[member.name] = {
                "score": told.value if math.isfinite(told.value) else None,  # for JSON
                "log_score": told.log_value,
                "saturated": told.saturated,
                **({"spread": told.spread} if told.repeats > 1 else {}),
            }
        if first is None:
            raise problems[0]
        score_of, told = first
        known: dict[str, Any] = {
            name: value for name, value in told.details.items() if name in ("flops", "heavy_tails")
        }
        if score_of != self.members[0].name:
            known[SCORE_OF] = score_of
        return replace(
            told,
            parts=tuple(readings),
            details={**known, BY_MEASURE: details},
            notes=(*told.notes, *_notes(details, score_of)),
        )


def _notes(details: Mapping[str, Mapping[str, Any]], score_of: str) -> list[str]:
    """What is missing; ahead of the measure that the score is of, where the first is missing."""
    missing = [name for name, found in details.items() if "error" in found]
    notes = [f"no {name}: {details[name]['error']}" for name in missing]
    if next(iter(details)) != score_of:
        notes.append(f"the score is that of {score_of}, the first measure that has one")
    return notes


def _or_missing(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except NanActivationError:
        raise
    except Exception as error:
        return _Missing(error)


def _shared(wanted: Mapping[str, OnSamples | None]) -> list[dict[str, OnSamples]]:
    """What can run together, by the measures' names."""
    groups: list[dict[str, OnSamples]] = []
    for name, one in wanted.items():
        if one is None:
            continue
        for group in groups:
            if can_share(next(iter(group.values())), one):
                group[name] = one
                break
        else:
            groups.append({name: one})
    return groups
