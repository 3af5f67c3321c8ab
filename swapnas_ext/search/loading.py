"""Loads the result of a search."""

from __future__ import annotations

from pathlib import Path

from swapnas_ext.search.recorded_space import recorded_space
from swapnas_ext.search.run_file import RunFile
from swapnas_ext.search.search_result import SearchResult
from swapnas_ext.spaces import SearchSpace


def load(path: str | Path, space: SearchSpace | str | None = None) -> SearchResult:
    """The result in a run file, with its space. A search may be writing to the file.

    Args:
        path: the run file of `search`, `evolve` or `score_listed`, or of the ``swapnas`` command.
        space: the space that was searched, or its name, such as ``"my_module:MySpace"``; a name is made with the
            recorded options. By default the space that the file records, if it is one of this package: no other
            module that a file names is imported. Without a space, results can be read, but no network can be built.

    Raises:
        FileNotFoundError: no such file.
        RunFileError: not a run file, or a damaged one.
        TypeError, ValueError, ImportError: ``space`` is not the space that was searched, or is none.

    Example::

        result = swap.search.load("run.db")
        network = result.best.build()
    """
    with RunFile.read(path) as run_file:
        found = recorded_space(run_file.settings, space, source=path)
        return SearchResult.of(run_file, found)
