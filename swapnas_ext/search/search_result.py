"""The result of a search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from swapnas_ext.search.candidate import Candidate
from swapnas_ext.search.run_file import RunFile
from swapnas_ext.search.size_control import Control


@dataclass(frozen=True)
class Ranked:
    """A candidate with its score, regularised by size if the search is."""

    candidate: Candidate
    log_factor: float

    @property
    def architecture(self) -> str:
        return self.candidate.architecture

    @property
    def score(self) -> float:
        """The score. A tiny regularised score underflows to 0; ``log_score`` does not."""
        return self.candidate.score * math.exp(self.log_factor)

    @property
    def log_score(self) -> float:
        return self.candidate.log_score + self.log_factor

    @property
    def parameters(self) -> int:
        """Number of parameters of the final network."""
        return self.candidate.parameters


@dataclass(frozen=True)
class SearchResult:
    """The candidates of a search, by number, and their ranking.

    Attributes:
        candidates: all candidates that were tried.
        controls: mu and sigma for each target size; empty before they are known.
        targets: the target sizes, in parameters; empty without ``target_params``.
        interrupted: whether Ctrl-C ended the search before all candidates were tried.
        exhausted: whether the search ended because it found no new architectures.
    """

    candidates: Sequence[Candidate]
    controls: tuple[Control, ...]
    targets: tuple[float, ...] = ()
    interrupted: bool = False
    exhausted: bool = False

    @classmethod
    def of(cls, run_file: RunFile) -> SearchResult:
        """The result in a run file."""
        about = run_file.about
        controls = tuple(Control(*pair) for pair in about.get("controls", []))
        targets = tuple(about["settings"].get("search", {}).get("target_params", ()))
        ended = about.get("ended", "")
        return cls(
            run_file.candidates(), controls, targets, ended == "interrupted", ended == "exhausted"
        )

    def ranked(self, control: Control | None = None) -> list[Ranked]:
        """The scored candidates, best first. Scores are regularised by ``control``; by default as in the search, or not
        at all if the search is for a family of sizes."""
        if control is None:
            control = self.controls[0] if len(self.controls) == 1 else Control()
        rows = [
            Ranked(candidate, control.log_factor(candidate.parameters))
            for candidate in self.candidates
            if candidate.scored
        ]
        return sorted(rows, key=lambda row: (-row.log_score, row.candidate.number))

    @property
    def best(self) -> Ranked:
        """The best candidate. Raises ValueError if nothing is scored."""
        ranked = self.ranked()
        if not ranked:
            raise ValueError("no candidate was scored")
        return ranked[0]

    @property
    def family(self) -> list[Ranked]:
        """The best candidate for each target size, in the order of ``targets``; empty without target sizes, or if the
        search ended before calibration."""
        complete = 0 < len(self.targets) == len(self.controls)
        if not complete or not any(candidate.scored for candidate in self.candidates):
            return []
        return [self.ranked(control)[0] for control in self.controls]

    @property
    def front(self) -> list[Ranked]:
        """The Pareto front, smallest first: no other candidate has both fewer parameters and a higher unregularised
        score."""
        rows = self.ranked(Control())
        rows.sort(key=lambda row: (row.parameters, -row.log_score))
        front: list[Ranked] = []
        for row in rows:
            if not front or row.log_score > front[-1].log_score:
                front.append(row)
        return front

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
