"""Lets a pilot choose what ``auto`` stands for, and reads what one has chosen before."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from swapnas_ext._util import cores
from swapnas_ext.cli.messages import tell
from swapnas_ext.cli.option_types import AUTO
from swapnas_ext.cli.progress import progress_bar
from swapnas_ext.cli.scoring import Scoring
from swapnas_ext.search import RunFile, is_taken, pilot
from swapnas_ext.spaces import SearchSpace


def piloted(
    scoring: Scoring,
    space: SearchSpace,
    *,
    seed: int,
    workers: int | None,
    run: Path | None = None,
) -> tuple[Scoring, dict[str, Any] | None]:
    """The scoring with numbers where it had ``auto``, and the pilot that chose them, for JSON; None without one.

    The pilot runs in local processes. What it chose is told. A run file that has begun keeps what its pilot chose:
    measured times, and so the choice, may be others the next time. Of several measures, the pilot is about the first.

    Args:
        workers: local processes; by default one per core.
        run: the run file that is continued if it exists.
    """
    if not scoring.is_auto:
        return scoring, None
    before = _recorded(run)
    if before is not None:
        tell(before["sentence"])
        return _filled_in(scoring, before), before
    with progress_bar("pilot", 1) as on_progress:
        found = pilot(
            space,
            dataclasses.replace(scoring, measure=scoring.measure.partition(",")[0]).options(seed),
            samples=_number(scoring.samples),
            size=scoring.size,
            repeats=_number(scoring.repeats),
            source=scoring.images,
            workers=min(workers or cores(), cores()),
            device=scoring.device,
            on_progress=on_progress,
        )
    tell(found.sentence)
    return _filled_in(scoring, found.for_json()), found.for_json()


def _number(value: int | str) -> int | None:
    return value if isinstance(value, int) else None


def _filled_in(scoring: Scoring, chosen: dict[str, Any]) -> Scoring:
    changes = {
        name: chosen[name] for name in ("samples", "repeats") if getattr(scoring, name) == AUTO
    }
    if "samples" in changes and scoring.size is None:
        changes["size"] = chosen["size"]
    return dataclasses.replace(scoring, **changes)


def _recorded(run: Path | None) -> dict[str, Any] | None:
    if run is None or not is_taken(run):
        return None
    with RunFile.read(run) as run_file:
        return run_file.pilot
