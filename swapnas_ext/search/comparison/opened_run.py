"""Opens the runs that are to be compared, and names them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from swapnas_ext.search.description import describe_space
from swapnas_ext.search.run_file import RunFile
from swapnas_ext.search.search_result import SearchResult

Runs: TypeAlias = Sequence[str | Path] | Mapping[str, str | Path | SearchResult]
_SECTIONS = ("scorer", "search")
_NOT_ENDED = "running, or killed"


@dataclass(frozen=True)
class OpenedRun:
    """A run that is to be compared.

    Attributes:
        name: is shown, and unlike those of the others.
        source: what errors call it: the path of its file, or its name.
        version: of this package that made or last continued it; None if it is not known.
        state: ``complete``, ``exhausted``, ``interrupted``, or that it is running, or was killed.
    """

    name: str
    source: str
    result: SearchResult
    version: str | None
    state: str

    @property
    def space(self) -> dict[str, Any]:
        """The name and the options of its space, as run files record them; empty if not known."""
        recorded = _section(self.result.settings, "space")
        if not recorded and self.result.space is not None:
            recorded = describe_space(self.result.space)
        found: dict[str, Any] = json.loads(json.dumps(recorded))
        return found

    @property
    def scorer(self) -> dict[str, Any]:
        """The settings of its scorer; empty if not known."""
        return _section(self.result.settings, "scorer")

    @property
    def seed(self) -> int | None:
        """The seed of its search; None if it is not known."""
        return _section(self.result.settings, "search").get("seed")

    def flat_settings(self) -> dict[str, Any]:
        """All but the space, by names such as ``search.strategy``."""
        flat: dict[str, Any] = {
            "version": self.version,
            "device": self.result.settings.get("device"),
        }
        for name in _SECTIONS:
            section = _section(self.result.settings, name)
            flat |= {f"{name}.{setting}": value for setting, value in section.items()}
        return flat


def opened_runs(runs: Runs) -> list[OpenedRun]:
    """Reads the runs.

    Raises:
        TypeError: ``runs`` is one path, or something that is neither a path nor a result.
        ValueError: fewer than two runs, or one that is given twice.
        FileNotFoundError, RunFileError: as for `load`.
    """
    if isinstance(runs, str | Path | SearchResult):
        raise TypeError(
            f"runs must be two paths or more, or a dict of them by name, got {type(runs).__name__}: {runs!s:.100}"
        )
    if isinstance(runs, Mapping):
        named = [(str(name), run) for name, run in runs.items()]
    else:
        named = list(zip(_names([_path_of(run) for run in runs]), runs, strict=True))
    if len(named) < 2:
        only = f", got only {named[0][0]}; swapnas show shows a single one" if named else ""
        raise ValueError(f"give two runs or more to compare{only}")
    _check_different(named)
    return [_opened(name, run) for name, run in named]


def _path_of(run: object) -> Path:
    if not isinstance(run, str | Path):
        raise TypeError(
            f"each run must be a path, got {type(run).__name__}; give results by name, as in "
            "{'first': result, 'second': 'run.db'}"
        )
    return Path(run)


def _check_different(named: Sequence[tuple[str, str | Path | SearchResult]]) -> None:
    seen: dict[object, str] = {}
    for name, run in named:
        key: object = id(run)
        if isinstance(run, str | Path):
            path = Path(run)
            # A link leads to the same file, and so does another spelling.
            key = (path.stat().st_dev, path.stat().st_ino) if path.is_file() else path
        if key in seen:
            again = str(run) if isinstance(run, str | Path) else name
            same = "" if seen[key] == name else f": it is the same run as {seen[key]}"
            raise ValueError(f"{again} is given twice{same}")
        seen[key] = name


def _names(paths: Sequence[Path]) -> list[str]:
    """The stem of each file; with as many folders before it as tell it from the others."""
    names = [path.stem for path in paths]
    absolute = [path.absolute() for path in paths]
    for depth in range(2, max((len(path.parts) for path in absolute), default=0) + 1):
        counts = Counter(names)
        names = [
            "/".join([*path.parts[-depth:-1], path.stem]) if counts[name] > 1 else name
            for name, path in zip(names, absolute, strict=True)
        ]
    counts = Counter(names)
    return [  # files that differ in their suffix alone
        path.name if counts[name] > 1 else name for name, path in zip(names, paths, strict=True)
    ]


def _opened(name: str, run: str | Path | SearchResult) -> OpenedRun:
    if isinstance(run, SearchResult):
        ended = "interrupted" if run.interrupted else "exhausted" if run.exhausted else "complete"
        return OpenedRun(name, name, run, None, ended)
    with RunFile.read(_path_of(run)) as run_file:
        about = run_file.about
        result = SearchResult.of(run_file)
    return OpenedRun(
        name, str(run), result, str(about.get("version")), str(about.get("ended") or _NOT_ENDED)
    )


def _section(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = settings.get(name)
    return dict(section) if isinstance(section, Mapping) else {}
