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
from swapnas_ext.models import OWN
from swapnas_ext.patterns import NanActivationError

BY_MEASURE = "measures"
"""The detail with what each measure found."""
SCORE_OF = "score_of"
"""The detail with the name of the measure that the score is of, where the first has none."""


@dataclass(frozen=True)
class Missing:
    """Why a measure could not read a network, in one line: notes, tables and pages show it."""

    text: str

    @classmethod
    def of(cls, error: Exception) -> Missing:
        return cls(" ".join(f"{type(error).__name__}: {error}".split()))


class _NoneReadError(ValueError):
    """None of several measures could read a network.

    Args:
        reasons: why, by the name of each measure.
    """

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__(reasons)  # so that it can be pickled
        self.reasons = reasons

    def __str__(self) -> str:
        return "; ".join(f"no {name}: {reason}" for name, reason in self.reasons.items())


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
        self.members = tuple(members)
        self.name = ",".join(names)  # type: ignore[misc]  # of these members
        self.title = ", ".join(member.title for member in members)  # type: ignore[misc]  # likewise
        self.default_init = OWN if len(self.by_init) > 1 else members[0].default_init  # type: ignore[misc]  # likewise

    @property
    def by_init(self) -> dict[str, Panel]:
        """The measures by the initialiser that each is defined for."""
        inits = dict.fromkeys(member.default_init for member in self.members)
        if len(inits) == 1:
            return dict.fromkeys(inits, self)
        return {
            init: Panel([member for member in self.members if member.default_init == init])
            for init in inits
        }

    def read(self, network: PreparedNetwork) -> dict[str, Any]:
        found: dict[str, Any] = {}
        with ExitStack() as stack:
            wanted: dict[str, OnSamples | None] = {}
            for member in self.members:
                one = _or_missing(partial(member.on_samples, network, stack))
                if isinstance(one, Missing):
                    found[member.name] = one
                else:
                    wanted[member.name] = one
            for passes in _shared(wanted):
                ran = _or_missing(partial(run_together, network, list(passes.values())))
                for name, one in passes.items():
                    found[name] = ran if isinstance(ran, Missing) else _or_missing(one.finish)
        for member in self.members:
            if member.name not in found:
                found[member.name] = _or_missing(partial(member.read, network))
        return found

    def summary(self, readings: Sequence[dict[str, Any]], network: PreparedNetwork) -> Measurement:
        details: dict[str, Any] = {}
        flops: dict[str, int] = {}
        first: tuple[str, Measurement] | None = None
        reasons: dict[str, str] = {}
        for member in self.members:
            of_member = [reading[member.name] for reading in readings]
            missing = next((found for found in of_member if isinstance(found, Missing)), None)
            told = missing or _or_missing(partial(_finite, member, of_member, network))
            if isinstance(told, Missing):
                reasons[member.name] = told.text
                details[member.name] = {"error": told.text}
                continue
            first = first or (member.name, told)
            if "flops" in told.details:
                flops = {"flops": told.details["flops"]}
            details[member.name] = {
                "score": told.value if math.isfinite(told.value) else None,  # for JSON
                "log_score": told.log_value,
                "saturated": told.saturated,
                **({"spread": told.spread} if told.repeats > 1 else {}),
            }
        if first is None:
            raise _NoneReadError(reasons)
        score_of, told = first
        tails = {name: told.details[name] for name in ("heavy_tails",) if name in told.details}
        told = replace(told, parts=tuple(readings), details={**flops, **tails, BY_MEASURE: details})
        return self._of(score_of, told)

    def merged(self, found: Mapping[str, Measurement | Exception]) -> Measurement:
        """The measurement of all, from those of `by_init`, or what happened to them."""
        details: dict[str, Any] = {}
        scores: dict[str, Measurement] = {}
        for init, panel in self.by_init.items():
            told = found[init]
            for member in panel.members:
                if isinstance(told, Exception):
                    reasons = told.reasons if isinstance(told, _NoneReadError) else {}
                    details[member.name] = {
                        "error": reasons.get(member.name, Missing.of(told).text)
                    }
                    continue
                details[member.name] = told.details[BY_MEASURE][member.name]
                if "error" not in details[member.name]:
                    scores.setdefault(init, told)
        details = {member.name: details[member.name] for member in self.members}
        first = next((one for one in self.members if "error" not in details[one.name]), None)
        if first is None:
            raise _NoneReadError({name: one["error"] for name, one in details.items()})
        told = scores[first.default_init]
        of_missing = _notes(
            told.details[BY_MEASURE],
            told.details.get(SCORE_OF, next(iter(told.details[BY_MEASURE]))),
        )
        notes = tuple(note for note in told.notes if note not in of_missing)
        flops = [one.details["flops"] for one in scores.values() if "flops" in one.details]
        known = {**told.details, **({"flops": flops[0]} if flops else {}), BY_MEASURE: details}
        known.pop(SCORE_OF, None)
        return self._of(first.name, replace(told, details=known, notes=notes))

    def _of(self, score_of: str, told: Measurement) -> Measurement:
        """The measurement of one of the measures, with what all found among its details."""
        details = dict(told.details)
        if score_of != self.members[0].name:
            details[SCORE_OF] = score_of
        notes = (*told.notes, *_notes(details[BY_MEASURE], score_of))
        return replace(told, details=details, notes=notes)


def _notes(details: Mapping[str, Mapping[str, Any]], score_of: str) -> list[str]:
    """What is missing; ahead of the measure that the score is of, where the first is missing."""
    missing = [name for name, found in details.items() if "error" in found]
    notes = [f"no {name}: {details[name]['error']}" for name in missing]
    if next(iter(details)) != score_of:
        notes.append(f"the score is that of {score_of}, the first measure that has one")
    return notes


def _finite(
    measure: Measure[Any], readings: Sequence[Any], network: PreparedNetwork
) -> Measurement:
    told = measure.summary(readings, network)
    if not math.isfinite(told.log_value):
        raise ValueError(f"the score is {told.value}")
    return told


def _or_missing(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except NanActivationError:
        raise
    except Exception as error:
        return Missing.of(error)


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
