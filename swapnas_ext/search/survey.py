"""Scores all architectures of a space. A CSV file is made from the run file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from swapnas_ext import spaces
from swapnas_ext._util import parsed_json, quoted, read_text, unquoted
from swapnas_ext.scoring import Scorer
from swapnas_ext.search.candidate import Candidate
from swapnas_ext.search.description import describe_scorer
from swapnas_ext.search.listing import score_listed
from swapnas_ext.search.progress import Progress
from swapnas_ext.search.run_file import RunFile
from swapnas_ext.search.run_file_access import is_taken
from swapnas_ext.search.search_result import Ranked, SearchResult
from swapnas_ext.search.size_control import Control
from swapnas_ext.search.workers import Workers
from swapnas_ext.spaces import SearchSpace

COLUMNS = (
    "architecture",
    "scored_as",
    "score",
    "log_score",
    "patterns_mean",
    "patterns_std",
    "neurons",
    "saturation",
    "parameters",
    "seconds",
)
Row = dict[str, Any]
"""A row of the CSV file, by its columns."""


@dataclass(frozen=True)
class Survey:
    """Scores all architectures of a space.

    Of the architectures of one canonical form, only the one with the fewest parameters is scored; the column
    ``scored_as`` names it. Each architecture has its own number of parameters, and so its own regularised score.

    The run file beside the CSV file records each score at once. A CSV file that version 0.1.0 made, with
    ``.settings.json`` beside it and no run file, is continued: its rows stay as they are.

    Args:
        space_name, options: as for `spaces.get`. The space must be iterable.
        scorer: scores the networks.
        output: path of the CSV file.
    """

    space_name: str
    options: dict[str, Any]
    scorer: Scorer
    output: Path

    @property
    def run_file(self) -> Path:
        """Where the scores are recorded."""
        return run_file_of(self.output)

    @property
    def settings_file(self) -> Path:
        """The settings that version 0.1.0 wrote beside the CSV file."""
        return self.output.with_name(f"{self.output.name}.settings.json")

    @cached_property
    def space(self) -> SearchSpace:
        """The space, made anew with the recorded options."""
        return spaces.get(self.space_name, **self.options)

    @cached_property
    def groups(self) -> dict[str, list[str]]:
        """The architectures of each canonical form. The first of each is scored."""
        if not hasattr(self.space, "__iter__"):
            raise ValueError(
                f"the space {self.space_name} is too large to list all of its architectures; give some "
                "with --arch or --arch-file"
            )
        by_form: dict[str, list[str]] = {}
        for architecture in self.space:
            by_form.setdefault(self.space.canonical(architecture), []).append(architecture)
        for group in by_form.values():
            group.sort(key=self.space.size)  # stable: of equals, the first stays first
        return by_form

    def score(
        self,
        *,
        workers: Workers = None,
        on_progress: Callable[[Progress], None] | None = None,
        command: dict[str, Any] | None = None,
    ) -> SearchResult:
        """Scores the architectures that neither file has. Errors as for `score_listed`."""
        kept = self._kept()
        return score_listed(
            self.space,
            self.scorer,
            [group[0] for form, group in self.groups.items() if form not in kept],
            workers=workers,
            history=self.run_file,
            on_progress=on_progress,
            command=command,
        )

    def rows(self) -> dict[str, list[Row]]:
        """The rows of each form with a score, in the order of ``groups``.

        Raises:
            RunFileError: the run file can't be used.
            ValueError: the CSV file was made with other settings, or by something else.
        """
        kept = self._kept()
        scored = {candidate.form: candidate for candidate in self._candidates() if candidate.scored}
        rows = {}
        for form, group in self.groups.items():
            if form in scored:
                rows[form] = [self._row(architecture, scored[form]) for architecture in group]
            elif form in kept:
                rows[form] = kept[form]
        return rows

    def _candidates(self) -> list[Candidate]:
        if not is_taken(self.run_file):
            return []
        with RunFile.read(self.run_file) as run_file:
            return run_file.candidates()

    def _row(self, architecture: str, candidate: Candidate) -> Row:
        outcome = candidate.outcome
        assert outcome is not None
        parameters = self.space.size(architecture)
        control = Control(self.scorer.mu, self.scorer.sigma)
        ranked = Ranked(candidate, control.log_factor(parameters))
        return {
            "architecture": architecture,
            "scored_as": candidate.architecture,
            "score": ranked.score,
            "log_score": ranked.log_score,
            "patterns_mean": outcome.patterns,
            "patterns_std": outcome.patterns_std,
            "neurons": outcome.neurons,
            "saturation": None if outcome.saturation is None else round(outcome.saturation, 6),
            "parameters": parameters,
            "seconds": round(outcome.seconds, 6),
        }

    def _kept(self) -> dict[str, list[Row]]:
        """The rows that a CSV file of version 0.1.0 has, by form. Forms that lack a row are left out."""
        if not self.output.exists() or (
            is_taken(self.run_file) and not self.settings_file.exists()
        ):
            return {}
        self._check_settings()
        there = {row["architecture"]: row for row in _whole_rows(self.output)}
        return {
            form: [there[architecture] for architecture in group]
            for form, group in self.groups.items()
            if all(architecture in there for architecture in group)
        }

    def _check_settings(self) -> None:
        """Raises ValueError if the CSV file was made with other settings, or by something else."""
        wanted = {
            "space": self.space_name,
            "options": self.options,
            **describe_scorer(self.scorer),
        }
        wanted = json.loads(json.dumps(wanted))
        try:
            made_with = parsed_json(read_text(self.settings_file), self.settings_file)
            differing = [name for name in wanted if made_with.get(name) != wanted[name]]
        except (OSError, ValueError, AttributeError):
            raise ValueError(
                f"{self.output} exists, and no {self.run_file.name} or readable {self.settings_file.name} beside "
                "it says that it can be continued; choose another --output"
            ) from None
        if differing:
            name = differing[0]
            raise ValueError(
                f"{self.output} was made with {name}={made_with.get(name)}, not {wanted[name]}; choose "
                "another --output, or the same settings to continue it"
            )


def run_file_of(output: Path) -> Path:
    """The run file of a survey that writes this CSV file."""
    return output.with_name(f"{output.name}.db")


def survey_csv(rows: Sequence[Row]) -> str:
    """The text of the CSV file."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([quoted(row[name]) for name in COLUMNS] for row in rows)
    return buffer.getvalue()


def _whole_rows(output: Path) -> list[Row]:
    """The complete rows of a CSV file, which may be cut off anywhere."""
    header, *lines = output.read_bytes().splitlines(keepends=True) or [b""]
    if header != (",".join(COLUMNS) + "\n").encode():
        raise ValueError(
            f"{output} does not begin with the columns of a survey; choose another --output, or remove "
            "it to start over"
        )
    rows = []
    for line in lines:
        cells = next(csv.reader([line.decode(errors="replace")]), [])
        if line.endswith(b"\n") and len(cells) == len(COLUMNS):
            rows.append(dict(zip(COLUMNS, map(unquoted, cells), strict=True)))
    return rows
