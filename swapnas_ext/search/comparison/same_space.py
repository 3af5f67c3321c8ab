"""Refuses to compare runs of different spaces."""

from __future__ import annotations

from collections.abc import Sequence

from swapnas_ext.search.comparison.opened_run import OpenedRun
from swapnas_ext.search.recorded_space import is_same_space_name


def check_same_space(runs: Sequence[OpenedRun]) -> None:
    """Raises ValueError unless all runs are of one space, with the same options.

    Any option counts, also one that may change nothing but the final network: sizes are those of the final networks.
    """
    first, *others = runs
    wanted = first.space
    for run in others:
        found = run.space
        if not is_same_space_name(found.get("name"), wanted.get("name")):
            raise ValueError(
                f"{first.source} is a run of the space {wanted.get('name')}, and {run.source} one of "
                f"{found.get('name')}: runs of different spaces can't be compared"
            )
        for option in sorted((wanted.keys() | found.keys()) - {"name"}):
            if wanted.get(option) != found.get(option):
                raise ValueError(
                    f"{first.source} was made with {option}={wanted.get(option)} of the space {wanted.get('name')}, "
                    f"and {run.source} with {option}={found.get(option)}: runs of different networks can't be compared"
                )
