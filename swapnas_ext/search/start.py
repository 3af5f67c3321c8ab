"""Opens the run file that a search starts with."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from swapnas_ext.search.latency import measured_text
from swapnas_ext.search.run_file import RunFile
from swapnas_ext.search.run_file_access import is_taken

_log = logging.getLogger(__name__)

_FIRST = ("name", "strategy", "measure")
_ABSENT_FROM_OLDER = {"fast_layers": False}
"""Settings of scorers that older run files do not name."""


@contextmanager
def opened(path: Path | None, about: dict[str, Any]) -> Iterator[RunFile]:
    """Opens the run file at the path to continue its search, or makes a new one. A search may continue with another
    number of candidates, and with the same images in another place. A new run file is removed if the search fails
    before anything is scored."""
    if path is not None and is_taken(path):
        with RunFile.resume(path) as run_file:
            made_with = run_file.settings
            search = _not_below_begun(about["search"], run_file)
            _check_same(made_with, {**about, "search": search}, path)
            command = _with_pilot(about["command"], made_with.get("command"))
            run_file.write_about(
                settings={**made_with, "search": search, "command": command},
                ended="",
            )
            if _log.isEnabledFor(logging.INFO):
                _log.info("%s goes on from %d candidates", path, len(run_file.candidates()))
            yield run_file
        return
    run_file = RunFile.create(path, about)
    try:
        yield run_file
    except BaseException:
        run_file.close(discard=not any(candidate.scored for candidate in run_file.candidates()))
        raise
    run_file.close()


def _with_pilot(
    command: dict[str, Any] | None, before: dict[str, Any] | None
) -> dict[str, Any] | None:
    """The command, with the pilot of the one before: the scorer is the same, which that pilot chose."""
    if not command or not before:
        return command or before
    return {**command, "pilot": before["pilot"]} if "pilot" in before else command


def _not_below_begun(search: dict[str, Any], run_file: RunFile) -> dict[str, Any]:
    """The settings of a search, with at least as many candidates as the run file has: these are not undone."""
    if "candidates" not in search:
        return search
    begun = max((candidate.number for candidate in run_file.candidates()), default=-1) + 1
    return {**search, "candidates": max(search["candidates"], begun)}


def _begin_alike(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether two searches that differ in their number of candidates begin with the same ones. Those of a family do
    not: its searches share the candidates."""
    targets, calibration = len(first["target_params"]), first["calibration"]
    fewer = min(first["candidates"], second["candidates"])
    return targets == 0 or (targets == 1 and fewer > calibration)


def _check_same(made_with: dict[str, Any], wanted: dict[str, Any], path: Path) -> None:
    """Raises ValueError if a run file was made with other settings. Only the number of candidates may differ."""
    wanted = json.loads(json.dumps(wanted))
    before, now = made_with.get("latency"), wanted.get("latency")
    if before != now:
        raise ValueError(
            f"{path} was made with latency {measured_text(before)}, not {measured_text(now)}: go on with the same, or "
            "choose another run file"
        )
    for part in ("space", "scorer", "search", "device"):
        before, now = made_with.get(part), wanted[part]
        if not isinstance(before, dict) or not isinstance(now, dict):
            before, now = {part: before}, {part: now}
        elif part == "scorer":
            before = {**_ABSENT_FROM_OLDER, **before}
        # The error names a setting that users choose rather than one that follows from it, or a digest.
        names = sorted(
            before.keys() | now.keys(), key=lambda n: (n not in _FIRST, n == "inputs", n)
        )
        for name in names:
            if before.get(name) == now.get(name):
                continue
            if name == "candidates" and _begin_alike(before, now):
                continue
            if part == "space" and name == "name":
                raise ValueError(
                    f"{path} is a run of the space {before.get(name)}, not of {now.get(name)}; choose another "
                    "run file"
                )
            if name == "inputs":
                raise ValueError(
                    f"{path} was made with other images (or other inputs) than these: go on with the same, or "
                    "choose another run file"
                )
            raise ValueError(
                f"{path} was made with {name}={before.get(name)}, not {now.get(name)}; choose another run "
                "file, or the same settings to continue it"
            )
