"""The result of a search."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from torch import nn

from swapnas_ext._util import (
    SameWithNan,
    json_document,
    notebook_facts,
    notebook_table,
    read_document,
    shortened,
)
from swapnas_ext.search.candidate import Candidate
from swapnas_ext.search.costs import COSTS, cost_of
from swapnas_ext.search.distinct import Distinct, distinct_of
from swapnas_ext.search.final_networks import FinalNetworks
from swapnas_ext.search.frame import candidates_frame
from swapnas_ext.search.pareto import first_front
from swapnas_ext.search.recorded_space import recorded_space
from swapnas_ext.search.run_file import RunFile
from swapnas_ext.search.sessions import Session
from swapnas_ext.search.size_control import Control
from swapnas_ext.spaces import SearchSpace

if TYPE_CHECKING:
    import pandas

_SHOWN = 10
"""How many architectures a notebook shows."""


@dataclass(frozen=True, repr=False)
class Ranked:
    """A candidate with its score, regularised by size if the search is.

    Attributes:
        candidate: the architecture and its outcome.
        log_factor: -(Theta - mu)^2 / sigma, by which the logarithm of the score is regularised.
        final: builds the final network, see `SearchSpace.final`.
    """

    candidate: Candidate
    log_factor: float
    final: FinalNetworks = field(default=FinalNetworks(None, {}), compare=False, repr=False)

    @property
    def architecture(self) -> str:
        """Its string."""
        return self.candidate.architecture

    @property
    def score(self) -> float:
        """The score. A tiny regularised score underflows to 0; ``log_score`` does not."""
        return self.candidate.score * math.exp(self.log_factor)

    @property
    def log_score(self) -> float:
        """The natural logarithm of the score, with size control if the ranking has it."""
        return self.candidate.log_score + self.log_factor

    @property
    def parameters(self) -> int:
        """Number of parameters of the final network."""
        return self.candidate.parameters

    @property
    def flops(self) -> int:
        """Operations of the final network on one sample; a multiplication with addition counts as two. Recorded if the
        search had a limit on them, or that objective; otherwise counted, once for an architecture of a result. Raises
        ValueError as `build` does."""
        return self.final.flops(self.candidate)

    @property
    def memory(self) -> int:
        """Peak memory of the final network on one sample, in bytes: the most that its parameters, buffers, input and
        activations take at one time, in one forward pass (see `swapnas_ext.search.peak_memory`). Recorded if the search
        had a limit on it, or that objective; otherwise counted. Raises ValueError as `build` does."""
        return self.final.memory(self.candidate)

    @property
    def latency(self) -> float:
        """Seconds of one forward pass of the final network on one sample, the median of several. Recorded if the search
        measured it, on its first device. Otherwise it is measured when it is first asked for, **on this machine**, with
        one thread, on the device of the search, once for an architecture of a result; other work on the machine
        disturbs it. Raises ValueError as `build` does."""
        return self.final.latency(self.candidate)

    def __repr__(self) -> str:
        told = f"{self.score:.6g}, parameters={self.parameters:,}, number={self.candidate.number}"
        return f"Ranked({told}, {shortened(self.architecture)!r})"

    def to_json(self) -> str:
        """The candidate with its score as JSON, and the settings of its search; see `from_json`."""
        return json_document(self, settings=dict(self.final.settings))

    @classmethod
    def from_json(cls, text: str, space: SearchSpace | str | None = None) -> Ranked:
        """What `to_json` wrote. ``space`` and its errors as for `load`. Raises ValueError for any other text, naming
        the field that is wrong."""
        found, others = read_document(text, cls, others=["settings"])
        return replace(found, final=_final_networks(others["settings"], space))

    def build(self) -> nn.Module:
        """The final network, with the weights that it draws from torch's random numbers.

        Raises:
            ValueError: the space is not known: give it to `load` as ``space=``.
        """
        return self.final.build(self.architecture)


@dataclass(frozen=True, eq=False, repr=False)
class SearchResult(SameWithNan):
    """The candidates of a search, by number, and their ranking.

    Attributes:
        candidates: all candidates that were tried.
        controls: mu and sigma for each target size; empty before they are known.
        targets: the target sizes, in parameters; empty without ``target_params``.
        interrupted: whether Ctrl-C ended the search before all candidates were tried.
        exhausted: whether the search ended because it found no new architectures.
        settings: what the run file records: ``space``, ``scorer``, ``search``, ``device`` and ``command``.
        space: the space that was searched; None if it is not known, see `load`.
        sessions: when the search ran, in seconds since the epoch; the last has no end while it runs. JSON lacks them.
    """

    candidates: Sequence[Candidate]
    controls: tuple[Control, ...]
    targets: tuple[float, ...] = ()
    interrupted: bool = False
    exhausted: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    space: SearchSpace | None = field(default=None, compare=False, repr=False)
    sessions: tuple[Session, ...] = field(default=(), compare=False, repr=False)

    @classmethod
    def of(cls, run_file: RunFile, space: SearchSpace | None = None) -> SearchResult:
        """The result in a run file. `load` also finds its space."""
        about = run_file.about
        controls = tuple(Control(*pair) for pair in about.get("controls", []))
        targets = tuple(about["settings"].get("search", {}).get("target_params", ()))
        ended = about.get("ended", "")
        return cls(
            run_file.candidates_later(),
            controls,
            targets,
            ended == "interrupted",
            ended == "exhausted",
            about["settings"],
            space,
            run_file.sessions,
        )

    def _facts(self) -> dict[str, object]:
        """How many candidates of what there are, and the best."""
        name = (self.settings.get("space") or {}).get("name")
        facts: dict[str, object] = {
            "space": name or ("unknown" if self.space is None else repr(self.space)),
            "candidates": f"{len(self.candidates):,}",
            "scored": f"{len(self._as_searched):,}",
        }
        for what, count in (("failed", len(self.failed)), ("beyond a limit", len(self.over))):
            if count:
                facts[what] = f"{count:,}"
        if self.interrupted or self.exhausted:
            facts["ended"] = "interrupted" if self.interrupted else "exhausted"
        return facts

    def __repr__(self) -> str:
        told = ", ".join(f"{name}: {value}" for name, value in self._facts().items())
        best = f"; best {self.best!r}" if self._as_searched else ""
        return f"<SearchResult {told}{best}>"

    def _repr_html_(self) -> str:
        shown = self._as_searched[:_SHOWN]
        columns = {
            "rank": [str(place) for place in range(1, len(shown) + 1)],
            "score": [f"{row.score:.6g}" for row in shown],
            "parameters": [f"{row.parameters:,}" for row in shown],
            "architecture": [shortened(row.architecture) for row in shown],
        }
        return notebook_facts("SearchResult", self._facts()) + notebook_table("the best", columns)

    def __getstate__(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def ranked(self, control: Control | None = None) -> list[Ranked]:
        """The scored candidates, best first. Scores are regularised by ``control``; by default as in the search, or not
        at all if the search is for a family of sizes."""
        if control is None:
            return list(self._as_searched)
        rows = [
            Ranked(candidate, control.log_factor(candidate.parameters), self._final)
            for candidate in self.candidates
            if candidate.scored
        ]
        return sorted(rows, key=lambda row: (-row.log_score, row.candidate.number))

    @cached_property
    def _as_searched(self) -> list[Ranked]:
        return self.ranked(self.controls[0] if len(self.controls) == 1 else Control())

    @cached_property
    def _final(self) -> FinalNetworks:
        return FinalNetworks(self.space, self.settings)

    @property
    def best(self) -> Ranked:
        """The best candidate. Raises ValueError if nothing is scored."""
        if not self._as_searched:
            raise ValueError("no candidate was scored")
        return self._as_searched[0]

    def distinct(self, top: int = 10, *, apart: int | None = None) -> list[Distinct]:
        """The best of each group of architectures that are alike, best first: of the ranking, those that differ from
        every better one here in at least ``apart`` choices (`SearchSpace.distance`).

        Args:
            top: how many; fewer where the best 5,000 have no more groups.
            apart: choices; by default 3, in spaces of three choices or fewer one less than there are. 1 gives the
                ranking itself.

        Raises:
            ValueError: the space is not known (see `load`), or a number is not positive.
        """
        for name, value in (("top", top), ("apart", 1 if apart is None else apart)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number from 1 on, got {value!r}")
        return distinct_of(self._as_searched, self._final.searched, top=top, apart=apart)

    @property
    def family(self) -> list[Ranked]:
        """The best candidate for each target size, in the order of ``targets``; empty without target sizes, or if the
        search ended before calibration."""
        complete = 0 < len(self.targets) == len(self.controls)
        if not complete or not any(candidate.scored for candidate in self.candidates):
            return []
        return [self.ranked(control)[0] for control in self.controls]

    @property
    def objective(self) -> str:
        """Name of the cost that `front` is about: the objective of the search, or ``"parameters"``."""
        return (self.settings.get("search") or {}).get("objective") or "parameters"

    @property
    def front(self) -> list[Ranked]:
        """The Pareto front of score and the cost of `objective`, see `front_of`."""
        return self.front_of(self.objective)

    def front_of(self, cost: str) -> list[Ranked]:
        """The Pareto front of score and a cost, the cheapest first: no other candidate has both a cost that is not
        higher and a higher score, or the same score and a lower cost. In a search with an objective, scores are
        regularised as the search is; without one, they are not.

        Args:
            cost: ``"parameters"``, ``"flops"``, ``"memory"`` or ``"latency"``, of the final network on one sample.

        Raises:
            ValueError: the name is unknown, or the search did not record this cost.
        """
        wanted = cost_of(cost)
        if not wanted.is_recorded_by(self.settings):
            recorded = [name for name, one in COSTS.items() if one.is_recorded_by(self.settings)]
            raise ValueError(
                f"this search did not record {wanted.title}, only {', '.join(recorded)}, of its final networks: "
                f"search with objective={cost!r} or {wanted.limit}"
            )
        has_objective = bool((self.settings.get("search") or {}).get("objective"))
        rows = self._as_searched if has_objective else self.ranked(Control())
        known = [(row, at) for row in rows if (at := wanted.recorded(row.candidate)) is not None]
        places = first_front([row.log_score for row, _ in known], [at for _, at in known])
        return [known[place][0] for place in places]

    def to_json(self) -> str:
        """All of the result as JSON, see `from_json`."""
        return json_document(self)

    @classmethod
    def from_json(cls, text: str, space: SearchSpace | str | None = None) -> SearchResult:
        """The result that `to_json` wrote. ``space`` and its errors as for `load`. Raises ValueError for any other
        text, naming the field that is wrong."""
        found, _ = read_document(text, cls)
        _check_settings(found.settings)
        return replace(found, space=recorded_space(found.settings, space, source="the JSON"))

    def to_frame(self) -> pandas.DataFrame:
        """The candidates as a data frame: a row for each, by number.

        Its columns: ``number``, ``rank`` (1 is the best; missing without a score), ``architecture``, ``score`` and
        ``log_score`` (regularised as in `ranked`), ``unregularised_score``, ``spread``, ``measure``, ``parameters``,
        ``flops``, ``memory_bytes``, ``latency_seconds`` with the ends of its interval (on the first
        device; of several devices a column ``latency_seconds_NAME`` each, and its ends), ``patterns``, ``neurons``,
        ``ternary``, ``saturation``, ``saturated``, ``phase``, ``parents``, ``form``, ``over``, ``error``, ``seconds``
        (of work) and ``finished`` (a time in UTC); of several measures a column ``log_score_NAME`` each. What they
        mean: `Candidate` and `Outcome`.

        Raises:
            ImportError: pandas is not installed: ``pip install 'swapnas-ext[pandas]'``.
        """
        return candidates_frame(self.candidates, self._as_searched)

    @property
    def scored(self) -> list[Candidate]:
        """The candidates with a score, by number."""
        return [candidate for candidate in self.candidates if candidate.scored]

    @property
    def failed(self) -> list[Candidate]:
        """The candidates that could not be scored. ``candidate.outcome.error`` says why."""
        return [c for c in self.candidates if c.outcome is not None and c.outcome.error]

    @property
    def over(self) -> list[Candidate]:
        """The candidates beyond a limit, which are not scored. ``candidate.outcome.over`` names the limit."""
        return [c for c in self.candidates if c.outcome is not None and c.outcome.over]


def _check_settings(settings: object) -> None:
    """Raises ValueError unless they have the form that run files record."""
    if not isinstance(settings, dict):
        raise ValueError(f"the settings in the JSON must be an object, got {settings!r:.100}")
    for name in ("space", "scorer", "search"):
        if not isinstance(settings.get(name) or {}, dict):
            raise ValueError(f"settings.{name} must be an object, got {settings[name]!r:.100}")
    for name, value in (
        ("space.name", (settings.get("space") or {}).get("name")),
        ("device", settings.get("device")),
    ):
        if not isinstance(value, str | None):
            raise ValueError(f"settings.{name} must be a text, got {value!r:.100}")


def _final_networks(settings: Any, space: SearchSpace | str | None) -> FinalNetworks:
    _check_settings(settings)
    return FinalNetworks(recorded_space(settings, space, source="the JSON"), settings)
